//! The hash of the decision index: few instructions for ids and scope texts. It keeps no secret, so nothing
//! may depend on its values being hard to find: the tables built on it are bounded or filled by
//! administrators, and a collision costs time, never a wrong answer.
//!
//! Tables that mix what they are given take the plain form of the library; values that are looked at bit by bit,
//! by filters and by the search among sorted fingerprints, are of its form whose bits are spread evenly.

use std::hash::{BuildHasher, Hasher};

pub(super) use foldhash::fast::FixedState as TableState;
use foldhash::quality::{FixedState, FoldHasher};
use imbl::{GenericHashMap, shared_ptr::DefaultSharedPtr};

use crate::id::ObjectId;

/// A persistent map by text, by id or by a value of [`of_text`].
pub(super) type FastMap<K, V> = GenericHashMap<K, V, TableState, DefaultSharedPtr>;

pub(super) fn of_object(id: ObjectId) -> u64 {
    of(|hasher| hasher.write_u128(id.uuid().as_u128()))
}

pub(super) fn of_text(text: &str) -> u64 {
    of(|hasher| hasher.write(text.as_bytes()))
}

pub(super) fn of_object_and_text(id: ObjectId, text: &str) -> u64 {
    of(|hasher| {
        hasher.write_u128(id.uuid().as_u128());
        hasher.write(text.as_bytes());
    })
}

fn of(write: impl FnOnce(&mut FoldHasher<'static>)) -> u64 {
    let mut hasher = STATE.build_hasher();
    write(&mut hasher);
    hasher.finish()
}

const STATE: FixedState = FixedState::with_seed(0);
