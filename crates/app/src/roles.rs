//! Role definitions: the built-in ones, and custom ones with the scopes where they may be assigned.

use std::sync::Arc;

use domain::{
    change::{Record, RecordKey},
    id::RoleId,
    role::{Permission, RoleDefinition, RoleKind, Stamp},
    scope::Scope,
};

use crate::{App, Caller, Error, assignments::Written, authorize};

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
                crate::assignments::require_place(tx.snapshot(), scope)?;
            }
            if old.as_ref().is_some_and(|old| old.kind == RoleKind::BuiltIn) {
                return Err(Error::Conflict("a built-in role cannot be changed".into()));
            }
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
                return Err(Error::Conflict("a built-in role cannot be deleted".into()));
            }
            let uses: Vec<_> = azure.assignments().filter(|each| each.role == id).collect();
            if let Some(first) = uses.first() {
                return Err(Error::Conflict(format!(
                    "the role \"{}\" is in use by {} role assignments, {} among them: delete them first",
                    role.name,
                    uses.len(),
                    first.resource_id()
                )));
            }
            tx.delete(&RecordKey::Role(id));
            Ok(Some(role))
        })
        .await
    }
}

const READ: &str = "Microsoft.Authorization/roleDefinitions/read";
const WRITE: &str = "Microsoft.Authorization/roleDefinitions/write";
const DELETE: &str = "Microsoft.Authorization/roleDefinitions/delete";
