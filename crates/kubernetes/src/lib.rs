//! Kubernetes as clusters see it: the objects of embedded clusters with who may read and write them, service accounts,
//! and the reviews that the API servers of attached clusters ask for.

pub mod admin_certificates;
mod authorities;
mod engines;
pub mod objects;
pub mod reviews;

use std::sync::Arc;

use sign_in::SignIn;
use state::State;

pub use authorities::{ClusterAuthority, WebhookCertificateEnd};

/// What clusters ask for; cheap to clone.
#[derive(Clone, Debug)]
pub struct Kubernetes {
    state: State,
    sign_in: SignIn,
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    known: reviews::seen_certificates::SeenCertificates,
    /// Places for watches, of all threads that serve.
    watches: Arc<objects::WatchLimit>,
    refusals: reviews::refusals::Refusals,
}

impl Kubernetes {
    pub fn new(state: State, sign_in: SignIn) -> Self {
        Self { state, sign_in, inner: Arc::default() }
    }
}
