//! From where an account has been signed in before: the networks and browsers that strangers' failures do not shut out.
//! Kept as keyed digests, so that the store does not tell where people work, and only the newest of them.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Source;
use crate::SignIn;
use state::{Cold, Error, Swap};

/// How an attempt stands to the account that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Familiar {
    /// A browser that the account was signed in with.
    Browser,
    /// A network that it was signed in from.
    Network,
    No,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct KnownSources {
    /// The one that was seen last stands last.
    sources: Vec<KnownSource>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KnownSource {
    digest: String,
    seen: Timestamp,
}

impl Cold for KnownSources {
    const KIND: &'static str = "known-sources";

    fn expires(&self) -> Option<Timestamp> {
        Some(self.ends())
    }
}

impl SignIn {
    /// `account`: what the known sources of an account are kept under. There need not be such an account: the look
    /// takes as long.
    pub(super) async fn familiarity(&self, account: &str, source: &Source<'_>) -> Result<Familiar, Error> {
        let known = self.state.find_cold::<KnownSources>(account).await?.unwrap_or_default();
        let [browser, network] = self.digests(account, source);
        let now = self.state.now();
        Ok(match (browser, network) {
            (Some(browser), _) if known.holds(&browser, now) => Familiar::Browser,
            (_, Some(network)) if known.holds(&network, now) => Familiar::Network,
            _ => Familiar::No,
        })
    }

    /// The right password came from there. Written once a day at most, so that signing in stays cheap.
    pub(super) async fn remember_source(&self, account: &str, source: &Source<'_>) -> Result<(), Error> {
        let now = self.state.now();
        let digests: Vec<String> = self.digests(account, source).into_iter().flatten().collect();
        self.state
            .swap(account, |known: Option<KnownSources>| {
                let mut known = known.unwrap_or_default();
                let changed = digests.iter().filter(|digest| known.see(digest, now)).count() > 0;
                Ok((if changed { Swap::Put(known) } else { Swap::Keep }, ()))
            })
            .await
    }

    fn digests(&self, account: &str, source: &Source<'_>) -> [Option<String>; 2] {
        let digest = |text: String| self.state.seal().derive(PURPOSE, &text).into_iter().next();
        let browser = source.browser.map(|browser| format!("{account} browser {browser}"));
        let network = source.network().map(|network| format!("{account} network {network}"));
        [browser.and_then(digest), network.and_then(digest)]
    }
}

impl KnownSource {
    /// A time to come is of before the clock was set back: it is as good as none.
    fn age(&self, now: Timestamp) -> SignedDuration {
        if self.seen > now { SignedDuration::MAX } else { now.duration_since(self.seen) }
    }
}

impl KnownSources {
    /// When the last of them counts no longer.
    fn ends(&self) -> Timestamp {
        let last = self.sources.iter().map(|source| source.seen).max().unwrap_or(Timestamp::MIN);
        last.saturating_add(LIFE).unwrap_or(Timestamp::MAX)
    }

    fn holds(&self, digest: &str, now: Timestamp) -> bool {
        self.sources.iter().any(|source| {
            crypto::digest::equal(source.digest.as_bytes(), digest.as_bytes()) && source.age(now) < LIFE
        })
    }

    /// Whether that changes anything.
    fn see(&mut self, digest: &str, now: Timestamp) -> bool {
        let known = self.sources.iter().position(|source| source.digest == digest);
        if let Some(place) = known {
            let fresh = self.sources.get(place).is_some_and(|source| source.age(now) < DAY);
            if fresh {
                return false;
            }
            self.sources.remove(place);
        }
        self.sources.push(KnownSource { digest: digest.to_owned(), seen: now });
        let surplus = self.sources.len().saturating_sub(MOST);
        self.sources.drain(..surplus);
        true
    }
}

const PURPOSE: &str = "known source of an account";
/// Of one account.
const MOST: usize = 32;
const DAY: SignedDuration = SignedDuration::from_hours(24);
const LIFE: SignedDuration = SignedDuration::from_hours(24 * 180);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_sources_are_kept_and_old_ones_count_no_longer() {
        let at = |days: i64| Timestamp::from_second(1_800_000_000 + days * 86_400).unwrap();
        let mut known = KnownSources::default();
        for number in 0..=MOST {
            assert!(known.see(&number.to_string(), at(0)));
        }
        assert_eq!(known.sources.len(), MOST);
        assert!(!known.holds("0", at(0)) && known.holds("1", at(0)));
        assert!(!known.see("1", at(0)), "seen today already");
        assert!(known.see("1", at(1)));
        assert!(known.see("new", at(1)));
        assert!(known.holds("1", at(1)) && !known.holds("2", at(1)));
        assert!(!known.holds("1", at(182)));
        assert_eq!(known.ends(), at(181));
    }

    #[test]
    fn a_place_that_was_seen_in_a_time_to_come_is_seen_anew() {
        let at = |days: i64| Timestamp::from_second(1_800_000_000 + days * 86_400).unwrap();
        let mut known = KnownSources::default();
        assert!(known.see("a", at(100)));
        assert!(!known.holds("a", at(0)));
        assert!(known.see("a", at(0)) && known.holds("a", at(0)));
        assert_eq!(known.ends(), at(180));
    }
}
