//! A client's request that a person sign in and let it act, from the moment it is checked until its answer
//! is sent (RFC 6749 §4.1). It is kept here and not in addresses, so that what the person is shown is what
//! they answer, and nothing has to be checked a second time.
//!
//! ```text
//!   Waiting ──► Allowed ──► (gone: answered with a code)
//!      └──────► Declined ──► (gone: answered with an error)
//! ```
//!
//! A request is bound to the browser that began it: who sends somebody else a link to a request of their own
//! gets no answer for it.

use domain::id::{AppId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::digest;
use crate::{
    App, Cold, Error, Swap,
    grants::code::NewCode,
    login::{LoginError, SignedIn, session::LiveSession},
};

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

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    authorization: Authorization,
    /// Digest of the browser's cookie.
    browser: String,
    state: State,
    began: Timestamp,
    pub(crate) expires: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum State {
    Waiting,
    Allowed { tenant: TenantId, user: domain::id::ObjectId, stamp: i64 },
    Declined,
}

impl Cold for Pending {
    const KIND: &'static str = "authorization";
}

impl App {
    /// Keeps a request and gives the id by which the pages refer to it. `browser` is the browser's cookie.
    pub async fn begin_authorization(
        &self,
        authorization: Authorization,
        browser: &str,
    ) -> Result<String, Error> {
        let id = crypto::random::url_safe(&self.random_bytes::<24>()?);
        let pending = Pending {
            authorization,
            browser: digest(browser),
            state: State::Waiting,
            began: self.now(),
            expires: self.now().checked_add(LIFE).map_err(Error::internal)?,
        };
        self.create_cold(&digest(&id), &pending).await?;
        Ok(id)
    }

    /// The request, as long as it waits for this browser's person.
    pub async fn find_authorization(&self, id: &str, browser: &str) -> Result<Option<Waiting>, Error> {
        let pending = self.find_cold::<Pending>(&digest(id)).await?;
        let pending = pending.filter(|pending| pending.waits(browser, self.now()));
        Ok(pending.map(|Pending { authorization, began, .. }| Waiting { authorization, began }))
    }

    /// The person lets the client act.
    pub async fn allow_authorization(
        &self,
        id: &str,
        browser: &str,
        session: &LiveSession,
    ) -> Result<(), LoginError> {
        let SignedIn { tenant, user, stamp } = session.signed_in;
        let allowed = self
            .answer(id, browser, |waiting| {
                waiting.accepts(session).then_some(State::Allowed { tenant, user, stamp })
            })
            .await?;
        let authorization = allowed.ok_or(LoginError::Refused)?;
        self.remember_consent(&session.signed_in, &authorization).await?;
        Ok(())
    }

    /// The person declines.
    pub async fn decline_authorization(&self, id: &str, browser: &str) -> Result<(), LoginError> {
        self.answer(id, browser, |_| Some(State::Declined)).await?.map(drop).ok_or(LoginError::Refused)
    }

    /// Ends an answered request and makes the code, once. `None`: there is no such request, or nobody has
    /// answered it.
    pub async fn finish_authorization(
        &self,
        id: &str,
        browser: &str,
    ) -> Result<Option<(Authorization, Outcome)>, Error> {
        let now = self.now();
        let ended = self
            .swap(&digest(id), |pending: Option<Pending>| {
                Ok(match pending.filter(|pending| pending.is_of(browser, now)) {
                    Some(pending) if !matches!(pending.state, State::Waiting) => {
                        (Swap::Delete, Some(pending))
                    }
                    _ => (Swap::Keep, None),
                })
            })
            .await?;
        let Some(Pending { authorization, state, .. }) = ended else { return Ok(None) };
        let outcome = match state {
            State::Allowed { tenant, user, stamp } => {
                let signed_in = SignedIn { tenant, user, stamp };
                Outcome::Code(self.issue_code(&signed_in, &new_code(&authorization)).await?)
            }
            State::Waiting | State::Declined => Outcome::Declined,
        };
        Ok(Some((authorization, outcome)))
    }

    /// A code at once, for a request that needs no answer of the person: the caller has made sure of that.
    pub async fn issue_code_for(
        &self,
        signed_in: &SignedIn,
        authorization: &Authorization,
    ) -> Result<String, Error> {
        self.issue_code(signed_in, &new_code(authorization)).await
    }

    async fn answer(
        &self,
        id: &str,
        browser: &str,
        to: impl Fn(&Waiting) -> Option<State> + Send + Sync,
    ) -> Result<Option<Authorization>, Error> {
        let now = self.now();
        self.swap(&digest(id), |pending: Option<Pending>| {
            let Some(mut pending) = pending.filter(|pending| pending.waits(browser, now)) else {
                return Ok((Swap::Keep, None));
            };
            let waiting = Waiting { authorization: pending.authorization.clone(), began: pending.began };
            let Some(state) = to(&waiting) else { return Ok((Swap::Keep, None)) };
            pending.state = state;
            Ok((Swap::Put(pending), Some(waiting.authorization)))
        })
        .await
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

impl Pending {
    fn is_of(&self, browser: &str, now: Timestamp) -> bool {
        now < self.expires && crypto::digest::equal(self.browser.as_bytes(), digest(browser).as_bytes())
    }

    fn waits(&self, browser: &str, now: Timestamp) -> bool {
        self.is_of(browser, now) && matches!(self.state, State::Waiting)
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

/// For finding one's password.
const LIFE: SignedDuration = SignedDuration::from_mins(30);
