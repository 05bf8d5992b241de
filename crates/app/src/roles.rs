//! Role definitions: the built-in ones, and custom ones with the scopes where they may be assigned.

use std::sync::Arc;

use domain::{
    azure::is_known_provider,
    change::{Record, RecordKey},
    id::RoleId,
    management_group::ManagementGroup,
    role::{Permission, RoleDefinition, RoleKind, Stamp},
    scope::Scope,
    snapshot::Snapshot,
};

use crate::{
    App, Caller, Error, Rule,
    assignments::{Written, require_place},
    authorize,
};

/// A custom role to be made, or the new state of one.
#[derive(Clone, Debug)]
pub struct NewRole {
    pub name: String,
    pub description: String,
    pub assignable_scopes: Vec<Scope>,
    pub permissions: Vec<Permission>,
}

impl App {
    /// Roles that can be assigned at a scope, built-in ones first, then by name.
    pub fn list_roles(&self, caller: &Caller, scope: &Scope) -> Result<Vec<Arc<RoleDefinition>>, Error> {
        let snapshot = self.snapshot();
        authorize::control_plane(&snapshot, caller, READ, scope, self.now())?;
        let azure = snapshot.azure();
        let here = azure.roles().filter(|role| azure.is_assignable(role, scope));
        let mut roles: Vec<Arc<RoleDefinition>> = here.cloned().collect();
        roles.sort_by_cached_key(|role| (role.kind == RoleKind::Custom, role.name.to_lowercase(), role.id));
        Ok(roles)
    }

    pub fn find_role(
        &self,
        caller: &Caller,
        scope: &Scope,
        id: RoleId,
    ) -> Result<Arc<RoleDefinition>, Error> {
        let snapshot = self.snapshot();
        authorize::control_plane(&snapshot, caller, READ, scope, self.now())?;
        snapshot.azure().role(id).cloned().ok_or_else(|| Error::not_found("role definition", id))
    }

    /// Makes or changes a custom role. The caller needs the right at each of its assignable scopes, old and
    /// new, because its assignments there change with it.
    pub async fn put_role(
        &self,
        caller: &Caller,
        id: RoleId,
        new: NewRole,
    ) -> Result<(Arc<RoleDefinition>, Written), Error> {
        self.transact(|tx| {
            let azure = tx.snapshot().azure();
            let old = azure.role(id).cloned();
            let old_scopes = old.iter().flat_map(|old| old.assignable_scopes.iter());
            for scope in new.assignable_scopes.iter().chain(old_scopes) {
                tx.authorize(caller, WRITE, scope)?;
            }
            if let Some(old) = old.as_ref().filter(|old| old.kind == RoleKind::BuiltIn) {
                return Err(built_in(old, "changed"));
            }
            for scope in &new.assignable_scopes {
                check_assignable(tx.snapshot(), caller, scope)?;
            }
            new.permissions.iter().try_for_each(check_actions)?;
            let named = azure.roles().find(|role| role.id != id && role.is_named(&new.name));
            if let Some(named) = named {
                return Err(Error::already_exists("role definition named", &named.name));
            }
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
            tx.put(&Record::Role(role.clone()))?;
            let written = if old.is_some() { Written::Changed } else { Written::Created };
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
        self.transact(|tx| {
            let azure = tx.snapshot().azure();
            let Some(role) = azure.role(id).cloned() else {
                tx.authorize(caller, DELETE, scope)?;
                return Ok(None);
            };
            for scope in &role.assignable_scopes {
                tx.authorize(caller, DELETE, scope)?;
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
    match require_place(snapshot, caller.tenant, scope) {
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
