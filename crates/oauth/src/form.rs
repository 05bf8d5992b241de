//! Parameters of a form or a query. A parameter that stands twice is refused (RFC 6749 §3.1), because two
//! readers could take it for two things.

use std::collections::BTreeMap;

use axum::{
    body::Bytes,
    extract::rejection::BytesRejection,
};
use http::StatusCode;

use crate::error::OAuthError;

#[derive(Clone, Debug, Default)]
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    pub(crate) fn from_body(body: Result<Bytes, BytesRejection>) -> Result<Self, OAuthError> {
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => OAuthError::too_large(),
            _ => OAuthError::malformed("The request body could not be read."),
        })?;
        Self::parse(&body)
    }

    pub(crate) fn parse(encoded: &[u8]) -> Result<Self, OAuthError> {
        let malformed = || OAuthError::malformed("The request is not in application/x-www-form-urlencoded form.");
        let text = std::str::from_utf8(encoded).map_err(|_| malformed())?;
        let mut form = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name).ok_or_else(malformed)?, decode(value).ok_or_else(malformed)?);
            if form.len() >= MOST_PARAMETERS {
                return Err(malformed());
            }
            if form.insert(name.clone(), value).is_some() {
                let name: String = name.chars().take(40).collect();
                return Err(OAuthError::malformed(format!("The parameter '{name}' stands more than once.")));
            }
        }
        Ok(Self(form))
    }

    /// A parameter that is there and not empty.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn require(&self, name: &str) -> Result<&str, OAuthError> {
        self.find(name).ok_or_else(|| OAuthError::missing(name))
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

const MOST_PARAMETERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_stands_twice_is_refused() {
        let form = Form::parse(b"a=1&b=x%20y+z&c=").unwrap();
        assert_eq!((form.find("a"), form.find("b"), form.find("c")), (Some("1"), Some("x y z"), None));
        for bad in [&b"a=1&a=2"[..], b"a=%ff", b"\xff"] {
            assert!(Form::parse(bad).is_err());
        }
    }
}
