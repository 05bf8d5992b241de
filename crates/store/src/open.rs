//! Opens a store. The back ends are private, so no caller can depend on which one it uses.

use std::path::PathBuf;
use std::sync::Arc;

use crate::embedded::EmbeddedStore;
use crate::memory::MemoryStore;
use crate::{Store, StoreError};

/// Which store to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreConfig {
    /// In memory, gone with the process: for tests and trials.
    Memory,
    /// One file in the directory `path`, which is made if it does not exist.
    Embedded { path: PathBuf },
}

/// Opens the store, or makes it where there is none yet.
///
/// `Unavailable` if another process has it open (the message names its process id) or it was written by a newer
/// version; `Corrupt`, with the place, if what is there is damaged or is not a store. It is never opened as if empty.
pub async fn open(config: &StoreConfig) -> Result<Arc<dyn Store>, StoreError> {
    match config {
        StoreConfig::Memory => Ok(Arc::new(MemoryStore::new())),
        StoreConfig::Embedded { path } => Ok(Arc::new(EmbeddedStore::open(path).await?)),
    }
}
