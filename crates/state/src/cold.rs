//! Cold records: many, read by key, never part of the snapshot. Grants, sessions, counters of attempts.
//! Each is changed by load, change, compare-and-swap, and again on conflict.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use store::{At, Guard, Range, Revision, StoreError, Txn, Write};

use crate::{Error, Kind, State, tables};

/// A kind of cold record.
pub trait Cold: Serialize + DeserializeOwned + Send {
    /// First part of the key; the same for all records of the kind, for ever.
    const KIND: &'static str;

    /// From when on it counts no longer and may be forgotten; none where something else ends it. Readers check it
    /// themselves.
    fn expires(&self) -> Option<Timestamp>;
}

/// One kind of cold record, for whoever looks through all of them.
#[derive(Clone, Copy, Debug)]
pub struct StoredKind {
    kind: &'static str,
    problem: fn(&[u8]) -> Option<String>,
}

impl StoredKind {
    pub const fn of<T: Cold>() -> Self {
        Self { kind: T::KIND, problem: |bytes| decode::<T>(bytes).err().map(|error| error.to_string()) }
    }
}

/// What a change of a cold record leads to.
#[derive(Debug)]
pub enum Swap<T> {
    Put(T),
    Delete,
    /// Leave it as it is.
    Keep,
}

impl State {
    pub async fn find_cold<T: Cold>(&self, id: &str) -> Result<Option<T>, Error> {
        Ok(self.load_cold(id).await?.map(|(record, _)| record))
    }

    /// Stores a record under an id that is not taken.
    pub async fn create_cold<T: Cold>(&self, id: &str, record: &T) -> Result<(), Error> {
        let key = tables::cold_key(T::KIND, id);
        let write = Write::Put(key.clone(), encode(record)?);
        match self.store().commit(Txn { guards: vec![Guard::Absent(key)], writes: vec![write] }).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict) => {
                Err(Error::AlreadyExists { kind: Kind::Cold(T::KIND), id: String::new() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Loads the record, or none, lets `change` decide, and stores what it decides if nobody else changed it
    /// meanwhile; otherwise again. `change` may run several times. An error of `change` changes nothing.
    pub async fn swap<T: Cold, R>(
        &self,
        id: &str,
        mut change: impl FnMut(Option<T>) -> Result<(Swap<T>, R), Error> + Send,
    ) -> Result<R, Error> {
        let key = tables::cold_key(T::KIND, id);
        for _ in 0..MOST_TRIES {
            let (record, guard) = match self.load_cold(id).await? {
                Some((record, revision)) => (Some(record), Guard::Modified(key.clone(), revision)),
                None => (None, Guard::Absent(key.clone())),
            };
            let existed = record.is_some();
            let (swap, result) = change(record)?;
            let write = match swap {
                Swap::Put(record) => Write::Put(key.clone(), encode(&record)?),
                Swap::Delete if existed => Write::Delete(key.clone()),
                Swap::Delete | Swap::Keep => return Ok(result),
            };
            match self.store().commit(Txn { guards: vec![guard], writes: vec![write] }).await {
                Ok(_) => return Ok(result),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Unavailable("too many changes to one record at the same time: try again".into()))
    }

    /// Up to `limit` records of a kind with their ids, after the id `after`; for jobs that clean up. None in place of
    /// one that cannot be read.
    pub async fn list_cold<T: Cold>(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Option<T>)>, Error> {
        let prefix = tables::cold_key(T::KIND, "");
        let mut range = Range::prefix(prefix.clone()).limit(limit);
        if let Some(after) = after {
            range = range.after(tables::cold_key(T::KIND, after));
        }
        let page = self.store().read(range, At::Latest).await?;
        let record = |entry: &store::Entry| {
            let id = entry.key.get(prefix.len()..).unwrap_or_default();
            (String::from_utf8_lossy(id).into_owned(), decode_stored(&entry.key, &entry.value).ok())
        };
        Ok(page.entries.iter().map(record).collect())
    }

    /// The ids of up to `limit` records of a kind that begin so, after the id `after`.
    pub async fn list_cold_under<T: Cold>(
        &self,
        begin: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let kind = tables::cold_key(T::KIND, "").len();
        let mut range = Range::prefix(tables::cold_key(T::KIND, begin)).limit(limit);
        if let Some(after) = after {
            range = range.after(tables::cold_key(T::KIND, after));
        }
        let page = self.store().read(range, At::Latest).await?;
        let id = |key: &[u8]| String::from_utf8_lossy(key.get(kind..).unwrap_or_default()).into_owned();
        Ok(page.entries.iter().map(|entry| id(&entry.key)).collect())
    }

    /// Forgets the records of a kind that count no longer.
    pub async fn forget_expired<T: Cold>(&self) -> Result<(), Error> {
        let now = self.now();
        let is_over = |record: &T| record.expires().is_some_and(|end| end <= now);
        let mut after: Option<String> = None;
        loop {
            let page = self.list_cold::<T>(after.as_deref(), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for (id, record) in &page {
                if !record.as_ref().is_some_and(is_over) {
                    continue;
                }
                // Looked at again within the swap: it may have been renewed meanwhile.
                self.swap(id, |known: Option<T>| {
                    let ended = known.is_some_and(|known| is_over(&known));
                    Ok((if ended { Swap::Delete } else { Swap::Keep }, ()))
                })
                .await?;
            }
        }
    }

    async fn load_cold<T: Cold>(&self, id: &str) -> Result<Option<(T, Revision)>, Error> {
        let page = self.store().read(Range::key(tables::cold_key(T::KIND, id)), At::Latest).await?;
        let Some(entry) = page.entries.first() else { return Ok(None) };
        Ok(Some((decode_stored(&entry.key, &entry.value)?, entry.modified)))
    }
}

/// Why a stored record cannot be read; nothing if it can, or is of none of these kinds.
pub(crate) fn problem(kinds: &[StoredKind], key: &[u8], bytes: &[u8]) -> Option<String> {
    let kind = tables::cold_kind(key)?;
    kinds.iter().filter(|each| each.kind == kind).find_map(|each| (each.problem)(bytes))
}

/// The stored form of a record, which is read once before it counts.
fn encode<T: Cold>(record: &T) -> Result<Bytes, Error> {
    let bytes = serde_json::to_vec(record).map_err(Error::internal)?;
    if bytes.len() > tables::MOST_BYTES {
        return Err(Error::TooLarge { kind: T::KIND, bytes: bytes.len(), most: tables::MOST_BYTES });
    }
    decode::<T>(&bytes)
        .map_err(|problem| Error::Internal(format!("a record of kind {}: {problem}", T::KIND)))?;
    Ok(bytes.into())
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// As [`decode`], for what is stored: the log names what cannot be read, and whoever needs it is refused.
fn decode_stored<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, Error> {
    decode(bytes).map_err(|problem| {
        let record = tables::place(key);
        tracing::error!(record, %problem, "a stored record cannot be read and is set aside: see `portcullis repair`");
        Error::Internal(format!("stored record {record} cannot be read"))
    })
}

const MOST_TRIES: usize = 64;
const PAGE: usize = 500;
