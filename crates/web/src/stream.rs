//! Response bodies that may be large, streamed piece by piece: never whole in memory.
//!
//! ```text
//!   Pieces ─► the first 64 KB, at once ─► no more: an ordinary response
//!                     │ more: a reservation of the memory budget, or 429
//!                     └► pump: a window at a time, computed on a blocking thread ─► slices ─► the client
//! ```
//!
//! The next window is computed when the client has taken the last one. If a client reads nothing for the stall time,
//! or the whole response exceeds its time limit, the body ends with an error, never as if it were complete.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    memory_budget::{BudgetExhausted, MemoryBudget, Reservation},
    trace::Peer,
};

/// A source of the pieces of a response, in order.
pub trait Pieces: Send + 'static {
    /// Appends the next piece; false if it was the last.
    fn next(&mut self, to: &mut Vec<u8>) -> bool;
}

/// No further pieces: the response is complete.
impl Pieces for () {
    fn next(&mut self, _: &mut Vec<u8>) -> bool {
        false
    }
}

/// A response body. A small one is returned whole; a larger one needs a reservation.
pub fn body(
    room: &Arc<MemoryBudget>,
    caller: impl FnOnce() -> String,
    mut pieces: impl Pieces,
) -> Result<Body, BudgetExhausted> {
    let mut first = Vec::new();
    let more = fill(&mut pieces, &mut first);
    if !more && first.len() <= SLICE {
        return Ok(first.into());
    }
    let reservation = room.take(&caller(), if more { WINDOW } else { first.len() })?;
    Ok(start(room, reservation, pieces, first, more))
}

/// As [`body`], for the response to a change that is already committed: never refused.
pub fn body_anyway(
    room: &Arc<MemoryBudget>,
    caller: impl FnOnce() -> String,
    mut pieces: impl Pieces,
) -> Body {
    let mut first = Vec::new();
    let more = fill(&mut pieces, &mut first);
    if !more && first.len() <= SLICE {
        return first.into();
    }
    let reservation = room.take_anyway(&caller(), WINDOW);
    start(room, reservation, pieces, first, more)
}

/// A body that is in memory as a whole, such as one object: reserved while it is sent.
pub fn whole(
    room: &Arc<MemoryBudget>,
    caller: impl FnOnce() -> String,
    bytes: Vec<u8>,
) -> Result<Body, BudgetExhausted> {
    if bytes.len() <= SLICE {
        return Ok(bytes.into());
    }
    let reservation = room.take(&caller(), bytes.len())?;
    Ok(placed(room, reservation, bytes))
}

/// As [`whole`], with a reservation made before.
pub fn placed(room: &Arc<MemoryBudget>, reservation: Reservation, bytes: Vec<u8>) -> Body {
    if bytes.len() <= SLICE {
        return bytes.into();
    }
    start(room, reservation, (), bytes, false)
}

/// Reserves memory for a large response that a surface has built as a whole, and sends it in slices. A response to a
/// request that may have changed something is not refused.
pub(crate) fn counted(
    response: Response<Body>,
    peer: &Peer,
    changes_nothing: bool,
) -> Result<Response<Body>, BudgetExhausted> {
    let length = response.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let Some(length) = length.filter(|length| *length > SLICE) else { return Ok(response) };
    if response.extensions().get::<Counted>().is_some() {
        return Ok(response);
    }
    let (room, caller) = (peer.room(), peer.address.ip().to_string());
    let reservation =
        if changes_nothing { room.take(&caller, length)? } else { room.take_anyway(&caller, length) };
    Ok(response.map(|body| Body::new(Sliced { body, rest: Bytes::new(), _reservation: reservation })))
}

/// Response extension: the body already has a reservation.
#[derive(Clone, Copy, Debug)]
pub struct Counted;

/// A complete body, sent in slices.
struct Sliced {
    body: Body,
    rest: Bytes,
    _reservation: Reservation,
}

impl http_body::Body for Sliced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                other => return Poll::Ready(other),
            }
        }
        let length = self.rest.len().min(SLICE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        self.body.size_hint().exact().map_or_else(SizeHint::default, |body| SizeHint::with_exact(body + rest))
    }
}

/// Fills the next window of a response; true if there is more.
///
/// It may run on a serving thread, so it stops after a millisecond, or after the piece that exceeds it.
pub fn fill(pieces: &mut impl Pieces, window: &mut Vec<u8>) -> bool {
    let started = Instant::now();
    while pieces.next(window) {
        if window.len() >= SLICE || started.elapsed() >= TURN {
            return true;
        }
    }
    false
}

fn start(
    room: &Arc<MemoryBudget>,
    reservation: Reservation,
    pieces: impl Pieces,
    first: Vec<u8>,
    more: bool,
) -> Body {
    let (sender, slices) = mpsc::channel(1);
    let left = (!more).then_some(first.len() as u64);
    let pump = Pump { room: room.clone(), pieces, sender, _reservation: reservation };
    tokio::spawn(async move {
        // On an error or timeout the end is not sent: the body then ends with `TruncatedBody`.
        let _ = timeout(pump.room.whole, pump.run(first, more)).await;
    });
    Body::new(Streamed { slices, left, ended: false })
}

/// The task that sends a response from its pieces to the client.
struct Pump<P> {
    room: Arc<MemoryBudget>,
    pieces: P,
    /// `None` is the end of the body.
    sender: mpsc::Sender<Option<Bytes>>,
    _reservation: Reservation,
}

/// The rest of the response is not sent: the client is gone or too slow, or computing failed.
struct ResponseAborted;

impl<P: Pieces> Pump<P> {
    async fn run(mut self, mut window: Vec<u8>, mut more: bool) -> Result<(), ResponseAborted> {
        loop {
            let mut slices = Bytes::from(window);
            while !slices.is_empty() {
                let slice = slices.split_to(slices.len().min(SLICE));
                hand_over(&self.sender, self.room.stall, Some(slice)).await?;
            }
            if !more {
                return hand_over(&self.sender, self.room.stall, None).await;
            }
            let mut pieces = self.pieces;
            let made = self.room.compute(move || {
                let mut window = Vec::new();
                let more = fill(&mut pieces, &mut window);
                (pieces, window, more)
            });
            (self.pieces, window, more) = made.await.ok_or(ResponseAborted)?;
        }
    }
}

async fn hand_over(
    sender: &mpsc::Sender<Option<Bytes>>,
    stall: Duration,
    slice: Option<Bytes>,
) -> Result<(), ResponseAborted> {
    match timeout(stall, sender.send(slice)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_gone)) => Err(ResponseAborted),
        Err(_elapsed) => {
            tracing::debug!("a client does not take its answer: it loses the rest");
            Err(ResponseAborted)
        }
    }
}

/// The body that hyper reads.
#[derive(Debug)]
struct Streamed {
    slices: mpsc::Receiver<Option<Bytes>>,
    /// Bytes still to come, if known.
    left: Option<u64>,
    ended: bool,
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = TruncatedBody;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TruncatedBody>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        match ready!(self.slices.poll_recv(context)) {
            Some(Some(slice)) => {
                self.left = self.left.map(|left| left.saturating_sub(slice.len() as u64));
                Poll::Ready(Some(Ok(Frame::data(slice))))
            }
            Some(None) => {
                self.ended = true;
                Poll::Ready(None)
            }
            None => {
                self.ended = true;
                Poll::Ready(Some(Err(TruncatedBody)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The response was cut off before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer was cut off: the client did not take it in time")]
pub struct TruncatedBody;

/// The most bytes that are handed to a connection at once.
pub const SLICE: usize = 64 * 1024;
/// The memory of one response: the largest piece, and the pieces collected before it.
pub const WINDOW: usize = 2 * 1024 * 1024;
/// How long one response may compute at once.
const TURN: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests;
