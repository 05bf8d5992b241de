//! Maps by tokens that were seen before. A hash only finds the bucket: what is there is compared whole, so no argument
//! about the hash is needed for two tokens not to be taken for each other.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
};

/// By the token as it was shown.
pub(crate) type SeenTokens<T> = HashMap<Box<str>, T, TokenHasher>;

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
        let mut seen = SeenTokens::default();
        let (one, other) = (format!("a.{end}"), format!("b.{end}"));
        let hash = |token: &str| seen.hasher().hash_one(token);
        assert_eq!(hash(&one), hash(&other));
        assert_ne!(hash(&one), hash(&one[..one.len() - 1]));
        assert_ne!(hash(&one), TokenHasher::default().hash_one(&*one), "every process has its own key");
        seen.insert(one.clone().into(), 1);
        assert_eq!(seen.get(&*other), None);
        seen.insert(other.clone().into(), 2);
        assert_eq!((seen.get(&*one), seen.get(&*other)), (Some(&1), Some(&2)));
    }
}
