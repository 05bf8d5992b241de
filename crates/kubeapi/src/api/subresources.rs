//! Subresources: status, scale, finalize, token, and those that need a node (logs, exec and the like).

#![expect(clippy::indexing_slicing, reason = "members of JSON objects that were made or checked before")]

use app::{
    Run,
    kubernetes::objects::{BoundTo, ServiceAccountTokenRequest},
};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use domain::object::Object;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    Call, Named, objects, respond,
    writes::{patch_part, patch_status, update_part},
};
use crate::{
    kinds::{Kind, Subresource},
    lifecycle::{self, Expected, Part, Writing, decode_body, prepare_update, time_text},
    patch::{Patch, PatchType},
    request::{self, MediaType, WriteOptions, content_type},
    schema::schema,
    status::{Problem, Status},
};

pub(super) async fn answer(call: &Call, named: &Named, body: Body) -> Result<Response, Status> {
    let kind = named.kind;
    // The caller is authorized for this subresource before learning that it does not exist.
    let Some(subresource) = kind.subresource(&named.subresource) else {
        call.allow()?;
        return Err(Status::no_such_resource());
    };
    let verb = call.access.verb.as_str();
    if !subresource.verbs.contains(&verb) || named.name.is_empty() {
        call.allow()?;
        return Err(Status::method_not_allowed());
    }
    match (subresource.name, verb) {
        ("status", "get") => objects::get(call, named),
        ("status", "update") => update_part(call, named, body, Part::Status).await,
        ("status", "patch") => patch_part(call, named, body, Part::Status).await,
        ("finalize", _) => update_part(call, named, body, Part::Finalize).await,
        ("scale", _) => scale(call, named, subresource, body).await,
        ("token", _) => token(call, named, body).await,
        ("log", _) => {
            call.app.kubernetes().get_object(&call.caller, &call.access, &named.place())?;
            // An unscheduled pod has an empty log.
            Ok((StatusCode::OK, "").into_response())
        }
        _ => {
            call.app.kubernetes().get_object(&call.caller, &call.access, &named.place())?;
            Err(without_node(named))
        }
    }
}

/// The error for subresources that need a node: embedded clusters have none.
fn without_node(named: &Named) -> Status {
    let text = format!(
        "{} {:?} does not have a host assigned: this cluster has no nodes, so nothing runs that {} could reach",
        named.kind.singular, named.name, named.subresource
    );
    Status::bad_request(text)
}

async fn scale(
    call: &Call,
    named: &Named,
    subresource: &Subresource,
    body: Body,
) -> Result<Response, Status> {
    call.allow()?;
    let kind = named.kind;
    if call.access.verb == "get" {
        let object = call.app.kubernetes().get_object(&call.caller, &call.access, &named.place())?;
        return Ok(respond(StatusCode::OK, &scale_of(&object), &[]));
    }
    let expected = scale_type(subresource)?;
    let is_patch = call.access.verb == "patch";
    let options = WriteOptions::parse(&call.query, if is_patch { "PatchOptions" } else { "UpdateOptions" })?;
    let media_type = content_type(&call.headers).to_owned();
    let body = call.body(body).await?;
    let wanted = if is_patch {
        let patch_type = PatchType::parse(&media_type)
            .filter(|patch_type| *patch_type != PatchType::Apply)
            .ok_or_else(|| Status::unsupported_patch_type(PatchType::ACCEPTED))?;
        Wanted::Patch(Patch::parse(patch_type, &body).map_err(|error| patch_status(&error))?)
    } else {
        let media_type = MediaType::parse(&media_type).ok_or_else(Status::unsupported_media_type)?;
        Wanted::Whole(decode_body(&body, media_type, expected, options.field_validation)?.value)
    };
    let manager = request::manager(&options, &call.headers);
    let run = if options.dry_run { Run::Dry } else { Run::Real };
    let writing = Writing { manager: &manager, now: call.app.now(), part: Part::Whole, run };
    let outcome = call
        .app
        .kubernetes()
        .update_object(&call.caller, &call.access, &named.place(), run, |old| {
            let old = old.ok_or_else(|| kind.not_found(&named.name))?;
            let scale = match &wanted {
                Wanted::Whole(scale) => scale.clone(),
                Wanted::Patch(patch) => {
                    let patched = patch
                        .apply(&scale_of(old), Some(expected.message))
                        .map_err(|error| patch_status(&error))?;
                    let document = crate::json::Document { value: patched, duplicates: Vec::new() };
                    lifecycle::shape(document, expected, options.field_validation)?.value
                }
            };
            rescaled(kind, old, &scale, &writing)
        })
        .await?;
    Ok(respond(StatusCode::OK, &scale_of(&outcome.object), &[]))
}

enum Wanted {
    Whole(Value),
    Patch(Patch),
}

/// The object with the replica count of `scale`.
fn rescaled(kind: &Kind, old: &Object, scale: &Value, writing: &Writing<'_>) -> Result<Value, Status> {
    let replicas = scale.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(0);
    if replicas < 0 {
        let problem = Problem::invalid_printed(
            "spec.replicas",
            replicas.to_string(),
            "must be greater than or equal to 0",
        );
        return Err(Status::invalid("autoscaling", "Scale", &old.key.name, &[problem]));
    }
    let mut value = Value::clone(&old.value);
    value["spec"]["replicas"] = replicas.into();
    for field in ["resourceVersion", "uid"] {
        if let Some(text) = scale.pointer(&format!("/metadata/{field}")) {
            value["metadata"][field] = text.clone();
        }
    }
    prepare_update(kind, old, value, writing)
}

fn scale_of(object: &Object) -> Value {
    let shown = lifecycle::shown(object);
    let integer = |place: &str| shown.pointer(place).and_then(Value::as_i64).unwrap_or(0);
    let labels = shown.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let selector: Vec<_> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    let mut metadata = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = shown.pointer(&format!("/metadata/{field}")) {
            metadata[field] = value.clone();
        }
    }
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
        "spec": {"replicas": integer("/spec/replicas")},
        "status": {"replicas": integer("/status/replicas"), "selector": selector.join(",")},
    })
}

fn scale_type(subresource: &Subresource) -> Result<Expected, Status> {
    let (group, version) = subresource.group_version.ok_or_else(Status::internal)?;
    let message = schema().find("autoscaling.v1.Scale").ok_or_else(Status::internal)?;
    Ok(Expected { group, version, kind: subresource.kind, message })
}

async fn token(call: &Call, named: &Named, body: Body) -> Result<Response, Status> {
    call.allow()?;
    let options = WriteOptions::parse(&call.query, "CreateOptions")?;
    let media_type =
        MediaType::parse(content_type(&call.headers)).ok_or_else(Status::unsupported_media_type)?;
    let message = schema().find("authentication.v1.TokenRequest").ok_or_else(Status::internal)?;
    let expected = Expected { group: TOKEN_GROUP, version: "v1", kind: "TokenRequest", message };
    let decoded = decode_body(&call.body(body).await?, media_type, expected, options.field_validation)?;
    let request = decoded.value;
    check_account(named, &request)?;
    let seconds =
        request.pointer("/spec/expirationSeconds").and_then(Value::as_i64).unwrap_or(DEFAULT_SECONDS);
    let problem = |because: &str| {
        let problem = Problem::invalid_printed("spec.expirationSeconds", seconds.to_string(), because);
        Status::invalid(TOKEN_GROUP, "TokenRequest", "", &[problem])
    };
    if seconds < LEAST_SECONDS {
        return Err(problem("may not specify a duration less than 10 minutes"));
    }
    if seconds > MOST_SECONDS {
        return Err(problem("may not specify a duration larger than 2^32 seconds"));
    }
    let text = |place: &str| request.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned();
    let wanted = ServiceAccountTokenRequest {
        audiences: strings(request.pointer("/spec/audiences")),
        // Capped at one year; the response has the actual lifetime.
        expires_in: SignedDuration::from_secs(seconds.min(LONGEST_SECONDS)),
        bound_to: request.pointer("/spec/boundObjectRef").map(|_| BoundTo {
            kind: text("/spec/boundObjectRef/kind"),
            name: text("/spec/boundObjectRef/name"),
            uid: text("/spec/boundObjectRef/uid"),
        }),
    };
    let run = if options.dry_run { Run::Dry } else { Run::Real };
    let issued =
        call.app.kubernetes().request_token(&call.caller, &call.access, &named.place(), &wanted, run).await?;
    let mut answer = json!({
        "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": named.name, "namespace": named.namespace, "creationTimestamp": time_text(call.app.now()),
        },
        "spec": {"audiences": issued.audiences, "expirationSeconds": wanted.expires_in.as_secs()},
        "status": {"token": issued.token, "expirationTimestamp": time_text(issued.expires)},
    });
    answer["spec"]["boundObjectRef"] =
        request.pointer("/spec/boundObjectRef").cloned().unwrap_or(Value::Null);
    Ok(respond(StatusCode::CREATED, &answer, &decoded.warnings))
}

/// Checks that a service account named in the request is the one in the path.
fn check_account(named: &Named, request: &Value) -> Result<(), Status> {
    for (field, own, what) in [("name", &named.name, "name"), ("namespace", &named.namespace, "namespace")] {
        let said = request.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).unwrap_or_default();
        if !said.is_empty() && said != own {
            let because = format!("must match the service account {what} if specified");
            let problem = Problem::invalid(format!("metadata.{field}"), said, because);
            return Err(Status::invalid(TOKEN_GROUP, "TokenRequest", &named.name, &[problem]));
        }
    }
    Ok(())
}

fn strings(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

const TOKEN_GROUP: &str = "authentication.k8s.io";
const DEFAULT_SECONDS: i64 = 3600;
const LEAST_SECONDS: i64 = 600;
const MOST_SECONDS: i64 = 1 << 32;
const LONGEST_SECONDS: i64 = 365 * 24 * 3600;
