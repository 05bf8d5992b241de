//! What the program that runs the application needs of it as a whole: tasks that keep the state current, and a few
//! counted facts. None of them names anybody.

use std::sync::Arc;

use domain::{scope::Scope, unreadable::Effect};
use state::{Error, outbound::Outbound};
use tokio::sync::watch;

use crate::{App, Installation};

/// How well the state can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// Stored records that cannot be read and are set aside.
    pub unreadable: usize,
    /// Whether Azure RBAC refuses everything because of one of them.
    pub refuses_everything: bool,
}

/// How many records there are, of all tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordCounts {
    pub revision: u64,
    pub users: usize,
    pub groups: usize,
    pub role_assignments: usize,
    pub clusters: usize,
    pub unreadable: usize,
}

impl App {
    /// An error: the store does not answer.
    pub async fn check_store(&self) -> Result<(), Error> {
        self.state().store().status().await?;
        Ok(())
    }

    /// Whether the state may be older than what was committed elsewhere: then nothing is allowed.
    pub fn is_stale(&self) -> bool {
        self.state().is_stale()
    }

    /// Says that changes are not followed any more.
    pub fn mark_stale(&self) {
        self.state().mark_stale();
    }

    pub fn health(&self) -> Health {
        let snapshot = self.state().snapshot();
        let everything = Effect::Scope(Scope::root());
        Health {
            unreadable: snapshot.unreadable().count(),
            refuses_everything: snapshot.unreadable().any(|each| each.effect == everything),
        }
    }

    pub fn record_counts(&self) -> RecordCounts {
        let snapshot = self.state().snapshot();
        RecordCounts {
            revision: snapshot.revision(),
            users: snapshot.directory().users().count(),
            groups: snapshot.directory().groups().count(),
            role_assignments: snapshot.azure().assignments().count(),
            clusters: snapshot.clusters().count(),
            unreadable: snapshot.unreadable().count(),
        }
    }

    /// The first domain of the tenant that was made with the installation.
    pub fn first_domain(&self, installation: &Installation) -> Option<String> {
        let snapshot = self.state().snapshot();
        snapshot.directory().tenant(installation.tenant)?.domains.first().cloned()
    }

    /// How requests to other hosts are made.
    pub fn connect_outbound(&self, outbound: Arc<dyn Outbound>) {
        self.state().connect_outbound(outbound);
    }

    /// Tells the newest revision of the state, now and whenever it moves.
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.state().revisions()
    }

    /// Goes on with unfinished work until `stop`.
    pub async fn keep_finishing(&self, stop: impl Future<Output = ()>) {
        self.state().keep_finishing(stop).await;
    }

    /// Folds recent changes into the indexes until `stop`.
    pub async fn keep_folded(&self, stop: impl Future<Output = ()>) {
        self.state().keep_folded(stop).await;
    }
}
