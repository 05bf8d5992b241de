//! Watches: a line of JSON for each event, for as long as the client listens and may.
//!
//! A watch that must end because its caller's rights, certificate or session have ended says so: its last event
//! is an ERROR with the Status that a new request would get.

#![expect(clippy::indexing_slicing, reason = "members of JSON objects that were made or checked before")]

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use app::objects::{Event, EventKind, ObjectError, ObjectWatch};
use axum::{
    body::{Body, Bytes},
    response::Response,
};
use domain::object::Object;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::Instant;
use web::trace::Peer;

use super::{
    Call, Named,
    objects::{Selection, in_all_places},
};
use crate::{
    kinds::Kind,
    lifecycle::{parse_version, shown},
    request::{Form, ListOptions, accepted, include_object},
    status::{Problem, Status},
    table::{IncludeObject, partial, table},
};

/// How many watches are open, in all and by user.
#[derive(Clone, Debug, Default)]
pub(crate) struct WatchRoom {
    open: Arc<Mutex<HashMap<String, usize>>>,
}

/// One watch's place; given back when dropped.
#[derive(Debug)]
struct WatchPlace {
    room: WatchRoom,
    user: String,
}

struct Stream {
    app: app::App,
    watch: ObjectWatch,
    selection: Selection,
    kind: &'static Kind,
    form: Form,
    include: IncludeObject,
    /// Column definitions stand in the first event alone.
    headers: bool,
    bookmarks: bool,
    pending: VecDeque<Bytes>,
    ends: Instant,
    /// When the credentials were looked at last.
    checked: Instant,
    ended: bool,
    peer: Arc<Peer>,
    _place: WatchPlace,
}

pub(super) fn answer(call: &Call, named: &Named) -> Result<Response, Status> {
    let listed = call.app.list_objects(&call.caller, &call.asked, &in_all_places(named))?;
    let options = ListOptions::parse(&call.query)?;
    let form = accepted(&call.headers)?;
    let selection = Selection::parse(named.kind, &options)?;
    let include = include_object(&call.query)?;
    let initial_events = check_initial_events(&options)?;
    let asked =
        parse_version(&options.resource_version).map_err(Status::bad_request)?.filter(|version| *version > 0);
    let user = call.app.current_user(&call.caller)?.name;
    let place = call.room.take(user)?;
    let starts_with_list = initial_events || asked.is_none();
    let from = if starts_with_list { listed.revision } else { asked.unwrap_or(listed.revision) };
    if from > listed.revision {
        let text = format!("Too large resource version: {from}, current: {}", listed.revision);
        return Err(Status::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", text));
    }
    let watch = call.app.watch_objects(&call.caller, &call.asked, &in_all_places(named), from)?;
    let lasts = options.timeout_seconds.map_or(LONGEST, |seconds| Duration::from_secs(seconds).min(LONGEST));
    let mut stream = Stream {
        app: call.app.clone(),
        watch,
        selection,
        kind: named.kind,
        form,
        include,
        headers: true,
        bookmarks: options.allow_bookmarks,
        pending: VecDeque::new(),
        ends: Instant::now() + lasts,
        checked: Instant::now(),
        ended: false,
        peer: call.peer.clone(),
        _place: place,
    };
    if starts_with_list {
        for object in &listed.objects {
            if stream.selection.matches(object) {
                stream.push(EventKind::Added, object);
            }
        }
    }
    if initial_events {
        stream.push_bookmark(true);
    }
    let lines = futures_util::stream::unfold(stream, |mut stream| async move {
        stream.next().await.map(|line| (Ok::<_, std::convert::Infallible>(line), stream))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    Ok(response)
}

impl Stream {
    /// The next line; `None` ends the watch.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.pending.pop_front() {
                return Some(line);
            }
            if self.ended {
                return None;
            }
            let rest = self.ends.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return None;
            }
            let due = LOOK_AGAIN.saturating_sub(self.checked.elapsed());
            if due.is_zero() {
                // Time alone may have ended the credentials.
                self.checked = Instant::now();
                match self.watch.check() {
                    Ok(()) if self.bookmarks => self.push_bookmark(false),
                    Ok(()) => {}
                    Err(error) => self.end(error),
                }
                continue;
            }
            let selection = self.selection.clone();
            let matches = move |object: &Object| selection.matches(object);
            let peer = self.peer.clone();
            tokio::select! {
                () = peer.stopping() => return None,
                () = tokio::time::sleep(rest.min(due)) => {}
                events = self.watch.next(&matches) => match events {
                    Ok(events) => events.iter().for_each(|Event { kind, object }| self.push(*kind, object)),
                    Err(error) => self.end(error),
                },
            }
        }
    }

    fn push(&mut self, kind: EventKind, object: &Object) {
        let word = match kind {
            EventKind::Added => "ADDED",
            EventKind::Modified => "MODIFIED",
            EventKind::Deleted => "DELETED",
        };
        let value = shown(object);
        let value = match self.form {
            Form::Table => {
                let metadata = json!({"resourceVersion": object.revision.to_string()});
                let headers = std::mem::take(&mut self.headers);
                table(self.kind, &[value], &metadata, self.include, headers, self.app.now())
            }
            Form::Metadata => partial(&value),
            Form::Object | Form::Discovery => value,
        };
        self.push_line(word, &value);
    }

    fn push_bookmark(&mut self, ends_list: bool) {
        let mut metadata =
            json!({"resourceVersion": self.watch.revision().to_string(), "creationTimestamp": null});
        if ends_list {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = json!({
            "kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": metadata,
        });
        let object = match self.form {
            Form::Table => {
                let list = json!({"resourceVersion": self.watch.revision().to_string()});
                let headers = std::mem::take(&mut self.headers);
                table(self.kind, &[object], &list, self.include, headers, self.app.now())
            }
            Form::Metadata => partial(&object),
            Form::Object | Form::Discovery => object,
        };
        self.push_line("BOOKMARK", &object);
    }

    fn end(&mut self, error: ObjectError) {
        self.push_line("ERROR", &Status::from(error).to_json());
        self.ended = true;
    }

    fn push_line(&mut self, word: &str, object: &Value) {
        let mut line = json!({"type": word, "object": object}).to_string();
        line.push('\n');
        self.pending.push_back(line.into());
    }
}

impl WatchRoom {
    fn take(&self, user: String) -> Result<WatchPlace, Status> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let here = open.get(&user).copied().unwrap_or(0);
        if here >= MOST_BY_USER || open.values().sum::<usize>() >= MOST_IN_ALL {
            return Err(Status::too_many_requests(
                "too many watches are open: end some, or try again later",
                5,
            ));
        }
        open.insert(user.clone(), here + 1);
        Ok(WatchPlace { room: self.clone(), user })
    }
}

impl Drop for WatchPlace {
    fn drop(&mut self) {
        let mut open = self.room.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user);
            }
        }
    }
}

/// Whether the watch begins with the list and a mark at its end.
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

const MOST_IN_ALL: usize = 10_000;
const MOST_BY_USER: usize = 1_000;
const LONGEST: Duration = Duration::from_secs(3600);
/// How often a watch without events looks at the credentials, and sends its bookmark.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
