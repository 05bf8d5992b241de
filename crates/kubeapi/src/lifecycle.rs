//! Processing of objects in requests and responses: decoding and checking bodies, server-set metadata, defaults,
//! validation, and the form that clients get.
//!
//! All of it is pure: a function of the stored object and the requested one. The application authorizes and stores.

#![expect(clippy::indexing_slicing, reason = "members of JSON objects that were made or checked before")]

use app::Run;
use domain::object::Object;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use domain::kube::names;

use crate::{
    apply::{self, Manager},
    fields::{self, FieldValidation},
    json,
    kinds::{self, Kind},
    protobuf::{self, DecodeError},
    request::MediaType,
    schema::Message,
    status::{Problem, Status},
};

/// A decoded body that matches the schema.
#[derive(Debug)]
pub struct Body {
    pub value: Value,
    /// For the header `Warning`.
    pub warnings: Vec<String>,
}

/// The type that a body must have.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub message: &'static Message,
}

/// The part of an object that a write changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Whole,
    Status,
    /// `spec.finalizers` of a namespace.
    Finalize,
}

/// The context of a write.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    pub manager: &'a str,
    pub now: Timestamp,
    pub part: Part,
    pub run: Run,
}

/// Decodes a body that must be an object of the type.
pub fn decode_body(
    body: &[u8],
    media_type: MediaType,
    expected: Expected,
    validation: FieldValidation,
) -> Result<Body, Status> {
    let Expected { kind, .. } = expected;
    let unrecognized = |error: &str| {
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json \
             parse error: {error}"
        ))
    };
    let document = match media_type {
        MediaType::Json => json::parse(body).map_err(|error| unrecognized(&error))?,
        MediaType::Yaml => {
            let value = serde_saphyr::from_slice(body).map_err(|error| unrecognized(&error.to_string()))?;
            json::Document { value, duplicates: Vec::new() }
        }
        MediaType::Protobuf => {
            let decoded = protobuf::decode(body, kinds::message_of).map_err(|error| match error {
                DecodeError::UnknownKind { api_version, kind } => {
                    Status::bad_request(format!("no kind {kind:?} is registered for version {api_version:?}"))
                }
                error => unrecognized(&error.to_string()),
            })?;
            json::Document { value: decoded.value, duplicates: Vec::new() }
        }
    };
    // The YAML and protobuf decoders have not checked the depth.
    json::check_depth(&document.value, 0).map_err(|error| unrecognized(&error))?;
    shape(document, expected, validation)
}

/// Checks the type and the fields of a document, and adds `apiVersion` and `kind` if absent.
pub fn shape(
    document: json::Document,
    expected: Expected,
    validation: FieldValidation,
) -> Result<Body, Status> {
    let Expected { group, version, kind, message } = expected;
    let api_version = kinds::group_version(group, version);
    let wrong = |because: String| {
        Status::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {because}"))
    };
    let json::Document { mut value, duplicates } = document;
    let Value::Object(object) = &mut value else {
        return Err(wrong("json: cannot unmarshal this into an object".to_owned()));
    };
    for (field, wanted) in [("apiVersion", api_version.as_str()), ("kind", kind)] {
        match object.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.is_empty() || text == wanted => {}
            Some(Value::String(text)) if field == "apiVersion" => {
                return Err(Status::bad_request(format!(
                    "the API version in the data ({text}) does not match the expected API version ({wanted})"
                )));
            }
            Some(Value::String(text)) => {
                return Err(Status::bad_request(format!(
                    "the kind in the data ({text}) does not match the expected kind ({wanted})"
                )));
            }
            Some(_) => return Err(wrong(format!("json: {field} is not a string"))),
        }
        object.insert(field.to_owned(), wanted.into());
    }
    let unknown = fields::prune(&mut value, message).map_err(|error| wrong(error.to_string()))?;
    let faults: Vec<String> = unknown
        .iter()
        .take(MOST_FAULTS)
        .map(|path| format!("unknown field {path:?}"))
        .chain(duplicates.iter().map(|path| format!("duplicate field {path:?}")))
        .collect();
    match validation {
        FieldValidation::Strict if !faults.is_empty() => {
            Err(wrong(format!("strict decoding error: {}", faults.join(", "))))
        }
        FieldValidation::Warn => Ok(Body { value, warnings: faults }),
        FieldValidation::Strict | FieldValidation::Ignore => Ok(Body { value, warnings: Vec::new() }),
    }
}

/// The object that a create stores. `random` are bytes for a generated name and `uid` its unique id.
pub fn prepare_create(
    kind: &Kind,
    mut value: Value,
    namespace: &str,
    uid: &str,
    writing: &Writing<'_>,
) -> Result<Value, Status> {
    let metadata = metadata_mut(&mut value);
    if !text(metadata, "resourceVersion").is_empty() {
        return Err(Status::bad_request("resourceVersion should not be set on objects to be created"));
    }
    for field in SERVER_FIELDS {
        metadata.remove(*field);
    }
    place_in_namespace(kind, metadata, namespace)?;
    let generated = text(metadata, "generateName").to_owned();
    if text(metadata, "name").is_empty() && !generated.is_empty() {
        metadata.insert("name".into(), generated_name(&generated, uid).into());
    }
    metadata.insert("uid".into(), uid.into());
    metadata.insert("creationTimestamp".into(), time_text(writing.now).into());
    if kind.generation {
        metadata.insert("generation".into(), 1.into());
    }
    // A create ignores the status, except for nodes.
    if kind.has_status()
        && kind.kind != "Node"
        && let Value::Object(object) = &mut value
    {
        object.remove("status");
    }
    if kind.is_namespace() {
        value["spec"] = json!({"finalizers": ["kubernetes"]});
    }
    if kind.kind == "Pod" {
        kinds::default_pod_account(&mut value);
        kinds::default_pod_status(&mut value);
    }
    (kind.default)(&mut value);
    check(kind, &value, None)?;
    if let Some(message) = kind.schema() {
        let api_version = kind.api_version();
        let manager = Manager { name: writing.manager, api_version: &api_version, subresource: "" };
        apply::record_update(&Value::Null, &mut value, message, &manager, writing.now);
    }
    Ok(value)
}

/// The object that an update stores in place of `old`; equal to `old` if nothing changes.
pub fn prepare_update(kind: &Kind, old: &Object, new: Value, writing: &Writing<'_>) -> Result<Value, Status> {
    prepare_change(kind, old, new, writing, true)
}

/// As [`prepare_update`], for the result of an apply, whose `managedFields` are already up to date.
pub fn prepare_applied(
    kind: &Kind,
    old: &Object,
    new: Value,
    writing: &Writing<'_>,
) -> Result<Value, Status> {
    prepare_change(kind, old, new, writing, false)
}

fn prepare_change(
    kind: &Kind,
    old: &Object,
    mut new: Value,
    writing: &Writing<'_>,
    counts_fields: bool,
) -> Result<Value, Status> {
    let (namespace, name) = (&*old.key.namespace, &*old.key.name);
    let nothing = Map::new();
    let before = old.value.get("metadata").and_then(Value::as_object).unwrap_or(&nothing);
    let metadata = metadata_mut(&mut new);
    check_identity(kind, metadata, old, before)?;
    place_in_namespace(kind, metadata, namespace)?;
    metadata.insert("name".into(), name.into());
    metadata.remove("resourceVersion");
    for field in SERVER_FIELDS.iter().filter(|field| **field != "managedFields") {
        metadata.remove(*field);
        if let Some(kept) = before.get(*field) {
            metadata.insert((*field).to_owned(), kept.clone());
        }
    }
    // Absent `managedFields` keep the stored ones; an empty list clears them.
    if let (false, Some(kept)) = (metadata.contains_key("managedFields"), before.get("managedFields")) {
        metadata.insert("managedFields".into(), kept.clone());
    }
    keep_other_parts(kind, &old.value, &mut new, writing.part);
    (kind.default)(&mut new);
    if kind.generation && old.value.get("spec") != new.get("spec") {
        let generation = before.get("generation").and_then(Value::as_i64).unwrap_or(1);
        metadata_mut(&mut new).insert("generation".into(), (generation + 1).into());
    }
    let same_managers = counts_fields || managers(&old.value) == managers(&new);
    if same_but_managers(&old.value, &new) && same_managers {
        let forgets = managers(&new).is_some_and(|list| *list == json!([]));
        if !forgets {
            return Ok(Value::clone(&old.value));
        }
    }
    check(kind, &new, Some(&old.value))?;
    if let (true, Some(message)) = (counts_fields, kind.schema()) {
        let api_version = kind.api_version();
        let subresource = if writing.part == Part::Status { "status" } else { "" };
        let manager = Manager { name: writing.manager, api_version: &api_version, subresource };
        apply::record_update(&old.value, &mut new, message, &manager, writing.now);
    }
    Ok(new)
}

/// The object as clients see it: with `resourceVersion`.
pub fn shown(object: &Object) -> Value {
    let mut value = Value::clone(&object.value);
    if object.revision > 0 {
        metadata_mut(&mut value).insert("resourceVersion".into(), object.revision.to_string().into());
    }
    value
}

/// As `2026-11-23T12:00:00Z`.
pub fn time_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Parses a `resourceVersion`; `None` if empty.
pub fn parse_version(text: &str) -> Result<Option<u64>, String> {
    match text {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| format!("invalid resource version {text:?}: expected a number")),
    }
}

fn check_identity(
    kind: &Kind,
    metadata: &Map<String, Value>,
    old: &Object,
    before: &Map<String, Value>,
) -> Result<(), Status> {
    let name = text(metadata, "name");
    if !name.is_empty() && name != &*old.key.name {
        return Err(Status::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            old.key.name
        )));
    }
    let version = text(metadata, "resourceVersion");
    match parse_version(version) {
        Ok(None) => {}
        // Zero means any version.
        Ok(Some(version)) if version == old.revision || version == 0 => {}
        Ok(Some(_)) => return Err(Status::modified(kind.group, kind.plural, &old.key.name)),
        Err(_) => {
            let problem =
                Problem::invalid("metadata.resourceVersion", version, "must be specified for an update");
            return Err(kind.invalid(&old.key.name, &[problem]));
        }
    }
    let (wanted, uid) = (text(metadata, "uid"), text(before, "uid"));
    if !wanted.is_empty() && wanted != uid {
        let because =
            format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}");
        return Err(Status::conflict(kind.group, kind.plural, &old.key.name, &because));
    }
    Ok(())
}

/// Restores the parts of the object that the write must not change.
fn keep_other_parts(kind: &Kind, old: &Value, new: &mut Value, part: Part) {
    let place = match part {
        Part::Whole => {
            if kind.has_status() {
                take(old, new, "status");
            }
            if kind.is_namespace() {
                take(old, new, "spec");
            }
            return;
        }
        Part::Status => "/status",
        Part::Finalize => "/spec/finalizers",
    };
    let wanted = new.pointer(place).cloned().unwrap_or_else(|| json!({}));
    let counted = managers(new).cloned();
    *new = old.clone();
    match part {
        Part::Finalize => new["spec"]["finalizers"] = wanted,
        Part::Whole | Part::Status => new["status"] = wanted,
    }
    if let Some(counted) = counted {
        new["metadata"]["managedFields"] = counted;
    }
}

/// Copies a field, or removes it if absent in `from`.
fn take(from: &Value, to: &mut Value, field: &str) {
    let Value::Object(to) = to else { return };
    match from.get(field) {
        Some(kept) => drop(to.insert(field.to_owned(), kept.clone())),
        None => drop(to.remove(field)),
    }
}

fn check(kind: &Kind, value: &Value, old: Option<&Value>) -> Result<(), Status> {
    let mut problems = Vec::new();
    check_metadata(kind, value, &mut problems);
    check_finalizers(value, old, &mut problems);
    (kind.validate)(value, old, &mut problems);
    if problems.is_empty() {
        return Ok(());
    }
    let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    Err(kind.invalid(name, &problems))
}

/// Checks added finalizers only: an invalid stored one must not prevent removing others.
fn check_finalizers(value: &Value, old: Option<&Value>, problems: &mut Vec<Problem>) {
    let all = |value: &Value| -> Vec<String> {
        let list = value.pointer("/metadata/finalizers").and_then(Value::as_array);
        list.into_iter().flatten().map(|each| each.as_str().unwrap_or_default().to_owned()).collect()
    };
    let before = old.map(all).unwrap_or_default();
    for (index, finalizer) in all(value).iter().enumerate() {
        if before.contains(finalizer) {
            continue;
        }
        for fault in names::check_qualified_name(finalizer) {
            problems.push(Problem::invalid("metadata.finalizers", finalizer, fault));
        }
        if !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer.as_str()) {
            let because = "name is neither a standard finalizer name nor is it fully qualified";
            problems.push(Problem::invalid(format!("metadata.finalizers[{index}]"), finalizer, because));
        }
    }
}

fn check_metadata(kind: &Kind, value: &Value, problems: &mut Vec<Problem>) {
    let nothing = Map::new();
    let metadata = value.get("metadata").and_then(Value::as_object).unwrap_or(&nothing);
    let name = text(metadata, "name");
    if name.is_empty() {
        problems.push(Problem::required("metadata.name", "name or generateName is required"));
    } else {
        for fault in kind.naming.check(name).into_iter().chain(too_long_for_a_key(name)) {
            problems.push(Problem::invalid("metadata.name", name, fault));
        }
    }
    for (key, value) in entries(metadata, "labels") {
        for fault in names::check_qualified_name(key) {
            problems.push(Problem::invalid("metadata.labels", key, fault));
        }
        let value = value.as_str().unwrap_or_default();
        for fault in names::check_label_value(value) {
            problems.push(Problem::invalid("metadata.labels", value, fault));
        }
    }
    let mut size = 0;
    for (key, value) in entries(metadata, "annotations") {
        size += key.len() + value.as_str().map_or(0, str::len);
        for fault in names::check_qualified_name(&key.to_lowercase()) {
            problems.push(Problem::invalid("metadata.annotations", key, fault));
        }
    }
    if size > MOST_ANNOTATION_BYTES {
        problems.push(Problem::too_long("metadata.annotations", MOST_ANNOTATION_BYTES));
    }
    let owners = metadata.get("ownerReferences").and_then(Value::as_array).into_iter().flatten();
    for owner in owners {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner.get(field).and_then(Value::as_str).unwrap_or_default().is_empty() {
                problems.push(Problem::invalid(
                    format!("metadata.ownerReferences.{field}"),
                    "",
                    format!("{} must not be empty", if field == "apiVersion" { "version" } else { field }),
                ));
            }
        }
    }
}

fn too_long_for_a_key(name: &str) -> Option<String> {
    (name.len() > MOST_NAME_BYTES).then(|| format!("must be no more than {MOST_NAME_BYTES} characters"))
}

fn place_in_namespace(kind: &Kind, metadata: &mut Map<String, Value>, namespace: &str) -> Result<(), Status> {
    let said = text(metadata, "namespace");
    if !kind.namespaced {
        if !said.is_empty() {
            let problem = Problem::forbidden("metadata.namespace", "not allowed on this type");
            return Err(kind.invalid(text(metadata, "name"), &[problem]));
        }
        metadata.remove("namespace");
        return Ok(());
    }
    if !said.is_empty() && said != namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    metadata.insert("namespace".into(), namespace.into());
    Ok(())
}

/// The prefix with five random characters, without vowels so that they spell no word.
fn generated_name(prefix: &str, uid: &str) -> String {
    const SIGNS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let digits: Vec<usize> = uid
        .chars()
        .filter_map(|sign| sign.to_digit(16))
        .filter_map(|digit| usize::try_from(digit).ok())
        .collect();
    let suffix: String = digits
        .chunks(2)
        .take(5)
        .filter_map(|pair| SIGNS.get(pair.iter().fold(0, |sum, digit| sum * 16 + digit) % SIGNS.len()))
        .map(|sign| char::from(*sign))
        .collect();
    let longest = MOST_GENERATED - suffix.len();
    let prefix: String = prefix.chars().take(longest).collect();
    format!("{prefix}{suffix}")
}

fn same_but_managers(one: &Value, other: &Value) -> bool {
    let without = |value: &Value| {
        let mut value = value.clone();
        if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
            metadata.remove("managedFields");
        }
        value
    };
    without(one) == without(other)
}

fn managers(value: &Value) -> Option<&Value> {
    value.pointer("/metadata/managedFields")
}

fn metadata_mut(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    let metadata = &mut value["metadata"];
    if !metadata.is_object() {
        *metadata = json!({});
    }
    metadata.as_object_mut().expect("it was made an object a line above")
}

fn text<'a>(object: &'a Map<String, Value>, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn entries<'a>(object: &'a Map<String, Value>, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object.get(field).and_then(Value::as_object).into_iter().flatten()
}

/// Metadata that only the server sets.
const SERVER_FIELDS: &[&str] = &[
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
    "managedFields",
];
const MOST_FAULTS: usize = 16;
/// The finalizers that Kubernetes defines.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];
const MOST_ANNOTATION_BYTES: usize = 262_144;
const MOST_GENERATED: usize = 63;
/// A limit because names are part of store keys.
const MOST_NAME_BYTES: usize = 512;
