//! The grants of OAuth 2.0: what a client may trade for tokens. One file each.
//!
//! Grants are cold records. A grant that may be used once is swapped to its used state before anything is
//! given for it, so of two who use it at the same time one gets nothing.

pub mod authorization;
pub mod client;
pub mod code;
pub mod consent;
pub mod device;
pub mod on_behalf_of;
pub mod refresh;

use domain::id::{AppId, ObjectId, TenantId};
use serde::{Deserialize, Serialize};

use crate::{SignIn, login::SignedIn};
use state::{Error, principal_status};

pub use client::{Client, ClientCredentials};

/// What a person has let a client do, however they did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    pub tenant: TenantId,
    pub user: ObjectId,
    pub client: AppId,
    /// The session stamp at the sign-in.
    pub stamp: i64,
    /// As the client asked for them.
    pub scope: String,
    pub nonce: Option<String>,
}

/// Why a grant gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// Nobody has answered yet: ask again after the interval.
    #[error("the person has not answered yet")]
    Pending,
    /// Asked again too soon.
    #[error("asked again too soon")]
    SlowDown,
    #[error("the person declined")]
    Declined,
    #[error("the grant has ended")]
    Expired,
    /// Unknown, used up, revoked, or of another client.
    #[error("the grant is not valid: {0}")]
    Invalid(&'static str),
    /// The person behind it is gone, disabled, or has had their sessions revoked.
    #[error("the sign-in behind the grant counts no longer")]
    Revoked,
    /// The person was never asked whether the client may reach that service for them.
    #[error("the person has not let the client reach that service")]
    ConsentRequired,
    /// The token that the client wants to trade is not good.
    #[error("the assertion is not valid: {0}")]
    Assertion(String),
    #[error(transparent)]
    App(#[from] Error),
}

impl Granted {
    /// Whether it was given to this client and, under an authority for one tenant, by a person of that tenant.
    pub(crate) fn is_for(&self, client: AppId, tenant: Option<TenantId>) -> bool {
        self.client == client && tenant.is_none_or(|tenant| tenant == self.tenant)
    }

    pub fn new(signed_in: &SignedIn, client: AppId, scope: &str, nonce: Option<&str>) -> Self {
        Self {
            tenant: signed_in.tenant,
            user: signed_in.user,
            client,
            stamp: signed_in.stamp,
            scope: scope.to_owned(),
            nonce: nonce.map(str::to_owned),
        }
    }
}

impl SignIn {
    /// Refuses what was granted by a person who is gone, disabled, or whose sessions were revoked since.
    pub(crate) fn require_live(&self, granted: &Granted) -> Result<(), GrantError> {
        let snapshot = self.state.snapshot();
        let live = principal_status::is_enabled(&snapshot, granted.user)
            && principal_status::is_client_live(&snapshot, granted.tenant, granted.client)
            && principal_status::session_stamp(&snapshot, granted.user) == Some(granted.stamp);
        if live { Ok(()) } else { Err(GrantError::Revoked) }
    }
}

fn digest(text: &str) -> String {
    crypto::digest::sha256_hex(text.as_bytes())
}
