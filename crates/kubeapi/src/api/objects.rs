//! Reading: one object, or a list, in the form that the client takes.

use std::sync::Arc;

use axum::response::Response;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::object::{Object, ObjectKey};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Call, Named, respond};
use crate::{
    kinds::Kind,
    lifecycle::{parse_version, shown},
    request::{Form, ListOptions, accepted, include_object},
    selectors::{FieldSelector, LabelSelector},
    status::Status,
    table::{partial, table},
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

pub(super) fn list(call: &Call, named: &Named) -> Result<Response, Status> {
    let listed = call.app.list_objects(&call.caller, &call.asked, &in_all_places(named))?;
    let form = accepted(&call.headers)?;
    let options = ListOptions::parse(&call.query)?;
    let selection = Selection::parse(named.kind, &options)?;
    check_version(&options, listed.revision)?;
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
    let is_after = |key: &ObjectKey| {
        from.as_ref()
            .is_none_or(|from| (&*key.namespace, &*key.name) > (from.namespace.as_str(), from.name.as_str()))
    };
    let mut found: Vec<Arc<Object>> = listed
        .objects
        .into_iter()
        .filter(|object| is_after(&object.key) && selection.matches(object))
        .collect();
    let revision = from.as_ref().map_or(listed.revision, |from| from.rv);
    let mut metadata = Map::new();
    metadata.insert("resourceVersion".into(), revision.to_string().into());
    if options.limit > 0 && found.len() > options.limit {
        let remaining = found.len() - options.limit;
        found.truncate(options.limit);
        if let Some(last) = found.last() {
            metadata.insert("continue".into(), Continue::after(&last.key, revision).into());
        }
        if selection.is_everything() {
            metadata.insert("remainingItemCount".into(), remaining.into());
        }
    }
    let items: Vec<Value> = found.iter().map(|object| shown(object)).collect();
    let answer = match form {
        Form::Table => {
            let include = include_object(&call.query)?;
            table(named.kind, &items, &Value::Object(metadata), include, true, call.app.now())
        }
        Form::Metadata => json!({
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "items": items.iter().map(partial).collect::<Vec<_>>(),
        }),
        Form::Object | Form::Discovery => json!({
            "kind": format!("{}List", named.kind.kind), "apiVersion": named.kind.api_version(),
            "metadata": metadata, "items": items.into_iter().map(without_type).collect::<Vec<_>>(),
        }),
    };
    Ok(respond(StatusCode::OK, &answer, &[]))
}

/// One object in the form that the client takes.
pub(super) fn show(
    call: &Call,
    kind: &Kind,
    object: &Object,
    status: StatusCode,
    warnings: &[String],
) -> Result<Response, Status> {
    let value = shown(object);
    let answer = match accepted(&call.headers)? {
        Form::Table => {
            let metadata = json!({"resourceVersion": object.revision.to_string()});
            table(kind, &[value], &metadata, include_object(&call.query)?, true, call.app.now())
        }
        Form::Metadata => partial(&value),
        Form::Object | Form::Discovery => value,
    };
    Ok(respond(status, &answer, warnings))
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

fn without_type(mut value: Value) -> Value {
    if let Value::Object(object) = &mut value {
        object.remove("kind");
        object.remove("apiVersion");
    }
    value
}
