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

/// A JSON body of at most `LIMIT` bytes, read into `T`; what goes wrong is answered as an `E`.
///
/// A client that names no media type is taken to mean JSON.
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

/// Parses JSON of at most [`DEEPEST`] levels of nesting, also in the parts that `T` takes no notice of.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BodyError> {
    if let Some(place) = too_deep(bytes) {
        return Err(BodyError::TooDeep { limit: DEEPEST, place });
    }
    serde_json::from_slice(bytes).map_err(|error| BodyError::Malformed(error.to_string()))
}

fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type == "text/json" || media_type.ends_with("+json")
}
