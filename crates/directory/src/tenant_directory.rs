//! The directory as one tenant sees it. What reads for a caller gets this in place of the snapshot, so that nothing of
//! another tenant can be shown by forgetting to compare.

use std::sync::Arc;

use domain::{
    application::{Application, ServicePrincipal},
    directory::{self, Principal},
    directory_role::DirectoryRole,
    group::Group,
    id::{AppId, ObjectId, TenantId},
    name::Upn,
    snapshot::Snapshot,
    tenant::Tenant,
    user::User,
};
use state::Caller;

use crate::Directory;

/// What is in a tenant's directory, as it was at one revision. Nothing is copied: lists read the snapshot as they go.
#[derive(Clone, Debug)]
pub struct TenantDirectory {
    snapshot: Arc<Snapshot>,
    tenant: TenantId,
}

/// Any object of a directory.
#[derive(Clone, Copy, Debug)]
pub enum DirectoryObject<'a> {
    User(&'a Arc<User>),
    Group(&'a Arc<Group>),
    ServicePrincipal(&'a Arc<ServicePrincipal>),
    Application(&'a Arc<Application>),
}

impl Directory {
    /// The directory of the caller's tenant. Every member of a tenant may read all of it, as in Entra.
    pub fn of(&self, caller: &Caller) -> TenantDirectory {
        TenantDirectory::new(self.state.snapshot(), caller.tenant)
    }
}

impl TenantDirectory {
    pub fn new(snapshot: Arc<Snapshot>, tenant: TenantId) -> Self {
        Self { snapshot, tenant }
    }

    pub fn tenant(&self) -> Option<&Arc<Tenant>> {
        self.all().tenant(self.tenant)
    }

    pub fn user(&self, id: ObjectId) -> Option<&Arc<User>> {
        self.all().user(id).filter(|user| user.tenant == self.tenant)
    }

    /// Compared without regard to case.
    pub fn user_by_upn(&self, upn: &Upn) -> Option<&Arc<User>> {
        self.all().user_by_upn(upn).filter(|user| user.tenant == self.tenant)
    }

    /// Those after `after`, in order of id, as in each list here; to begin in the middle costs no more than at the start.
    pub fn users(&self, after: Option<ObjectId>) -> impl Iterator<Item = &Arc<User>> {
        self.all().users_of(self.tenant, after)
    }

    pub fn group(&self, id: ObjectId) -> Option<&Arc<Group>> {
        self.all().group(id).filter(|group| group.tenant == self.tenant)
    }

    pub fn groups(&self, after: Option<ObjectId>) -> impl Iterator<Item = &Arc<Group>> {
        self.all().groups_of(self.tenant, after)
    }

    pub fn application(&self, id: ObjectId) -> Option<&Arc<Application>> {
        self.all().application(id).filter(|application| application.tenant == self.tenant)
    }

    pub fn application_by_app_id(&self, app_id: AppId) -> Option<&Arc<Application>> {
        self.all().application_by_app_id(app_id).filter(|application| application.tenant == self.tenant)
    }

    pub fn applications(&self, after: Option<ObjectId>) -> impl Iterator<Item = &Arc<Application>> {
        self.all().applications_of(self.tenant, after)
    }

    pub fn service_principal(&self, id: ObjectId) -> Option<&Arc<ServicePrincipal>> {
        self.all().service_principal(id).filter(|principal| principal.tenant == self.tenant)
    }

    pub fn service_principal_by_app_id(&self, app_id: AppId) -> Option<&Arc<ServicePrincipal>> {
        self.all().service_principal_by_app_id(self.tenant, app_id)
    }

    pub fn service_principals(
        &self,
        after: Option<ObjectId>,
    ) -> impl Iterator<Item = &Arc<ServicePrincipal>> {
        self.all().service_principals_of(self.tenant, after)
    }

    pub fn principal(&self, id: ObjectId) -> Option<Principal<'_>> {
        self.all().principal(id).filter(|principal| principal.tenant() == self.tenant)
    }

    pub fn object(&self, id: ObjectId) -> Option<DirectoryObject<'_>> {
        match self.principal(id) {
            Some(Principal::User(user)) => Some(DirectoryObject::User(user)),
            Some(Principal::Group(group)) => Some(DirectoryObject::Group(group)),
            Some(Principal::ServicePrincipal(principal)) => {
                Some(DirectoryObject::ServicePrincipal(principal))
            }
            None => self.application(id).map(DirectoryObject::Application),
        }
    }

    /// Direct members of a group after `after`, in order of id.
    pub fn members(&self, group: ObjectId, after: Option<ObjectId>) -> impl Iterator<Item = ObjectId> {
        let group = self.group(group).map(|group| group.id);
        group.into_iter().flat_map(move |group| self.all().members_after(group, after))
    }

    /// Groups that hold a principal directly, after `after`, in order of id.
    pub fn direct_groups(&self, member: ObjectId, after: Option<ObjectId>) -> impl Iterator<Item = ObjectId> {
        let member = self.principal(member).map(|principal| principal.id());
        member.into_iter().flat_map(move |member| self.all().direct_groups_after(member, after))
    }

    /// Every group that a principal is in, through nesting too, sorted by id. All are of this tenant, as members are of
    /// the tenant of their group: see [`Directory::add_member`].
    pub fn transitive_groups(&self, member: ObjectId) -> Arc<[ObjectId]> {
        match self.principal(member) {
            Some(principal) => self.all().transitive_groups(principal.id()),
            None => Arc::default(),
        }
    }

    /// Groups, applications and service principals that a principal owns, in no order.
    pub fn owned_by(&self, owner: ObjectId) -> impl Iterator<Item = ObjectId> {
        let groups = self.groups(None).filter(move |each| each.owners.contains(&owner)).map(|each| each.id);
        let applications = self.applications(None).filter(move |each| each.owners.contains(&owner));
        let principals = self.service_principals(None).filter(move |each| each.owners.contains(&owner));
        groups.chain(applications.map(|each| each.id)).chain(principals.map(|each| each.id))
    }

    /// Roles of the directory that a principal holds, in order of id.
    pub fn roles_of(&self, principal: ObjectId) -> impl Iterator<Item = &'static DirectoryRole> {
        let tenant = self.principal(principal).and_then(|_| self.tenant()).cloned();
        let roles = domain::directory_role::ALL.iter();
        roles.filter(move |role| tenant.as_ref().is_some_and(|of| (role.holders)(of).contains(&principal)))
    }

    /// That of all tenants.
    fn all(&self) -> &directory::Directory {
        self.snapshot.directory()
    }
}
