//! Opens a store. The back ends are private, so no caller can depend on which one it uses.

use std::path::PathBuf;
use std::sync::Arc;

use crate::embedded::EmbeddedStore;
use crate::memory::MemoryStore;
use crate::{Store, StoreError};

/// Which store to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreConfig {
    /// In memory, lost with the process: for tests and trials.
    Memory,
    /// One file in the directory `path`, which is created if it does not exist.
    Embedded { path: PathBuf },
}

/// Opens the store, or creates it.
///
/// `Unavailable` if another process has it open (the message has its process id) or a newer version wrote it;
/// `Corrupt`, with the position, if the file is damaged or is not a store. A damaged store is never opened as if
/// empty.
pub async fn open(config: &StoreConfig) -> Result<Arc<dyn Store>, StoreError> {
    match config {
        StoreConfig::Memory => Ok(Arc::new(MemoryStore::new())),
        StoreConfig::Embedded { path } => Ok(Arc::new(EmbeddedStore::open(path).await?)),
    }
}
