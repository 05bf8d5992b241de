//! Role definitions: the built-in ones, and custom ones with the scopes where they may be assigned.

use state::Kind;
use std::{collections::BTreeSet, sync::Arc};

use domain::{
    azure::{Policy, is_known_provider},
    change::{Record, RecordKey},
    id::RoleId,
    management_group::ManagementGroup,
    role::{Permission, RoleDefinition, RoleKind, Stamp},
    scope::Scope,
    snapshot::Snapshot,
};

use crate::{
    ResourceManager,
    scope_rules::{CreatedOrUpdated, require_scope},
};
use state::{Caller, Error, Rule, authorize};

/// A custom role to be made, or the new state of one.
#[derive(Clone, Debug)]
pub struct NewRole {
    pub name: String,
    pub description: String,
    pub assignable_scopes: Vec<Scope>,
    pub permissions: Vec<Permission>,
}

impl ResourceManager {
    /// Roles that can be assigned at a scope, built-in ones first, then by name.
    pub fn list_roles(&self, caller: &Caller, scope: &Scope) -> Result<Vec<Arc<RoleDefinition>>, Error> {
        let snapshot = self.state.snapshot();
        self.authorize_read(&snapshot, caller, scope)?;
        let azure = snapshot.azure();
        let here = azure.roles().filter(|role| azure.is_assignable(role, scope));
        let mut roles: Vec<Arc<RoleDefinition>> = here.cloned().collect();
        roles.sort_by_cached_key(|role| (role.kind == RoleKind::Custom, role.name.to_lowercase(), role.id));
        Ok(roles)
    }

    /// A role that can be assigned at a scope or below it.
    pub fn find_role(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: RoleId,
    ) -> Result<Arc<RoleDefinition>, Error> {
        let snapshot = self.state.snapshot();
        let places = self.authorize_read(&snapshot, caller, scope)?;
        let azure = snapshot.azure();
        let found = azure.role(id).filter(|role| places.iter().any(|place| concerns(azure, role, place)));
        found.cloned().ok_or_else(|| Error::not_found(Kind::RoleDefinition, id))
    }

    /// Where the caller may read roles: at the scope, or else somewhere below it, since the id of a role names its
    /// subscription, or none, wherever below it was read. Refuses if nowhere.
    fn authorize_read(
        &self,
        snapshot: &Snapshot,
        caller: &Caller,
        scope: &Scope,
    ) -> Result<BTreeSet<Scope>, Error> {
        let now = self.state.now();
        let Err(refused) = authorize::control_plane(snapshot, caller, READ, scope, now) else {
            return Ok(BTreeSet::from([scope.clone()]));
        };
        let groups = snapshot.directory().transitive_groups(caller.object_id);
        let principals = groups.iter().copied().chain([caller.object_id]);
        let held = principals.flat_map(|each| snapshot.azure().assignments_of(each));
        let below: BTreeSet<Scope> = held
            .map(|each| each.scope.clone())
            .filter(|place| snapshot.azure().is_below(place, scope))
            .filter(|place| authorize::may(snapshot, caller, READ, place, now))
            .collect();
        if below.is_empty() { Err(refused) } else { Ok(below) }
    }

    /// Makes or changes a custom role. The caller needs the right at each of its assignable scopes, old and
    /// new, because its assignments there change with it; where it names none, at the scope that was asked.
    pub async fn put_role(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: RoleId,
        new: NewRole,
    ) -> Result<(Arc<RoleDefinition>, CreatedOrUpdated), Error> {
        self.state
            .transact(|tx| {
                let azure = tx.snapshot().azure();
                let old = azure.role(id).cloned();
                if new.assignable_scopes.is_empty() {
                    tx.authorize(caller, WRITE, scope)?;
                }
                for scope in &new.assignable_scopes {
                    tx.authorize(caller, WRITE, scope)?;
                }
                for scope in old.iter().flat_map(|old| old.assignable_scopes.iter()) {
                    tx.authorize(caller, WRITE, scope)?;
                }
                if let Some(old) = old.as_ref().filter(|old| old.kind == RoleKind::BuiltIn) {
                    return Err(built_in(old, "changed"));
                }
                for scope in &new.assignable_scopes {
                    check_assignable(tx.snapshot(), caller, scope)?;
                }
                new.permissions.iter().try_for_each(check_actions)?;
                let stamp = Stamp { by: Some(caller.object_id), at: tx.now() };
                let role = RoleDefinition {
                    id,
                    name: new.name.as_str().into(),
                    description: new.description.clone(),
                    kind: RoleKind::Custom,
                    assignable_scopes: new.assignable_scopes.clone(),
                    permissions: new.permissions.clone(),
                    created: old.as_ref().map_or(stamp, |old| old.created),
                    updated: stamp,
                };
                role.check().map_err(|error| Error::invalid("properties", error))?;
                let named = azure.roles().find(|other| other.id != id && other.is_taken_for(&role.name));
                if let Some(named) = named {
                    return Err(Error::already_exists(Kind::RoleDefinitionName, &named.name));
                }
                tx.put(&Record::Role(role.clone()))?;
                let written =
                    if old.is_some() { CreatedOrUpdated::Updated } else { CreatedOrUpdated::Created };
                Ok((Arc::new(role), written))
            })
            .await
    }

    /// Deletes a custom role that no assignment uses. Gives what it was, or none if there was none.
    pub async fn delete_role(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: RoleId,
    ) -> Result<Option<Arc<RoleDefinition>>, Error> {
        self.state.transact(|tx| {
            let azure = tx.snapshot().azure();
            // A role of other places is as good as none: who may delete here does not learn that it is there.
            let role = azure.role(id).filter(|role| concerns(azure, role, scope)).cloned();
            let Some(role) = role else {
                tx.authorize(caller, DELETE, scope)?;
                return Ok(None);
            };
            for place in &role.assignable_scopes {
                if let Err(refused) = tx.authorize(caller, DELETE, place) {
                    // Nor does who may not, by the place that the refusal names.
                    tx.authorize(caller, DELETE, scope)?;
                    return Err(refused);
                }
            }
            if role.kind == RoleKind::BuiltIn {
                return Err(built_in(&role, "deleted"));
            }
            let uses: Vec<_> = azure.assignments().filter(|each| each.role == id).collect();
            if let Some(first) = uses.first() {
                return Err(Error::Rule(
                    Rule::RoleInUse,
                    format!(
                        "There are existing role assignments referencing role '{}': {} of them, {} for one. Delete them first.",
                        role.name,
                        uses.len(),
                        first.resource_id()
                    ),
                ));
            }
            tx.delete(&RecordKey::Role(id));
            Ok(Some(role))
        })
        .await
    }
}

/// Whether a role can be assigned at a scope or somewhere below it.
fn concerns(azure: &Policy, role: &RoleDefinition, scope: &Scope) -> bool {
    azure.is_assignable(role, scope) || role.assignable_scopes.iter().any(|each| azure.is_below(each, scope))
}

fn built_in(role: &RoleDefinition, done: &str) -> Error {
    Error::Rule(Rule::BuiltInRole, format!("The built-in role '{}' cannot be {done}.", role.name))
}

/// A custom role is assignable in places of the tenant that exist. The root is none: the root management group of
/// the tenant is what reaches everything.
fn check_assignable(snapshot: &Snapshot, caller: &Caller, scope: &Scope) -> Result<(), Error> {
    let refused = |problem: &str| {
        let text =
            format!("The scope '{scope}' is not a scope where a custom role can be assignable: {problem}.");
        Err(Error::Rule(Rule::AssignableScope, text))
    };
    if scope.is_root() {
        return refused(&format!(
            "a custom role cannot have the root scope; '{}' is the whole tenant",
            Scope::management_group(&ManagementGroup::root_name(caller.tenant))
        ));
    }
    match require_scope(snapshot, caller.tenant, scope) {
        Err(Error::NotFound { kind, id }) => refused(&format!("the {kind} '{id}' was not found")),
        other => other,
    }
}

/// The providers of Azure are known, not all of their operations: a mistyped provider is found, a mistyped
/// operation of a known one grants nothing.
fn check_actions(permission: &Permission) -> Result<(), Error> {
    let Permission { actions, not_actions, data_actions, not_data_actions } = permission;
    let mut patterns = actions.iter().chain(not_actions).chain(data_actions).chain(not_data_actions);
    match patterns.find(|pattern| pattern.provider().is_some_and(|provider| !is_known_provider(provider))) {
        None => Ok(()),
        Some(unknown) => Err(Error::Rule(
            Rule::UnknownAction,
            format!("'{unknown}' does not match any of the actions supported by the providers."),
        )),
    }
}

const READ: &str = "Microsoft.Authorization/roleDefinitions/read";
const WRITE: &str = "Microsoft.Authorization/roleDefinitions/write";
const DELETE: &str = "Microsoft.Authorization/roleDefinitions/delete";
