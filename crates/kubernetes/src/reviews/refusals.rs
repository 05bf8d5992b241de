//! Requests of webhooks that were refused for want of a certificate that counts: how many, and when to say so in the
//! log. An API server whose certificate has ended asks many times a second, and so may a stranger: there is one line a
//! minute for each reason, and for each cluster that has vouched for what was shown.

use std::{
    convert::Infallible,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use domain::id::ClusterId;
use jiff::{SignedDuration, Timestamp};
use quick_cache::unsync::Cache;

use super::WebhookRefused;

#[derive(Debug)]
pub(crate) struct Refusals {
    counts: [AtomicU64; WebhookRefused::ALL.len()],
    told: Mutex<Cache<(WebhookRefused, Option<ClusterId>), LastReport>>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { counts: Default::default(), told: Mutex::new(Cache::new(MOST)) }
    }
}

/// When the last line was written, and how many have come since.
#[derive(Debug)]
struct LastReport {
    at: Timestamp,
    since: u64,
}

impl Refusals {
    /// Counts one. Says how many there were since the last line where it is time for another.
    pub(crate) fn note(
        &self,
        refused: WebhookRefused,
        vouched: Option<ClusterId>,
        now: Timestamp,
    ) -> Option<u64> {
        if let Some(count) = WebhookRefused::ALL.iter().position(|each| *each == refused) {
            self.counts.get(count)?.fetch_add(1, Ordering::Relaxed);
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let never = || Ok::<_, Infallible>(LastReport { at: Timestamp::MIN, since: 0 });
        let Ok(last) = told.get_mut_or_insert_with(&(refused, vouched), never);
        let mut last = last?;
        last.since += 1;
        // A time to come is of before the clock was set back.
        if last.at <= now && now.duration_since(last.at) < PAUSE {
            return None;
        }
        last.at = now;
        Some(std::mem::take(&mut last.since))
    }

    pub(crate) fn counts(&self) -> impl Iterator<Item = (WebhookRefused, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        WebhookRefused::ALL.into_iter().zip(counts)
    }
}

impl WebhookRefused {
    pub const ALL: [Self; 5] = [
        Self::NoCertificate,
        Self::UnknownCertificate,
        Self::WrongCertificate,
        Self::EndedCertificate,
        Self::ClusterDeleted,
    ];

    /// A word for metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::UnknownCertificate => "unknown_certificate",
            Self::WrongCertificate => "wrong_certificate",
            Self::EndedCertificate => "ended_certificate",
            Self::ClusterDeleted => "cluster_deleted",
        }
    }
}

const PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// More than an installation has clusters.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_and_one_line_a_minute_says_how_many_there_were() {
        let refusals = Refusals::default();
        let at = |seconds| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
        let cluster = ClusterId::parse("3f0d0d4e-56a4-4a58-8f5b-0c8e2a1d9b77").ok();
        let note = |refused, vouched, seconds| refusals.note(refused, vouched, at(seconds));
        assert_eq!(note(WebhookRefused::EndedCertificate, cluster, 0), Some(1));
        for second in 1..60 {
            assert_eq!(note(WebhookRefused::EndedCertificate, cluster, second), None);
        }
        assert_eq!(note(WebhookRefused::EndedCertificate, None, 59), Some(1), "others are told apart");
        assert_eq!(note(WebhookRefused::NoCertificate, None, 59), Some(1));
        assert_eq!(note(WebhookRefused::EndedCertificate, cluster, 60), Some(60));
        let counted: Vec<u64> = refusals.counts().map(|(_, count)| count).collect();
        assert_eq!(counted, [1, 0, 0, 62, 0]);
    }
}
