//! The state that everything else works on: one snapshot in memory that follows the store, one typed transaction that
//! changes it, records that are read by key, and the errors and callers of all use cases.
//!
//! ```text
//!   reads ◄── live: the snapshot ◄── the store's watch
//!   writes ──► tx: a body on one snapshot ──► guarded commit ──► live has it
//!   tables: keys and stored forms      sealed: secrets at rest      cold: records outside the snapshot
//! ```
//!
//! What the records mean to people is not known here: that is for the crates above, one for each area.

pub mod authorize;
pub mod caller;
pub mod clock;
pub mod cold;
mod error;
mod kind;
mod limits;
mod live;
pub mod outbound;
pub mod precondition;
pub mod principal_status;
pub mod repair;
mod reseal;
pub mod restrictions;
pub mod sealed;
pub mod sealed_keys;
mod tables;
mod tx;
pub mod unfinished;
pub mod well_known;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use crypto::{random::Random, seal::Sealer};
use domain::{
    azure::{BuiltIn, Operations, Policy},
    id::Id,
    preflight::Needs,
    snapshot::Snapshot,
};
use jiff::Timestamp;
use store::{Store, StoreError};
use tokio::sync::watch;

pub use caller::{Caller, CallerKind};
pub use clock::Clock;
pub use cold::{Cold, Swap};
pub use crypto::secret::Secret;
pub use error::{Error, Problem, Refusal, Rule};
pub use kind::{Kind, UniqueName};
pub use live::{Applied, Changes, Expired};
pub use reseal::reseal;
pub use tables::place_of;
pub use tx::{Committed, MOST_BYTES, MOST_WRITES, Run, Steps, Tx};

/// The handle that every area holds; cheap to clone.
#[derive(Clone, Debug)]
pub struct State {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    live: live::Live,
    clock: Arc<dyn Clock>,
    settings: Settings,
    /// Transactions on what bears on access go one after the other, so that they do not conflict with each
    /// other within one process.
    write_lock: Arc<tokio::sync::Mutex<()>>,
    seal: Arc<sealed::Seal>,
    random: Arc<dyn Random>,
    keys: sealed_keys::KeyRing,
    outbound: OnceLock<Arc<dyn outbound::Outbound>>,
    operations: Operations,
    needs: Needs,
    steps: tx::Steps,
    stale: AtomicBool,
}

/// What the state is made of.
#[derive(Debug)]
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub sealer: Sealer,
    pub settings: Settings,
}

/// What an installation is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address that people and programs use, without a slash at the end: `https://localhost:8443`.
    pub external_url: String,
    /// The authority that signed the server's certificate, PEM: clients are told to trust it.
    pub authority_certificate: String,
}

impl State {
    /// Reads the state and gives the handle, with the task that keeps it current. Whoever starts the task
    /// must stop serving when it ends: from then on the state grows stale. `steps` goes on with unfinished work.
    pub async fn open(
        parts: Parts,
        steps: tx::Steps,
    ) -> Result<(Self, impl Future<Output = Result<(), Error>> + Send + use<>), Error> {
        let built_in = BuiltIn::load().map_err(Error::internal)?;
        let operations = Operations::published().map_err(Error::internal)?;
        let needs = Needs::load().map_err(Error::internal)?;
        let snapshot = Snapshot::new(Policy::new(&built_in, &operations));
        let seal = Arc::new(sealed::Seal::new(parts.sealer, Arc::clone(&parts.random)));
        let (live, events) = live::Live::load(&*parts.store, snapshot, Arc::clone(&seal)).await?;
        let inner = Inner {
            store: parts.store,
            live,
            clock: parts.clock,
            settings: parts.settings,
            write_lock: Arc::default(),
            seal,
            random: parts.random,
            keys: sealed_keys::KeyRing::default(),
            outbound: OnceLock::new(),
            operations,
            needs,
            steps,
            stale: AtomicBool::new(false),
        };
        let state = Self { inner: Arc::new(inner) };
        let follower = state.clone();
        Ok((state, async move { follower.inner.live.follow(events).await }))
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.live.snapshot()
    }

    /// The same, for a look that ends before anything is waited for: it writes nothing that threads share.
    pub fn look(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.inner.live.look()
    }

    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Runs `body` on the current snapshot and commits what it writes. When the state has moved meanwhile,
    /// the body runs again on the newer one. Returns when the local snapshot holds the result.
    pub async fn transact<T, E: From<Error>>(
        &self,
        body: impl FnMut(&mut Tx) -> Result<T, E> + Send,
    ) -> Result<T, E> {
        Ok(self.commit(Run::Real, body).await?.value)
    }

    /// As [`State::transact`], with the revision that the transaction took. It can be had from nowhere else: the newest
    /// one may be another's by the time that one looks. A dry run does everything but write.
    ///
    /// What bears on access is committed under the write lock; anything else goes beside it, and waits for the lock
    /// only when others were faster more than once.
    pub async fn commit<T, E: From<Error>>(
        &self,
        run: Run,
        mut body: impl FnMut(&mut Tx) -> Result<T, E> + Send,
    ) -> Result<Committed<T>, E> {
        let mut lock = None;
        for attempt in 1..=MOST_TRIES {
            if attempt > TRIES_WITHOUT_LOCK && lock.is_none() {
                lock = Some(self.inner.write_lock.lock().await);
            }
            let mut tx = self.begin();
            let value = body(&mut tx)?;
            let base = tx.snapshot().revision();
            if lock.is_none() && run == Run::Real && tx.bears_on_access() {
                lock = Some(self.inner.write_lock.lock().await);
                if self.look().revision() != base {
                    // Whoever held the lock has written meanwhile: decide again on what is there now.
                    continue;
                }
            }
            if run == Run::Dry {
                tx.check_allowed()?;
                // Nothing is kept, so nothing has a revision.
                return Ok(Committed { value, revision: 0 });
            }
            let (txn, unique) = tx.finish()?;
            if txn.writes.is_empty() {
                return Ok(Committed { value, revision: base });
            }
            match self.inner.store.commit(txn).await {
                Ok(revision) => {
                    self.inner.live.reached(revision).await?;
                    return Ok(Committed { value, revision: revision.0 });
                }
                Err(StoreError::Conflict) => {
                    self.refuse_taken_name(&unique).await?;
                    self.catch_up(base).await?;
                }
                Err(error) => return Err(Error::from(error).into()),
            }
        }
        Err(Error::Unavailable("too many changes at the same time: try again".into()).into())
    }

    /// Keeps what bears on access from being committed until the guard is dropped: for tests of what is true meanwhile.
    pub async fn hold_writes(&self) -> tokio::sync::OwnedMutexGuard<()> {
        Arc::clone(&self.inner.write_lock).lock_owned().await
    }

    /// Tells the newest revision of the snapshot, now and whenever it moves.
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.inner.live.subscribe()
    }

    /// Returns when the snapshot holds everything up to `revision`, and watches have been told of it.
    pub async fn reached(&self, revision: u64) -> Result<(), Error> {
        self.inner.live.reached(store::Revision(revision)).await
    }

    /// Follows what changes after `revision`. [`Expired`]: too long ago, read again.
    pub fn follow_changes(&self, revision: u64) -> Result<Changes, Expired> {
        Changes::after(self, revision)
    }

    /// What has changed after `revision`, oldest first. [`Expired`]: too long ago, read again.
    pub fn changes_since(&self, revision: u64) -> Result<Vec<Arc<Applied>>, Expired> {
        self.inner.live.since(revision)
    }

    /// The newest revision that bears on access.
    pub fn access_changed(&self) -> u64 {
        self.inner.live.access_changed()
    }

    /// Folds recent changes into the indexes, on a blocking thread, whenever enough have piled up; until `stop`.
    pub async fn keep_folded(&self, stop: impl Future<Output = ()>) {
        let mut revisions = self.revisions();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                changed = revisions.changed() => if changed.is_err() { return },
            }
            if self.look().needs_fold() {
                let state = self.clone();
                if tokio::task::spawn_blocking(move || state.inner.live.fold()).await.is_err() {
                    tracing::error!("folding the index failed: decisions stay right and get slower");
                }
            }
        }
    }

    /// Says that changes are not followed any more. From then on no token is issued or accepted, and nothing is
    /// allowed: see [`State::is_stale`].
    pub fn mark_stale(&self) {
        self.inner.stale.store(true, Ordering::Release);
    }

    /// Whether the snapshot may be older than what was committed elsewhere.
    pub fn is_stale(&self) -> bool {
        self.inner.stale.load(Ordering::Acquire)
    }

    /// The data actions that are known, for translating requests of Kubernetes.
    pub fn operations(&self) -> &Operations {
        &self.inner.operations
    }

    /// What the identities of clusters need.
    pub fn needs(&self) -> &Needs {
        &self.inner.needs
    }

    pub fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    pub fn seal(&self) -> &sealed::Seal {
        &self.inner.seal
    }

    pub fn random(&self) -> &dyn Random {
        &*self.inner.random
    }

    pub fn random_bytes<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.inner.random.fill(&mut bytes).map_err(Error::internal)?;
        Ok(bytes)
    }

    /// A fresh random id (RFC 9562, version 4).
    pub fn new_id<K>(&self) -> Result<Id<K>, Error> {
        Ok(Id::new(uuid::Builder::from_random_bytes(self.random_bytes()?).into_uuid()))
    }

    /// A transaction on the snapshot of this moment.
    fn begin(&self) -> Tx {
        let (seal, random) = (Arc::clone(&self.inner.seal), Arc::clone(&self.inner.random));
        Tx::new(self.snapshot(), self.now(), seal, random, self.inner.steps)
    }

    async fn refuse_taken_name(&self, unique: &[(UniqueName, String)]) -> Result<(), Error> {
        for (kind, name) in unique {
            let range = store::Range::key(tables::unique_key(*kind, name));
            if !self.store().read(range, store::At::Latest).await?.entries.is_empty() {
                return Err(Error::AlreadyExists { kind: Kind::Name(*kind), id: name.clone() });
            }
        }
        Ok(())
    }

    /// After a conflict: waits for a snapshot that is newer than `base`, as far as the store has one.
    async fn catch_up(&self, base: u64) -> Result<(), Error> {
        let latest = self.store().status().await?.revision;
        if latest.0 > base {
            self.inner.live.reached(latest).await?;
        }
        Ok(())
    }
}

const MOST_TRIES: usize = 32;
/// Conflicts after which a transaction that does not bear on access takes the write lock all the same.
const TRIES_WITHOUT_LOCK: usize = 2;
