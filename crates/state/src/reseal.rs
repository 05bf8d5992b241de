//! A new sealing key: everything that an earlier one has sealed is sealed anew. For an operator at the machine, while the
//! server does not run, like [`repair`](crate::repair).
//!
//! It may be broken off at any moment and begun again: what either key has sealed opens until all is done.

use std::sync::Arc;

use bytes::Bytes;
use crypto::{random::Random, seal::Sealer};
use domain::{
    change::{Change, Record},
    cluster::SealedKey,
};
use store::{At, Entry, Guard, Range, Store, StoreError, Txn, Write};

use crate::{
    Error,
    sealed::Seal,
    sealed_keys::{SERVICE_ACCOUNT_KEY, SIGNING_KEY, authority_place, place_of_key},
    tables::{self, DecodedEvent},
};

/// Seals anew what the sealer's earlier key has sealed, and forgets the history in which it still stands. Gives the
/// number of records.
///
/// # Errors
/// Where a record cannot be read: nothing could seal it anew, and the earlier key has to stay.
pub async fn reseal(store: &dyn Store, sealer: Sealer, random: Arc<dyn Random>) -> Result<usize, Error> {
    let seal = Seal::new(sealer, random);
    let mut range = Range::prefix(tables::LIVE).limit(PAGE);
    let mut resealed = 0;
    loop {
        let page = store.read(range.clone(), At::Latest).await?;
        for entry in &page.entries {
            if let Some(value) = sealed_anew(entry, &seal)? {
                let guard = Guard::Modified(entry.key.clone(), entry.modified);
                let writes = vec![Write::Put(entry.key.clone(), value)];
                store.commit(Txn { guards: vec![guard], writes }).await?;
                resealed += 1;
            }
        }
        match page.entries.last() {
            Some(last) if page.more => range = range.after(&last.key),
            _ => break,
        }
    }
    let status = store.status().await?;
    match store.compact(status.revision).await {
        Ok(()) | Err(StoreError::Compacted) => Ok(resealed),
        Err(error) => Err(error.into()),
    }
}

/// The stored form under the current key; nothing where there is nothing sealed, or it is under that key already.
fn sealed_anew(entry: &Entry, seal: &Seal) -> Result<Option<Bytes>, Error> {
    let record = match tables::read(&entry.key, Some(&entry.value), 0, seal) {
        DecodedEvent::Change(Change::Put(record)) => record,
        DecodedEvent::Change(Change::Delete(_)) | DecodedEvent::Nothing => return Ok(None),
        DecodedEvent::Unreadable(each) => {
            return Err(Error::Conflict(format!(
                "{} cannot be read ({}): repair it first, see `portcullis repair`",
                each.place, each.problem
            )));
        }
    };
    let record = match record {
        Record::Object(object) if tables::is_outdated(&entry.value, &object.key, seal) => {
            Record::Object(object)
        }
        Record::SigningKey(mut key) if seal.is_outdated(&key.key.sealed_key) => {
            reseal_key(&mut key.key, SIGNING_KEY, seal)?;
            Record::SigningKey(key)
        }
        Record::Cluster(mut cluster)
            if seal.is_outdated(&cluster.authority.sealed_key)
                || seal.is_outdated(&cluster.service_account_key.sealed_key) =>
        {
            let place = authority_place(&cluster.authority.certificate_pem);
            cluster.authority.sealed_key = seal.seal_anew(&place, &cluster.authority.sealed_key)?;
            reseal_key(&mut cluster.service_account_key, SERVICE_ACCOUNT_KEY, seal)?;
            Record::Cluster(cluster)
        }
        _ => return Ok(None),
    };
    tables::encode_readable(&record, &entry.key, seal).map(Some)
}

fn reseal_key(key: &mut SealedKey, place: &str, seal: &Seal) -> Result<(), Error> {
    key.sealed_key = seal.seal_anew(&place_of_key(place, &key.kid), &key.sealed_key)?;
    Ok(())
}

const PAGE: usize = 500;
