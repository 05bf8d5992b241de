//! The application: one handle for what surfaces may do, by area. Nothing is decided here; this crate puts the areas
//! together, makes the first installation, and runs what goes on beside requests.
//!
//! ```text
//!   App ─► directory()         users, groups, applications
//!       ─► sign_in()           passwords, grants, tokens
//!       ─► resource_manager()  subscriptions, roles, assignments, clusters
//!       ─► kubernetes()        objects of clusters, reviews
//!       ─► state               the snapshot and transactions that all of them share; surfaces do not reach it
//! ```

mod install;
mod jobs;
mod recover;
mod repair;
mod running;
mod work;

use std::sync::Arc;

use domain::snapshot::Snapshot;
use jiff::Timestamp;
use state::{State, unfinished::WorkReference};

pub use directory::{self, Directory};
pub use install::{FirstAdministrator, Installation};
pub use kubernetes::{self, Kubernetes};
pub use recover::Recovered;
pub use repair::repair;
pub use resource_manager::{self, ResourceManager};
pub use running::{Health, RecordCounts};
pub use sign_in::{self, SignIn};
pub use state::{
    self, Applied, Caller, CallerKind, Changes, Clock, Error, Expired, Kind, Parts, Problem, Refusal, Rule,
    Run, Secret, Settings,
};

/// The handle that every surface holds; cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    areas: Arc<SharedAreas>,
}

/// What the copies of one handle share: see [`App::for_thread`].
#[derive(Debug)]
struct SharedAreas(Arc<Areas>);

#[derive(Debug)]
struct Areas {
    state: State,
    directory: Directory,
    sign_in: SignIn,
    kubernetes: Kubernetes,
    resource_manager: ResourceManager,
}

impl App {
    /// Reads the state and gives the handle, with the task that keeps it current. Whoever starts the task
    /// must stop serving when it ends: from then on the state grows stale.
    pub async fn open(
        parts: Parts,
    ) -> Result<(Self, impl Future<Output = Result<(), Error>> + Send + use<>), Error> {
        let (state, follow) = State::open(parts, work::step).await?;
        let directory = Directory::new(state.clone());
        let sign_in = SignIn::new(state.clone(), directory.clone());
        let kubernetes = Kubernetes::new(state.clone(), sign_in.clone());
        let resource_manager = ResourceManager::new(state.clone());
        let areas = Areas { state, directory, sign_in, kubernetes, resource_manager };
        Ok((Self { areas: Arc::new(SharedAreas(Arc::new(areas))) }, follow))
    }

    /// Everything, of all tenants: for decisions of an engine that need all of it, and for tests. What a caller may see
    /// comes from the areas, limited to the caller. Places in surfaces are counted by `cargo xtask tidy`.
    pub fn whole_snapshot(&self) -> Arc<Snapshot> {
        self.state().snapshot()
    }

    /// What tests and benches arrange that no use case does: records of any tenant, a state that is stale. Surfaces that
    /// call it are refused by `cargo xtask tidy`.
    pub fn whole_state(&self) -> &State {
        self.state()
    }

    fn state(&self) -> &State {
        &self.areas.0.state
    }

    pub fn directory(&self) -> &Directory {
        &self.areas.0.directory
    }

    pub fn sign_in(&self) -> &SignIn {
        &self.areas.0.sign_in
    }

    pub fn kubernetes(&self) -> &Kubernetes {
        &self.areas.0.kubernetes
    }

    pub fn resource_manager(&self) -> &ResourceManager {
        &self.areas.0.resource_manager
    }

    /// The same application, for one thread to copy as often as it likes: copies of one handle share a counter,
    /// and a counter that several threads change at once costs each of them more than all else.
    pub fn for_thread(&self) -> Self {
        Self { areas: Arc::new(SharedAreas(self.areas.0.clone())) }
    }

    pub fn now(&self) -> Timestamp {
        self.state().now()
    }

    pub fn settings(&self) -> &Settings {
        self.state().settings()
    }

    /// Whether a work that was begun is still going on.
    pub fn is_under_way(&self, awaited: &WorkReference) -> bool {
        self.state().is_under_way(awaited)
    }
}
