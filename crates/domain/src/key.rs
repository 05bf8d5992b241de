//! The keys that sign the tokens of this installation.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cluster::SealedKey;

/// One signing key over its life: published before it signs, and published after until the last token that
/// it signed has ended, so that a rotation refuses no valid token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    pub key: SealedKey,
    pub created: Timestamp,
    /// Signs from this moment; the newest key that may sign does.
    pub active_from: Timestamp,
    /// Set when a newer key took over: until then its signatures are accepted. Absent: in use.
    pub accepted_until: Option<Timestamp>,
}

impl SigningKey {
    pub fn is_accepted(&self, now: Timestamp) -> bool {
        self.accepted_until.is_none_or(|until| now < until)
    }

    pub fn may_sign(&self, now: Timestamp) -> bool {
        self.active_from <= now && self.accepted_until.is_none()
    }
}
