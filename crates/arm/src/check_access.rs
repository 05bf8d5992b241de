//! `checkAccess` (2018-09-01-preview): access decisions for other principals, as used by the webhook of a remote
//! cluster. Some clients write its members in Pascal case, some in camel case.

use std::collections::BTreeMap;

use app::resource_manager::check_access::{CheckedAction, Question, Verdict};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{
    assignment::{PrincipalKind, RoleAssignment},
    azure::Action,
    condition::Condition,
    id::ObjectId,
    scope::Scope,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{call::Call, error::ArmError, role_assignments::role_of};

#[derive(Deserialize)]
struct Form {
    #[serde(alias = "Subject")]
    subject: Subject,
    #[serde(alias = "Actions")]
    actions: Vec<ActionForm>,
    #[serde(alias = "Resource", default)]
    resource: Option<Resource>,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(alias = "Attributes")]
    attributes: SubjectAttributes,
}

#[derive(Deserialize)]
struct SubjectAttributes {
    #[serde(alias = "ObjectId", alias = "objectId")]
    object_id: ObjectId,
    #[serde(alias = "Groups", default)]
    groups: Option<Vec<ObjectId>>,
}

#[derive(Deserialize)]
struct ActionForm {
    #[serde(alias = "Id")]
    id: String,
    #[serde(alias = "IsDataAction", alias = "isDataAction", default)]
    is_data_action: bool,
    #[serde(alias = "Attributes", default)]
    attributes: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(alias = "Id")]
    id: String,
}

pub(crate) fn check(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: Form = call.json()?;
    let scope = call.scope()?;
    if let Some(Resource { id }) = form.resource
        && Scope::parse(&id).ok().as_ref() != Some(&scope)
    {
        let id: String = id.chars().take(200).collect();
        let text = format!("The resource '{id}' of the request is not the scope '{scope}' of its address.");
        return Err(ArmError::bad("InvalidCheckAccessRequest", text));
    }
    if form.actions.is_empty() || form.actions.len() > MOST_ACTIONS {
        let count = form.actions.len();
        let text = format!("The request has {count} actions. Expected 1 to {MOST_ACTIONS}.");
        return Err(ArmError::bad("InvalidCheckAccessRequest", text));
    }
    let Subject { attributes: SubjectAttributes { object_id, groups } } = form.subject;
    let groups = groups.unwrap_or_default();
    if groups.len() > MOST_GROUPS {
        let text = format!("The request has {} groups. Expected at most {MOST_GROUPS}.", groups.len());
        return Err(ArmError::bad("InvalidCheckAccessRequest", text));
    }
    let (names, asked): (Vec<_>, Vec<_>) = form.actions.into_iter().map(ActionForm::read).unzip();
    let question = Question { subject: object_id, groups, actions: asked };
    let verdicts = call.app.resource_manager().check_access(&call.caller, &scope, &question)?;
    let answer: Vec<Value> =
        names.iter().zip(&verdicts).map(|((id, data), verdict)| render(id, *data, verdict, &scope)).collect();
    Ok(Json(answer).into_response())
}

impl ActionForm {
    fn read(self) -> ((String, bool), CheckedAction) {
        let action = if self.is_data_action { Action::data(&self.id) } else { Action::control(&self.id) };
        let attributes = self.attributes.unwrap_or_default().into_iter();
        let text = |value: Value| match value {
            Value::String(text) => Some(text),
            Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        // A value that conditions cannot compare counts as absent, so the comparison is false.
        let attributes = attributes.filter_map(|(name, value)| Some((name, text(value)?))).collect();
        ((self.id, self.is_data_action), CheckedAction { action, attributes })
    }
}

fn render(id: &str, is_data_action: bool, verdict: &Verdict, scope: &Scope) -> Value {
    let (decision, role_assignment, deny_assignment) = match verdict {
        Verdict::Allowed(found) => ("Allowed", render_assignment(found, scope), Value::Null),
        Verdict::Denied(found) => {
            let named = json!({"id": found.resource_id(), "name": found.name, "scope": found.scope});
            ("Denied", Value::Null, named)
        }
        Verdict::NotAllowed => ("NotAllowed", Value::Null, Value::Null),
    };
    json!({
        "actionId": id,
        "isDataAction": is_data_action,
        "accessDecision": decision,
        "roleAssignment": role_assignment,
        "denyAssignment": deny_assignment,
        // Decisions must not be cached: they may change at any time.
        "timeToLiveInMs": 0,
    })
}

fn render_assignment(found: &RoleAssignment, asked: &Scope) -> Value {
    let kind = match found.principal_kind {
        PrincipalKind::User => "User",
        PrincipalKind::Group => "Group",
        PrincipalKind::ServicePrincipal => "ServicePrincipal",
    };
    json!({
        "id": found.resource_id(),
        "roleDefinitionId": role_of(found, asked),
        "principalId": found.principal,
        "principalType": kind,
        "scope": found.scope,
        "condition": found.condition.as_ref().map(Condition::text),
    })
}

const MOST_ACTIONS: usize = 200;
const MOST_GROUPS: usize = 10_000;
