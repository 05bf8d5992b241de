//! The principals that a caller acts as, made ready to be looked for: the caller and every group.

use crate::{azure::hash, id::ObjectId};

/// A caller's own id, at place 0, and those of the groups.
#[derive(Debug)]
pub(in crate::azure) struct Wanted<'a> {
    object_id: ObjectId,
    groups: &'a [ObjectId],
    fingerprints: Vec<u32>,
    /// A bit for each fingerprint, by its low bits: says quickly that a principal is not among them.
    filter: Vec<u64>,
}

/// What stands for a principal in the index's arrays. Two principals may share one, so that every find is
/// confirmed by the id itself.
pub(super) fn fingerprint(principal: ObjectId) -> u32 {
    (hash::of_object(principal) >> 32) as u32
}

impl<'a> Wanted<'a> {
    pub(in crate::azure) fn new(object_id: ObjectId, groups: &'a [ObjectId]) -> Self {
        let fingerprints: Vec<u32> =
            std::iter::once(&object_id).chain(groups).map(|principal| fingerprint(*principal)).collect();
        let mut filter = vec![0_u64; (fingerprints.len() * FILTER_BITS).div_ceil(64).next_power_of_two()];
        for fingerprint in &fingerprints {
            set_bit(&mut filter, *fingerprint);
        }
        Self { object_id, groups, fingerprints, filter }
    }

    pub(in crate::azure) fn id(&self, place: usize) -> Option<ObjectId> {
        match place.checked_sub(1) {
            None => Some(self.object_id),
            Some(place) => self.groups.get(place).copied(),
        }
    }

    pub(super) fn fingerprints(&self) -> &[u32] {
        &self.fingerprints
    }

    /// `false` means certainly not.
    pub(super) fn may_hold(&self, fingerprint: u32) -> bool {
        has_bit(&self.filter, fingerprint)
    }

    /// The first place at which this principal is wanted.
    pub(super) fn place(&self, fingerprint: u32, principal: ObjectId) -> Option<usize> {
        let mut start = 0;
        loop {
            let rest = self.fingerprints.get(start..)?;
            let place = start + rest.iter().position(|each| *each == fingerprint)?;
            if self.id(place) == Some(principal) {
                return Some(place);
            }
            start = place + 1;
        }
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

/// Bits of a filter for each entry: one look-up in about twenty finds a bit that another one set.
pub(super) const FILTER_BITS: usize = 16;
