//! The session of `portcullis login`: server, account, credential and cached tokens.
//!
//! It is stored in `PORTCULLIS_CONFIG_DIR`, or `~/.config/portcullis`, readable by its owner only. Refresh tokens are
//! replaced at each use, so renewal happens under a lock: of several concurrent commands one renews, and the others
//! read the result.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    address::Server,
    authority::{Authority, CLIENT_ID, Refused, Tokens, http_client},
    client::subscription::Subscription,
    files::{self, Replacement},
    login::assertion,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) url: String,
    /// PEM.
    pub(crate) certificate_authority: Option<String>,
    pub(crate) tenant: String,
    /// The id of the default subscription.
    pub(crate) subscription: Option<String>,
    #[serde(default)]
    pub(crate) subscription_name: Option<String>,
    /// The user principal name, or the application's id.
    pub(crate) account: String,
    credential: Credential,
    /// Unexpired access tokens by scope.
    #[serde(default)]
    tokens: BTreeMap<String, StoredSession>,
}

/// The server of the last sign-in. It has no secret, and `portcullis logout` keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LastServer {
    pub(crate) url: String,
    /// PEM.
    pub(crate) certificate_authority: Option<String>,
    pub(crate) tenant: String,
    /// The id of the default subscription.
    #[serde(default)]
    pub(crate) subscription: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Credential {
    RefreshToken(String),
    ClientSecret { client_id: String, secret: String },
    Certificate { client_id: String, file: PathBuf },
    FederatedToken { client_id: String, file: PathBuf },
}

#[derive(Clone, Serialize, Deserialize)]
struct StoredSession {
    token: String,
    expires: Timestamp,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential(***)")
    }
}
impl std::fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept(***)")
    }
}

impl Session {
    pub(crate) fn new(
        url: &str,
        certificate_authority: Option<String>,
        tenant: String,
        account: String,
        credential: Credential,
    ) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            certificate_authority,
            tenant,
            subscription: None,
            subscription_name: None,
            account,
            credential,
            tokens: BTreeMap::new(),
        }
    }

    /// The session, or an error that says how to sign in.
    pub(crate) fn load() -> anyhow::Result<Self> {
        match Self::find()? {
            Some(session) => Ok(session),
            None => bail!("you are not signed in: run {} first", login_command()?),
        }
    }

    pub(crate) fn find() -> anyhow::Result<Option<Self>> {
        let path = file()?;
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).with_context(|| {
                format!("{} cannot be read: sign in again with `portcullis login`", path.display())
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    pub(crate) fn save(&self) -> anyhow::Result<()> {
        let path = file()?;
        if let Some(directory) = path.parent() {
            files::private_directory(directory)?;
        }
        files::replace_private(&path, &serde_json::to_vec_pretty(self)?)
    }

    /// The server of the last sign-in, even after a sign-out.
    pub(crate) fn last_server() -> anyhow::Result<Option<LastServer>> {
        let path = directory()?.join(LAST_SERVER);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .with_context(|| format!("{} cannot be read: name the server with --url", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Stores the server as the default of the next `portcullis login`.
    pub(crate) fn remember_server(&self) -> anyhow::Result<()> {
        let before = Self::last_server().ok().flatten().filter(|last| last.url == self.url);
        let last = LastServer {
            url: self.url.clone(),
            certificate_authority: self.certificate_authority.clone(),
            tenant: self.tenant.clone(),
            subscription: self.subscription.clone().or(before.and_then(|last| last.subscription)),
        };
        files::replace_private(&directory()?.join(LAST_SERVER), &serde_json::to_vec_pretty(&last)?)
    }

    /// Changes the default subscription, also for later sign-ins.
    pub(crate) fn choose(subscription: &Subscription) -> anyhow::Result<()> {
        let _lock = files::lock(&file()?.with_extension("lock"))?;
        // Loaded again: another process may have renewed the session.
        let mut session = Self::load()?;
        session.subscription = Some(subscription.id.clone());
        session.subscription_name = Some(subscription.name.clone());
        session.save()?;
        session.remember_server()
    }

    /// Checks that a session can be stored.
    pub(crate) fn check_place() -> anyhow::Result<()> {
        let path = file()?;
        if let Some(directory) = path.parent() {
            files::private_directory(directory)?;
        }
        Replacement::prepare(&path).map(drop)
    }

    pub(crate) fn forget() -> anyhow::Result<bool> {
        match std::fs::remove_file(file()?) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The parsed server address; the file may have been edited by hand.
    pub(crate) fn server(&self) -> anyhow::Result<Server> {
        Server::parse(&self.url)
            .context("the session names no server: sign in again with `portcullis login --url URL`")
    }

    pub(crate) fn http(&self) -> anyhow::Result<reqwest::Client> {
        http_client(self.certificate_authority.as_deref())
    }

    /// Caches the access token of the sign-in.
    pub(crate) fn keep(&mut self, scope: &str, tokens: &Tokens) {
        let kept = StoredSession { token: tokens.access_token.clone(), expires: tokens.expires() };
        self.tokens.insert(scope.to_owned(), kept);
    }

    /// The scope of Resource Manager and Graph.
    pub(crate) fn management_scope(&self) -> String {
        format!("{}/.default", self.url)
    }

    /// A token for Resource Manager and Graph.
    pub(crate) async fn management_token() -> anyhow::Result<(Self, String)> {
        let session = Self::load()?;
        let scope = session.management_scope();
        session.token(&scope).await.map(|(session, token, _)| (session, token))
    }

    /// A new token for Resource Manager and Graph after one was refused before it expired. All cached tokens of the
    /// session are discarded: they may be revoked for the same reason.
    pub(crate) async fn renewed_management_token(refused: &str) -> anyhow::Result<String> {
        let path = file()?;
        let lock = files::lock(&path.with_extension("lock"))?;
        let mut session = Self::load()?;
        if session.tokens.values().any(|kept| kept.token == refused) {
            session.tokens.clear();
            session.save()?;
        }
        drop(lock);
        Self::management_token().await.map(|(_, token)| token)
    }

    /// A token for clusters, with its expiry.
    pub(crate) async fn cluster_token(self, server_id: &str) -> anyhow::Result<(String, Timestamp)> {
        let scope = format!("{server_id}/.default");
        self.token(&scope).await.map(|(_, token, expires)| (token, expires))
    }

    /// Tests the credential of an application by requesting a token; its claims give the tenant.
    pub(crate) async fn prove(&mut self) -> anyhow::Result<()> {
        let scope = self.management_scope();
        let tokens = self.sign_in(&scope).await?;
        if let Some(tenant) = tokens.claim("tid") {
            self.tenant = tenant;
        }
        self.keep(&scope, &tokens);
        Ok(())
    }

    async fn token(self, scope: &str) -> anyhow::Result<(Self, String, Timestamp)> {
        if let Some(kept) = self.kept(scope) {
            return Ok((self, kept.token, kept.expires));
        }
        let path = file()?;
        let _lock = files::lock(&path.with_extension("lock"))?;
        // Another process may have renewed it while this one waited for the lock.
        let mut session = Self::load()?;
        if let Some(kept) = session.kept(scope) {
            return Ok((session, kept.token, kept.expires));
        }
        // Prepared before renewing: the server replaces the refresh token, and the new one must not be lost.
        let replacement = Replacement::prepare(&path)?;
        let tokens = session.renew(scope).await?;
        if let (Credential::RefreshToken(known), Some(next)) =
            (&mut session.credential, &tokens.refresh_token)
        {
            known.clone_from(next);
        }
        session.keep(scope, &tokens);
        replacement.commit(&serde_json::to_vec_pretty(&session)?)?;
        let expires = tokens.expires();
        Ok((session, tokens.access_token, expires))
    }

    fn kept(&self, scope: &str) -> Option<StoredSession> {
        let soon = Timestamp::now().saturating_add(MARGIN).ok()?;
        self.tokens.get(scope).filter(|kept| soon < kept.expires).cloned()
    }

    async fn renew(&self, scope: &str) -> anyhow::Result<Tokens> {
        self.sign_in(scope).await.map_err(|error| {
            let refused = error.downcast_ref::<Refused>();
            match refused.is_some_and(|refused| refused.asks_for_sign_in() || refused.is_of_client()) {
                true => error.context(format!(
                    "the session of {} cannot be renewed: sign in again with `portcullis login --url {}`",
                    self.account, self.url
                )),
                // The request is wrong or the server unreachable; the session is still valid.
                false => error.context(format!("no token for {scope}")),
            }
        })
    }

    async fn sign_in(&self, scope: &str) -> anyhow::Result<Tokens> {
        let authority = Authority::new(self.http()?, &self.url, &self.tenant)?;
        match &self.credential {
            Credential::RefreshToken(token) => {
                let scope = format!("{scope} openid profile offline_access");
                let form = [
                    ("grant_type", "refresh_token"),
                    ("client_id", CLIENT_ID),
                    ("refresh_token", token.as_str()),
                    ("scope", scope.as_str()),
                ];
                authority.token(&form).await
            }
            Credential::ClientSecret { client_id, secret } => {
                let form = [
                    ("grant_type", "client_credentials"),
                    ("client_id", client_id.as_str()),
                    ("client_secret", secret.as_str()),
                    ("scope", scope),
                ];
                authority.token(&form).await
            }
            Credential::Certificate { client_id, file } => {
                let assertion = assertion::sign(file, client_id, authority.address("token")?.as_str())?;
                authority.by_assertion(client_id, &assertion, scope).await
            }
            Credential::FederatedToken { client_id, file } => {
                authority.by_assertion(client_id, &assertion::federated(file)?, scope).await
            }
        }
    }
}

/// The login command for error messages; without `--url` if the last server is stored.
fn login_command() -> anyhow::Result<&'static str> {
    let known = directory()?.join(LAST_SERVER).exists();
    Ok(if known { "`portcullis login`" } else { "`portcullis login --url URL`" })
}

fn file() -> anyhow::Result<PathBuf> {
    Ok(directory()?.join("session.json"))
}

pub(crate) fn directory() -> anyhow::Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let configured = from("PORTCULLIS_CONFIG_DIR")
        .or_else(|| from("XDG_CONFIG_HOME").map(|path| path.join("portcullis")))
        .or_else(|| from("HOME").map(|path| path.join(".config/portcullis")));
    configured.context("no place for the session: set PORTCULLIS_CONFIG_DIR")
}

const LAST_SERVER: &str = "last-server.json";
/// A token with less remaining lifetime is renewed.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);
