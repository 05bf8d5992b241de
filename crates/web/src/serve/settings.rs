//! What all connections of one server share.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Limits, Tls};
use crate::memory_budget::MemoryBudget;

#[derive(Debug)]
pub(super) struct ConnectionSettings {
    pub(super) limits: Limits,
    pub(super) tls: Tls,
    /// One for the whole process.
    pub(super) room: Arc<MemoryBudget>,
    /// Becomes true when the server begins to shut down.
    pub(super) stopping: watch::Receiver<bool>,
    /// Closed when the connections still open after the grace period are closed.
    pub(super) cut: watch::Receiver<()>,
}
