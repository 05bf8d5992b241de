//! create, update, the four patch types, delete and deletecollection.

#![expect(clippy::indexing_slicing, reason = "members of JSON objects that were made or checked before")]

use app::{
    Run,
    kubernetes::objects::{ObjectChange, Outcome, Preconditions},
};
use axum::{body::Body, response::Response};
use domain::object::Object;
use http::StatusCode;
use serde_json::{Value, json};
use web::stream;

use super::{
    Call, Named,
    objects::{List, Selection, collection_reference, show},
    respond, sent,
};
use crate::{
    apply::{self, Manager},
    fields::FieldValidation,
    json,
    kinds::Kind,
    lifecycle::{
        self, Body as Decoded, Expected, Part, Writing, decode_body, parse_version, prepare_applied,
        prepare_create, prepare_update, shown,
    },
    patch::{Patch, PatchError, PatchType},
    render::View,
    request::{self, Form, ListOptions, MediaType, WriteOptions, content_type},
    schema::schema,
    status::Status,
};

pub(super) async fn create(call: &Call, named: &Named, body: Body) -> Result<Response, Status> {
    call.allow()?;
    let kind = named.kind;
    let options = WriteOptions::parse(&call.query, "CreateOptions")?;
    let decoded = read_object(call, kind, body, options.field_validation).await?;
    let manager = request::manager(&options, &call.headers);
    let writing = writing(call, &manager, &options, Part::Whole);
    let uid = call.app.kubernetes().new_object_uid().map_err(Status::from)?;
    let value = prepare_create(kind, decoded.value, &named.namespace, &uid, &writing)?;
    let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    // A create is authorized without a name, as the name is in the body; the write uses it.
    let place = app::kubernetes::objects::ObjectReference { name: &name, ..named.place() };
    let outcome =
        call.app.kubernetes().create_object(&call.caller, &call.access, &place, value, writing.run).await?;
    show(call, kind, &outcome.object, StatusCode::CREATED, &decoded.warnings)
}

pub(super) async fn update(call: &Call, named: &Named, body: Body) -> Result<Response, Status> {
    update_part(call, named, body, Part::Whole).await
}

/// An update of the object or of one part of it.
pub(super) async fn update_part(
    call: &Call,
    named: &Named,
    body: Body,
    part: Part,
) -> Result<Response, Status> {
    call.allow()?;
    call.hold_for(named)?;
    let kind = named.kind;
    let options = WriteOptions::parse(&call.query, "UpdateOptions")?;
    let decoded = read_object(call, kind, body, options.field_validation).await?;
    let manager = request::manager(&options, &call.headers);
    let writing = writing(call, &manager, &options, part);
    let uid = call.app.kubernetes().new_object_uid().map_err(Status::from)?;
    let outcome = call
        .app
        .kubernetes()
        .update_object(&call.caller, &call.access, &named.place(), writing.run, |old| match old {
            Some(old) => prepare_update(kind, old, decoded.value.clone(), &writing),
            None => create_by_update(named, decoded.value.clone(), &uid, &writing),
        })
        .await?;
    written(call, kind, &outcome, &decoded.warnings)
}

pub(super) async fn patch(call: &Call, named: &Named, body: Body) -> Result<Response, Status> {
    patch_part(call, named, body, Part::Whole).await
}

pub(super) async fn patch_part(
    call: &Call,
    named: &Named,
    body: Body,
    part: Part,
) -> Result<Response, Status> {
    call.allow()?;
    call.hold_for(named)?;
    let media_type = content_type(&call.headers).to_owned();
    let Some(patch_type) = PatchType::parse(&media_type) else {
        return Err(Status::unsupported_patch_type(PatchType::ACCEPTED));
    };
    let options = WriteOptions::parse(&call.query, "PatchOptions")?;
    let body = call.body(body).await?;
    if patch_type == PatchType::Apply {
        return apply(call, named, &body, &options, part).await;
    }
    if options.force.is_some() {
        let problem = crate::status::Problem::forbidden("force", "may not be specified for non-apply patch");
        return Err(Status::invalid("meta.k8s.io", "PatchOptions", "", &[problem]));
    }
    let kind = named.kind;
    let patch = Patch::parse(patch_type, &body).map_err(|error| patch_status(&error))?;
    let manager = request::manager(&options, &call.headers);
    let writing = writing(call, &manager, &options, part);
    let mut warnings = Vec::new();
    let outcome = call
        .app
        .kubernetes()
        .update_object(&call.caller, &call.access, &named.place(), writing.run, |old| {
            let old = old.ok_or_else(|| kind.not_found(&named.name))?;
            let patched = patch.apply(&shown(old), kind.schema()).map_err(|error| patch_status(&error))?;
            check_patched(old, &patched)?;
            let document = json::Document { value: patched, duplicates: Vec::new() };
            let shaped = lifecycle::shape(document, expected(kind)?, options.field_validation)?;
            warnings = shaped.warnings;
            prepare_update(kind, old, shaped.value, &writing)
        })
        .await?;
    written(call, kind, &outcome, &warnings)
}

async fn apply(
    call: &Call,
    named: &Named,
    body: &[u8],
    options: &WriteOptions,
    part: Part,
) -> Result<Response, Status> {
    let kind = named.kind;
    if options.field_manager.is_empty() {
        let problem = crate::status::Problem::required("fieldManager", "is required for apply patch");
        return Err(Status::invalid("meta.k8s.io", "PatchOptions", "", &[problem]));
    }
    // The media type is YAML, but kubectl sends JSON, which is YAML too.
    let media_type = if json::parse(body).is_ok() { MediaType::Json } else { MediaType::Yaml };
    let decoded = decode_body(body, media_type, expected(kind)?, options.field_validation)?;
    if decoded.value.pointer("/metadata/managedFields").is_some() {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    let writing = writing(call, &options.field_manager, options, part);
    let uid = call.app.kubernetes().new_object_uid().map_err(Status::from)?;
    let outcome = call
        .app
        .kubernetes()
        .update_object(&call.caller, &call.access, &named.place(), writing.run, |old| {
            let live = old.map_or(Value::Null, |old| Value::clone(&old.value));
            let applied = join(kind, &live, &decoded.value, options, &writing)?;
            match old {
                Some(old) => prepare_applied(kind, old, with_version(applied, &decoded.value), &writing),
                None => {
                    let managers = applied.pointer("/metadata/managedFields").cloned();
                    check_name(named, &decoded.value)?;
                    let mut value = prepare_create(kind, applied, &named.namespace, &uid, &writing)?;
                    // A creating apply manages only the fields that it sets.
                    if let Some(managers) = managers {
                        value["metadata"]["managedFields"] = managers;
                    }
                    Ok(value)
                }
            }
        })
        .await?;
    written(call, kind, &outcome, &decoded.warnings)
}

pub(super) async fn delete(call: &Call, named: &Named, body: Body) -> Result<Response, Status> {
    call.allow()?;
    call.hold_for(named)?;
    let (preconditions, run) = delete_options(call, body).await?;
    let kind = named.kind;
    let outcome = call
        .app
        .kubernetes()
        .delete_object(&call.caller, &call.access, &named.place(), &preconditions, run)
        .await?;
    if outcome.change == ObjectChange::Terminating {
        return show(call, kind, &outcome.object, StatusCode::OK, &[]);
    }
    let uid = outcome.object.value.pointer("/metadata/uid").cloned().unwrap_or_default();
    let mut details = json!({"name": named.name, "kind": kind.plural, "uid": uid});
    if !kind.group.is_empty() {
        details["group"] = kind.group.into();
    }
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
    });
    Ok(respond(StatusCode::OK, &status, &[]))
}

pub(super) async fn delete_collection(call: &Call, named: &Named, body: Body) -> Result<Response, Status> {
    call.allow()?;
    let kind = named.kind;
    let options = ListOptions::parse(&call.query)?;
    let selection = Selection::parse(kind, &options)?;
    let view = View { form: Form::Object, ..call.view(kind)? };
    let (_, run) = delete_options(call, body).await?;
    let place = collection_reference(named);
    let listed = call
        .app
        .kubernetes()
        .delete_objects(&call.caller, &call.access, &place, run, |object| selection.matches(object))
        .await?;
    let metadata = json!({"resourceVersion": listed.revision.to_string()});
    let list = List::new(view, metadata, Box::new(listed.objects.into_iter()));
    Ok(sent(StatusCode::OK, stream::body_anyway(call.peer.room(), || call.account(), list), &[]))
}

/// Reads a body that must be an object of the kind.
pub(super) async fn read_object(
    call: &Call,
    kind: &'static Kind,
    body: Body,
    validation: FieldValidation,
) -> Result<Decoded, Status> {
    let media_type =
        MediaType::parse(content_type(&call.headers)).ok_or_else(Status::unsupported_media_type)?;
    decode_body(&call.body(body).await?, media_type, expected(kind)?, validation)
}

pub(super) fn expected(kind: &'static Kind) -> Result<Expected, Status> {
    let message = kind.schema().ok_or_else(Status::internal)?;
    Ok(Expected { group: kind.group, version: kind.version, kind: kind.kind, message })
}

fn writing<'a>(call: &Call, manager: &'a str, options: &WriteOptions, part: Part) -> Writing<'a> {
    let run = if options.dry_run { Run::Dry } else { Run::Real };
    Writing { manager, now: call.app.now(), part, run }
}

fn written(
    call: &Call,
    kind: &'static Kind,
    outcome: &Outcome,
    warnings: &[String],
) -> Result<Response, Status> {
    let status = if outcome.change == ObjectChange::Created { StatusCode::CREATED } else { StatusCode::OK };
    show(call, kind, &outcome.object, status, warnings)
}

fn create_by_update(named: &Named, value: Value, uid: &str, writing: &Writing<'_>) -> Result<Value, Status> {
    let kind = named.kind;
    if !kind.create_on_update || writing.part != Part::Whole {
        return Err(kind.not_found(&named.name));
    }
    check_name(named, &value)?;
    let wants =
        |field: &str| value.pointer(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    if wants("/metadata/resourceVersion") || wants("/metadata/uid") {
        return Err(kind.not_found(&named.name));
    }
    prepare_create(kind, value, &named.namespace, uid, writing)
}

fn check_name(named: &Named, value: &Value) -> Result<(), Status> {
    let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if name == named.name {
        return Ok(());
    }
    Err(Status::bad_request(format!(
        "the name of the object ({name}) does not match the name on the URL ({})",
        named.name
    )))
}

/// The live object merged with the applied fields; conflicts are an error.
fn join(
    kind: &Kind,
    live: &Value,
    config: &Value,
    options: &WriteOptions,
    writing: &Writing<'_>,
) -> Result<Value, Status> {
    let message = kind.schema().ok_or_else(Status::internal)?;
    let api_version = kind.api_version();
    let subresource = if writing.part == Part::Status { "status" } else { "" };
    let manager = Manager { name: writing.manager, api_version: &api_version, subresource };
    let force = options.force.unwrap_or(false);
    apply::apply(live, config, message, &manager, force, writing.now).map_err(Status::from)
}

/// Copies the `resourceVersion` of an apply, so that it must match the live object's.
fn with_version(mut applied: Value, config: &Value) -> Value {
    if let Some(version) = config.pointer("/metadata/resourceVersion") {
        applied["metadata"]["resourceVersion"] = version.clone();
    }
    applied
}

/// Options of a delete, from the body and the query.
async fn delete_options(call: &Call, body: Body) -> Result<(Preconditions, Run), Status> {
    let mut dry_run = request::parse_dry_run(call.query.all("dryRun"), "DeleteOptions")?;
    let body = call.body(body).await?;
    let mut preconditions = Preconditions::default();
    if !body.is_empty() {
        let media_type =
            MediaType::parse(content_type(&call.headers)).ok_or_else(Status::unsupported_media_type)?;
        let message = schema().find("meta.v1.DeleteOptions").ok_or_else(Status::internal)?;
        let value = decode_options(&body, media_type, message)?;
        let values: Vec<&str> = value
            .get("dryRun")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        dry_run |= request::parse_dry_run(values.into_iter(), "DeleteOptions")?;
        let text = |place: &str| value.pointer(place).and_then(Value::as_str).map(str::to_owned);
        preconditions.uid = text("/preconditions/uid");
        preconditions.revision = match text("/preconditions/resourceVersion") {
            Some(version) => parse_version(&version).map_err(Status::bad_request)?,
            None => None,
        };
    }
    Ok((preconditions, if dry_run { Run::Dry } else { Run::Real }))
}

/// DeleteOptions may have any group version, and unknown fields of newer clients.
fn decode_options(
    body: &[u8],
    media_type: MediaType,
    message: &'static crate::schema::Message,
) -> Result<Value, Status> {
    let unreadable =
        |error: String| Status::bad_request(format!("couldn't get version/kind; json parse error: {error}"));
    let mut value = match media_type {
        MediaType::Json => json::parse(body).map_err(unreadable)?.value,
        MediaType::Yaml => serde_saphyr::from_slice(body).map_err(|error| unreadable(error.to_string()))?,
        MediaType::Protobuf => {
            let decoded = crate::protobuf::decode(body, crate::kinds::message_of);
            decoded.map_err(|error| unreadable(error.to_string()))?.value
        }
    };
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    if !matches!(kind, "" | "DeleteOptions") {
        return Err(Status::bad_request(format!("{kind} cannot be handled as DeleteOptions")));
    }
    crate::fields::prune(&mut value, message).map_err(|error| unreadable(error.to_string()))?;
    Ok(value)
}

/// Refuses an object that a patch has made too deep; an object that already was deeper can still be changed.
pub(super) fn check_patched(old: &Object, patched: &Value) -> Result<(), Status> {
    json::check_depth(patched, domain::nesting::depth(&old.value)).map_err(Status::bad_request)
}

pub(super) fn patch_status(error: &PatchError) -> Status {
    match error {
        PatchError::Malformed(because) => Status::bad_request(because.clone()),
        PatchError::Inapplicable(because) => Status::rejected(because),
    }
}
