//! Client assertions (RFC 7523 §3): a JWT that the client signed with the key of its certificate, or a token of an external issuer
//! that a federated credential of it names. Which of the two it is stands in the token: its own names the client as
//! issuer.

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::{
    cert::Certificate,
    jwt::{self, Claims, Unverified},
};
use domain::{credential::ClientCertificate, id::AppId};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{ClientError, Proofs};
use crate::SignIn;
use state::Error;

impl SignIn {
    pub(super) async fn check_assertion(
        &self,
        proofs: &Proofs,
        client: AppId,
        token: &str,
        audiences: &[String],
    ) -> Result<(), ClientError> {
        let parsed = jwt::parse(token).map_err(wrong)?;
        // Only to see which kind it is: neither way believes it.
        let claims = parsed.claims_before_verification().map_err(wrong)?;
        if text(&claims, "iss").eq_ignore_ascii_case(&client.to_string()) {
            return self.check_own_assertion(proofs, client, &parsed, audiences);
        }
        self.check_external_token(proofs, token, &parsed, &claims).await
    }

    /// One assertion may come several times while it lasts: MSAL makes a new one only after ten minutes, and Entra
    /// takes it as often.
    fn check_own_assertion(
        &self,
        proofs: &Proofs,
        client: AppId,
        parsed: &Unverified<'_>,
        audiences: &[String],
    ) -> Result<(), ClientError> {
        let now = self.state.now();
        let header = &parsed.header;
        let named = proofs
            .certificates
            .iter()
            .filter(|each| each.start <= now && now < each.end)
            .filter_map(|each| certificate(each).ok())
            .find(|each| each.is_named_by(header.x5t.as_deref(), header.x5t_s256.as_deref()));
        let named = named.ok_or_else(|| wrong("no certificate of the application has that thumbprint"))?;
        let claims = parsed.verify(&named.rsa_key().map_err(wrong)?).map_err(wrong)?;
        let client = client.to_string();
        if ["iss", "sub"].iter().any(|name| !text(&claims, name).eq_ignore_ascii_case(&client)) {
            return Err(wrong("iss and sub must be the client id"));
        }
        if !audiences.iter().any(|each| each == text(&claims, "aud")) {
            return Err(wrong(format!(
                "it is made out to \"{}\", expected \"{}\"",
                text(&claims, "aud"),
                audiences.join("\" or \"")
            )));
        }
        let expires = check_times(&claims, now)?;
        if expires > now.saturating_add(LONGEST).unwrap_or(Timestamp::MAX) {
            return Err(wrong("it would last for more than a day"));
        }
        Ok(())
    }
}

pub(super) fn wrong(problem: impl std::fmt::Display) -> ClientError {
    ClientError::WrongAssertion(problem.to_string())
}

pub(super) fn text<'a>(claims: &'a Claims, name: &str) -> &'a str {
    claims.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whether the claims count now. Gives when they end, which they must say; times come with fractions of a second.
pub(super) fn check_times(claims: &Claims, now: Timestamp) -> Result<Timestamp, ClientError> {
    let time = |name: &str| jwt::time(claims, name).map_err(|_| wrong(format!("{name} is not a time")));
    let expires = time("exp")?.and_then(timestamp).ok_or_else(|| wrong("it has no time of ending"))?;
    let not_before = match time("nbf")? {
        Some(seconds) => timestamp(seconds),
        None => time("iat")?.map_or(Some(Timestamp::UNIX_EPOCH), timestamp),
    };
    let not_before = not_before.ok_or_else(|| wrong("its beginning is out of range"))?;
    let ended = now >= expires.saturating_add(SKEW).unwrap_or(Timestamp::MAX);
    let early = now < not_before.saturating_sub(SKEW).unwrap_or(Timestamp::MIN);
    if ended || early { Err(ClientError::AssertionTime) } else { Ok(expires) }
}

fn certificate(stored: &ClientCertificate) -> Result<Certificate, Error> {
    let der = STANDARD.decode(&stored.der).map_err(Error::internal)?;
    Certificate::from_der(&der).map_err(Error::internal)
}

fn timestamp(seconds: f64) -> Option<Timestamp> {
    (0.0..1e11).contains(&seconds).then(|| Timestamp::from_second(seconds as i64).ok()).flatten()
}

const SKEW: SignedDuration = SignedDuration::from_mins(5);
const LONGEST: SignedDuration = SignedDuration::from_hours(24);
