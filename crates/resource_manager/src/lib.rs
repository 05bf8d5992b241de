//! What Azure Resource Manager manages: management groups, subscriptions, resource groups and what is in them, role
//! definitions and assignments, locks, managed identities, and clusters as resources.
//!
//! Every public function that reads or changes something on behalf of a caller begins with its authorization.

pub mod aliases;
pub mod assignments;
pub mod check_access;
mod cluster_keys;
pub mod clusters;
pub mod credentials;
pub mod deny_assignments;
pub mod identities;
pub mod locks;
pub mod management_group_tree;
pub mod management_groups;
pub mod operations;
pub mod providers;
pub mod resources;
pub mod roles;
pub mod scope_rules;
pub mod subscriptions;
mod tenant_resources;
pub mod webhook_certificates;

use state::{Error, State, cold::StoredKind};

pub use tenant_resources::TenantResources;

/// What Resource Manager can do; cheap to clone.
#[derive(Clone, Debug)]
pub struct ResourceManager {
    state: State,
}

impl ResourceManager {
    pub fn new(state: State) -> Self {
        Self { state }
    }

    /// Forgets what counts no longer.
    pub async fn forget_expired(&self) -> Result<(), Error> {
        self.state.forget_expired::<operations::Operation>().await
    }
}

/// The kinds of records that are read by key.
pub const STORED_KINDS: [StoredKind; 1] = [StoredKind::of::<operations::Operation>()];
