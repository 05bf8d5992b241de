//! Reading: one object, or a list, in the form that the client takes.

use std::sync::Arc;

use app::objects::Listing;
use axum::response::Response;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::object::{Object, ObjectKey};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use web::stream::{self, Pieces};

use super::{Call, Named, sent};
use crate::{
    kinds::Kind,
    lifecycle::parse_version,
    render::{Headers, LIST_END, View},
    request::ListOptions,
    selectors::{FieldSelector, LabelSelector},
    status::Status,
};

/// What of a list a client wants.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
}

/// Where a list goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Continue {
    /// Of the first page, from which a watch must start.
    rv: u64,
    namespace: String,
    name: String,
}

pub(super) fn get(call: &Call, named: &Named) -> Result<Response, Status> {
    let object = call.app.get_object(&call.caller, &call.asked, &named.place())?;
    show(call, named.kind, &object, StatusCode::OK, &[])
}

pub(super) async fn list(call: &Call, named: &Named) -> Result<Response, Status> {
    let listing = call.app.list_objects(&call.caller, &call.asked, &in_all_places(named))?;
    let view = call.view(named.kind)?;
    let options = ListOptions::parse(&call.query)?;
    let selection = Selection::parse(named.kind, &options)?;
    check_version(&options, listing.revision())?;
    let from = match options.continue_token.as_str() {
        "" => None,
        token => Some(Continue::parse(token)?),
    };
    if let Some(from) = &from
        && call.app.changes_since(from.rv).is_err()
    {
        return Err(Status::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new \
             list without the continue parameter.",
        ));
    }
    let revision = from.as_ref().map_or(listing.revision(), |from| from.rv);
    let listing = match &from {
        Some(from) => listing.after(&from.namespace, &from.name),
        None => listing,
    };
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".into(), revision.to_string().into());
    let objects: Objects = match options.limit {
        0 => Box::new(listing.filter(move |object| selection.matches(object))),
        limit => {
            let is_short = listing.count_up_to(SHORT).is_some();
            let read = move || Page::read(listing, &selection, limit);
            let page = if is_short { Some(read()) } else { call.peer.room().compute(read).await };
            let page = page.ok_or_else(Status::internal)?;
            if let Some(last) = &page.goes_on_after {
                metadata.insert("continue".into(), Continue::after(last, revision).into());
            }
            if let Some(remaining) = page.remaining {
                metadata.insert("remainingItemCount".into(), remaining.into());
            }
            Box::new(page.objects.into_iter())
        }
    };
    let list = List::new(view, metadata.into(), objects);
    Ok(sent(StatusCode::OK, stream::body(call.peer.room(), || call.account(), list)?, &[]))
}

/// One object in the form that the client takes.
pub(super) fn show(
    call: &Call,
    kind: &'static Kind,
    object: &Object,
    status: StatusCode,
    warnings: &[String],
) -> Result<Response, Status> {
    let mut text = Vec::new();
    call.view(kind)?.object(object, Headers::Shown, &mut text);
    Ok(sent(status, call.answer(text)?, warnings))
}

pub(super) type Objects = Box<dyn Iterator<Item = Arc<Object>> + Send>;

/// A list that is being written.
pub(super) struct List {
    view: View,
    /// Of the list, until it is written.
    head: Option<Value>,
    is_first: bool,
    objects: Objects,
}

impl List {
    pub(super) fn new(view: View, metadata: Value, objects: Objects) -> Self {
        Self { view, head: Some(metadata), is_first: true, objects }
    }
}

impl Pieces for List {
    fn next(&mut self, to: &mut Vec<u8>) -> bool {
        if let Some(metadata) = self.head.take() {
            self.view.list_head(&metadata, to);
        }
        let Some(object) = self.objects.next() else {
            to.extend_from_slice(LIST_END);
            return false;
        };
        if !std::mem::take(&mut self.is_first) {
            to.push(b',');
        }
        self.view.item(&object, to);
        true
    }
}

/// A part of a list that a client asked for.
struct Page {
    objects: Vec<Arc<Object>>,
    goes_on_after: Option<ObjectKey>,
    /// How many come after it, where everything is wanted.
    remaining: Option<usize>,
}

impl Page {
    fn read(mut listing: Listing, selection: &Selection, limit: usize) -> Self {
        let mut objects: Vec<_> = listing
            .by_ref()
            .filter(|object| selection.matches(object))
            .take(limit.saturating_add(1))
            .collect();
        if objects.len() <= limit {
            return Self { objects, goes_on_after: None, remaining: None };
        }
        objects.truncate(limit);
        let goes_on_after = objects.last().map(|last| last.key.clone());
        let remaining = selection.is_everything().then(|| 1 + listing.count());
        Self { objects, goes_on_after, remaining }
    }
}

/// The place of a list: what a selector names is not its name.
pub(super) fn in_all_places(named: &Named) -> app::objects::Place<'_> {
    app::objects::Place { name: "", ..named.place() }
}

impl Selection {
    pub(super) fn parse(kind: &Kind, options: &ListOptions) -> Result<Self, Status> {
        let labels = LabelSelector::parse(&options.label_selector).map_err(Status::bad_request)?;
        let fields = FieldSelector::parse(&options.field_selector).map_err(Status::bad_request)?;
        let mut known = vec!["metadata.name", "metadata.namespace"];
        known.extend(kind.fields);
        fields.check(&known).map_err(Status::bad_request)?;
        Ok(Self { labels, fields })
    }

    pub(super) fn matches(&self, object: &Object) -> bool {
        let nothing = Value::Null;
        let labels = object.value.pointer("/metadata/labels").unwrap_or(&nothing);
        self.labels.matches_value(labels)
            && self.fields.matches(|field| {
                match object.value.pointer(&format!("/{}", field.replace('.', "/"))) {
                    Some(Value::String(text)) => text.as_str(),
                    Some(Value::Bool(true)) => "true",
                    Some(Value::Bool(false)) => "false",
                    _ => "",
                }
            })
    }

    fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}

impl Continue {
    fn parse(token: &str) -> Result<Self, Status> {
        let decoded = URL_SAFE_NO_PAD.decode(token).ok();
        let parsed = decoded.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        parsed.ok_or_else(|| Status::bad_request("continue key is not valid: the token cannot be read"))
    }

    fn after(key: &ObjectKey, rv: u64) -> String {
        let place = Self { rv, namespace: key.namespace.to_string(), name: key.name.to_string() };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&place).unwrap_or_default())
    }
}

/// A list is always of the newest state: an exact version can be had while it is that one.
fn check_version(options: &ListOptions, newest: u64) -> Result<(), Status> {
    let asked = parse_version(&options.resource_version).map_err(Status::bad_request)?;
    match (options.resource_version_match.as_str(), asked) {
        ("", _) | ("NotOlderThan", Some(_)) if asked.is_none_or(|asked| asked <= newest) => Ok(()),
        ("Exact", Some(asked)) if asked == newest && asked > 0 => Ok(()),
        ("Exact", Some(asked)) if asked > 0 && asked < newest => {
            Err(Status::expired(&format!("The resourceVersion for the provided list is too old: {asked}")))
        }
        ("" | "NotOlderThan" | "Exact", Some(asked)) if asked > newest => Err(Status::new(
            StatusCode::GATEWAY_TIMEOUT,
            "Timeout",
            format!("Too large resource version: {asked}, current: {newest}"),
        )),
        _ => Err(Status::bad_request(format!(
            "resourceVersionMatch {:?} does not go with resourceVersion {:?}",
            options.resource_version_match, options.resource_version
        ))),
    }
}

/// A page is read at once from a list of so many.
const SHORT: usize = 1000;
