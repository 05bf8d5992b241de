//! For an operator at the machine: which stored records cannot be read, and taking one out or putting a readable form
//! in its place. The server does not run meanwhile, so there is no caller: whoever holds the store and its key is the
//! owner.

use crate::Kind;
use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use crypto::{random::Random, seal::Sealer};
use domain::{
    change::Change,
    unreadable::{Effect, Unreadable},
};
use store::{At, Entry, Guard, Range, Store, Txn, Write};

use crate::{
    Error,
    cold::{self, StoredKind},
    sealed::Seal,
    tables::{self, DecodedEvent},
};

/// A store whose server does not run.
#[derive(Debug)]
pub struct Repair {
    store: Arc<dyn Store>,
    seal: Seal,
    /// Of cold records.
    kinds: Vec<StoredKind>,
}

/// A stored record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub place: String,
    pub problem: String,
    /// What is refused because of it.
    pub effect: String,
}

impl Repair {
    pub fn new(
        store: Arc<dyn Store>,
        sealer: Sealer,
        random: Arc<dyn Random>,
        kinds: Vec<StoredKind>,
    ) -> Self {
        Self { store, seal: Seal::new(sealer, random), kinds }
    }

    /// Everything that cannot be read, in the order of the places.
    pub async fn find(&self) -> Result<Vec<Damage>, Error> {
        let mut range = Range::all().limit(PAGE);
        let mut found = Vec::new();
        loop {
            let page = self.store.read(range.clone(), At::Latest).await?;
            found.extend(page.entries.iter().filter_map(|entry| self.damage(&entry.key, &entry.value)));
            match page.entries.last() {
                Some(last) if page.more => range = range.after(&last.key),
                _ => return Ok(found),
            }
        }
    }

    /// What is stored at the place of a record that cannot be read: to be kept before it is changed.
    pub async fn stored(&self, place: &str) -> Result<Bytes, Error> {
        Ok(self.unreadable_entry(place).await?.value)
    }

    /// Deletes a record that cannot be read, with the names that were its own, and gives what was stored. What can be
    /// read stays.
    pub async fn remove(&self, place: &str) -> Result<Bytes, Error> {
        let entry = self.unreadable_entry(place).await?;
        let mut writes = vec![Write::Delete(entry.key.clone())];
        writes.extend(self.names_of_nobody(&entry.key).await?.into_iter().map(Write::Delete));
        self.write(&entry, writes).await?;
        Ok(entry.value)
    }

    /// Names that are taken by nothing that can be read, once the record at `gone` is deleted; none as long as another
    /// record cannot be read whose they may be.
    async fn names_of_nobody(&self, gone: &[u8]) -> Result<Vec<Bytes>, Error> {
        let (mut taken, mut used) = (BTreeSet::new(), BTreeSet::new());
        let mut range = Range::prefix(tables::LIVE).limit(PAGE);
        loop {
            let page = self.store.read(range.clone(), At::Latest).await?;
            for entry in page.entries.iter().filter(|entry| entry.key != gone) {
                if tables::is_name(&entry.key) {
                    taken.insert(entry.key.clone());
                    continue;
                }
                match tables::read(&entry.key, Some(&entry.value), 0, &self.seal) {
                    DecodedEvent::Unreadable(_) => return Ok(Vec::new()),
                    DecodedEvent::Change(Change::Put(record)) => used.extend(tables::name_of(&record)),
                    DecodedEvent::Change(Change::Delete(_)) | DecodedEvent::Nothing => {}
                }
            }
            match page.entries.last() {
                Some(last) if page.more => range = range.after(&last.key),
                _ => return Ok(taken.difference(&used).take(MOST_NAMES).cloned().collect()),
            }
        }
    }

    /// Puts `text` in the place of a record that cannot be read, if that can be, and gives what was stored.
    pub async fn replace(&self, place: &str, text: Bytes) -> Result<Bytes, Error> {
        let entry = self.unreadable_entry(place).await?;
        if let Some(damage) = self.damage(&entry.key, &text) {
            return Err(Error::invalid(
                "",
                format!("the new form cannot be read either: {}", damage.problem),
            ));
        }
        self.write(&entry, vec![Write::Put(entry.key.clone(), text)]).await?;
        Ok(entry.value)
    }

    async fn unreadable_entry(&self, place: &str) -> Result<Entry, Error> {
        let key = Bytes::from(place.as_bytes().to_vec());
        let page = self.store.read(Range::key(key), At::Latest).await?;
        let entry = page.entries.into_iter().next();
        let entry = entry.ok_or_else(|| Error::not_found(Kind::StoredRecord, place))?;
        match self.damage(&entry.key, &entry.value) {
            Some(_) => Ok(entry),
            None => {
                Err(Error::Conflict(format!("{place} can be read: it is changed through the server only")))
            }
        }
    }

    async fn write(&self, entry: &Entry, writes: Vec<Write>) -> Result<(), Error> {
        let guard = Guard::Modified(entry.key.clone(), entry.modified);
        self.store.commit(Txn { guards: vec![guard], writes }).await?;
        Ok(())
    }

    fn damage(&self, key: &[u8], text: &[u8]) -> Option<Damage> {
        if let Some(problem) = cold::problem(&self.kinds, key, text) {
            return Some(Damage { place: tables::place(key), problem, effect: Effect::Itself.to_string() });
        }
        match tables::read(key, Some(text), 0, &self.seal) {
            DecodedEvent::Unreadable(Unreadable { place, problem, effect, .. }) => {
                Some(Damage { place: place.to_string(), problem, effect: effect.to_string() })
            }
            // What would be read as another record is no record of this place.
            DecodedEvent::Change(change) if tables::key(&change.key()) != key => Some(Damage {
                place: tables::place(key),
                problem: "it is a record of another place".into(),
                effect: Effect::Itself.to_string(),
            }),
            DecodedEvent::Change(_) | DecodedEvent::Nothing => None,
        }
    }
}

const PAGE: usize = 4096;
/// Each record has one, so that more are left over by nothing but earlier repairs.
const MOST_NAMES: usize = 50;
