//! Role assignments: who has which role where. Writing one needs the right to, at that scope, within the
//! conditions of one's own assignment.

use state::Kind;
use std::{collections::BTreeMap, sync::Arc};

use domain::{
    assignment::{PrincipalKind, RoleAssignment},
    azure::{self, Access},
    change::{Record, RecordKey},
    condition::Condition,
    directory::Principal,
    id::{AssignmentId, ObjectId, RoleId},
    role::{Permission, Stamp},
    scope::Scope,
    snapshot::Snapshot,
};

use jiff::Timestamp;

use crate::{
    ResourceManager, locks,
    scope_rules::{CreatedOrUpdated, ScopeFilter, require_scope},
};
use state::{Caller, Error, Tx, authorize};

/// An assignment to be made, or the new state of one.
#[derive(Clone, Debug)]
pub struct NewAssignment {
    pub principal: ObjectId,
    /// What the client says that the principal is; the directory's word counts.
    pub principal_kind: Option<PrincipalKind>,
    pub role: RoleId,
    pub condition: Option<Condition>,
    pub description: Option<String>,
}

impl ResourceManager {
    /// Makes the assignment, or changes the description and condition of one that has this id.
    pub async fn put_assignment(
        &self,
        caller: &Caller,
        id: AssignmentId,
        scope: &Scope,
        new: NewAssignment,
    ) -> Result<(Arc<RoleAssignment>, CreatedOrUpdated), Error> {
        self.state.transact(|tx| {
            authorize_write(tx, caller, scope, &new)?;
            let snapshot = tx.snapshot();
            require_scope(snapshot, caller.tenant, scope)?;
            locks::check(snapshot, scope, locks::Operation::Write)?;
            let role = snapshot.azure().role(new.role).ok_or_else(|| Error::not_found(Kind::RoleDefinition, new.role))?;
            require_assignable(snapshot, role, scope)?;
            let principal_kind = principal_kind(snapshot, caller, &new)?;
            let stamp = Stamp { by: Some(caller.object_id), at: tx.now() };
            let mut record = RoleAssignment {
                id,
                principal: new.principal,
                principal_kind,
                role: new.role,
                scope: scope.clone(),
                condition: new.condition.clone(),
                description: new.description.clone(),
                created: stamp,
                updated: stamp,
            };
            record.check().map_err(|error| Error::invalid("properties", error))?;
            let written = match snapshot.azure().assignment(id) {
                Some(old) if old.is_same_grant(&record) => {
                    keep_one_owner(snapshot, old, Some(&record))?;
                    record.created = old.created;
                    CreatedOrUpdated::Updated
                }
                Some(_) => {
                    return Err(Error::Conflict(
                        "tenant, application, principal, role and scope of a role assignment cannot be changed".into(),
                    ));
                }
                None => CreatedOrUpdated::Created,
            };
            let at_scope = snapshot.azure().assignments_at(scope);
            if let Some(same) = at_scope.iter().find(|same| same.id != id && same.is_same_grant(&record)) {
                return Err(Error::AlreadyExists { kind: Kind::RoleAssignment, id: same.id.to_string() });
            }
            tx.put(&Record::Assignment(record.clone()))?;
            Ok((Arc::new(record), written))
        })
        .await
    }

    pub fn find_assignment(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: AssignmentId,
    ) -> Result<Arc<RoleAssignment>, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, READ, scope, self.state.now())?;
        let found = snapshot.azure().assignment(id).filter(|found| found.scope == *scope);
        found.cloned().ok_or_else(|| Error::not_found(Kind::RoleAssignment, id))
    }

    /// The permissions of every role that the caller holds at a scope. Conditions and deny assignments are not taken off.
    pub fn permissions(&self, caller: &Caller, scope: &Scope) -> Vec<Permission> {
        let snapshot = self.state.snapshot();
        snapshot.azure().permissions(&caller.in_azure(&snapshot), scope)
    }

    /// Assignments that concern a scope, in a stable order.
    pub fn list_assignments(
        &self,
        caller: &Caller,
        scope: &Scope,
        listed: ScopeFilter,
    ) -> Result<Vec<Arc<RoleAssignment>>, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, READ, scope, self.state.now())?;
        let mut found = snapshot.azure().assignments_at_or_above(scope);
        if listed == ScopeFilter::All {
            let below = snapshot.azure().assignments_at_or_below(scope);
            found.extend(below.into_iter().filter(|each| each.scope != *scope));
        }
        found.sort_by_key(|each| each.id);
        Ok(found)
    }

    /// Takes an assignment away. When this returns, it grants nothing any more. Gives what it was, or none if
    /// there was none.
    pub async fn delete_assignment(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: AssignmentId,
    ) -> Result<Option<Arc<RoleAssignment>>, Error> {
        self.state
            .transact(|tx| {
                let found = tx.snapshot().azure().assignment(id).filter(|found| found.scope == *scope);
                let Some(found) = found.cloned() else {
                    tx.authorize(caller, DELETE, scope)?;
                    return Ok(None);
                };
                authorize_delete(tx, caller, &found)?;
                keep_one_owner(tx.snapshot(), &found, None)?;
                tx.delete(&RecordKey::Assignment(id));
                Ok(Some(found))
            })
            .await
    }
}

fn authorize_write(tx: &Tx, caller: &Caller, scope: &Scope, new: &NewAssignment) -> Result<(), Error> {
    let mut access = Access::control_plane(scope.clone(), WRITE);
    access.attributes.request = attributes(tx.snapshot(), new.role, new.principal);
    tx.authorize_access(caller, WRITE, &access).map(drop)
}

/// Whether the caller may give a principal a role at a scope.
pub(crate) fn may_assign(tx: &Tx, caller: &Caller, scope: &Scope, role: RoleId, principal: ObjectId) -> bool {
    let mut access = Access::control_plane(scope.clone(), WRITE);
    access.attributes.request = attributes(tx.snapshot(), role, principal);
    tx.authorize_access(caller, WRITE, &access).is_ok()
}

fn authorize_delete(tx: &Tx, caller: &Caller, found: &RoleAssignment) -> Result<(), Error> {
    let mut access = Access::control_plane(found.scope.clone(), DELETE);
    access.attributes.resource = attributes(tx.snapshot(), found.role, found.principal);
    tx.authorize_access(caller, DELETE, &access).map(drop)
}

/// The attributes that conditions of delegated administrators compare with
/// (`@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]` and so on).
pub(crate) fn attributes(snapshot: &Snapshot, role: RoleId, principal: ObjectId) -> BTreeMap<String, String> {
    let kind = match snapshot.directory().principal(principal) {
        Some(Principal::User(_)) => "User",
        Some(Principal::Group(_)) => "Group",
        Some(Principal::ServicePrincipal(_)) => "ServicePrincipal",
        None => "Unknown",
    };
    let named =
        |name: &str, value: String| (format!("Microsoft.Authorization/roleAssignments:{name}"), value);
    BTreeMap::from([
        named("RoleDefinitionId", role.to_string()),
        named("PrincipalId", principal.to_string()),
        named("PrincipalType", kind.to_owned()),
    ])
}

fn principal_kind(snapshot: &Snapshot, caller: &Caller, new: &NewAssignment) -> Result<PrincipalKind, Error> {
    let principal = snapshot.directory().principal(new.principal);
    let principal = principal.filter(|principal| principal.tenant() == caller.tenant);
    let kind = match principal.ok_or_else(|| Error::not_found(Kind::Principal, new.principal))? {
        Principal::User(_) => PrincipalKind::User,
        Principal::Group(_) => PrincipalKind::Group,
        Principal::ServicePrincipal(_) => PrincipalKind::ServicePrincipal,
    };
    match new.principal_kind {
        Some(said) if said != kind => Err(Error::invalid(
            "properties.principalType",
            format!("{said:?}: the principal {} is a {kind:?}", new.principal),
        )),
        _ => Ok(kind),
    }
}

/// A role may be assigned at its assignable scopes and below them.
fn require_assignable(
    snapshot: &Snapshot,
    role: &domain::role::RoleDefinition,
    scope: &Scope,
) -> Result<(), Error> {
    if snapshot.azure().is_assignable(role, scope) {
        return Ok(());
    }
    let message = format!("the role \"{}\" is not assignable at {scope}", role.name);
    Err(Error::invalid("properties.roleDefinitionId", message))
}

/// Refuses to take away the last unconditional right of an enabled person to assign roles at the root: after
/// that nobody could give access back. `instead`: what stands in the place of the assignment.
fn keep_one_owner(
    snapshot: &Snapshot,
    leaving: &RoleAssignment,
    instead: Option<&RoleAssignment>,
) -> Result<(), Error> {
    if !leaving.scope.is_root() || !assigns_roles(snapshot, leaving) {
        return Ok(());
    }
    let at_root = snapshot.azure().assignments_at_or_above(&Scope::root());
    let mut others = at_root.iter().map(|each| &**each).filter(|each| each.id != leaving.id).chain(instead);
    if others.any(|each| assigns_roles(snapshot, each)) {
        return Ok(());
    }
    Err(Error::Conflict(
        "this is the last assignment at the root scope that lets a person assign roles: give another one first".into(),
    ))
}

fn assigns_roles(snapshot: &Snapshot, assignment: &RoleAssignment) -> bool {
    let directory = snapshot.directory();
    let enabled = |id: ObjectId| directory.user(id).is_some_and(|user| user.enabled);
    let reaches_person =
        enabled(assignment.principal) || directory.members(assignment.principal).any(enabled);
    let root = Access::control_plane(Scope::root(), WRITE);
    let only_this = azure::Caller::new(assignment.principal, Arc::default());
    let grants = snapshot.azure().decide(&only_this, &root, Timestamp::UNIX_EPOCH).is_allowed();
    assignment.condition.is_none() && grants && reaches_person
}

const READ: &str = "Microsoft.Authorization/roleAssignments/read";
pub(crate) const WRITE: &str = "Microsoft.Authorization/roleAssignments/write";
const DELETE: &str = "Microsoft.Authorization/roleAssignments/delete";
