//! What becomes of a refresh token that is presented: a rule over a record, the time and one secret function, with no
//! store and no clock.
//!
//! ```text
//!   used, its minute over ──► used a moment ago ──► used a moment ago ──► current
//!         family ends              gives its successor, the same every time     replaced
//! ```
//!
//! The tokens of a family are one chain in which each has one successor, whoever asks and how often: it cannot fork.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::super::{Granted, digest};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Family {
    pub(super) granted: Granted,
    /// Digest of the secret that counts now.
    pub(super) current: String,
    pub(crate) expires: Timestamp,
    /// Those that were replaced a moment ago, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    used: Vec<Used>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Used {
    digest: String,
    /// Until then it gives its successor again.
    until: Timestamp,
}

/// What a presented secret leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RefreshOutcome {
    /// The family as it is from now on, and the secret that takes the place of the presented one.
    Replaced(Family, String),
    /// Nothing changes; this secret is its successor.
    Again(String),
    /// It was replaced too long ago, or was never one of this family.
    Stolen,
    /// The key that its successor was derived with is not there any more.
    Lost,
}

impl Family {
    pub(super) fn begin(granted: Granted, secret: &str, expires: Timestamp) -> Self {
        Self { granted, current: digest(secret), expires, used: Vec::new() }
    }

    /// Whether the secret would still give something.
    pub(super) fn accepts(&self, secret: &str, now: Timestamp) -> bool {
        let shown = digest(secret);
        now < self.expires && (is_same(&self.current, &shown) || self.used_lately(&shown, now).is_some())
    }

    /// `successors` works out what follows a secret: by the key that counts now first, then by earlier ones.
    pub(super) fn present(
        &self,
        secret: &str,
        now: Timestamp,
        expires: Timestamp,
        reuse: SignedDuration,
        successors: &[String],
    ) -> RefreshOutcome {
        let shown = digest(secret);
        if is_same(&self.current, &shown) {
            return self.replace(secret, shown, now, expires, reuse, successors);
        }
        let Some(place) = self.used_lately(&shown, now) else { return RefreshOutcome::Stolen };
        let follower = self.used.get(place + 1).map_or(&self.current, |next| &next.digest);
        match successors.iter().find(|each| is_same(follower, &digest(each))) {
            Some(successor) => RefreshOutcome::Again(successor.clone()),
            None => RefreshOutcome::Lost,
        }
    }

    fn replace(
        &self,
        secret: &str,
        shown: String,
        now: Timestamp,
        expires: Timestamp,
        reuse: SignedDuration,
        successors: &[String],
    ) -> RefreshOutcome {
        let mut used: Vec<Used> = self.used.iter().filter(|each| now < each.until).cloned().collect();
        if used.len() >= MOST_USED {
            // Replaced too often within the interval to remember all: it stays for now (RFC 6749 §6 lets it).
            return RefreshOutcome::Again(secret.to_owned());
        }
        let Some(successor) = successors.first() else { return RefreshOutcome::Lost };
        let Ok(until) = now.checked_add(reuse) else { return RefreshOutcome::Lost };
        used.push(Used { digest: shown, until });
        let family = Self { current: digest(successor), expires, used, granted: self.granted.clone() };
        RefreshOutcome::Replaced(family, successor.clone())
    }

    fn used_lately(&self, shown: &str, now: Timestamp) -> Option<usize> {
        self.used.iter().position(|each| is_same(&each.digest, shown) && now < each.until)
    }
}

fn is_same(one: &str, other: &str) -> bool {
    crypto::digest::equal(one.as_bytes(), other.as_bytes())
}

/// Replacements within one interval that are remembered.
pub(super) const MOST_USED: usize = 32;

#[cfg(test)]
mod tests;
