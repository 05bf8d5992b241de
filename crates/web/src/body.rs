//! Reading request bodies within bounds of size, time and nesting: bytes, JSON, forms.
//!
//! What goes wrong is one [`BodyError`], which each surface renders in its own shape. [`Json`] and [`Form`] are
//! arguments for handlers; surfaces name their error type once:
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
    /// The client has gone away, cancelled the request, or sent less than it said.
    #[error("the body ended before it was complete")]
    Incomplete,
    /// `place` is a JSON pointer.
    #[error("the body is nested deeper than {limit} levels at {place}")]
    TooDeep { limit: usize, place: String },
    #[error("the body is of type \"{found}\" where {expected} was expected")]
    MediaType { found: String, expected: &'static str },
    /// Not in the form that its type demands, or not what was asked for. The text is safe to show.
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

/// Reads a whole body of at most `limit` bytes. One that says it is larger is not read at all.
///
/// A body of which nothing comes is a matter of the time limit for the whole request.
pub async fn read<B>(body: B, limit: usize) -> Result<Bytes, BodyError>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge { limit });
    }
    collect(body, limit, |_arrived| Ok(())).await
}

/// `arrived` is told how many bytes are there, with each part.
async fn collect<B, E>(body: B, limit: usize, arrived: impl FnMut(usize) -> Result<(), E>) -> Result<Bytes, E>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
    E: From<BodyError>,
{
    let mut collecting = pin!(collect_parts(body, limit, arrived));
    // Most bodies are there when they are asked for a second time; only the others are worth a timer.
    let mut asked_before = false;
    let early = poll_fn(|context| match collecting.as_mut().poll(context) {
        Poll::Ready(collected) => Poll::Ready(Some(collected)),
        Poll::Pending if asked_before => Poll::Ready(None),
        Poll::Pending => {
            asked_before = true;
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

/// Why a body for which there must be room cannot be used.
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

/// As [`read`]. A large body takes room as it arrives, and for what is made of it when it is there; the caller holds the
/// place that long. What is only announced takes none: anybody can announce.
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
    let (mut place, mut caller) = (None::<Reservation>, Some(caller));
    let bytes = collect(body, limit, |arrived| {
        match (&mut place, caller.take_if(|_| arrived > SLICE)) {
            (Some(place), _) => place.grow(arrived).map_err(BudgetedBody::BudgetExhausted)?,
            (None, Some(caller)) => {
                place = Some(room.take(&caller(), arrived).map_err(BudgetedBody::BudgetExhausted)?)
            }
            (None, None) => {}
        }
        Ok::<_, BudgetedBody>(())
    })
    .await?;
    if let Some(place) = &mut place {
        place.grow(bytes.len().saturating_mul(COPIES)).map_err(BudgetedBody::BudgetExhausted)?;
    }
    Ok((bytes, place))
}

/// The media type of a body, in lower case and without parameters; nothing where the client names none.
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?;
    let text = String::from_utf8_lossy(value.as_bytes());
    let essence = text.split(';').next().unwrap_or_default().trim();
    (!essence.is_empty()).then(|| essence.to_ascii_lowercase())
}

/// The limit where a surface has no need of another: enough for every record, far from harm.
pub const USUAL_LIMIT: usize = 1024 * 1024;
/// A body is there as it came, as it was read, as what is written, and as what is kept of that.
const COPIES: usize = 4;
/// For a whole body, however slowly it drips.
const TIME: Duration = Duration::from_secs(30);
