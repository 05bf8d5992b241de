//! Reading request bodies within bounds of size, time and nesting: bytes, JSON, forms.
//!
//! Every failure is a [`BodyError`], which each surface renders in its own format. [`Json`] and [`Form`] are
//! extractors; a surface names its error type once:
//!
//! ```ignore
//! type Json<T> = web::body::Json<T, crate::error::Error>;     // Error: From<BodyError> + IntoResponse
//! async fn put(Json(role, _): Json<RoleBody>) -> Result<Response, Error> { ... }
//! ```

mod depth;
mod form;
mod json;
#[cfg(test)]
mod tests;

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use axum::BoxError;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;

pub use depth::{DEEPEST, too_deep};
pub use form::{Form, FormFields, Repeated};
pub use json::{Json, parse_json};

use crate::{
    memory_budget::{BudgetExhausted, MemoryBudget, Reservation},
    stream::SLICE,
};

/// Why a body cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the body did not arrive within {} seconds", TIME.as_secs())]
    TooSlow,
    /// The client closed the connection, cancelled the request, or sent less than its `Content-Length`.
    #[error("the body ended before it was complete")]
    Incomplete,
    /// `place` is a JSON pointer.
    #[error("the body is nested deeper than {limit} levels at {place}")]
    TooDeep { limit: usize, place: String },
    #[error("the body is of type \"{found}\" where {expected} was expected")]
    MediaType { found: String, expected: &'static str },
    /// The body is not valid for its media type, or does not match the expected structure. The text is safe to show
    /// to the client.
    #[error("the body cannot be read: {0}")]
    Malformed(String),
}

impl BodyError {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Incomplete | Self::TooDeep { .. } | Self::Malformed(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads a whole body of at most `limit` bytes. A body whose `Content-Length` is larger is refused unread.
///
/// A body that takes longer than `TIME` is `TooSlow`. The time starts with the second poll, so a body of which
/// nothing arrives is bounded only by the time limit of the whole request.
pub async fn read<B>(body: B, limit: usize) -> Result<Bytes, BodyError>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge { limit });
    }
    collect(body, limit, |_arrived| Ok(())).await
}

/// Calls `arrived` after each part with the number of bytes read so far.
async fn collect<B, E>(body: B, limit: usize, arrived: impl FnMut(usize) -> Result<(), E>) -> Result<Bytes, E>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
    E: From<BodyError>,
{
    let mut collecting = pin!(collect_parts(body, limit, arrived));
    // Most bodies are complete at the second poll; a timer is started only for the rest.
    let mut polled_before = false;
    let early = poll_fn(|context| match collecting.as_mut().poll(context) {
        Poll::Ready(collected) => Poll::Ready(Some(collected)),
        Poll::Pending if polled_before => Poll::Ready(None),
        Poll::Pending => {
            polled_before = true;
            Poll::Pending
        }
    });
    match early.await {
        Some(collected) => collected,
        None => tokio::time::timeout(TIME, collecting).await.map_err(|_elapsed| BodyError::TooSlow)?,
    }
}

async fn collect_parts<B, E>(
    body: B,
    limit: usize,
    mut arrived: impl FnMut(usize) -> Result<(), E>,
) -> Result<Bytes, E>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
    E: From<BodyError>,
{
    let mut body = pin!(body);
    // A body of one part is not copied.
    let mut whole = Bytes::new();
    let mut parts = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Incomplete)?.into_data() else { continue };
        let length = whole.len() + parts.len() + data.len();
        if length > limit {
            return Err(BodyError::TooLarge { limit }.into());
        }
        arrived(length)?;
        if whole.is_empty() && parts.is_empty() {
            whole = data;
        } else {
            parts.extend_from_slice(&std::mem::take(&mut whole));
            parts.extend_from_slice(&data);
        }
    }
    Ok(if parts.is_empty() { whole } else { parts.into() })
}

/// Why [`read_in_room`] did not return a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BudgetedBody {
    BudgetExhausted(BudgetExhausted),
    Body(BodyError),
}

impl From<BodyError> for BudgetedBody {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

/// As [`read`], for a large body within the memory budget. The reservation grows with the bytes that arrive (not with
/// the announced length, which a client could invent), then by what parsing and storing the body need; the caller
/// keeps the reservation until it is done.
pub async fn read_in_room<B>(
    body: B,
    limit: usize,
    room: &Arc<MemoryBudget>,
    caller: impl FnOnce() -> String,
) -> Result<(Bytes, Option<Reservation>), BudgetedBody>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge { limit }.into());
    }
    let (mut reservation, mut caller) = (None::<Reservation>, Some(caller));
    let bytes = collect(body, limit, |arrived| {
        match (&mut reservation, caller.take_if(|_| arrived > SLICE)) {
            (Some(reservation), _) => reservation.grow(arrived).map_err(BudgetedBody::BudgetExhausted)?,
            (None, Some(caller)) => {
                reservation = Some(room.take(&caller(), arrived).map_err(BudgetedBody::BudgetExhausted)?)
            }
            (None, None) => {}
        }
        Ok::<_, BudgetedBody>(())
    })
    .await?;
    if let Some(reservation) = &mut reservation {
        reservation.grow(bytes.len().saturating_mul(COPIES)).map_err(BudgetedBody::BudgetExhausted)?;
    }
    Ok((bytes, reservation))
}

/// The media type of a body, in lower case and without parameters; none without a `Content-Type`.
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?;
    let text = String::from_utf8_lossy(value.as_bytes());
    let essence = text.split(';').next().unwrap_or_default().trim();
    (!essence.is_empty()).then(|| essence.to_ascii_lowercase())
}

/// The limit in bytes unless a surface sets another: larger than any record, too small to exhaust memory.
pub const USUAL_LIMIT: usize = 1024 * 1024;
/// Copies of a body that are reserved for: received bytes, parsed value, serialized form, and what is stored.
const COPIES: usize = 4;
/// The time for a whole body to arrive.
const TIME: Duration = Duration::from_secs(30);
