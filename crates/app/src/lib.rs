//! Use cases: what people and programs can do with the directory, roles, assignments and clusters. The one
//! crate that knows the records, the cryptography and the store.
//!
//! Every public function that reads or changes something on behalf of a caller begins with its
//! authorization. No protocol is known here: the surfaces translate.

pub mod aliases;
pub mod applications;
pub mod assignments;
pub mod authorize;
pub mod caller;
pub mod check_access;
pub mod clock;
mod cluster_keys;
pub mod clusters;
mod cold;
mod contents;
pub mod credentials;
pub mod deny_assignments;
pub mod directory_roles;
pub mod error;
pub mod federated;
pub mod foreign;
pub mod grants;
pub mod groups;
pub mod identities;
mod install;
mod issuers;
mod jobs;
mod keys;
mod limits;
mod live;
pub mod locks;
pub mod login;
pub mod management_groups;
pub mod objects;
pub mod operations;
pub mod outside;
pub mod owners;
mod passwords;
pub mod precondition;
pub mod providers;
pub mod repair;
pub mod resources;
pub mod reviews;
pub mod roles;
mod sealed;
pub mod subscriptions;
mod tables;
pub mod tenants;
pub mod tokens;
mod tx;
pub mod unfinished;
pub mod users;
pub mod webhook_certificates;
pub mod well_known;

use std::sync::Arc;

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
pub use install::{FirstAdministrator, Installation};
pub use live::{Applied, Changes, Expired};
pub use tx::{Committed, MOST_BYTES, MOST_WRITES, Tx};

/// The handle that every surface holds; cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    inner: Arc<Handle>,
}

/// What the copies of one handle share: see [`App::for_thread`].
#[derive(Debug)]
struct Handle(Arc<Inner>);

impl std::ops::Deref for Handle {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    live: live::Live,
    clock: Arc<dyn Clock>,
    settings: Settings,
    /// Transactions on what bears on access go one after the other, so that they do not conflict with each
    /// other within one process.
    turn: tokio::sync::Mutex<()>,
    seal: Arc<sealed::Seal>,
    random: Arc<dyn Random>,
    /// Of tokens that were seen before.
    tokens: tokens::TokenState,
    login: login::Queues,
    refresh_reuse: std::sync::OnceLock<jiff::SignedDuration>,
    devices: grants::device::DeviceState,
    consents: grants::consent::ConsentState,
    issuers: issuers::IssuerState,
    foreign: foreign::ForeignState,
    known: reviews::known::Known,
    /// Places for watches, of all threads that serve.
    watches: Arc<objects::WatchRoom>,
    refusals: reviews::refusals::Refusals,
    outside: std::sync::OnceLock<Arc<dyn outside::Outside>>,
    /// Permits for password computations.
    hashing: Arc<tokio::sync::Semaphore>,
    operations: Arc<Operations>,
    needs: Needs,
    stale: std::sync::atomic::AtomicBool,
}

/// What an application handle is made of.
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

impl App {
    /// Reads the state and gives the handle, with the task that keeps it current. Whoever starts the task
    /// must stop serving when it ends: from then on the state grows stale.
    pub async fn open(
        parts: Parts,
    ) -> Result<(Self, impl Future<Output = Result<(), Error>> + Send + use<>), Error> {
        let built_in = BuiltIn::load().map_err(Error::internal)?;
        let operations = Operations::published().map_err(Error::internal)?;
        let needs = Needs::load().map_err(Error::internal)?;
        let snapshot = Snapshot::new(Policy::new(&built_in, &operations));
        let seal = Arc::new(sealed::Seal::new(parts.sealer, Arc::clone(&parts.random)));
        let (live, events) = live::Live::load(&*parts.store, snapshot, Arc::clone(&seal)).await?;
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let inner = Inner {
            store: parts.store,
            live,
            clock: parts.clock,
            settings: parts.settings,
            turn: tokio::sync::Mutex::new(()),
            seal,
            random: parts.random,
            tokens: tokens::TokenState::default(),
            login: login::Queues::default(),
            refresh_reuse: std::sync::OnceLock::new(),
            devices: grants::device::DeviceState::default(),
            consents: grants::consent::ConsentState::default(),
            issuers: issuers::IssuerState::default(),
            foreign: foreign::ForeignState::default(),
            known: reviews::known::Known::default(),
            watches: Arc::default(),
            refusals: reviews::refusals::Refusals::default(),
            outside: std::sync::OnceLock::new(),
            hashing: Arc::new(tokio::sync::Semaphore::new(cores)),
            operations: Arc::new(operations),
            needs,
            stale: std::sync::atomic::AtomicBool::new(false),
        };
        let app = Self { inner: Arc::new(Handle(Arc::new(inner))) };
        let follower = app.clone();
        Ok((app, async move { follower.inner.live.follow(events).await }))
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.live.snapshot()
    }

    /// The same, for a look that ends before anything is waited for: it writes nothing that threads share.
    pub(crate) fn look(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.inner.live.look()
    }

    /// The same application, for one thread to copy as often as it likes: copies of one handle share a counter,
    /// and a counter that several threads change at once costs each of them more than all else.
    pub fn for_thread(&self) -> Self {
        Self { inner: Arc::new(Handle(self.inner.0.clone())) }
    }

    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Runs `body` on the current snapshot and commits what it writes. When the state has moved meanwhile,
    /// the body runs again on the newer one. Returns when the local snapshot holds the result.
    pub async fn transact<T>(
        &self,
        body: impl FnMut(&mut Tx) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        Ok(self.commit(body).await?.value)
    }

    /// As [`App::transact`], with the revision that the transaction took. It can be had from nowhere else: the newest
    /// one may be another's by the time that one looks.
    pub async fn commit<T>(
        &self,
        mut body: impl FnMut(&mut Tx) -> Result<T, Error> + Send,
    ) -> Result<Committed<T>, Error> {
        let _turn = self.inner.turn.lock().await;
        for _ in 0..MOST_TRIES {
            let (seal, random) = (Arc::clone(&self.inner.seal), Arc::clone(&self.inner.random));
            let mut tx = Tx::new(self.snapshot(), self.now(), seal, random);
            let value = body(&mut tx)?;
            let base = tx.snapshot().revision();
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
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Unavailable("too many changes at the same time: try again".into()))
    }

    /// Tells the newest revision of the snapshot, now and whenever it moves.
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.inner.live.subscribe()
    }

    /// Follows what changes after `revision`. [`Expired`]: too long ago, read again.
    pub fn follow_changes(&self, revision: u64) -> Result<Changes, Expired> {
        Changes::after(self, revision)
    }

    /// What has changed after `revision`, oldest first. [`Expired`]: too long ago, read again.
    pub fn changes_since(&self, revision: u64) -> Result<Vec<Arc<Applied>>, Expired> {
        self.inner.live.since(revision)
    }

    /// Says that changes are not followed any more. From then on no token is issued or accepted, and nothing is
    /// allowed: see [`App::is_stale`].
    pub fn mark_stale(&self) {
        self.inner.stale.store(true, std::sync::atomic::Ordering::Release);
    }

    /// Whether the snapshot may be older than what was committed elsewhere.
    pub fn is_stale(&self) -> bool {
        self.inner.stale.load(std::sync::atomic::Ordering::Acquire)
    }

    /// The data actions that are known, for translating requests of Kubernetes.
    pub fn operations(&self) -> &Operations {
        &self.inner.operations
    }

    /// What the identities of clusters need.
    pub fn needs(&self) -> &Needs {
        &self.inner.needs
    }

    /// Where the store stands.
    pub async fn store_status(&self) -> Result<store::StoreStatus, Error> {
        Ok(self.store().status().await?)
    }

    pub(crate) fn random_bytes<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.inner.random.fill(&mut bytes).map_err(Error::internal)?;
        Ok(bytes)
    }

    /// A fresh random id (RFC 9562, version 4).
    pub(crate) fn new_id<K>(&self) -> Result<Id<K>, Error> {
        Ok(Id::new(uuid::Builder::from_random_bytes(self.random_bytes()?).into_uuid()))
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    async fn refuse_taken_name(&self, unique: &[(&'static str, String)]) -> Result<(), Error> {
        for (kind, name) in unique {
            let range = store::Range::key(tables::unique_key(kind, name));
            if !self.store().read(range, store::At::Latest).await?.entries.is_empty() {
                return Err(Error::AlreadyExists { kind, id: name.clone() });
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
