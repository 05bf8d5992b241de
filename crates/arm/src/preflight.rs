//! The preflight report: the permissions that the identities of a cluster need and have. Not in Azure, where missing
//! permissions appear one failed call at a time.

use app::resource_manager::clusters::preflight::{Question, Report};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{
    id::ObjectId,
    preflight::{PermissionStatus, Proposal, ProposedRole, Row},
    scope::Scope,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{call::Call, error::ArmError};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct QuestionForm {
    /// Object id of the cluster's creator; default: the caller.
    creator: Option<ObjectId>,
    /// Properties of a planned cluster.
    properties: Option<Map<String, Value>>,
    /// Further features, each with the id of the resource that it uses, or null.
    features: Map<String, Value>,
    all_features: bool,
}

pub(crate) fn report(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: QuestionForm = call.json()?;
    let feature = |(name, value): (String, Value)| {
        let resource =
            match value {
                Value::Null => None,
                Value::String(id) => Some(Scope::parse(&id).map_err(|error| {
                    ArmError::bad("InvalidParameter", format!("features.{name}: {error}."))
                })?),
                _ => {
                    let text = format!("features.{name}: expected the id of a resource, or null.");
                    return Err(ArmError::bad("InvalidParameter", text));
                }
            };
        Ok((name, resource))
    };
    let question = Question {
        creator: form.creator,
        planned: form.properties,
        features: form.features.into_iter().map(feature).collect::<Result<_, _>>()?,
        all_features: form.all_features,
    };
    let Report { exists, rows, proposals } =
        call.app.resource_manager().preflight(&call.caller, &call.cluster()?, &question)?;
    let rows: Vec<Value> = rows.iter().map(render_row).collect();
    let proposals: Vec<Value> = proposals.iter().map(render_proposal).collect();
    Ok(Json(json!({"exists": exists, "needs": rows, "proposals": proposals})).into_response())
}

fn render_row(row: &Row) -> Value {
    let permission = |(action, standing): &(domain::role::ActionPattern, PermissionStatus)| match standing {
        PermissionStatus::Held(grant) => json!({
            "action": action, "state": "held",
            "roleAssignmentId": format!("{}/providers/Microsoft.Authorization/roleAssignments/{}",
                if grant.scope.is_root() { "" } else { grant.scope.as_str() }, grant.assignment),
            "roleName": grant.role_name, "assignedAt": grant.scope, "throughGroup": grant.through,
        }),
        PermissionStatus::Missing(reason) => {
            json!({"action": action, "state": "missing", "reason": reason.to_string()})
        }
        PermissionStatus::Promised => json!({"action": action, "state": "promised"}),
    };
    let permissions: Vec<Value> = row.permissions.iter().map(permission).collect();
    json!({
        "identity": row.need.who.to_string(),
        "principalId": row.principal,
        "feature": row.need.when,
        "scope": row.scope,
        "reason": row.need.reason,
        "permissions": permissions,
    })
}

fn render_proposal(proposal: &Proposal) -> Value {
    let role = match &proposal.role {
        ProposedRole::Existing { id, name } => json!({"id": id, "roleName": name}),
        ProposedRole::Custom { name, actions } => json!({
            "roleName": name,
            "assignableScopes": [proposal.scope],
            "permissions": [{"actions": actions, "notActions": [], "dataActions": [], "notDataActions": []}],
        }),
    };
    json!({
        "identity": proposal.who.to_string(),
        "principalId": proposal.principal,
        "scope": proposal.scope,
        "role": role,
    })
}
