//! May this caller do this here: the control plane (Azure RBAC on resources) and the directory's own
//! administration.

use domain::{
    azure::{self, Access},
    decision::{Decision, Reason},
    id::{ObjectId, TenantId},
    scope::Scope,
    snapshot::Snapshot,
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Error, caller::Caller, error::Refusal, principal_status};

/// Refuses unless Azure RBAC gives the caller the control-plane `action` at `scope`; else the reason.
pub fn control_plane(
    snapshot: &Snapshot,
    caller: &Caller,
    action: &str,
    scope: &Scope,
    now: Timestamp,
) -> Result<Reason, Error> {
    access(snapshot, caller, action, &Access::control_plane(scope.clone(), action), now)
}

/// As [`control_plane`], for an access that carries attributes for conditions. `action` names it to people.
pub fn access(
    snapshot: &Snapshot,
    caller: &Caller,
    action: &str,
    access: &Access,
    now: Timestamp,
) -> Result<Reason, Error> {
    require_live(snapshot, caller)?;
    match snapshot.azure().decide(&caller.in_azure(snapshot), access, now) {
        // As whoever holds nothing is refused, so that the refusal does not tell what there is.
        Decision::Allow(_) if is_of_another_tenant(snapshot, caller, &access.scope) => {
            let nobody = azure::Caller::new(ObjectId::new(Uuid::nil()), [].into());
            let reason = snapshot.azure().decide(&nobody, access, now).reason().clone();
            Err(refused(caller, action, &access.scope, reason))
        }
        Decision::Allow(reason) => Ok(reason),
        Decision::Deny(reason) | Decision::NoOpinion(reason) => {
            Err(refused(caller, action, &access.scope, reason))
        }
    }
}

/// Whether a scope belongs to another tenant than the caller. An assignment at `/` reaches everything of the caller's own
/// tenant, and nothing beyond.
fn is_of_another_tenant(snapshot: &Snapshot, caller: &Caller, scope: &Scope) -> bool {
    let tenant = match scope.management_group_name() {
        Some(name) => match snapshot.management_group(name) {
            Some(group) => Some(group.tenant),
            // The root group of a tenant has no record and the tenant's own name.
            None => TenantId::parse(name).ok().filter(|id| snapshot.directory().tenant(*id).is_some()),
        },
        None => scope.subscription_id().and_then(|id| snapshot.subscription(id)).map(|found| found.tenant),
    };
    tenant.is_some_and(|tenant| tenant != caller.tenant)
}

/// Whether a control-plane action is allowed; for lists that show only what the caller may see.
pub fn may(snapshot: &Snapshot, caller: &Caller, action: &str, scope: &Scope, now: Timestamp) -> bool {
    control_plane(snapshot, caller, action, scope, now).is_ok()
}

/// Refuses unless the caller is a Global Administrator of the tenant.
pub fn administrator(snapshot: &Snapshot, caller: &Caller, action: &str) -> Result<(), Error> {
    require_live(snapshot, caller)?;
    if is_administrator(snapshot, caller) {
        return Ok(());
    }
    Err(Error::Forbidden(Box::new(Refusal {
        caller: caller.name.clone(),
        object_id: caller.object_id,
        action: action.to_owned(),
        scope: format!("tenant {}", caller.tenant),
        reason: Reason::NotAdministrator,
    })))
}

/// Refuses a caller who was deleted, disabled or signed out everywhere, or whose client was, since the token was
/// verified: what such a caller has under way is not begun any more.
pub fn require_live(snapshot: &Snapshot, caller: &Caller) -> Result<(), Error> {
    let Caller { object_id, name, .. } = caller;
    let refused = |because: &str| Err(Error::Unauthenticated(format!("{name} {because}")));
    if !principal_status::is_enabled(snapshot, *object_id) {
        return refused("is disabled or does not exist any more");
    }
    if principal_status::session_stamp(snapshot, *object_id) != Some(caller.session) {
        return refused("was signed out everywhere");
    }
    if !principal_status::is_client_live(snapshot, caller.tenant, caller.app_id) {
        return refused("uses an application that is disabled or does not exist any more");
    }
    Ok(())
}

pub fn is_administrator(snapshot: &Snapshot, caller: &Caller) -> bool {
    let tenant = snapshot.directory().tenant(caller.tenant);
    tenant.is_some_and(|tenant| tenant.administrators.contains(&caller.object_id))
}

fn refused(caller: &Caller, action: &str, scope: &Scope, reason: Reason) -> Error {
    Error::Forbidden(Box::new(Refusal {
        caller: caller.name.clone(),
        object_id: caller.object_id,
        action: action.to_owned(),
        scope: scope.to_string(),
        reason,
    }))
}
