//! Maps by tokens that were seen before. A hash only finds the bucket: what is there is compared whole, so no argument
//! about the hash is needed for two tokens not to be taken for each other.

use std::hash::{BuildHasher, Hasher, RandomState};

use quick_cache::{
    Weighter,
    sync::{Cache, DefaultLifecycle},
};

/// By the token as it was shown. What is not used makes room for what is.
pub(crate) type SeenTokens<T> = Cache<Box<str>, T, TokenWeight, TokenHasher>;

/// Room for `most` tokens of this length; a shorter one takes as much, so that their number is bounded too.
pub(crate) fn seen_tokens<T: Clone>(most: usize, length: usize) -> SeenTokens<T> {
    let weight = TokenWeight { least: length as u64 };
    let all = (most as u64).saturating_mul(weight.least);
    Cache::with(most, all, weight, TokenHasher::default(), DefaultLifecycle::default())
}

/// The length of a token, or at least the usual one.
#[derive(Clone, Debug)]
pub(crate) struct TokenWeight {
    least: u64,
}

impl<T> Weighter<Box<str>, T> for TokenWeight {
    fn weight(&self, token: &Box<str>, _: &T) -> u64 {
        self.least.max(token.len() as u64)
    }
}

/// Hashes the end of a token, under a key of this process: it is the end of a signature, which differs from token to
/// token, and nothing is put into such a map before the signature was found good. So nobody can fill a bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenHasher(RandomState);

#[derive(Debug)]
pub(crate) struct TailHasher(<RandomState as BuildHasher>::Hasher);

impl BuildHasher for TokenHasher {
    type Hasher = TailHasher;

    fn build_hasher(&self) -> TailHasher {
        TailHasher(self.0.build_hasher())
    }
}

impl Hasher for TailHasher {
    fn write(&mut self, bytes: &[u8]) {
        let start = bytes.len().saturating_sub(TAIL);
        self.0.write(bytes.get(start..).unwrap_or(bytes));
    }

    fn finish(&self) -> u64 {
        self.0.finish()
    }
}

/// 240 bits of a signature.
const TAIL: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_with_one_end_share_a_bucket_and_not_an_entry() {
        let end = "x".repeat(TAIL);
        let hasher = TokenHasher::default();
        let (one, other) = (format!("a.{end}"), format!("b.{end}"));
        let hash = |token: &str| hasher.hash_one(token);
        assert_eq!(hash(&one), hash(&other));
        assert_ne!(hash(&one), hash(&one[..one.len() - 1]));
        assert_ne!(hash(&one), TokenHasher::default().hash_one(&*one), "every process has its own key");
        let seen = seen_tokens(100, 100);
        seen.insert(one.clone().into(), 1);
        assert_eq!(seen.get(&*other), None);
        seen.insert(other.clone().into(), 2);
        assert_eq!((seen.get(&*one), seen.get(&*other)), (Some(1), Some(2)));
    }

    #[test]
    fn tokens_are_bounded_in_number_and_in_bytes() {
        let seen = seen_tokens(1000, 100);
        for number in 0..5000 {
            seen.insert(format!("short.{number}").into(), ());
            assert!(seen.get(&*format!("short.{number}")).is_some(), "{number}");
        }
        assert!((500..=1000).contains(&seen.len()), "{}", seen.len());
        let seen = seen_tokens(1000, 100);
        for number in 0..5000 {
            seen.insert(format!("{}.{number}", "long".repeat(100)).into(), ());
        }
        let bytes: usize = seen.iter().map(|(token, ())| token.len()).sum();
        assert!((50_000..=100_000).contains(&bytes), "{bytes}");
    }

    /// One that goes on being used outlasts any number that come once.
    #[test]
    fn what_is_used_stays() {
        let seen = seen_tokens(1000, 100);
        seen.insert("used".into(), ());
        for number in 0..20_000 {
            assert!(seen.get("used").is_some(), "{number}");
            seen.insert(format!("once.{number}").into(), ());
        }
    }
}
