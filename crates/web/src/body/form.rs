//! `application/x-www-form-urlencoded` bodies and queries.
//!
//! Fields keep their order. A repeated field is an error, never resolved to one of its values: RFC 6749 §3.1 forbids
//! repeating OAuth parameters.

use std::marker::PhantomData;

use axum::{
    extract::{FromRequest, Request},
    response::IntoResponse,
};

use super::{BodyError, media_type, read};
use crate::escapes::{self, EscapeError};

/// A form of at most 64 KiB; failures become an `E`.
#[derive(Debug)]
pub struct Form<E>(pub FormFields, pub PhantomData<fn() -> E>);

impl<E, S> FromRequest<S> for Form<E>
where
    E: From<BodyError> + IntoResponse,
    S: Sync,
{
    type Rejection = E;

    async fn from_request(request: Request, _state: &S) -> Result<Self, E> {
        match media_type(request.headers()) {
            Some(found) if found == FORM => {}
            found => {
                return Err(BodyError::MediaType { found: found.unwrap_or_default(), expected: FORM }.into());
            }
        }
        let bytes = read(request.into_body(), FORM_LIMIT).await?;
        Ok(Self(FormFields::parse(&bytes)?, PhantomData))
    }
}

/// The fields of a form or a query, in their original order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FormFields {
    fields: Vec<(String, String)>,
}

/// A parameter that is allowed once was sent several times.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parameter \"{0}\" is given more than once")]
pub struct Repeated(pub String);

impl FormFields {
    /// Parses at most `MOST_FIELDS` fields; percent-decoded names and values must be UTF-8 without NUL.
    pub fn parse(text: &[u8]) -> Result<Self, BodyError> {
        let malformed = |problem: &str| BodyError::Malformed(problem.to_owned());
        let pairs = escapes::pairs(text).map_err(|error| match error {
            EscapeError::BadEscape => BodyError::Malformed(error.to_string()),
            EscapeError::NotUtf8 => malformed(NOT_TEXT),
        })?;
        let fields: Vec<(String, String)> = pairs.into_owned().take(MOST_FIELDS + 1).collect();
        if fields.len() > MOST_FIELDS {
            return Err(BodyError::Malformed(format!("more than {MOST_FIELDS} parameters")));
        }
        if fields.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(malformed(NOT_TEXT));
        }
        Ok(Self { fields })
    }

    /// The value of a field that is allowed once. An empty value counts as absent (RFC 6749 §3.1).
    pub fn find(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut values =
            self.fields.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
            (_, Some(_)) => Err(Repeated(name.to_owned())),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Prints names only: values may be passwords or codes.
impl std::fmt::Debug for FormFields {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.fields.iter().map(|(name, _)| name)).finish()
    }
}

const NOT_TEXT: &str = "a parameter that is not UTF-8, or holds NUL";
const FORM: &str = "application/x-www-form-urlencoded";
const FORM_LIMIT: usize = 64 * 1024;
const MOST_FIELDS: usize = 100;
