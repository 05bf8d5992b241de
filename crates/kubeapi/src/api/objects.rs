//! get and list, in the format that the client accepts.

use std::sync::Arc;

use app::kubernetes::objects::{Listing, ObjectError};
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
    status::{Problem, Status},
};

/// The label and field selectors of a list or watch.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
}

/// The content of a `continue` token.
#[derive(Debug, Serialize, Deserialize)]
struct Continue {
    /// The revision of the first page: all pages are read at it, and a watch must start from it. `None` reads the
    /// rest at the latest revision.
    rv: Option<u64>,
    namespace: String,
    name: String,
}

pub(super) fn get(call: &Call, named: &Named) -> Result<Response, Status> {
    let object = call.app.kubernetes().get_object(&call.caller, &call.access, &named.place())?;
    show(call, named.kind, &object, StatusCode::OK, &[])
}

pub(super) async fn list(call: &Call, named: &Named) -> Result<Response, Status> {
    let mut listing =
        call.app.kubernetes().list_objects(&call.caller, &call.access, &collection_reference(named))?;
    let view = call.view(named.kind)?;
    let options = ListOptions::parse(&call.query)?;
    let selection = Selection::parse(named.kind, &options)?;
    let newest = listing.revision();
    if options.continue_token.is_empty() {
        if let Some(revision) = exact_version(&options, newest)? {
            let past = past(call, named, revision, newest).await?;
            let too_old = || format!("The resourceVersion for the provided list is too old: {revision}");
            listing = past.ok_or_else(|| Status::expired(&too_old()))?;
        }
    } else {
        let from = Continue::parse(&options, &named.namespace)?;
        if let Some(revision) = from.rv {
            let past = past(call, named, revision, newest).await?;
            listing = past.ok_or_else(|| from.inconsistent())?;
        }
        listing = listing.after(&from.namespace, &from.name);
    }
    let revision = listing.revision();
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".into(), revision.to_string().into());
    let list = match options.limit {
        0 => List { selection: Some(selection), ..List::new(view, metadata.into(), Box::new(listing)) },
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
            List::new(view, metadata.into(), Box::new(page.objects.into_iter()))
        }
    };
    Ok(sent(StatusCode::OK, stream::body(call.peer.room(), || call.account(), list)?, &[]))
}

/// The list at an earlier revision; `None` if it was compacted.
async fn past(call: &Call, named: &Named, revision: u64, newest: u64) -> Result<Option<Listing>, Status> {
    if revision > newest {
        return Err(Status::too_large_version(revision, newest));
    }
    let place = collection_reference(named);
    match call.app.kubernetes().list_objects_at(&call.caller, &call.access, &place, revision).await {
        Err(ObjectError::Expired { .. }) => Ok(None),
        past => Ok(Some(past?)),
    }
}

/// A response of one object in the format that the client accepts.
pub(super) fn show(
    call: &Call,
    kind: &'static Kind,
    object: &Object,
    status: StatusCode,
    warnings: &[String],
) -> Result<Response, Status> {
    let mut text = Vec::new();
    call.view(kind)?.object(object, Headers::Described, &mut text);
    Ok(sent(status, call.answer(text)?, warnings))
}

pub(super) type Objects = Box<dyn Iterator<Item = Arc<Object>> + Send>;

/// Writes a list piece by piece.
pub(super) struct List {
    view: View,
    /// The list's metadata, until it is written.
    head: Option<Value>,
    is_first: bool,
    objects: Objects,
    /// `None` selects all objects.
    selection: Option<Selection>,
}

impl List {
    pub(super) fn new(view: View, metadata: Value, objects: Objects) -> Self {
        Self { view, head: Some(metadata), is_first: true, objects, selection: None }
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
        // Returns after each object, also a filtered one, so that the time limit of a window holds.
        if self.selection.as_ref().is_some_and(|selection| !selection.matches(&object)) {
            return true;
        }
        if !std::mem::take(&mut self.is_first) {
            to.push(b',');
        }
        self.view.item(&object, to);
        true
    }
}

/// One page of a list.
struct Page {
    objects: Vec<Arc<Object>>,
    goes_on_after: Option<ObjectKey>,
    /// How many objects follow; known only without selectors.
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

/// The reference of a list: without the name that a field selector may have set.
pub(super) fn collection_reference(named: &Named) -> app::kubernetes::objects::ObjectReference<'_> {
    app::kubernetes::objects::ObjectReference { name: "", ..named.place() }
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
    /// Parses the token of a list of `namespace`; empty for all namespaces.
    fn parse(options: &ListOptions, namespace: &str) -> Result<Self, Status> {
        if !options.resource_version_match.is_empty() {
            let because = "resourceVersionMatch is forbidden when continue is provided";
            let problem = Problem::forbidden("resourceVersionMatch", because);
            return Err(Status::invalid("meta.k8s.io", "ListOptions", "", &[problem]));
        }
        if !matches!(options.resource_version.as_str(), "" | "0") {
            let text = "specifying resource version is not allowed when using continue";
            return Err(Status::bad_request(text));
        }
        let decoded = URL_SAFE_NO_PAD.decode(&options.continue_token).ok();
        let parsed = decoded.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let parsed: Self = parsed
            .ok_or_else(|| Status::bad_request("continue key is not valid: the token cannot be read"))?;
        if !namespace.is_empty() && parsed.namespace != namespace {
            return Err(Status::bad_request("continue key is not valid: it is of another namespace"));
        }
        Ok(parsed)
    }

    fn after(key: &ObjectKey, revision: u64) -> String {
        let ObjectKey { namespace, name, .. } = key;
        Self { rv: Some(revision), namespace: namespace.to_string(), name: name.to_string() }.write()
    }

    fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The error when the revision of the first page was compacted. Its token lets clients read the rest at the
    /// latest revision.
    fn inconsistent(&self) -> Status {
        let newest = Self { rv: None, namespace: self.namespace.clone(), name: self.name.clone() };
        let status = Status::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new \
             list without the continue parameter, or use the continue token in this response to retrieve the remainder \
             of the results. Continuing with the provided token results in an inconsistent list - objects that were \
             created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
        );
        Status { goes_on: Some(newest.write().into()), ..status }
    }
}

/// The earlier revision to read at, if the client requires exactly that one; `None` for the latest.
fn exact_version(options: &ListOptions, newest: u64) -> Result<Option<u64>, Status> {
    let asked = parse_version(&options.resource_version).map_err(Status::bad_request)?;
    match (options.resource_version_match.as_str(), asked) {
        ("", _) | ("NotOlderThan", Some(_)) if asked.is_none_or(|asked| asked <= newest) => Ok(None),
        ("Exact", Some(asked)) if asked > 0 && asked <= newest => Ok(Some(asked)),
        ("" | "NotOlderThan" | "Exact", Some(asked)) if asked > newest => {
            Err(Status::too_large_version(asked, newest))
        }
        _ => Err(Status::bad_request(format!(
            "resourceVersionMatch {:?} does not go with resourceVersion {:?}",
            options.resource_version_match, options.resource_version
        ))),
    }
}

/// Lists of at most this length are read without a blocking thread.
const SHORT: usize = 1000;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use domain::id::ClusterId;
    use serde_json::json;

    use super::*;
    use crate::{kinds, request::Form, table::IncludeObject};

    /// Whoever fills a window of an answer looks at the time between pieces.
    #[test]
    fn a_piece_of_a_list_looks_at_one_object_whether_it_is_selected_or_not() {
        let kind = kinds::find("", "v1", "configmaps").unwrap();
        let view = View { kind, form: Form::Object, include: IncludeObject::None, now: jiff::Timestamp::MIN };
        let options = ListOptions { label_selector: "l=1".into(), ..ListOptions::default() };
        let cluster = ClusterId::parse("3f0d0d4e-56a4-4a58-8f5b-0c8e2a1d9b77").unwrap();
        let looked_at = Arc::new(AtomicUsize::new(0));
        let objects = (0..1000).map({
            let looked_at = looked_at.clone();
            move |number| {
                looked_at.fetch_add(1, Ordering::Relaxed);
                let label = if number % 500 == 499 { "1" } else { "0" };
                let value = json!({"metadata": {"name": number.to_string(), "labels": {"l": label}}});
                let key = ObjectKey::new(cluster, "", "configmaps", "n", &number.to_string());
                Arc::new(Object { key, revision: 1, value: Arc::new(value) })
            }
        });
        let selection = Some(Selection::parse(kind, &options).unwrap());
        let mut list = List { selection, ..List::new(view, json!({}), Box::new(objects)) };
        let mut text = Vec::new();
        for count in 1..=1000 {
            assert!(list.next(&mut text));
            assert_eq!(looked_at.load(Ordering::Relaxed), count);
        }
        assert!(!list.next(&mut text));
        let list: Value = serde_json::from_slice(&text).unwrap();
        let names: Vec<_> =
            list["items"].as_array().unwrap().iter().map(|item| &item["metadata"]["name"]).collect();
        assert_eq!(names, ["499", "999"]);
    }
}
