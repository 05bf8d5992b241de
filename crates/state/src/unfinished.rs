//! What takes more than one transaction: deleting things with contents, making a cluster with its first objects.
//!
//! ```text
//!   a use case ─► begin: its first step, and Work on record if that was not all
//!                   │
//!                   ├─► the request goes on for a while
//!                   └─► keep_finishing, in each server, until the work is done: also after a restart
//! ```
//!
//! Each step decides on the newest state and may be done twice, so that several servers may go on with one work.
//! From the first step on what is being deleted is out of use, which the snapshot sees to.

use std::{collections::HashMap, time::Duration};

use domain::{
    change::{Record, RecordKey},
    snapshot::Snapshot,
    unfinished::{Unfinished, Work},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{Error, State, Tx};

/// One work, for whoever waits for its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkReference {
    key: String,
    since: Timestamp,
}

/// Does the first step of a work, and leaves the rest on record. `None`: that was all.
pub fn begin(tx: &mut Tx, work: Work) -> Result<Option<WorkReference>, Error> {
    let key = work.key();
    if let Some(known) = find(tx.snapshot(), &work) {
        return Ok(Some(known));
    }
    let known = tx.snapshot().unfinished_work(&key).cloned();
    if tx.step(&work)? {
        if known.is_some() {
            tx.delete(&RecordKey::Unfinished(key));
        }
        return Ok(None);
    }
    record(tx, work).map(Some)
}

/// The work, if it is going on.
pub fn find(snapshot: &Snapshot, work: &Work) -> Option<WorkReference> {
    let key = work.key();
    let found = snapshot.unfinished_work(&key).filter(|found| found.work == *work);
    found.map(|found| WorkReference { key: key.clone(), since: found.since })
}

/// Says that there is work left.
pub fn record(tx: &mut Tx, work: Work) -> Result<WorkReference, Error> {
    let (key, since) = (work.key(), tx.now());
    tx.put(&Record::Unfinished(Unfinished { work, since }))?;
    Ok(WorkReference { key, since })
}

impl State {
    /// Whether a work is still going on.
    pub fn is_under_way(&self, awaited: &WorkReference) -> bool {
        let snapshot = self.snapshot();
        snapshot.unfinished_work(&awaited.key).is_some_and(|found| found.since == awaited.since)
    }

    /// Goes on with a work for a while; gives it back if there is more.
    pub async fn go_on(&self, awaited: Option<WorkReference>) -> Result<Option<WorkReference>, Error> {
        let Some(awaited) = awaited else { return Ok(None) };
        for _ in 0..STEPS_OF_A_REQUEST {
            if !self.is_under_way(&awaited) {
                return Ok(None);
            }
            self.take_step(&awaited.key).await?;
        }
        Ok(Some(awaited).filter(|awaited| self.is_under_way(awaited)))
    }

    /// Goes on with a work until its end.
    pub async fn finish(&self, awaited: Option<WorkReference>) -> Result<(), Error> {
        let Some(awaited) = awaited else { return Ok(()) };
        while self.is_under_way(&awaited) {
            self.take_step(&awaited.key).await?;
        }
        Ok(())
    }

    /// Runs until `stop` is ready, and finishes whatever is begun meanwhile, or was before. A work that cannot go on
    /// waits a while before it is tried again, and keeps no other waiting.
    pub async fn keep_finishing(&self, stop: impl Future<Output = ()>) {
        let mut revisions = self.revisions();
        let work = async {
            let mut postponed: HashMap<String, Instant> = HashMap::new();
            loop {
                let now = Instant::now();
                postponed.retain(|_, until| *until > now);
                let snapshot = self.snapshot();
                let keys: Vec<String> =
                    snapshot.unfinished().map(|unfinished| unfinished.work.key()).collect();
                drop(snapshot);
                let mut done_something = false;
                for key in keys.into_iter().filter(|key| !postponed.contains_key(key)).collect::<Vec<_>>() {
                    done_something = true;
                    if let Err(error) = self.take_step(&key).await {
                        tracing::warn!(%error, work = key, "what is being made or deleted is not done yet: it is tried again");
                        postponed.insert(key, Instant::now() + PAUSE);
                    }
                }
                if done_something {
                    continue;
                }
                let retry = async {
                    match postponed.values().min() {
                        Some(first) => tokio::time::sleep_until(*first).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    changed = revisions.changed() => if changed.is_err() { return },
                    () = retry => {}
                }
            }
        };
        tokio::select! {
            () = stop => {}
            () = work => {}
        }
    }

    async fn take_step(&self, key: &str) -> Result<(), Error> {
        self.transact(|tx| {
            let Some(found) = tx.snapshot().unfinished_work(key).cloned() else { return Ok(()) };
            if tx.step(&found.work)? {
                tx.delete(&RecordKey::Unfinished(key.to_owned()));
            }
            Ok(())
        })
        .await
    }
}

/// How far a request goes on before it answers that the work is under way.
const STEPS_OF_A_REQUEST: usize = 16;
const PAUSE: Duration = Duration::from_secs(5);
