//! Authorization codes with PKCE (RFC 6749 §4.1, RFC 7636): a browser brings a code to the client, which
//! proves with its verifier that it is the one that began.
//!
//! A code that is used twice was stolen by somebody: what was given for it is revoked (RFC 6749 §4.1.2). The code
//! remembers that, so that of two who use it at once neither keeps anything: the earlier one looks again, once its
//! tokens are made and before they leave, whether somebody else has come meanwhile.

use domain::id::{AppId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{GrantError, Granted, digest};
use crate::{SignIn, login::SignedIn};
use state::{Cold, Error, Swap};

/// What a code is bound to.
#[derive(Clone, Debug)]
pub struct NewCode<'a> {
    pub client: AppId,
    pub redirect_uri: &'a str,
    pub scope: &'a str,
    pub nonce: Option<&'a str>,
    /// S256 challenge: base64url of the verifier's SHA-256.
    pub challenge: Option<&'a str>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Code {
    granted: Granted,
    redirect_uri: String,
    challenge: Option<String>,
    pub(crate) expires: Timestamp,
    /// Set at its use: the family of refresh tokens that was begun with it.
    redeemed: Option<String>,
    /// Set when it was used once more.
    #[serde(default)]
    reused: bool,
}

impl Cold for Code {
    const KIND: &'static str = "code";

    fn expires(&self) -> Option<Timestamp> {
        Some(self.expires)
    }
}

impl SignIn {
    pub async fn issue_code(&self, signed_in: &SignedIn, new: &NewCode<'_>) -> Result<String, Error> {
        let code = crypto::random::url_safe(&self.state.random_bytes::<32>()?);
        let record = Code {
            granted: Granted::new(signed_in, new.client, new.scope, new.nonce),
            redirect_uri: new.redirect_uri.to_owned(),
            challenge: new.challenge.map(str::to_owned),
            expires: self.state.now().checked_add(LIFE).map_err(Error::internal)?,
            redeemed: None,
            reused: false,
        };
        self.state.create_cold(&digest(&code), &record).await?;
        Ok(code)
    }

    /// Trades a code for what was granted, once. `family` is the id under which refresh tokens will follow. What is made
    /// of it may leave only after [`SignIn::confirm_code`].
    pub async fn redeem_code(
        &self,
        client: AppId,
        tenant: Option<TenantId>,
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
        family: &str,
    ) -> Result<Granted, GrantError> {
        let now = self.state.now();
        let outcome = self
            .state
            .swap(&digest(code), |record: Option<Code>| {
                let Some(mut record) = record.filter(|record| record.granted.is_for(client, tenant)) else {
                    return Ok((Swap::Keep, Err((GrantError::Invalid("no such code"), None))));
                };
                if let Some(stolen) = record.redeemed.clone() {
                    let swap = match record.reused {
                        true => Swap::Keep,
                        false => Swap::Put(Code { reused: true, ..record }),
                    };
                    return Ok((swap, Err((USED, Some(stolen)))));
                }
                if now >= record.expires {
                    return Ok((Swap::Delete, Err((GrantError::Expired, None))));
                }
                if record.redirect_uri != redirect_uri {
                    return Ok((Swap::Keep, Err((GrantError::Invalid("another redirect_uri"), None))));
                }
                if !proves(record.challenge.as_deref(), verifier) {
                    return Ok((
                        Swap::Keep,
                        Err((GrantError::Invalid("the code_verifier is not right"), None)),
                    ));
                }
                record.redeemed = Some(family.to_owned());
                let granted = record.granted.clone();
                Ok((Swap::Put(record), Ok(granted)))
            })
            .await?;
        let granted = match outcome {
            Ok(granted) => granted,
            Err((error, stolen)) => {
                if let Some(family) = stolen {
                    self.end_family(&family).await?;
                }
                return Err(error);
            }
        };
        self.require_live(&granted)?;
        Ok(granted)
    }

    /// Whether what was made of a code may leave: nobody else has used the code since. Otherwise the family ends.
    pub async fn confirm_code(&self, code: &str, family: &str) -> Result<(), GrantError> {
        let record = self.state.find_cold::<Code>(&digest(code)).await?;
        if record.is_some_and(|record| record.redeemed.as_deref() == Some(family) && !record.reused) {
            return Ok(());
        }
        self.end_family(family).await?;
        Err(USED)
    }
}

/// RFC 7636 §4.6.
fn proves(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (Some(challenge), Some(verifier)) => {
            let digest = crypto::digest::sha256(verifier.as_bytes());
            (43..=128).contains(&verifier.len())
                && crypto::digest::equal(crypto::random::url_safe(&digest).as_bytes(), challenge.as_bytes())
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

const USED: GrantError = GrantError::Invalid("it was used before");
const LIFE: SignedDuration = SignedDuration::from_mins(10);
