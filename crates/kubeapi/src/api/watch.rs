//! Watches: one line of JSON for each event, while the client is connected and authorized.
//!
//! A watch that ends because its caller's permission, certificate or session has ended sends a last event of type
//! ERROR with the Status that a new request would get.

#![expect(clippy::indexing_slicing, reason = "members of JSON objects that were made or checked before")]

use std::{collections::VecDeque, sync::Arc, time::Duration};

use app::{
    App,
    kubernetes::objects::{Event, EventKind, Listing, ObjectError, ObjectWatch},
};
use axum::{
    body::{Body, Bytes},
    response::Response,
};
use domain::object::Object;
use http::{HeaderValue, header};
use serde_json::{Value, json};
use tokio::time::Instant;
use web::{
    memory_budget::{BudgetExhausted, Reservation},
    stream::{self, Pieces},
    trace::Peer,
};

use super::{
    Call, Named,
    objects::{Selection, collection_reference},
};
use crate::{
    kinds::Kind,
    lifecycle::parse_version,
    render::{Headers, View, is_large},
    request::{Form, ListOptions},
    status::{Problem, Status},
    table::{partial, table},
};

struct Stream {
    app: App,
    watch: ObjectWatch,
    selection: Selection,
    view: View,
    /// Only the first event has column definitions.
    headers: Headers,
    bookmarks: bool,
    /// The rest of the initial list, not yet sent.
    initial: Option<Initial>,
    /// The revision from which the bookmark that ends the initial list is due.
    marked: Option<u64>,
    events: VecDeque<Event>,
    /// Serialized lines that the client has not taken yet.
    written: Bytes,
    ends: Instant,
    /// When the credentials were last checked.
    checked: Instant,
    /// Whether a bookmark is due.
    is_marking: bool,
    ended: bool,
    peer: Arc<Peer>,
    user: String,
}

/// The initial list, sent as ADDED events.
struct Initial {
    view: View,
    headers: Headers,
    selection: Selection,
    listing: Listing,
    /// The memory reservation, if the list does not fit the first window.
    reservation: Option<Reservation>,
}

pub(super) fn answer(call: &Call, named: &Named) -> Result<Response, Status> {
    let listing =
        call.app.kubernetes().list_objects(&call.caller, &call.access, &collection_reference(named))?;
    let options = ListOptions::parse(&call.query)?;
    let view = call.view(named.kind)?;
    let selection = Selection::parse(named.kind, &options)?;
    let is_marked = check_initial_events(&options)?;
    let asked =
        parse_version(&options.resource_version).map_err(Status::bad_request)?.filter(|version| *version > 0);
    let newest = listing.revision();
    let starts_with_list = is_marked || asked.is_none();
    let from = if starts_with_list { newest } else { asked.unwrap_or(newest) };
    let watch = match call.app.kubernetes().watch_objects(
        &call.caller,
        &call.access,
        &collection_reference(named),
        from,
    ) {
        // As in kube-apiserver, an authorized client gets this error as a watch event.
        Err(error @ ObjectError::Expired { .. }) => {
            return Ok(response(line("ERROR", &Status::from(error).to_json()).into()));
        }
        watch => watch?,
    };
    let lasts = options.timeout_seconds.map_or(LONGEST, |seconds| Duration::from_secs(seconds).min(LONGEST));
    let mut stream = Stream {
        app: call.app.clone(),
        watch,
        selection: selection.clone(),
        view,
        headers: Headers::Described,
        bookmarks: options.allow_bookmarks,
        initial: None,
        marked: is_marked.then(|| asked.unwrap_or(newest)),
        events: VecDeque::new(),
        written: Bytes::new(),
        ends: Instant::now() + lasts,
        checked: Instant::now(),
        is_marking: false,
        ended: false,
        peer: call.peer.clone(),
        user: call.account(),
    };
    if starts_with_list {
        let initial = Initial { view, headers: Headers::Described, selection, listing, reservation: None };
        stream.begin(initial)?;
    }
    let lines = futures_util::stream::unfold(stream, |mut stream| async move {
        stream.next().await.map(|lines| (Ok::<_, std::convert::Infallible>(lines), stream))
    });
    Ok(response(Body::from_stream(lines)))
}

fn response(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

impl Pieces for Initial {
    fn next(&mut self, to: &mut Vec<u8>) -> bool {
        let Some(object) = self.listing.next() else { return false };
        if self.selection.matches(&object) {
            let headers = std::mem::replace(&mut self.headers, Headers::AlreadySent);
            write_event(self.view, EventKind::Added, &object, headers, to);
        }
        true
    }
}

impl Stream {
    /// Serializes the first window of the initial list; reserves memory if more follows.
    fn begin(&mut self, mut initial: Initial) -> Result<(), Status> {
        let mut window = Vec::new();
        let more = stream::fill(&mut initial, &mut window);
        if more || window.len() > stream::SLICE {
            initial.reservation = Some(self.peer.room().take(&self.user, stream::WINDOW)?);
        }
        self.queue_window(initial, window, more);
        Ok(())
    }

    /// Queues a window of the initial list.
    fn queue_window(&mut self, initial: Initial, window: Vec<u8>, more: bool) {
        self.headers = initial.headers;
        if more {
            self.written = window.into();
            self.initial = Some(initial);
            return;
        }
        self.written = match initial.reservation {
            Some(reservation) => reservation.hold(window),
            None => window.into(),
        };
    }

    /// The next lines, or a part of a long one; `None` ends the watch.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if !self.written.is_empty() {
                return Some(self.written.split_to(self.written.len().min(stream::SLICE)));
            }
            if self.ended {
                return None;
            }
            let rest = self.ends.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return None;
            }
            // Checked before each event: changes revoke access, and credentials expire without any change.
            let is_due = self.checked.elapsed() >= LOOK_AGAIN;
            if is_due {
                self.checked = Instant::now();
                self.is_marking = self.bookmarks;
            }
            if let Err(error) = if is_due { self.watch.check() } else { self.watch.check_changed() } {
                self.end(error.into());
                continue;
            }
            if let Some(mut initial) = self.initial.take() {
                let made = self.peer.room().compute(move || {
                    let mut window = Vec::new();
                    let more = stream::fill(&mut initial, &mut window);
                    (initial, window, more)
                });
                let made = made.await;
                match made {
                    Some((initial, window, more)) => self.queue_window(initial, window, more),
                    None => self.end(Status::internal()),
                }
                continue;
            }
            if let Some(event) = self.events.pop_front() {
                self.write(event).await;
                continue;
            }
            if self.marked.is_some_and(|marked| marked <= self.watch.revision()) {
                self.marked = None;
                self.write_bookmark(true);
                continue;
            }
            if std::mem::take(&mut self.is_marking) && self.marked.is_none() {
                self.write_bookmark(false);
                continue;
            }
            let due = LOOK_AGAIN.saturating_sub(self.checked.elapsed());
            let selection = self.selection.clone();
            let matches = move |object: &Object| selection.matches(object);
            let peer = self.peer.clone();
            tokio::select! {
                () = peer.stopping() => return None,
                () = tokio::time::sleep(rest.min(due)) => {}
                events = self.watch.next(&matches) => match events {
                    Ok(events) => self.events = events.into(),
                    Err(error) => self.end(error.into()),
                },
            }
        }
    }

    /// Serializes an event; a large one on a blocking thread, under a reservation until the client has taken it.
    async fn write(&mut self, Event { kind, object }: Event) {
        let headers = std::mem::replace(&mut self.headers, Headers::AlreadySent);
        self.view.now = self.app.now();
        let (view, room) = (self.view, self.peer.room().clone());
        if !is_large(&object.value) {
            let mut line = Vec::new();
            write_event(view, kind, &object, headers, &mut line);
            self.written = line.into();
            return;
        }
        let Ok(reservation) = room.wait(&self.user, stream::WINDOW).await else {
            return self.end(BudgetExhausted.into());
        };
        if let Err(error) = self.watch.check_changed() {
            return self.end(error.into());
        }
        let made = room.compute(move || {
            let mut line = Vec::new();
            write_event(view, kind, &object, headers, &mut line);
            line
        });
        match made.await {
            Some(line) => self.written = reservation.hold(line),
            None => self.end(Status::internal()),
        }
    }

    fn write_bookmark(&mut self, ends_list: bool) {
        self.view.now = self.app.now();
        let Kind { kind, .. } = self.view.kind;
        let version = self.watch.revision().to_string();
        let mut metadata = json!({"resourceVersion": version, "creationTimestamp": null});
        if ends_list {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = json!({
            "kind": kind, "apiVersion": self.view.kind.api_version(), "metadata": metadata,
        });
        let object = match self.view.form {
            Form::Table => {
                let list = json!({"resourceVersion": version});
                let headers =
                    std::mem::replace(&mut self.headers, Headers::AlreadySent) == Headers::Described;
                table(self.view.kind, &[object], &list, self.view.include, headers, self.view.now)
            }
            Form::Metadata => partial(&object),
            Form::Object | Form::Discovery => object,
        };
        self.write_line("BOOKMARK", &object);
    }

    fn end(&mut self, status: Status) {
        self.write_line("ERROR", &status.to_json());
        self.ended = true;
    }

    fn write_line(&mut self, word: &str, object: &Value) {
        self.written = line(word, object).into();
    }
}

fn line(word: &str, object: &Value) -> String {
    let mut line = json!({"type": word, "object": object}).to_string();
    line.push('\n');
    line
}

fn write_event(view: View, kind: EventKind, object: &Object, headers: Headers, to: &mut Vec<u8>) {
    let start: &[u8] = match kind {
        EventKind::Added => b"{\"type\":\"ADDED\",\"object\":",
        EventKind::Modified => b"{\"type\":\"MODIFIED\",\"object\":",
        EventKind::Deleted => b"{\"type\":\"DELETED\",\"object\":",
    };
    to.extend_from_slice(start);
    view.object(object, headers, to);
    to.extend_from_slice(b"}\n");
}

/// Whether the watch begins with the initial list, followed by a bookmark (`sendInitialEvents`).
fn check_initial_events(options: &ListOptions) -> Result<bool, Status> {
    let forbidden = |field: &str, because: &str| {
        Err(Status::invalid("meta.k8s.io", "ListOptions", "", &[Problem::forbidden(field, because)]))
    };
    match (options.send_initial_events, options.resource_version_match.as_str()) {
        (None, "") => Ok(false),
        (None, _) => forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for watch"),
        (Some(_), "NotOlderThan") if options.allow_bookmarks => Ok(options.send_initial_events == Some(true)),
        (Some(_), "NotOlderThan") => {
            forbidden("sendInitialEvents", "sendInitialEvents requires allowWatchBookmarks")
        }
        (Some(_), _) => forbidden(
            "resourceVersionMatch",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
    }
}

const LONGEST: Duration = Duration::from_secs(3600);
/// How often a watch without events checks the credentials and sends a bookmark.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
