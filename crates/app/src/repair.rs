//! Repair of a store whose server does not run, with every kind of record that there is.

use std::sync::Arc;

use crypto::{random::Random, seal::Sealer};
use state::{cold::StoredKind, repair::Repair};
use store::Store;

/// For an operator at the machine: see [`Repair`].
pub fn repair(store: Arc<dyn Store>, sealer: Sealer, random: Arc<dyn Random>) -> Repair {
    let kinds: [&[StoredKind]; 3] =
        [&directory::STORED_KINDS, &sign_in::STORED_KINDS, &resource_manager::STORED_KINDS];
    Repair::new(store, sealer, random, kinds.concat())
}
