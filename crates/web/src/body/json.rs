//! JSON bodies.

use std::marker::PhantomData;

use axum::{
    extract::{FromRequest, Request},
    response::IntoResponse,
};
use serde::de::DeserializeOwned;

use super::{
    BodyError, USUAL_LIMIT,
    depth::{DEEPEST, too_deep},
    media_type, read,
};

/// A JSON body of at most `LIMIT` bytes, read into `T`; failures become an `E`.
///
/// A body without a `Content-Type` is read as JSON.
#[derive(Debug)]
pub struct Json<T, E, const LIMIT: usize = USUAL_LIMIT>(pub T, pub PhantomData<fn() -> E>);

impl<T, E, S, const LIMIT: usize> FromRequest<S> for Json<T, E, LIMIT>
where
    T: DeserializeOwned,
    E: From<BodyError> + IntoResponse,
    S: Sync,
{
    type Rejection = E;

    async fn from_request(request: Request, _state: &S) -> Result<Self, E> {
        if let Some(found) = media_type(request.headers()).filter(|found| !is_json(found)) {
            return Err(BodyError::MediaType { found, expected: "application/json" }.into());
        }
        let bytes = read(request.into_body(), LIMIT).await?;
        Ok(Self(parse_json(&bytes)?, PhantomData))
    }
}

/// Parses JSON of at most [`DEEPEST`] levels of nesting; the limit also holds for members that `T` ignores.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BodyError> {
    if let Some(pointer) = too_deep(bytes) {
        return Err(BodyError::TooDeep { limit: DEEPEST, place: pointer });
    }
    serde_json::from_slice(bytes).map_err(|error| BodyError::Malformed(error.to_string()))
}

fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type == "text/json" || media_type.ends_with("+json")
}
