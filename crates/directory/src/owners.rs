//! Owners of groups, applications and service principals: they manage what they own, and nothing beyond.
//!
//! As in Entra, whoever owns an application can give it a credential and act as its service principal, with the roles
//! that were assigned to that; and whoever owns a group can let people into what the group is given. The one exception
//! is the administration of the directory itself.

use state::Kind;
use std::collections::BTreeSet;

use domain::{
    application::{Application, ServicePrincipal, ServicePrincipalKind},
    change::Record,
    decision::Reason,
    directory::Principal,
    group::Group,
    id::ObjectId,
    scope::Scope,
};

use crate::Directory;
use state::{Caller, Error, Refusal, Tx, authorize};

/// What has owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owned {
    Group(ObjectId),
    Application(ObjectId),
    ServicePrincipal(ObjectId),
}

impl Directory {
    pub async fn add_owner(&self, caller: &Caller, owned: Owned, owner: ObjectId) -> Result<(), Error> {
        self.state.transact(|tx| change(tx, caller, owned, |tx, owners| add(tx, caller, owners, owner))).await
    }

    pub async fn remove_owner(&self, caller: &Caller, owned: Owned, owner: ObjectId) -> Result<(), Error> {
        self.state.transact(|tx| change(tx, caller, owned, |_, owners| remove(owners, owner))).await
    }
}

/// Changes the owners of what the caller may change the owners of.
fn change(
    tx: &mut Tx,
    caller: &Caller,
    owned: Owned,
    change: impl FnOnce(&Tx, &mut BTreeSet<ObjectId>) -> Result<(), Error>,
) -> Result<(), Error> {
    let record = match owned {
        Owned::Group(id) => {
            let mut group = owned_group(tx, caller, id, GROUP)?;
            change(tx, &mut group.owners)?;
            Record::Group(group)
        }
        Owned::Application(id) => {
            let mut application = owned_application(tx, caller, id, APPLICATION)?;
            change(tx, &mut application.owners)?;
            Record::Application(application)
        }
        Owned::ServicePrincipal(id) => {
            let mut principal = owned_service_principal(tx, caller, id, PRINCIPAL)?;
            change(tx, &mut principal.owners)?;
            Record::ServicePrincipal(principal)
        }
    };
    tx.put(&record)
}

/// The group, if the caller may perform `action` on it: as its owner or as an administrator.
pub(crate) fn owned_group(tx: &Tx, caller: &Caller, id: ObjectId, action: &str) -> Result<Group, Error> {
    let found = tx.snapshot().directory().group(id).filter(|each| each.tenant == caller.tenant);
    require_owner(tx, caller, found.map(|each| &each.owners), id, action)?;
    found.map(|each| Group::clone(each)).ok_or_else(|| Error::not_found(Kind::Group, id))
}

/// As [`owned_group`].
pub(crate) fn owned_application(
    tx: &Tx,
    caller: &Caller,
    id: ObjectId,
    action: &str,
) -> Result<Application, Error> {
    let found = tx.snapshot().directory().application(id).filter(|each| each.tenant == caller.tenant);
    require_owner(tx, caller, found.map(|each| &each.owners), id, action)?;
    let directory = tx.snapshot().directory();
    let principal = found.and_then(|each| directory.service_principal_by_app_id(each.tenant, each.app_id));
    protect_administrator(tx, caller, principal.map(|each| each.id), action)?;
    found.map(|each| Application::clone(each)).ok_or_else(|| Error::not_found(Kind::Application, id))
}

/// As [`owned_group`].
pub(crate) fn owned_service_principal(
    tx: &Tx,
    caller: &Caller,
    id: ObjectId,
    action: &str,
) -> Result<ServicePrincipal, Error> {
    let found = tx.snapshot().directory().service_principal(id).filter(|each| each.tenant == caller.tenant);
    require_owner(tx, caller, found.map(|each| &each.owners), id, action)?;
    protect_administrator(tx, caller, found.map(|each| each.id), action)?;
    found
        .map(|each| ServicePrincipal::clone(each))
        .ok_or_else(|| Error::not_found(Kind::ServicePrincipal, id))
}

/// What acts as an administrator of the directory is an administrator's to change: else whoever may change it would be
/// one too.
pub fn protect_administrator(
    tx: &Tx,
    caller: &Caller,
    principal: Option<ObjectId>,
    action: &str,
) -> Result<(), Error> {
    let tenant = tx.snapshot().directory().tenant(caller.tenant);
    match principal.is_some_and(|id| tenant.is_some_and(|tenant| tenant.administrators.contains(&id))) {
        true => tx.require_administrator(caller, action),
        false => Ok(()),
    }
}

/// As [`protect_administrator`], for the managed identities at and below a scope.
pub fn protect_administrators_below(
    tx: &Tx,
    caller: &Caller,
    scope: &Scope,
    action: &str,
) -> Result<(), Error> {
    let directory = tx.snapshot().directory();
    let Some(tenant) = directory.tenant(caller.tenant) else { return Ok(()) };
    let is_below = |id: &&ObjectId| match directory.service_principal(**id).map(|found| &found.kind) {
        Some(ServicePrincipalKind::ManagedIdentity(resource)) => {
            Scope::parse(resource).is_ok_and(|resource| scope.contains(&resource))
        }
        Some(ServicePrincipalKind::Application) | None => false,
    };
    protect_administrator(tx, caller, tenant.administrators.iter().find(is_below).copied(), action)
}

fn require_owner(
    tx: &Tx,
    caller: &Caller,
    owners: Option<&BTreeSet<ObjectId>>,
    id: ObjectId,
    action: &str,
) -> Result<(), Error> {
    authorize::require_live(tx.snapshot(), caller)?;
    let owner = owners.is_some_and(|owners| owners.contains(&caller.object_id));
    if owner || authorize::is_administrator(tx.snapshot(), caller) {
        return Ok(());
    }
    Err(Error::Forbidden(Box::new(Refusal {
        caller: caller.name.clone(),
        object_id: caller.object_id,
        action: action.to_owned(),
        scope: format!("object {id}"),
        reason: Reason::NotAdministrator,
    })))
}

fn add(tx: &Tx, caller: &Caller, owners: &mut BTreeSet<ObjectId>, owner: ObjectId) -> Result<(), Error> {
    let principal = tx.snapshot().directory().principal(owner);
    match principal.filter(|principal| principal.tenant() == caller.tenant) {
        Some(Principal::User(_) | Principal::ServicePrincipal(_)) => {}
        Some(Principal::Group(_)) => return Err(Error::invalid("owners", "a group cannot own anything")),
        None => return Err(Error::not_found(Kind::Principal, owner)),
    }
    match owners.insert(owner) {
        true => Ok(()),
        false => Err(Error::already_exists(Kind::Owner, owner)),
    }
}

fn remove(owners: &mut BTreeSet<ObjectId>, owner: ObjectId) -> Result<(), Error> {
    match owners.remove(&owner) {
        true => Ok(()),
        false => Err(Error::not_found(Kind::Owner, owner)),
    }
}

const GROUP: &str = "microsoft.directory/groups/owners/update";
const APPLICATION: &str = "microsoft.directory/applications/owners/update";
const PRINCIPAL: &str = "microsoft.directory/servicePrincipals/owners/update";
