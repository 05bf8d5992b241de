//! Deny assignments (`Microsoft.Authorization/denyAssignments`, 2018-07-01-preview and later), read-only.

use std::sync::Arc;

use app::resource_manager::scope_rules::ScopeFilter;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{
    assignment::DenyAssignment,
    directory::Principal,
    id::{AssignmentId, ObjectId},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    call::Call,
    error::ArmError,
    filter::{self, Term},
    page,
};

pub(crate) fn list(call: &Call<'_>) -> Result<Response, ArmError> {
    let mut listed = ScopeFilter::All;
    let mut principals: Option<Vec<ObjectId>> = None;
    let mut name = None;
    for term in filter::terms(call, FILTERS)? {
        match term {
            Term::Call(call, None) if call == "atscope" => listed = ScopeFilter::AtScope,
            Term::Equals(field, value) if field == "principalid" && principals.is_none() => {
                principals = Some(vec![filter::object_id(call, &value, FILTERS)?]);
            }
            Term::Call(function, Some(value)) if function == "assignedto" && principals.is_none() => {
                let id = filter::object_id(call, &value, FILTERS)?;
                let groups = call.app.directory().of(&call.caller).transitive_groups(id);
                principals = Some(groups.iter().copied().chain([id]).collect());
            }
            Term::Equals(field, value) if field == "denyassignmentname" && name.is_none() => {
                name = Some(value);
            }
            _ => return Err(filter::refused(call, FILTERS)),
        }
    }
    let mut found =
        call.app.resource_manager().list_deny_assignments(&call.caller, &call.scope()?, listed)?;
    if let Some(principals) = principals {
        found.retain(|deny: &Arc<DenyAssignment>| {
            let named = |ids: &[ObjectId]| ids.iter().any(|id| principals.contains(id));
            (deny.everyone || named(&deny.principals)) && !named(&deny.exclude_principals)
        });
    }
    if let Some(name) = name {
        found.retain(|deny| deny.name == name);
    }
    page::respond(call, found, |deny| deny.id.to_string(), |deny| render(call, deny))
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    let id: AssignmentId = call.id("deny", "InvalidDenyAssignmentId")?;
    let found = call.app.resource_manager().find_deny_assignment(&call.caller, &call.scope()?, id)?;
    Ok(Json(render(call, &found)).into_response())
}

/// Refuses writes; callers without read permission get 403 instead of this error.
pub(crate) fn refuse(call: &Call<'_>) -> Result<Response, ArmError> {
    call.app.resource_manager().list_deny_assignments(&call.caller, &call.scope()?, ScopeFilter::AtScope)?;
    Err(ArmError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "DenyAssignmentsNotSupported",
        "Deny assignments are read-only here: they can be neither made, changed nor deleted by a request.",
    ))
}

fn render(call: &Call<'_>, deny: &DenyAssignment) -> Value {
    let directory = call.app.directory().of(&call.caller);
    let principal = |id: &ObjectId| {
        let kind = match directory.principal(*id) {
            Some(Principal::User(_)) => "User",
            Some(Principal::Group(_)) => "Group",
            Some(Principal::ServicePrincipal(_)) => "ServicePrincipal",
            None => "Unknown",
        };
        json!({"id": id, "type": kind})
    };
    let mut principals: Vec<Value> = deny.principals.iter().map(principal).collect();
    if deny.everyone {
        principals.insert(0, json!({"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}));
    }
    json!({
        "id": deny.resource_id(),
        "name": deny.id,
        "type": "Microsoft.Authorization/denyAssignments",
        "properties": {
            "denyAssignmentName": deny.name,
            "description": deny.description,
            "permissions": deny.permissions,
            "scope": deny.scope,
            "doNotApplyToChildScopes": deny.does_not_apply_to_children,
            "principals": principals,
            "excludePrincipals": deny.exclude_principals.iter().map(principal).collect::<Vec<_>>(),
            "isSystemProtected": true,
            "createdOn": deny.created.at,
            "updatedOn": deny.updated.at,
            "createdBy": deny.created.by,
            "updatedBy": deny.updated.by,
        },
    })
}

const FILTERS: &str =
    "\"atScope()\", \"principalId eq 'ID'\", \"assignedTo('ID')\" or \"denyAssignmentName eq 'NAME'\"";
