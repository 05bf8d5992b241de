//! The hash of the decision index: few instructions for ids and scope texts. It keeps no secret, so nothing
//! may depend on its values being hard to find: the tables built on it are bounded or filled by
//! administrators, and a collision costs time, never a wrong answer.

use std::hash::{BuildHasherDefault, Hasher};

use imbl::{GenericHashMap, shared_ptr::DefaultSharedPtr};

use crate::id::ObjectId;

/// A persistent map by text or by id.
pub(super) type FastMap<K, V> = GenericHashMap<K, V, BuildHasherDefault<TextHasher>, DefaultSharedPtr>;

/// A persistent map by a value of [`of_text`].
pub(super) type HashedMap<V> = GenericHashMap<u64, V, BuildHasherDefault<Identity>, DefaultSharedPtr>;

/// For maps by text or by id.
#[derive(Clone, Debug, Default)]
pub(super) struct TextHasher(u64);

/// For maps by a value that is a hash already.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity(u64);

impl Hasher for TextHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, of_bytes(bytes));
    }

    fn write_u8(&mut self, byte: u8) {
        self.0 ^= u64::from(byte);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Hasher for Identity {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, of_bytes(bytes));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Mixes two words into one; each bit of the result depends on every bit given.
pub(super) fn mix(left: u64, right: u64) -> u64 {
    let product = u128::from(left ^ FIRST) * u128::from(right ^ SECOND);
    (product ^ (product >> 64)) as u64
}

fn mix_pair(hash: u64, pair: u128) -> u64 {
    mix(hash ^ pair as u64, (pair >> 64) as u64)
}

pub(super) fn of_object(id: ObjectId) -> u64 {
    let value = id.uuid().as_u128();
    mix((value >> 64) as u64, value as u64)
}

pub(super) fn of_text(text: &str) -> u64 {
    of_bytes(text.as_bytes())
}

fn of_bytes(bytes: &[u8]) -> u64 {
    let (pairs, rest) = bytes.as_chunks::<16>();
    let mut hash = bytes.len() as u64;
    for pair in pairs {
        hash = mix_pair(hash, u128::from_le_bytes(*pair));
    }
    let mut last = [0; 16];
    for (place, byte) in last.iter_mut().zip(rest) {
        *place = *byte;
    }
    mix_pair(hash, u128::from_le_bytes(last))
}

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xc2b2_ae3d_27d4_eb4f;
