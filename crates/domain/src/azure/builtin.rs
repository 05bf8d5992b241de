//! The role definitions that are always there, with the GUIDs and actions that Azure gives them.

use std::sync::Arc;

use serde::Deserialize;

use crate::{
    id::RoleId,
    role::{Permission, RoleDefinition, RoleKind, Stamp},
    scope::Scope,
};

/// The built-in roles, parsed. Load them once and hold them in an [`Arc`].
#[derive(Clone, Debug)]
pub struct BuiltIn {
    roles: Vec<Arc<RoleDefinition>>,
}

impl BuiltIn {
    /// Parses the embedded list. It fails only if that list is damaged, which a test rules out.
    pub fn load() -> Result<Self, serde_json::Error> {
        let list: List = serde_json::from_str(include_str!("builtin_roles.json"))?;
        let role = |entry: Entry| {
            Arc::new(RoleDefinition {
                id: entry.name,
                name: entry.properties.role_name.into(),
                description: entry.properties.description,
                kind: RoleKind::BuiltIn,
                assignable_scopes: entry.properties.assignable_scopes,
                permissions: entry.properties.permissions,
                created: Stamp::BUILT_IN,
                updated: Stamp::BUILT_IN,
            })
        };
        Ok(Self { roles: list.value.into_iter().map(role).collect() })
    }

    pub fn roles(&self) -> &[Arc<RoleDefinition>] {
        &self.roles
    }

    pub fn role(&self, id: RoleId) -> Option<&Arc<RoleDefinition>> {
        self.roles.iter().find(|role| role.id == id)
    }

    /// Compared without regard to case.
    pub fn role_named(&self, name: &str) -> Option<&Arc<RoleDefinition>> {
        self.roles.iter().find(|role| role.is_named(name))
    }
}

#[derive(Deserialize)]
struct List {
    value: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: RoleId,
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    role_name: String,
    #[serde(default)]
    description: String,
    assignable_scopes: Vec<Scope>,
    permissions: Vec<Permission>,
}
