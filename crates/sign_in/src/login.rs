//! Signing in with a password, and the sessions of browsers that follow.
//!
//! Unknown accounts and wrong passwords look alike from outside, in words and in time; only who gives the right password
//! learns that the account is disabled.
//! An attempt is counted before its outcome is known, and only a few are under way at once, so many at the
//! same time gain an attacker nothing. Strangers' failures shut nobody out who comes from where the account has
//! been signed in before.

pub mod failures;
mod known;
mod queue;
pub mod session;

use std::net::IpAddr;

use domain::{
    change::Record,
    id::{ObjectId, TenantId},
    name::Upn,
    user::User,
};

use crate::SignIn;
pub use crypto::secret::Secret;
use directory::TenantDirectory;
use directory::attempts::{AttemptError, Subject, account_of, network};
use directory::users::end_sessions;
use known::Familiar;
pub(crate) use known::KnownSources;
pub(crate) use queue::Queues;
use state::Error;

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
    /// The password is right.
    #[error("the account is disabled")]
    Disabled,
    #[error("too many failed sign-ins: try again later")]
    Throttled,
    #[error("the password must be changed first")]
    MustChangePassword,
    #[error(transparent)]
    App(#[from] Error),
}

impl From<AttemptError> for LoginError {
    fn from(error: AttemptError) -> Self {
        match error {
            AttemptError::TooMany => Self::Throttled,
            AttemptError::App(error) => Self::App(error),
        }
    }
}

impl SignIn {
    /// The directory of somebody who has signed in, as their own pages show it.
    pub fn directory_of(&self, person: &SignedIn) -> TenantDirectory {
        TenantDirectory::new(self.state.snapshot(), person.tenant)
    }

    /// Checks a password. `tenant`: where the client is bound to one, only its people count.
    pub async fn sign_in_with_password(
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
        let hash = self.directory.hash_new_password(Some(new)).await?;
        let changed = self
            .state
            .transact(|tx| -> Result<_, Error> {
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
        let upn = Upn::parse(user_name.trim());
        let user =
            upn.as_ref().ok().and_then(|upn| self.state.snapshot().directory().user_by_upn(upn).cloned());
        let user = user.filter(|user| tenant.is_none_or(|tenant| tenant == user.tenant));
        let account = match (&user, &upn) {
            (Some(user), _) => account_of(user.id),
            (None, Ok(upn)) => upn.folded().to_owned(),
            (None, Err(_)) => crypto::digest::sha256_hex(user_name.as_bytes()),
        };
        let failed = |reason: &str| {
            // What is no principal name may be a password in the wrong field.
            let shown = upn.as_ref().map_or("(no principal name)", Upn::as_str);
            failures::report(shown, source.address, &reason);
        };
        let throttled = |error: AttemptError| {
            if matches!(error, AttemptError::TooMany) {
                failed("too many failed attempts");
            }
            error
        };
        let familiar = self.familiarity(&account, source).await?;
        let subjects = attempts_of(&account, source, familiar);
        // Who has no attempts left takes no place of others.
        self.directory.check_attempts(&subjects).await.map_err(throttled)?;
        let place = self.inner.login.of(familiar).enter(source.network())?;
        let _turn = place.turn().await?;
        self.directory.count_attempts(&subjects).await.map_err(throttled)?;
        // As they are now that it is their turn.
        let user = user.and_then(|user| self.state.snapshot().directory().user(user.id).cloned());
        let hash = user.as_ref().and_then(|user| user.password.clone());
        let password = password.clone();
        let right = self
            .directory
            .on_hash_thread(move || {
                crypto::password::verify(&password, hash.as_ref().map(|hash| hash.0.as_str()))
            })
            .await?;
        let Some(user) = user else {
            failed("there is no such account");
            return Err(LoginError::Refused);
        };
        if !right {
            failed("the password is not right");
            return Err(LoginError::Refused);
        }
        for subject in &subjects {
            self.directory.forgive_attempts(subject).await?;
        }
        if !user.enabled {
            failed("the account is disabled");
            return Err(LoginError::Disabled);
        }
        self.remember_source(&account, source).await?;
        Ok(User::clone(&user))
    }
}

/// What a sign-in counts for. Nobody else's failures reach a browser that the account was signed in with, and none
/// from other networks one that it was signed in from.
fn attempts_of(account: &str, source: &Source<'_>, familiar: Familiar) -> Vec<Subject> {
    if let (Familiar::Browser, Some(browser)) = (familiar, source.browser) {
        return vec![Subject::AccountBy(account.to_owned(), crypto::digest::sha256_hex(browser.as_bytes()))];
    }
    let network = source.network();
    let from = network.map(|network| Subject::AccountFrom(account.to_owned(), network));
    let all = (familiar == Familiar::No).then(|| Subject::Account(account.to_owned()));
    [network.map(Subject::Address), from, all].into_iter().flatten().collect()
}

pub(crate) fn signed_in(user: &User) -> SignedIn {
    SignedIn {
        tenant: user.tenant,
        user: user.id,
        stamp: state::principal_status::stamp_of(user.tokens_valid_after),
    }
}

#[cfg(test)]
mod tests;
