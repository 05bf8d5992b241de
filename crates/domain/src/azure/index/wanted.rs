//! The principals that a caller acts as, made ready to be looked for: the caller and every group.

use crate::{azure::hash, id::ObjectId};

/// The fingerprints of a caller, at place 0, and of the groups.
#[derive(Debug)]
pub(in crate::azure) struct Wanted {
    fingerprints: Vec<u32>,
    /// A bit for each fingerprint, by its low bits, among 64 or more: says quickly that a principal is not
    /// among them.
    filter: Vec<u64>,
}

/// What stands for a principal in the index's arrays. Two principals may share one, so that every find is
/// confirmed by the id itself.
pub(super) fn fingerprint(principal: ObjectId) -> u32 {
    (hash::of_object(principal) >> 32) as u32
}

impl Wanted {
    pub(in crate::azure) fn new(object_id: ObjectId, groups: &[ObjectId]) -> Self {
        let fingerprints: Vec<u32> =
            std::iter::once(&object_id).chain(groups).map(|principal| fingerprint(*principal)).collect();
        let mut filter = vec![0_u64; fingerprints.len().next_power_of_two()];
        for fingerprint in &fingerprints {
            set_bit(&mut filter, *fingerprint);
        }
        Self { fingerprints, filter }
    }

    pub(super) fn fingerprints(&self) -> &[u32] {
        &self.fingerprints
    }

    /// `false` means certainly not.
    pub(super) fn may_hold(&self, fingerprint: u32) -> bool {
        has_bit(&self.filter, fingerprint)
    }

    /// Where principals with this fingerprint are: seldom more than one.
    pub(super) fn places(&self, fingerprint: u32) -> impl Iterator<Item = u32> {
        (0..).zip(&self.fingerprints).filter(move |(_, each)| **each == fingerprint).map(|(place, _)| place)
    }
}

/// `words` has a power of two of words.
pub(super) fn set_bit(words: &mut [u64], fingerprint: u32) {
    let mask = words.len().wrapping_sub(1);
    if let Some(word) = words.get_mut((fingerprint as usize / 64) & mask) {
        *word |= 1 << (fingerprint % 64);
    }
}

pub(super) fn has_bit(words: &[u64], fingerprint: u32) -> bool {
    let mask = words.len().wrapping_sub(1);
    words.get((fingerprint as usize / 64) & mask).is_some_and(|word| word >> (fingerprint % 64) & 1 == 1)
}

/// Bits of a filter for each entry, or up to twice as many: one look-up in forty or so finds a bit that
/// another one set.
pub(super) const FILTER_BITS: usize = 32;
