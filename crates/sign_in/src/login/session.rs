//! The session of a browser: a random value in a cookie, of which only the digest is kept.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::SignedIn;
use crate::SignIn;
use domain::id::{AppId, ObjectId, TenantId};
use state::{Caller, Cold, Error, Swap, well_known};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    tenant: TenantId,
    user: ObjectId,
    stamp: i64,
    /// When the password was given.
    since: Timestamp,
    pub(crate) expires: Timestamp,
}

/// A session that lasts, with its person as they are now.
#[derive(Clone, Debug)]
pub struct LiveSession {
    pub signed_in: SignedIn,
    pub caller: Caller,
    /// When the person gave their password.
    pub since: Timestamp,
}

impl Cold for Session {
    const KIND: &'static str = "session";

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires)
    }
}

impl SignIn {
    /// Begins a session and gives the value for its cookie.
    pub async fn begin_session(&self, signed_in: &SignedIn) -> Result<String, Error> {
        let value = crypto::random::url_safe(&self.state.random_bytes::<32>()?);
        let since = self.state.now();
        let expires = since.checked_add(LIFE).map_err(Error::internal)?;
        let SignedIn { tenant, user, stamp } = *signed_in;
        self.state.create_cold(&key(&value), &Session { tenant, user, stamp, since, expires }).await?;
        Ok(value)
    }

    /// The person of a session, if it lasts still and the person may still sign in.
    pub async fn find_session(&self, value: &str) -> Result<Option<LiveSession>, Error> {
        if value.len() > 100 {
            return Ok(None);
        }
        let Some(session) = self.state.find_cold::<Session>(&key(value)).await? else { return Ok(None) };
        let snapshot = self.state.snapshot();
        let user = snapshot.directory().user(session.user);
        let live = user.filter(|user| {
            user.enabled
                && user.tenant == session.tenant
                && state::principal_status::stamp_of(user.tokens_valid_after) == session.stamp
                && self.state.now() < session.expires
        });
        Ok(live.map(|user| {
            let caller = Caller::of_user(user, AppId::new(well_known::PORTAL));
            LiveSession { signed_in: super::signed_in(user), caller, since: session.since }
        }))
    }

    pub async fn end_session(&self, value: &str) -> Result<(), Error> {
        self.state
            .swap(&key(value), |known: Option<Session>| {
                Ok((if known.is_some() { Swap::Delete } else { Swap::Keep }, ()))
            })
            .await
    }
}

/// The value that a form must bring back, for a browser with this cookie. A page of another site can make a browser
/// post a form, but it knows neither the cookie nor this.
pub fn form_token(browser: &str) -> String {
    crypto::digest::sha256_hex(format!("form protection {browser}").as_bytes())
}

/// Whether a form was made for the browser that posts it.
pub fn is_form_token(browser: &str, token: &str) -> bool {
    browser.len() >= 32 && crypto::digest::equal(form_token(browser).as_bytes(), token.as_bytes())
}

impl SignIn {
    /// A new value for the cookie that tells one browser from another.
    pub fn new_browser(&self) -> Result<String, Error> {
        Ok(crypto::random::url_safe(&self.state.random_bytes::<32>()?))
    }
}

fn key(value: &str) -> String {
    crypto::digest::sha256_hex(value.as_bytes())
}

const LIFE: SignedDuration = SignedDuration::from_hours(12);
