//! Issuing and verifying the tokens of this installation.
//!
//! A signature is checked once per token and remembered; who the token stands for is looked up in the live
//! directory at every use. A disabled or deleted principal, or one whose sessions were revoked, is refused
//! at once, however long its token would still last.

pub mod claims;
pub mod seen;
pub mod service_account;
mod session_mark;
mod signing;
mod verified;

use std::sync::Arc;

use crypto::jwt;
use domain::{
    directory::Principal,
    id::{AppId, ObjectId, TenantId},
    kube::User as KubeUser,
    snapshot::Snapshot,
};
use jiff::{SignedDuration, Timestamp};

pub use claims::{IdTokenRequest, TokenRequest, Version};
pub use directory::audience::Audience;
pub use session_mark::SessionMark;
use signing::Signing;
use verified::{Verified, VerifiedTokens};

use crate::SignIn;
use state::{Caller, CallerKind, Error, principal_status::is_client_live};

#[derive(Debug, Default)]
pub(crate) struct TokenState {
    verified: VerifiedTokens,
    signing: Signing,
}

/// A signed token with what its client is told beside it.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    pub token: String,
    /// Seconds.
    pub expires_in: i64,
}

/// Why a token is not accepted. The text is for the log and for operators; clients learn less.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("{0}")]
    Malformed(#[from] jwt::JwtError),
    #[error("the token was signed by a key that is not ours, or no longer counts")]
    UnknownKey,
    #[error("the token was issued for \"{0}\", which is not this service")]
    Audience(String),
    #[error("the token's issuer is not this installation")]
    Issuer,
    #[error("the token ended at {0}")]
    Expired(Timestamp),
    #[error("the token counts from {0} only")]
    NotYet(Timestamp),
    #[error("the token lacks the claim \"{0}\"")]
    Lacks(&'static str),
    #[error("the principal {0} does not exist any more")]
    Deleted(ObjectId),
    #[error("the principal {0} is disabled")]
    Disabled(ObjectId),
    #[error("the sessions of the principal {0} were revoked")]
    Revoked(ObjectId),
    #[error("the client {0} does not exist any more, or is disabled")]
    Client(AppId),
    /// Nothing can be said of the token: see [`state::State::is_stale`].
    #[error("the state of this server is stale")]
    Stale,
}

/// Whom an id token was made for, and about whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdTokenHint {
    pub client: AppId,
    pub user: ObjectId,
}

impl SignIn {
    /// Signs an access token. Runs on a blocking thread: a signature takes half a millisecond.
    pub async fn issue_access_token(&self, request: &TokenRequest) -> Result<IssuedToken, Error> {
        let snapshot = self.state.snapshot();
        let claims = claims::access(
            &snapshot,
            &self.state.settings().external_url,
            request,
            self.state.now(),
            self.new_uti()?,
        )?;
        let token = self.sign(&snapshot, claims).await?;
        Ok(IssuedToken { token, expires_in: claims::ACCESS_LIFE.as_secs() })
    }

    pub async fn issue_id_token(&self, request: &IdTokenRequest) -> Result<String, Error> {
        let snapshot = self.state.snapshot();
        let claims = claims::id(
            &snapshot,
            &self.state.settings().external_url,
            request,
            self.state.now(),
            self.new_uti()?,
        )?;
        self.sign(&snapshot, claims).await
    }

    /// Who calls Resource Manager or Graph with this token.
    pub fn verify_management_token(&self, token: &str) -> Result<Caller, Rejection> {
        let snapshot = self.state.look();
        let verified = self.verify(&snapshot, token, |audience, app| audience.is_management(app))?;
        live_caller(&snapshot, &verified)
    }

    /// Whose data a token opens at the userinfo endpoint: one for userinfo itself, or one for Graph.
    pub fn verify_user_info_token(&self, token: &str) -> Result<Caller, Rejection> {
        let snapshot = self.state.snapshot();
        let verified = self.verify(&snapshot, token, |audience, app| {
            audience.is_user_info(app) || audience.is_management(app)
        })?;
        live_caller(&snapshot, &verified)
    }

    /// What an id token of ours says, ended or not: whom it was made for and about (OpenID Connect RP-Initiated Logout 1.0
    /// §2). Access tokens, which programs hand on to others, hint at nothing.
    pub fn read_id_token_hint(&self, token: &str) -> Option<IdTokenHint> {
        let snapshot = self.state.snapshot();
        let parsed = jwt::parse(token).ok()?;
        let record = snapshot.signing_key(parsed.header.kid.as_deref()?)?;
        let claims = parsed.verify(&*self.state.verifying_key(&record.key).ok()?).ok()?;
        if claims.contains_key(claims::STAMP) {
            return None;
        }
        let client = AppId::parse(claims.get("aud")?.as_str()?).ok()?;
        Some(IdTokenHint { client, user: ObjectId::parse(claims.get("oid")?.as_str()?).ok()? })
    }

    /// Whom a token stands for that was made for this application, whatever names applications have had since.
    pub(crate) fn verify_token_for(&self, token: &str, application: AppId) -> Result<Caller, Rejection> {
        let snapshot = self.state.snapshot();
        let verified = self.verify(&snapshot, token, |_, _| true)?;
        if verified.application != Some(application) {
            return Err(Rejection::Audience(verified.audience.clone()));
        }
        live_caller(&snapshot, &verified)
    }

    /// Who calls a cluster with this token, as Kubernetes knows them: with the groups of this moment.
    pub fn verify_cluster_token(&self, token: &str) -> Result<KubeUser, Rejection> {
        let snapshot = self.state.look();
        let (caller, _) = self.verify_cluster_session(&snapshot, token)?;
        Ok(kube_user(&snapshot, caller))
    }

    /// Who calls a cluster with this token, with what tells later whether it still counts.
    pub fn verify_cluster_session(
        &self,
        snapshot: &Snapshot,
        token: &str,
    ) -> Result<(Caller, SessionMark), Rejection> {
        let verified = self.verify(snapshot, token, |_, app| Audience::is_cluster(app))?;
        let caller = live_caller(snapshot, &verified)?;
        let mark = SessionMark::new(caller.session, caller.app_id, &verified.kid);
        Ok((caller, mark))
    }

    fn verify(
        &self,
        snapshot: &Snapshot,
        token: &str,
        accepts: impl Fn(&Audience<'_>, &str) -> bool,
    ) -> Result<Arc<Verified>, Rejection> {
        if self.state.is_stale() {
            return Err(Rejection::Stale);
        }
        let token = token.trim_ascii();
        if token.len() > jwt::LONGEST {
            return Err(jwt::JwtError::TooLong.into());
        }
        let now = self.state.now();
        let verified = match self.inner.tokens.verified.find(token) {
            Some(known) => known,
            None => {
                let verified = Arc::new(self.verify_signature(snapshot, token)?);
                self.inner.tokens.verified.remember(token, verified.clone());
                verified
            }
        };
        let accepted = snapshot.signing_key(&verified.kid).is_some_and(|key| key.is_accepted(now));
        if !accepted {
            return Err(Rejection::UnknownKey);
        }
        if now >= verified.expires.saturating_add(SKEW).unwrap_or(Timestamp::MAX) {
            return Err(Rejection::Expired(verified.expires));
        }
        if now < verified.not_before.saturating_sub(SKEW).unwrap_or(Timestamp::MIN) {
            return Err(Rejection::NotYet(verified.not_before));
        }
        if !accepts(&Audience::new(&self.state.settings().external_url), &verified.audience) {
            return Err(Rejection::Audience(verified.audience.clone()));
        }
        Ok(verified)
    }

    fn verify_signature(&self, snapshot: &Snapshot, token: &str) -> Result<Verified, Rejection> {
        let mut parsed = jwt::parse(token)?;
        if parsed.header.algorithm != crypto::keys::Algorithm::Rs256 {
            return Err(jwt::JwtError::Algorithm.into());
        }
        let kid = parsed.header.kid.take().ok_or(Rejection::UnknownKey)?;
        let record = snapshot.signing_key(&kid).ok_or(Rejection::UnknownKey)?;
        let key = self.state.verifying_key(&record.key).map_err(|_| Rejection::UnknownKey)?;
        Verified::read(kid, parsed.verify_as(&key)?, &self.state.settings().external_url)
    }

    async fn sign(&self, snapshot: &Snapshot, claims: jwt::Claims) -> Result<String, Error> {
        if self.state.is_stale() {
            return Err(Error::Unavailable(
                "the state of this server is stale: ask another one, or try again later".into(),
            ));
        }
        let (kid, key) = self.current_signing_key(snapshot)?;
        let signed = self.inner.tokens.signing.make(move || jwt::sign(&key, &kid, &claims));
        signed.await?.map_err(Error::internal)
    }

    fn new_uti(&self) -> Result<String, Error> {
        Ok(crypto::random::url_safe(&self.state.random_bytes::<16>()?))
    }
}

/// The caller behind a verified token, if the directory still knows and trusts it.
fn live_caller(snapshot: &Snapshot, verified: &Verified) -> Result<Caller, Rejection> {
    let oid = verified.object_id;
    let (caller, enabled) = match snapshot.directory().principal(oid) {
        Some(Principal::User(user)) => (Caller::of_user(user, verified.app_id), user.enabled),
        Some(Principal::ServicePrincipal(principal)) => {
            (Caller::of_service_principal(principal, verified.app_id), principal.enabled)
        }
        Some(Principal::Group(_)) | None => return Err(Rejection::Deleted(oid)),
    };
    if caller.tenant != verified.tenant {
        return Err(Rejection::Issuer);
    }
    if !enabled {
        return Err(Rejection::Disabled(oid));
    }
    if caller.session != verified.stamp {
        return Err(Rejection::Revoked(oid));
    }
    let client = snapshot.directory().service_principal_by_app_id(caller.tenant, verified.app_id);
    let another = verified.client.is_some_and(|id| client.is_none_or(|client| client.id != id));
    if another || !is_client_live(snapshot, caller.tenant, verified.app_id) {
        return Err(Rejection::Client(verified.app_id));
    }
    Ok(caller)
}

/// A caller of the directory as Kubernetes knows it: the user principal name of a person, the object id of
/// a service principal; groups by object id, as the directory has them now; `extra.oid`.
pub fn kube_user(snapshot: &Snapshot, caller: Caller) -> KubeUser {
    let oid = caller.object_id.to_string();
    let name = match caller.kind {
        CallerKind::User => caller.name,
        CallerKind::ServicePrincipal => oid.clone(),
    };
    let groups = snapshot.directory().transitive_groups(caller.object_id);
    KubeUser {
        name,
        uid: oid.clone(),
        groups: groups.iter().map(ToString::to_string).collect(),
        extra: [("oid".to_owned(), vec![oid])].into(),
    }
}

/// The issuer of a tenant's tokens, as version 1 and version 2 write it.
pub fn issuer(external_url: &str, tenant: TenantId, version: Version) -> String {
    match version {
        Version::V1 => format!("{external_url}/{tenant}/"),
        Version::V2 => format!("{external_url}/{tenant}/v2.0"),
    }
}

/// Whether a token's issuer is what [`issuer`] writes in either version.
pub(crate) fn is_issuer(iss: &str, external_url: &str, tenant: TenantId) -> bool {
    let path = iss.strip_prefix(external_url).and_then(|path| path.strip_prefix('/'));
    path.and_then(|path| path.split_once('/')).is_some_and(|(of, version)| {
        matches!(version, "" | "v2.0") && TenantId::parse(of).is_ok_and(|of| of == tenant)
    })
}

impl SignIn {
    /// What people call a client that they are asked about.
    pub fn client_name(&self, app_id: AppId) -> Option<String> {
        client_name(&self.state.snapshot(), app_id)
    }
}

/// The client that a token names, for a person's consent and the audit trail.
pub(crate) fn client_name(snapshot: &Snapshot, app_id: AppId) -> Option<String> {
    let registered =
        snapshot.directory().application_by_app_id(app_id).map(|each| each.display_name.to_string());
    registered.or_else(|| state::well_known::find(app_id).map(|each| each.name.to_owned()))
}

/// How far the clocks of two machines may differ.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuers_that_are_written_are_those_that_are_known() {
        let url = "https://localhost:8443";
        let tenant = TenantId::parse("3f0d0d4e-56a4-4a58-8f5b-0c8e2a1d9b77").unwrap();
        let other = TenantId::parse("4f0d0d4e-56a4-4a58-8f5b-0c8e2a1d9b77").unwrap();
        for version in [Version::V1, Version::V2] {
            let written = issuer(url, tenant, version);
            assert!(is_issuer(&written, url, tenant), "{written}");
            assert!(!is_issuer(&written, url, other), "{written}");
            assert!(!is_issuer(&written, "https://localhost", tenant), "{written}");
            for wrong in
                [format!("{written}x"), format!("x{written}"), written.replace("//localhost", "//127.0.0.1")]
            {
                assert!(!is_issuer(&wrong, url, tenant), "{wrong}");
            }
        }
        for wrong in ["", url, "https://localhost:8443/", "https://localhost:8443/common/v2.0"] {
            assert!(!is_issuer(wrong, url, tenant), "{wrong}");
        }
    }
}
