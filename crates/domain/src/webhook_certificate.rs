//! The certificates with which the API server of an attached cluster calls the webhooks: which of them count, and
//! until when.
//!
//! ```text
//! made ─► first use: the ones before it go on for a day ─► ended
//!    └──────────── an operator ends it ──────────────────────┘
//! ```
//!
//! A new one ends nothing. An API server takes new files up in its own time, and a cluster may have several that are
//! brought over one by one; so the old one counts until the new one has been seen, and then for [`OVERLAP`].

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};

use crate::id::ObjectId;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookCertificate {
    /// Hexadecimal SHA-256 of its DER form.
    pub thumbprint: String,
    /// Who had it made. Absent in records that are older than these members.
    pub issued_by: Option<ObjectId>,
    pub issued: Option<Timestamp>,
    pub expires: Option<Timestamp>,
    /// When it was first used.
    pub seen: Option<Timestamp>,
    /// From when on it counts no longer, though its time has not run out.
    pub ends: Option<Timestamp>,
}

/// Those of one cluster, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WebhookCertificates(Vec<WebhookCertificate>);

/// What a certificate that was used says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used<'a> {
    pub thumbprint: &'a str,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MOST_COUNTING} certificates of this cluster count already: end one of them first")]
pub struct TooManyError;

impl WebhookCertificate {
    pub fn counts(&self, now: Timestamp) -> bool {
        self.until().is_none_or(|until| now < until)
    }

    /// From when on it counts no longer, as far as that is known.
    pub fn until(&self) -> Option<Timestamp> {
        match (self.ends, self.expires) {
            (Some(ends), Some(expires)) => Some(ends.min(expires)),
            (one, other) => one.or(other),
        }
    }
}

impl WebhookCertificates {
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &WebhookCertificate> {
        self.0.iter()
    }

    /// The one of this thumbprint, whether or not it counts.
    pub fn find(&self, thumbprint: &str) -> Option<&WebhookCertificate> {
        self.0.iter().find(|each| each.thumbprint == thumbprint)
    }

    /// Takes a further one; those that counted go on. Of those that have ended, the last ones stay to be looked at.
    pub fn add(&mut self, certificate: WebhookCertificate, now: Timestamp) -> Result<(), TooManyError> {
        if self.0.iter().filter(|each| each.counts(now)).count() >= MOST_COUNTING {
            return Err(TooManyError);
        }
        let ended = self.0.iter().filter(|each| !each.counts(now)).count();
        let mut surplus = ended.saturating_sub(MOST_ENDED);
        self.0.retain(|each| {
            let goes = surplus > 0 && !each.counts(now);
            surplus -= usize::from(goes);
            !goes
        });
        self.0.push(certificate);
        Ok(())
    }

    /// Notes the first use of one, from which on the end of those before it is settled. Says whether it was the
    /// first.
    pub fn note_use(&mut self, used: Used<'_>, now: Timestamp) -> bool {
        let Some(place) = self.0.iter().position(|each| each.thumbprint == used.thumbprint) else {
            return false;
        };
        let (before, from) = self.0.split_at_mut(place);
        let Some(first) = from.first_mut().filter(|each| each.seen.is_none() && each.counts(now)) else {
            return false;
        };
        first.seen = Some(now);
        first.issued.get_or_insert(used.not_before);
        first.expires.get_or_insert(used.not_after);
        let end = now.saturating_add(OVERLAP).unwrap_or(now);
        for older in before {
            older.ends = Some(older.ends.map_or(end, |known| known.min(end)));
        }
        true
    }

    /// Ends one at once. None: there is no such certificate.
    pub fn end(&mut self, thumbprint: &str, now: Timestamp) -> Option<&WebhookCertificate> {
        let found = self.0.iter_mut().find(|each| each.thumbprint == thumbprint)?;
        found.ends = Some(found.ends.map_or(now, |known| known.min(now)));
        Some(found)
    }
}

/// Once, a cluster had one certificate and nothing was known of it but its thumbprint.
impl<'de> Deserialize<'de> for WebhookCertificates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Stored {
            List(Vec<WebhookCertificate>),
            Thumbprint(Option<String>),
        }
        Ok(match Stored::deserialize(deserializer)? {
            Stored::List(list) => Self(list),
            Stored::Thumbprint(thumbprint) => {
                let certificate = thumbprint.map(|thumbprint| WebhookCertificate {
                    thumbprint,
                    issued_by: None,
                    issued: None,
                    expires: None,
                    seen: None,
                    ends: None,
                });
                Self(certificate.into_iter().collect())
            }
        })
    }
}

/// How long the certificates before it count once a new one was seen: time for the other API servers of a cluster,
/// whose files are replaced one machine at a time.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// How many of one cluster may count at once.
pub const MOST_COUNTING: usize = 8;
const MOST_ENDED: usize = 8;

#[cfg(test)]
mod tests;
