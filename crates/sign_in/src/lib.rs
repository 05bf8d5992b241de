//! Signing in and what follows from it: passwords and sessions, the grants of OAuth, consent, the tokens that are issued
//! and verified, the keys that sign them, and issuers elsewhere whose tokens count here.
//!
//! No protocol is known here: surfaces translate.

pub mod external_issuers;
pub mod grants;
mod issuers;
pub mod keys;
pub mod login;
#[cfg(test)]
mod test_world;
pub mod tokens;

use std::sync::{Arc, OnceLock};

use directory::Directory;
use jiff::SignedDuration;
use state::{Error, State, cold::StoredKind};

/// What signing in can do; cheap to clone.
#[derive(Clone, Debug)]
pub struct SignIn {
    state: State,
    directory: Directory,
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Of tokens that were seen before.
    tokens: tokens::TokenState,
    login: login::Queues,
    refresh_reuse: OnceLock<SignedDuration>,
    devices: grants::device::DeviceState,
    consents: grants::consent::ConsentState,
    issuers: issuers::IssuerState,
    external: external_issuers::ExternalState,
}

impl SignIn {
    pub fn new(state: State, directory: Directory) -> Self {
        Self { state, directory, inner: Arc::default() }
    }

    /// Forgets what counts no longer.
    pub async fn forget_expired(&self) -> Result<(), Error> {
        self.state.forget_expired::<login::session::Session>().await?;
        self.state.forget_expired::<login::KnownSources>().await?;
        self.state.forget_expired::<grants::code::Code>().await?;
        self.state.forget_expired::<grants::device::Device>().await?;
        self.state.forget_expired::<grants::device::UserCode>().await?;
        self.state.forget_expired::<grants::refresh::Family>().await?;
        self.state.forget_expired::<grants::authorization::Pending>().await?;
        self.state.forget_expired::<grants::authorization::Allowed>().await?;
        self.forget_consents().await
    }
}

/// The kinds of records that are read by key.
pub const STORED_KINDS: [StoredKind; 10] = [
    StoredKind::of::<login::session::Session>(),
    StoredKind::of::<login::KnownSources>(),
    StoredKind::of::<grants::code::Code>(),
    StoredKind::of::<grants::consent::Consent>(),
    StoredKind::of::<grants::consent::EarlierConsent>(),
    StoredKind::of::<grants::device::Device>(),
    StoredKind::of::<grants::device::UserCode>(),
    StoredKind::of::<grants::refresh::Family>(),
    StoredKind::of::<grants::authorization::Pending>(),
    StoredKind::of::<grants::authorization::Allowed>(),
];
