//! The directory of a tenant: users, groups, applications and their service principals, who owns them, and the roles
//! that administer them.
//!
//! Every public function that reads or changes something on behalf of a caller begins with its authorization. Signing in
//! is not here, nor what Azure RBAC gives.

pub mod applications;
pub mod attempts;
pub mod audience;
pub mod directory_roles;
pub mod federated;
pub mod groups;
pub mod owners;
mod passwords;
mod tenant_directory;
pub mod tenants;
pub mod users;

use std::sync::Arc;

use state::{Error, State, cold::StoredKind};
use tokio::sync::Semaphore;

pub use tenant_directory::{DirectoryObject, TenantDirectory};

/// What the directory can do; cheap to clone.
#[derive(Clone, Debug)]
pub struct Directory {
    state: State,
    /// Permits for password computations.
    hashing: Arc<Semaphore>,
}

impl Directory {
    pub fn new(state: State) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { state, hashing: Arc::new(Semaphore::new(cores)) }
    }

    /// Forgets what counts no longer.
    pub async fn forget_expired(&self) -> Result<(), Error> {
        self.state.forget_expired::<attempts::Attempts>().await
    }
}

/// The kinds of records that are read by key.
pub const STORED_KINDS: [StoredKind; 1] = [StoredKind::of::<attempts::Attempts>()];
