//! Signing in with a password, and the sessions of browsers that follow.
//!
//! Unknown accounts, wrong passwords and disabled accounts look alike from outside, in words and in time.
//! An attempt is counted before its outcome is known, and only a few are under way at once, so many at the
//! same time gain an attacker nothing. Strangers' failures shut nobody out who comes from where the account has
//! been signed in before.

pub mod attempts;
pub mod failures;
mod known;
mod recover;
pub mod session;

use std::net::IpAddr;

use domain::{
    change::Record,
    id::{ObjectId, TenantId},
    name::Upn,
    user::User,
};
use tokio::sync::Semaphore;

use crate::{App, Error, users::end_sessions};
use attempts::{Subject, network};
pub use crypto::secret::Secret;
pub(crate) use known::KnownSources;
pub use recover::Recovered;

/// Bounds the attempts to sign in that are under way at once.
#[derive(Debug)]
pub(crate) struct LoginState {
    under_way: Semaphore,
    waiting: Semaphore,
}

impl Default for LoginState {
    fn default() -> Self {
        Self { under_way: Semaphore::new(MOST_UNDER_WAY), waiting: Semaphore::new(MOST_WAITING) }
    }
}

/// A person who has just proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    pub tenant: TenantId,
    pub user: ObjectId,
    /// The session stamp at that moment: what is given on the strength of this sign-in ends with it.
    pub stamp: i64,
}

/// Where an attempt comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source<'a> {
    pub address: Option<IpAddr>,
    /// The cookie that tells a browser from others.
    pub browser: Option<&'a str>,
}

impl Source<'_> {
    fn network(&self) -> Option<IpAddr> {
        self.address.map(network)
    }
}

impl From<Option<IpAddr>> for Source<'_> {
    fn from(address: Option<IpAddr>) -> Self {
        Self { address, browser: None }
    }
}

/// Why a sign-in failed. Everything that an attacker could learn from is one case.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    #[error("the user name or the password is not right")]
    Refused,
    #[error("too many failed sign-ins: try again later")]
    Throttled,
    #[error("the password must be changed first")]
    MustChangePassword,
    #[error(transparent)]
    App(#[from] Error),
}

impl App {
    /// Checks a password. `tenant`: where the client is bound to one, only its people count.
    pub async fn sign_in(
        &self,
        tenant: Option<TenantId>,
        user_name: &str,
        password: &Secret<String>,
        source: impl Into<Source<'_>> + Send,
    ) -> Result<SignedIn, LoginError> {
        let source = source.into();
        let user = self.check_password(tenant, user_name, password, &source).await?;
        if user.must_change_password {
            failures::report(user.upn.as_str(), source.address, &"the password must be changed first");
            return Err(LoginError::MustChangePassword);
        }
        Ok(signed_in(&user))
    }

    /// Replaces a person's password by one of their own choice, which ends their other sessions, and signs
    /// them in. The old password is the proof, under the same limits as at a sign-in.
    pub async fn change_password(
        &self,
        user_name: &str,
        password: &Secret<String>,
        new: &Secret<String>,
        source: impl Into<Source<'_>> + Send,
    ) -> Result<SignedIn, LoginError> {
        let user = self.check_password(None, user_name, password, &source.into()).await?;
        if password.expose() == new.expose() {
            return Err(Error::invalid("password", "the new password is the old one").into());
        }
        let hash = self.hash_new_password(Some(new)).await?;
        let changed = self
            .transact(|tx| {
                let current = tx.snapshot().directory().user(user.id);
                // Changed or disabled meanwhile: the proof is worth nothing any more.
                let current = current.filter(|current| current.password == user.password && current.enabled);
                let Some(current) = current else { return Ok(None) };
                let mut changed = User::clone(current);
                changed.password = hash.clone();
                changed.must_change_password = false;
                end_sessions(tx, &mut changed);
                tx.put(&Record::User(changed.clone()))?;
                Ok(Some(changed))
            })
            .await?;
        Ok(signed_in(&changed.ok_or(LoginError::Refused)?))
    }

    /// The person, if the password is theirs and they may sign in.
    async fn check_password(
        &self,
        tenant: Option<TenantId>,
        user_name: &str,
        password: &Secret<String>,
        source: &Source<'_>,
    ) -> Result<User, LoginError> {
        let state = &self.inner.login;
        let busy = |_| Error::Unavailable("too many people sign in at this moment: try again".into());
        let _place = state.waiting.try_acquire().map_err(busy)?;
        let _turn = state.under_way.acquire().await.map_err(Error::internal)?;
        let upn = Upn::parse(user_name.trim());
        let account = match &upn {
            Ok(upn) => upn.folded().to_owned(),
            Err(_) => crypto::digest::sha256_hex(user_name.as_bytes()),
        };
        let failed = |reason: &str| {
            // What is no principal name may be a password in the wrong field.
            let shown = upn.as_ref().map_or("(no principal name)", Upn::as_str);
            failures::report(shown, source.address, &reason);
        };
        let familiar = self.familiarity(&account, source).await?;
        let subjects = Subject::of_sign_in(&account, source, familiar);
        if let Err(error) = self.count_attempts(&subjects).await {
            if matches!(error, LoginError::Throttled) {
                failed("too many failed attempts");
            }
            return Err(error);
        }
        let user = upn.as_ref().ok().and_then(|upn| self.snapshot().directory().user_by_upn(upn).cloned());
        let user = user.filter(|user| tenant.is_none_or(|tenant| tenant == user.tenant));
        let hash = user.as_ref().and_then(|user| user.password.clone());
        let password = password.clone();
        let right = self
            .on_hash_thread(move || {
                crypto::password::verify(&password, hash.as_ref().map(|hash| hash.0.as_str()))
            })
            .await?;
        let reason = match &user {
            None => "there is no such account",
            Some(_) if !right => "the password is not right",
            Some(user) if !user.enabled => "the account is disabled",
            Some(user) => {
                for subject in &subjects {
                    self.forgive_attempts(subject).await?;
                }
                self.remember_source(&account, source).await?;
                return Ok(User::clone(user));
            }
        };
        failed(reason);
        Err(LoginError::Refused)
    }
}

pub(crate) fn signed_in(user: &User) -> SignedIn {
    SignedIn { tenant: user.tenant, user: user.id, stamp: crate::tokens::stamp_of(user.tokens_valid_after) }
}

/// Well under the attempts that an account has, so that people who sign in twenty times at once with the
/// right password are not refused for attempts whose outcome is open.
const MOST_UNDER_WAY: usize = 4;
const MOST_WAITING: usize = 1024;

#[cfg(test)]
mod tests;
