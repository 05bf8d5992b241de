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
    /// Turns true when the server stops.
    pub(super) stopping: watch::Receiver<bool>,
    /// Closed when those that are still there are cut off.
    pub(super) cut: watch::Receiver<()>,
}
