//! The parameters and results of reads: key ranges, the revision to read at, and the returned page.
//!
//! A range selects keys in bytewise order and limits their number; it cannot filter by value, because the store does
//! not interpret values.

use bytes::Bytes;

use crate::{Key, Revision};

/// Keys from a start (inclusive) to an end (exclusive), or without end, and at most how many of them to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    start: Key,
    end: Option<Key>,
    limit: usize,
}

/// The revision to read at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The latest committed revision.
    Latest,
    /// This revision, as long as it has not been compacted.
    Revision(Revision),
}

/// One key with its value at the revision that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: Key,
    pub value: Bytes,
    /// The revision that created the key; putting a deleted key creates it again.
    pub created: Revision,
    /// The revision of the latest write to the key.
    pub modified: Revision,
}

/// The result of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In key order.
    pub entries: Vec<Entry>,
    /// The revision at which all of `entries` were read. A watch after it misses nothing, and reading the next page
    /// at it shows the same state.
    pub revision: Revision,
    /// Whether keys of the range were left out because of its limit: read on with [`Range::after`].
    pub more: bool,
}

impl Range {
    /// Every key.
    pub fn all() -> Range {
        Range::prefix(Key::new())
    }

    /// This key alone.
    pub fn key(key: impl Into<Key>) -> Range {
        let start = key.into();
        let mut end = start.to_vec();
        end.push(0);
        Range { start, end: Some(Key::from(end)), limit: usize::MAX }
    }

    /// Every key that begins with `prefix`; with an empty prefix, every key.
    pub fn prefix(prefix: impl Into<Key>) -> Range {
        let start = prefix.into();
        Range { end: end_of_prefix(&start), start, limit: usize::MAX }
    }

    /// Keys from `start` (inclusive) to `end` (exclusive). Empty if `end` is not after `start`.
    pub fn between(start: impl Into<Key>, end: impl Into<Key>) -> Range {
        Range { start: start.into(), end: Some(end.into()), limit: usize::MAX }
    }

    /// The same keys, but a read returns at most `entries` of them. A guard always means the whole range.
    pub fn limit(self, entries: usize) -> Range {
        Range { limit: entries, ..self }
    }

    /// The part of this range after `key`, with the same limit, for reading the next page.
    ///
    /// ```
    /// use store::Range;
    /// let rest = Range::prefix("/users/").limit(100).after("/users/mallory");
    /// assert!(!rest.contains(b"/users/mallory"));
    /// assert!(rest.contains(b"/users/nina"));
    /// assert!(!rest.contains(b"/groups/nina"));
    /// ```
    pub fn after(self, key: impl AsRef<[u8]>) -> Range {
        let mut next = key.as_ref().to_vec();
        next.push(0);
        Range { start: Key::from(next).max(self.start), ..self }
    }

    /// Whether `key` is in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= self.start.as_ref() && self.end.as_ref().is_none_or(|end| key < end.as_ref())
    }

    /// Whether no key can be in the range.
    pub(crate) fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    /// The first key that can be in the range.
    pub(crate) fn start(&self) -> &Key {
        &self.start
    }

    /// The first key after the range; none if it has no end.
    pub(crate) fn end(&self) -> Option<&Key> {
        self.end.as_ref()
    }

    /// The most entries that a read returns.
    pub(crate) fn most(&self) -> usize {
        self.limit
    }
}

/// The first key after all those with `prefix`: the prefix with its last byte below 0xff raised and the rest cut off.
/// None if there is no such byte, because then nothing comes after.
fn end_of_prefix(prefix: &[u8]) -> Option<Key> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(raised) = last.checked_add(1) {
            end.push(raised);
            return Some(Key::from(end));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_holds_exactly_the_keys_that_begin_with_it() {
        for (prefix, key, inside) in [
            (&b"a"[..], &b"a"[..], true),
            (b"a", b"a\xff\xff", true),
            (b"a", b"b", false),
            (b"a", b"", false),
            (b"a\xff", b"a\xff\x00", true),
            (b"a\xff", b"b", false),
            (b"\xff\xff", b"\xff\xff\xff", true),
            (b"\xff\xff", b"\xff\xfe", false),
            (b"", b"\x00", true),
            (b"", b"\xff\xff", true),
        ] {
            let range = Range::prefix(Key::copy_from_slice(prefix));
            assert_eq!(range.contains(key), inside, "{prefix:?} {key:?}");
        }
    }

    #[test]
    fn key_holds_itself_alone() {
        let range = Range::key("k");
        assert!(range.contains(b"k"));
        assert!(!range.contains(b"k\x00"));
        assert!(!range.contains(b"j"));
    }

    #[test]
    fn after_never_widens_a_range() {
        let range = Range::between("m", "p").after("a");
        assert!(!range.contains(b"b"));
        assert!(range.contains(b"m"));
    }
}
