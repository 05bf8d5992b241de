//! Locks (`Microsoft.Authorization/locks`, 2016-09-01 and later).

use app::resource_manager::{
    locks::NewLock,
    scope_rules::{CreatedOrUpdated, ScopeFilter},
};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::lock::{Lock, LockLevel};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    call::Call,
    error::ArmError,
    filter::{self, Term},
    members::{Shape, known, resource},
    page,
};

#[derive(Deserialize)]
struct LockForm {
    properties: Properties,
}

#[derive(Deserialize)]
struct Properties {
    level: String,
    #[serde(default)]
    notes: Option<String>,
}

pub(crate) fn list(call: &Call<'_>) -> Result<Response, ArmError> {
    let listed = match filter::terms(call, FILTERS)?.as_slice() {
        [] => ScopeFilter::All,
        [Term::Call(name, None)] if name == "atscope" => ScopeFilter::AtScope,
        _ => return Err(filter::refused(call, FILTERS)),
    };
    let locks = call.app.resource_manager().list_locks(&call.caller, &call.scope()?, listed)?;
    page::respond(call, locks, |lock| Lock::key(&lock.scope, lock.name.as_str()), |lock| render(lock))
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    let lock = call.app.resource_manager().find_lock(&call.caller, &call.scope()?, call.name("lock"))?;
    Ok(Json(render(&lock)).into_response())
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let LockForm { properties } = call.json_of(&SHAPE)?;
    let levels = [LockLevel::CanNotDelete, LockLevel::ReadOnly];
    let level = levels.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(&properties.level));
    let level = level.ok_or_else(|| {
        let given: String = properties.level.chars().take(40).collect();
        let text = format!("The lock level '{given}' is invalid. Expected 'CanNotDelete' or 'ReadOnly'.");
        ArmError::bad("InvalidLockLevel", text)
    })?;
    let new = NewLock { level, notes: properties.notes };
    let put = call
        .app
        .resource_manager()
        .put_lock(&call.caller, &call.scope()?, &call.resource_name("lock")?, new)
        .await?;
    let (lock, written) = put;
    let status = if written == CreatedOrUpdated::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render(&lock))).into_response())
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    let found =
        call.app.resource_manager().delete_lock(&call.caller, &call.scope()?, call.name("lock")).await?;
    Ok(if found { StatusCode::OK } else { StatusCode::NO_CONTENT }.into_response())
}

fn render(lock: &Lock) -> Value {
    json!({
        "id": lock.resource_id(),
        "name": lock.name,
        "type": "Microsoft.Authorization/locks",
        "properties": {"level": lock.level.as_str(), "notes": lock.notes},
        "systemData": {
            "createdAt": lock.created.at,
            "createdBy": lock.created.by,
            "lastModifiedAt": lock.updated.at,
            "lastModifiedBy": lock.updated.by,
        },
    })
}

const FILTERS: &str = "\"atScope()\"";

const SHAPE: Shape = resource!(known!["level", "notes", "owners"]);
