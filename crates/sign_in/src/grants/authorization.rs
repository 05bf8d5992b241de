//! A client's request that a person sign in and let it act, from the moment it is checked until its answer
//! is sent (RFC 6749 §4.1).
//!
//! ```text
//!   waiting: sealed ──► allowed: a record ──► finished: answered with a code
//!      └──────────────► declined: sealed ───► answered with an error
//! ```
//!
//! Anybody may send such requests, so nothing is stored for them: the browser carries the checked request from page to
//! page, sealed, so that what the person is shown is what they answer and nothing has to be checked a second time. Only
//! the answer of somebody who has signed in is a record. It stays until the request would have ended, so that a request
//! that is brought again gives neither a second answer nor a second code. Whoever brings a declined one again is
//! declined again.
//!
//! A request is bound to the browser that began it: who sends somebody else a link to a request of their own
//! gets no answer for it.

use domain::id::{AppId, ObjectId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::digest;
use crate::{
    SignIn,
    grants::code::NewCode,
    login::{LoginError, SignedIn, session::LiveSession},
};
use state::{Cold, Error, Swap};

/// A request whose client and address for the answer were checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    pub client: AppId,
    /// Only people of this tenant may answer.
    pub tenant: Option<TenantId>,
    pub redirect_uri: String,
    pub response_mode: ResponseMode,
    pub state: Option<String>,
    pub scope: String,
    pub nonce: Option<String>,
    /// S256 (RFC 7636 §4.2).
    pub challenge: Option<String>,
    /// Ask for the password again, session or not.
    pub fresh: bool,
    /// The name that the client expects to sign in.
    pub login_hint: Option<String>,
}

/// How the answer comes back to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResponseMode {
    Query,
    FormPost,
}

/// A request that waits for its person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub authorization: Authorization,
    pub began: Timestamp,
}

/// What the client is told in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Code(String),
    Declined,
}

/// A request as a browser carries it about.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct CarriedRequest {
    /// What its answer is kept under.
    id: String,
    authorization: Authorization,
    /// Digest of the browser's cookie.
    browser: String,
    began: Timestamp,
    expires: Timestamp,
}

/// That a person has let the client act, and whether it was told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Allowed {
    tenant: TenantId,
    user: ObjectId,
    stamp: i64,
    finished: bool,
    /// When the request itself counts no longer.
    pub(crate) expires: Timestamp,
}

impl Cold for Allowed {
    const KIND: &'static str = "authorization-answer";

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires)
    }
}

/// A request as earlier releases stored it; it counts no longer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) expires: Timestamp,
}

impl Cold for Pending {
    const KIND: &'static str = "authorization";

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires)
    }
}

impl SignIn {
    /// Seals a request and gives the text by which the pages refer to it. `browser` is the browser's cookie. A request
    /// that is too long to be carried about is [`Error::Invalid`].
    pub fn begin_authorization(&self, authorization: Authorization, browser: &str) -> Result<String, Error> {
        let asked = CarriedRequest {
            id: crypto::random::url_safe(&self.state.random_bytes::<24>()?),
            authorization,
            browser: digest(browser),
            began: self.state.now(),
            expires: self.state.now().checked_add(LIFE).map_err(Error::internal)?,
        };
        let sealed = self.seal_request(WAITING, &asked)?;
        if sealed.len() > LONGEST {
            let found = sealed.len();
            return Err(Error::invalid(
                "request",
                format!("it takes {found} bytes, at most {LONGEST} can be kept"),
            ));
        }
        Ok(sealed)
    }

    /// The request, as long as it waits for this browser's person.
    pub async fn find_authorization(&self, request: &str, browser: &str) -> Result<Option<Waiting>, Error> {
        let Some(asked) = self.open_request(WAITING, request, browser)? else { return Ok(None) };
        if self.state.find_cold::<Allowed>(&digest(&asked.id)).await?.is_some() {
            return Ok(None);
        }
        Ok(Some(Waiting { authorization: asked.authorization, began: asked.began }))
    }

    /// The person lets the client act.
    pub async fn allow_authorization(
        &self,
        request: &str,
        browser: &str,
        session: &LiveSession,
    ) -> Result<(), LoginError> {
        let asked = self.open_request(WAITING, request, browser)?.ok_or(LoginError::Refused)?;
        let CarriedRequest { id, authorization, began, expires, .. } = asked;
        let waiting = Waiting { authorization, began };
        if !waiting.accepts(session) {
            return Err(LoginError::Refused);
        }
        let SignedIn { tenant, user, stamp } = session.signed_in;
        let allowed = Allowed { tenant, user, stamp, finished: false, expires };
        match self.state.create_cold(&digest(&id), &allowed).await {
            Err(Error::AlreadyExists { .. }) => return Err(LoginError::Refused),
            made => made?,
        }
        let Authorization { client, scope, .. } = &waiting.authorization;
        self.remember_consent(&session.signed_in, *client, scope).await?;
        Ok(())
    }

    /// The person declines. Gives the text by which the declined request is finished.
    pub async fn decline_authorization(&self, request: &str, browser: &str) -> Result<String, LoginError> {
        let asked = self.open_request(WAITING, request, browser)?.ok_or(LoginError::Refused)?;
        if self.state.find_cold::<Allowed>(&digest(&asked.id)).await?.is_some() {
            return Err(LoginError::Refused);
        }
        Ok(self.seal_request(DECLINED, &asked)?)
    }

    /// Ends an answered request and makes the code, once. `None`: there is no such request, or nobody has
    /// answered it.
    pub async fn finish_authorization(
        &self,
        request: &str,
        browser: &str,
    ) -> Result<Option<(Authorization, Outcome)>, Error> {
        if let Some(declined) = self.open_request(DECLINED, request, browser)? {
            return Ok(Some((declined.authorization, Outcome::Declined)));
        }
        let Some(asked) = self.open_request(WAITING, request, browser)? else { return Ok(None) };
        let signed_in = self
            .state
            .swap(&digest(&asked.id), |allowed: Option<Allowed>| {
                let Some(allowed) = allowed.filter(|allowed| !allowed.finished) else {
                    return Ok((Swap::Keep, None));
                };
                let Allowed { tenant, user, stamp, .. } = allowed;
                let finished = Allowed { finished: true, ..allowed };
                Ok((Swap::Put(finished), Some(SignedIn { tenant, user, stamp })))
            })
            .await?;
        let Some(signed_in) = signed_in else { return Ok(None) };
        let code = self.issue_code(&signed_in, &new_code(&asked.authorization)).await?;
        Ok(Some((asked.authorization, Outcome::Code(code))))
    }

    /// A code at once, for a request that needs no answer of the person: the caller has made sure of that.
    pub async fn issue_code_for(
        &self,
        signed_in: &SignedIn,
        authorization: &Authorization,
    ) -> Result<String, Error> {
        self.issue_code(signed_in, &new_code(authorization)).await
    }

    fn seal_request(&self, place: &str, asked: &CarriedRequest) -> Result<String, Error> {
        let plain = serde_json::to_vec(asked).map_err(Error::internal)?;
        self.state.seal().seal_form(place, &plain, self.state.now())
    }

    /// The request, if this browser began it and it has not ended.
    fn open_request(
        &self,
        place: &str,
        request: &str,
        browser: &str,
    ) -> Result<Option<CarriedRequest>, Error> {
        let Some(plain) = self.state.seal().open_form(place, request, self.state.now())? else {
            return Ok(None);
        };
        let asked: CarriedRequest = serde_json::from_slice(plain.expose()).map_err(Error::internal)?;
        let ours = crypto::digest::equal(asked.browser.as_bytes(), digest(browser).as_bytes());
        Ok(Some(asked).filter(|asked| ours && self.state.now() < asked.expires))
    }
}

impl Waiting {
    /// Whether this person may answer: of the right tenant and, where the client wants the password anew,
    /// signed in since the request began.
    pub fn accepts(&self, session: &LiveSession) -> bool {
        self.authorization.tenant.is_none_or(|tenant| tenant == session.signed_in.tenant)
            && (!self.authorization.fresh || session.since >= self.began)
    }
}

/// What a code for this request is bound to.
fn new_code(authorization: &Authorization) -> NewCode<'_> {
    NewCode {
        client: authorization.client,
        redirect_uri: &authorization.redirect_uri,
        scope: &authorization.scope,
        nonce: authorization.nonce.as_deref(),
        challenge: authorization.challenge.as_deref(),
    }
}

/// Of a sealed request, which stands in addresses.
const LONGEST: usize = 16 * 1024;
const WAITING: &str = "sign-in request that waits";
const DECLINED: &str = "sign-in request that was declined";
/// For finding one's password. Shorter than what is sealed for a browser opens.
const LIFE: SignedDuration = SignedDuration::from_mins(30);
