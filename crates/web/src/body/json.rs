//! JSON bodies.

use std::marker::PhantomData;

use axum::{
    extract::{FromRequest, Request},
    response::IntoResponse,
};
use serde::de::DeserializeOwned;

use super::{BodyError, USUAL_LIMIT, media_type, read};

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

/// Parses JSON of at most `DEEPEST` levels of nesting, also in the parts that `T` takes no notice of.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BodyError> {
    if is_too_deep(bytes) {
        return Err(BodyError::TooDeep { limit: DEEPEST });
    }
    serde_json::from_slice(bytes).map_err(|error| BodyError::Malformed(error.to_string()))
}

fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type == "text/json" || media_type.ends_with("+json")
}

/// Brackets are counted outside strings, so that a text may hold as many as it likes. Bodies that are no JSON
/// may be miscounted; the parser refuses those anyway.
fn is_too_deep(bytes: &[u8]) -> bool {
    // Nearly all bodies hold too few brackets to be deep, which is quickly seen.
    if bytes.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() <= DEEPEST {
        return false;
    }
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in bytes {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > DEEPEST {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// One below what the parser itself refuses, so that our own words are the ones that are seen.
const DEEPEST: usize = 127;
