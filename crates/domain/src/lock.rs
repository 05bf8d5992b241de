//! Locks: what must not be deleted, or not be changed at all, whoever asks.

use serde::{Deserialize, Serialize};

use crate::{name::ResourceName, role::Stamp, scope::Scope};

/// A lock on a subscription, resource group or resource and all below it (`Microsoft.Authorization/locks`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    pub scope: Scope,
    pub name: ResourceName,
    pub level: LockLevel,
    #[serde(default)]
    pub notes: Option<String>,
    pub created: Stamp,
    pub updated: Stamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockLevel {
    /// Deletions are refused.
    CanNotDelete,
    /// Every change is refused, and so is a request by POST for what opens a resource.
    ReadOnly,
}

impl Lock {
    /// `{scope}/providers/Microsoft.Authorization/locks/{name}`.
    pub fn resource_id(&self) -> String {
        format!("{}/providers/Microsoft.Authorization/locks/{}", self.scope, self.name)
    }

    /// What tells locks apart: scope and name, without regard to case.
    pub fn key(scope: &Scope, name: &str) -> String {
        format!("{}/{}", scope.folded().trim_start_matches('/'), name.to_ascii_lowercase())
    }
}

impl LockLevel {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CanNotDelete => "CanNotDelete",
            Self::ReadOnly => "ReadOnly",
        }
    }
}
