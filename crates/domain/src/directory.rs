//! The directory in memory: tenants, principals and who is in which group. Copying it costs a few pointers,
//! so each write makes a new one and readers keep theirs.

mod flattened;

use std::{ops::Bound, sync::Arc};

use imbl::{HashMap, OrdSet};
use uuid::Uuid;

use crate::{
    application::{Application, ServicePrincipal},
    group::{Group, Membership},
    id::{AppId, ObjectId, TenantId},
    name::Upn,
    tenant::Tenant,
    user::User,
};
use flattened::Flattened;

#[derive(Clone, Debug, Default)]
pub struct Directory {
    tenants: HashMap<TenantId, Arc<Tenant>>,
    users: HashMap<ObjectId, Arc<User>>,
    user_by_upn: HashMap<Arc<str>, ObjectId>,
    groups: HashMap<ObjectId, Arc<Group>>,
    members: HashMap<ObjectId, OrdSet<ObjectId>>,
    groups_of: HashMap<ObjectId, OrdSet<ObjectId>>,
    applications: HashMap<ObjectId, Arc<Application>>,
    application_by_app_id: HashMap<AppId, ObjectId>,
    service_principals: HashMap<ObjectId, Arc<ServicePrincipal>>,
    service_principal_by_app_id: HashMap<(TenantId, AppId), ObjectId>,
    /// Each kind in order, so that a page of a list can begin anywhere.
    user_order: Order,
    group_order: Order,
    application_order: Order,
    service_principal_order: Order,
    flattened: Arc<Flattened>,
}

type Order = OrdSet<(TenantId, ObjectId)>;

/// A principal that can act or be given access.
#[derive(Clone, Copy, Debug)]
pub enum Principal<'a> {
    User(&'a Arc<User>),
    Group(&'a Arc<Group>),
    ServicePrincipal(&'a Arc<ServicePrincipal>),
}

impl<'a> Principal<'a> {
    pub fn id(&self) -> ObjectId {
        match self {
            Self::User(user) => user.id,
            Self::Group(group) => group.id,
            Self::ServicePrincipal(service_principal) => service_principal.id,
        }
    }

    pub fn tenant(&self) -> TenantId {
        match self {
            Self::User(user) => user.tenant,
            Self::Group(group) => group.tenant,
            Self::ServicePrincipal(service_principal) => service_principal.tenant,
        }
    }

    /// What people call it: the principal name of a user, the display name of the others.
    pub fn name(&self) -> &'a str {
        match self {
            Self::User(user) => user.upn.as_str(),
            Self::Group(group) => group.display_name.as_str(),
            Self::ServicePrincipal(service_principal) => service_principal.display_name.as_str(),
        }
    }
}

impl Directory {
    pub fn tenant(&self, id: TenantId) -> Option<&Arc<Tenant>> {
        self.tenants.get(&id)
    }

    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.values()
    }

    pub fn tenant_by_domain(&self, domain: &str) -> Option<&Arc<Tenant>> {
        self.tenants.values().find(|tenant| tenant.has_domain(domain))
    }

    pub fn user(&self, id: ObjectId) -> Option<&Arc<User>> {
        self.users.get(&id)
    }

    /// Compared without regard to case.
    pub fn user_by_upn(&self, upn: &Upn) -> Option<&Arc<User>> {
        self.users.get(self.user_by_upn.get(upn.folded())?)
    }

    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// Those of a tenant after `after`, in order of id.
    pub fn users_of(&self, tenant: TenantId, after: Option<ObjectId>) -> impl Iterator<Item = &Arc<User>> {
        ordered(&self.user_order, tenant, after).filter_map(|id| self.users.get(&id))
    }

    pub fn group(&self, id: ObjectId) -> Option<&Arc<Group>> {
        self.groups.get(&id)
    }

    pub fn groups(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.values()
    }

    /// Those of a tenant after `after`, in order of id.
    pub fn groups_of(&self, tenant: TenantId, after: Option<ObjectId>) -> impl Iterator<Item = &Arc<Group>> {
        ordered(&self.group_order, tenant, after).filter_map(|id| self.groups.get(&id))
    }

    pub fn application(&self, id: ObjectId) -> Option<&Arc<Application>> {
        self.applications.get(&id)
    }

    pub fn application_by_app_id(&self, app_id: AppId) -> Option<&Arc<Application>> {
        self.applications.get(self.application_by_app_id.get(&app_id)?)
    }

    pub fn applications(&self) -> impl Iterator<Item = &Arc<Application>> {
        self.applications.values()
    }

    /// Those of a tenant after `after`, in order of id.
    pub fn applications_of(
        &self,
        tenant: TenantId,
        after: Option<ObjectId>,
    ) -> impl Iterator<Item = &Arc<Application>> {
        ordered(&self.application_order, tenant, after).filter_map(|id| self.applications.get(&id))
    }

    pub fn service_principal(&self, id: ObjectId) -> Option<&Arc<ServicePrincipal>> {
        self.service_principals.get(&id)
    }

    pub fn service_principal_by_app_id(
        &self,
        tenant: TenantId,
        app_id: AppId,
    ) -> Option<&Arc<ServicePrincipal>> {
        self.service_principals.get(self.service_principal_by_app_id.get(&(tenant, app_id))?)
    }

    pub fn service_principals(&self) -> impl Iterator<Item = &Arc<ServicePrincipal>> {
        self.service_principals.values()
    }

    /// Those of a tenant after `after`, in order of id.
    pub fn service_principals_of(
        &self,
        tenant: TenantId,
        after: Option<ObjectId>,
    ) -> impl Iterator<Item = &Arc<ServicePrincipal>> {
        ordered(&self.service_principal_order, tenant, after)
            .filter_map(|id| self.service_principals.get(&id))
    }

    pub fn principal(&self, id: ObjectId) -> Option<Principal<'_>> {
        let user = self.users.get(&id).map(Principal::User);
        let group = || self.groups.get(&id).map(Principal::Group);
        let service_principal = || self.service_principals.get(&id).map(Principal::ServicePrincipal);
        user.or_else(group).or_else(service_principal)
    }

    /// Direct members of a group, in order of id.
    pub fn members(&self, group: ObjectId) -> impl Iterator<Item = ObjectId> {
        self.members.get(&group).into_iter().flat_map(|members| members.iter().copied())
    }

    /// Direct members after `after`, for paging in time that does not depend on the page.
    pub fn members_after(&self, group: ObjectId, after: Option<ObjectId>) -> impl Iterator<Item = ObjectId> {
        ids_after(self.members.get(&group), after)
    }

    pub fn is_member(&self, membership: Membership) -> bool {
        self.members.get(&membership.group).is_some_and(|members| members.contains(&membership.member))
    }

    /// Groups that hold `member` directly, in order of id.
    pub fn direct_groups(&self, member: ObjectId) -> impl Iterator<Item = ObjectId> {
        self.groups_of.get(&member).into_iter().flat_map(|groups| groups.iter().copied())
    }

    /// Groups that hold `member` directly, after `after`, in order of id.
    pub fn direct_groups_after(
        &self,
        member: ObjectId,
        after: Option<ObjectId>,
    ) -> impl Iterator<Item = ObjectId> {
        ids_after(self.groups_of.get(&member), after)
    }

    /// Every group that `member` is in, through nesting too, sorted by id. Groups that contain each other
    /// are each other's members, and the walk ends all the same. The list is remembered until any
    /// membership changes; two calls in between give the same allocation.
    pub fn transitive_groups(&self, member: ObjectId) -> Arc<[ObjectId]> {
        self.flattened.get_or_compute(member, || {
            let mut found = std::collections::BTreeSet::new();
            let mut open: Vec<ObjectId> = self.direct_groups(member).collect();
            while let Some(group) = open.pop() {
                if self.groups.contains_key(&group) && found.insert(group) {
                    open.extend(self.direct_groups(group));
                }
            }
            found.into_iter().collect()
        })
    }

    pub(crate) fn put_tenant(&mut self, tenant: Tenant) {
        self.tenants.insert(tenant.id, Arc::new(tenant));
    }

    pub(crate) fn remove_tenant(&mut self, id: TenantId) {
        self.tenants.remove(&id);
    }

    pub(crate) fn put_user(&mut self, user: User) {
        self.remove_user(user.id);
        self.user_by_upn.insert(user.upn.folded().into(), user.id);
        self.user_order.insert((user.tenant, user.id));
        self.users.insert(user.id, Arc::new(user));
    }

    pub(crate) fn remove_user(&mut self, id: ObjectId) {
        if let Some(old) = self.users.remove(&id) {
            self.user_by_upn.remove(old.upn.folded());
            self.user_order.remove(&(old.tenant, id));
        }
    }

    pub(crate) fn put_group(&mut self, group: Group) {
        self.group_order.insert((group.tenant, group.id));
        if self.groups.insert(group.id, Arc::new(group)).is_none() {
            self.flattened = Arc::default();
        }
    }

    pub(crate) fn remove_group(&mut self, id: ObjectId) {
        if let Some(old) = self.groups.remove(&id) {
            self.group_order.remove(&(old.tenant, id));
        }
        self.flattened = Arc::default();
    }

    pub(crate) fn put_membership(&mut self, membership: Membership) {
        self.members.entry(membership.group).or_default().insert(membership.member);
        self.groups_of.entry(membership.member).or_default().insert(membership.group);
        self.flattened = Arc::default();
    }

    pub(crate) fn remove_membership(&mut self, membership: Membership) {
        take_from(&mut self.members, membership.group, membership.member);
        take_from(&mut self.groups_of, membership.member, membership.group);
        self.flattened = Arc::default();
    }

    pub(crate) fn put_application(&mut self, application: Application) {
        self.remove_application(application.id);
        self.application_by_app_id.insert(application.app_id, application.id);
        self.application_order.insert((application.tenant, application.id));
        self.applications.insert(application.id, Arc::new(application));
    }

    pub(crate) fn remove_application(&mut self, id: ObjectId) {
        if let Some(old) = self.applications.remove(&id) {
            self.application_by_app_id.remove(&old.app_id);
            self.application_order.remove(&(old.tenant, id));
        }
    }

    pub(crate) fn put_service_principal(&mut self, principal: ServicePrincipal) {
        self.remove_service_principal(principal.id);
        self.service_principal_by_app_id.insert((principal.tenant, principal.app_id), principal.id);
        self.service_principal_order.insert((principal.tenant, principal.id));
        self.service_principals.insert(principal.id, Arc::new(principal));
    }

    pub(crate) fn remove_service_principal(&mut self, id: ObjectId) {
        if let Some(old) = self.service_principals.remove(&id) {
            self.service_principal_by_app_id.remove(&(old.tenant, old.app_id));
            self.service_principal_order.remove(&(old.tenant, id));
        }
    }
}

fn ordered(order: &Order, tenant: TenantId, after: Option<ObjectId>) -> impl Iterator<Item = ObjectId> {
    let start = match after {
        Some(after) => Bound::Excluded((tenant, after)),
        None => Bound::Included((tenant, ObjectId::new(Uuid::nil()))),
    };
    order.range((start, Bound::Unbounded)).take_while(move |(of, _)| *of == tenant).map(|(_, id)| *id)
}

fn ids_after(ids: Option<&OrdSet<ObjectId>>, after: Option<ObjectId>) -> impl Iterator<Item = ObjectId> {
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    ids.into_iter().flat_map(move |ids| ids.range((start, Bound::Unbounded)).copied())
}

fn take_from(map: &mut HashMap<ObjectId, OrdSet<ObjectId>>, key: ObjectId, value: ObjectId) {
    if let Some(set) = map.get_mut(&key) {
        set.remove(&value);
        if set.is_empty() {
            map.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
