//! Role assignments (`Microsoft.Authorization/roleAssignments`, 2022-04-01) and the caller's permissions.

use std::sync::Arc;

use app::resource_manager::{
    assignments::NewAssignment,
    scope_rules::{CreatedOrUpdated, ScopeFilter},
};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{
    assignment::{PrincipalKind, RoleAssignment},
    condition::Condition,
    id::{AssignmentId, ObjectId},
    role::{definition_id, parse_definition_id},
    scope::Scope,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    call::Call,
    error::ArmError,
    filter::{self, Term},
    members::{Others, Shape, known},
    page,
};

#[derive(Deserialize)]
struct AssignmentForm {
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    role_definition_id: String,
    principal_id: ObjectId,
    #[serde(default)]
    principal_type: Option<String>,
    #[serde(default)]
    condition: Option<String>,
    #[serde(default)]
    condition_version: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

pub(crate) fn list(call: &Call<'_>) -> Result<Response, ArmError> {
    let mut listed = ScopeFilter::All;
    let mut principals: Option<Vec<ObjectId>> = None;
    for term in filter::terms(call, FILTERS)? {
        match term {
            Term::Call(name, None) if name == "atscope" => listed = ScopeFilter::AtScope,
            // Assigned to this principal directly.
            Term::Equals(name, id) if name == "principalid" && principals.is_none() => {
                principals = Some(vec![filter::object_id(call, &id, FILTERS)?]);
            }
            // Assigned to this principal, directly or through groups.
            Term::Call(name, Some(id)) if name == "assignedto" && principals.is_none() => {
                let id = filter::object_id(call, &id, FILTERS)?;
                let groups = call.app.directory().of(&call.caller).transitive_groups(id);
                principals = Some(groups.iter().copied().chain([id]).collect());
            }
            _ => return Err(filter::refused(call, FILTERS)),
        }
    }
    let scope = call.scope()?;
    let mut found = call.app.resource_manager().list_assignments(&call.caller, &scope, listed)?;
    if let Some(principals) = principals {
        found.retain(|each: &Arc<RoleAssignment>| principals.contains(&each.principal));
    }
    page::respond(call, found, |each| each.id.to_string(), |each| render(each, &scope))
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    let scope = call.scope()?;
    let found = call.app.resource_manager().find_assignment(&call.caller, &scope, assignment(call)?)?;
    Ok(Json(render(&found, &scope)).into_response())
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let AssignmentForm { properties } = call.json_of(&SHAPE)?;
    let new = properties.read()?;
    let scope = call.scope()?;
    let put =
        call.app.resource_manager().put_assignment(&call.caller, assignment(call)?, &scope, new).await?;
    let (assignment, written) = put;
    let status = if written == CreatedOrUpdated::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render(&assignment, &scope))).into_response())
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    let scope = call.scope()?;
    let deleted =
        call.app.resource_manager().delete_assignment(&call.caller, &scope, assignment(call)?).await?;
    Ok(match deleted {
        Some(assignment) => Json(render(&assignment, &scope)).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// The permissions of the caller's roles at a scope.
pub(crate) fn permissions(call: &Call<'_>) -> Result<Response, ArmError> {
    let permissions = call.app.resource_manager().permissions(&call.caller, &call.scope()?);
    Ok(Json(json!({"value": permissions})).into_response())
}

fn assignment(call: &Call<'_>) -> Result<AssignmentId, ArmError> {
    call.id("assignment", "InvalidRoleAssignmentId")
}

impl Properties {
    fn read(self) -> Result<NewAssignment, ArmError> {
        let role = parse_definition_id(&self.role_definition_id).ok_or_else(|| {
            let text: String = self.role_definition_id.chars().take(300).collect();
            ArmError::bad("InvalidRoleDefinitionId", format!("'{text}' is not the id of a role definition."))
        })?;
        let principal_kind = match self.principal_type.as_deref() {
            None | Some("") => None,
            Some(kind) if kind.eq_ignore_ascii_case("User") => Some(PrincipalKind::User),
            Some(kind) if kind.eq_ignore_ascii_case("Group") => Some(PrincipalKind::Group),
            Some(kind) if kind.eq_ignore_ascii_case("ServicePrincipal") => {
                Some(PrincipalKind::ServicePrincipal)
            }
            Some(other) => {
                return Err(ArmError::bad(
                    "BadRequest",
                    format!("principalType '{other}': expected 'User', 'Group' or 'ServicePrincipal'."),
                ));
            }
        };
        let condition = match (
            self.condition.filter(|text| !text.trim().is_empty()),
            self.condition_version.as_deref(),
        ) {
            (None, _) => None,
            // Only version 2.0 is supported.
            (Some(text), None | Some("" | "2.0")) => Some(Condition::parse(&text).map_err(|error| {
                ArmError::bad("ConditionInvalid", format!("The condition is not valid: {error}."))
            })?),
            (Some(_), Some(other)) => {
                return Err(ArmError::bad(
                    "ConditionVersionInvalid",
                    format!("The condition's version is '{other}', expected '2.0'."),
                ));
            }
        };
        Ok(NewAssignment {
            principal: self.principal_id,
            principal_kind,
            role,
            condition,
            description: self.description,
        })
    }
}

/// The role definition id in a rendered assignment. An assignment at or below a subscription has the id in that
/// subscription; one inherited from above has the id at the requested scope.
pub(crate) fn role_of(assignment: &RoleAssignment, asked: &Scope) -> String {
    let own = assignment.scope.subscription_name().is_some();
    definition_id(assignment.role, if own { &assignment.scope } else { asked })
}

fn render(assignment: &RoleAssignment, asked: &Scope) -> Value {
    let kind = match assignment.principal_kind {
        PrincipalKind::User => "User",
        PrincipalKind::Group => "Group",
        PrincipalKind::ServicePrincipal => "ServicePrincipal",
    };
    let condition = assignment.condition.as_ref().map(Condition::text);
    json!({
        "id": assignment.resource_id(),
        "name": assignment.id,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": role_of(assignment, asked),
            "principalId": assignment.principal,
            "principalType": kind,
            "scope": assignment.scope,
            "condition": condition,
            "conditionVersion": condition.map(|_| "2.0"),
            "description": assignment.description,
            "createdOn": assignment.created.at,
            "updatedOn": assignment.updated.at,
            "createdBy": assignment.created.by,
            "updatedBy": assignment.updated.by,
            "delegatedManagedIdentityResourceId": Value::Null,
        },
    })
}

const FILTERS: &str = "\"atScope()\", \"principalId eq 'ID'\" or \"assignedTo('ID')\", joined by \"and\"";

/// Includes read-only members, because clients send back what they received.
const SHAPE: Shape = Shape::Object(
    &[
        ("id", Shape::Any),
        ("name", Shape::Any),
        ("type", Shape::Any),
        ("scope", Shape::Any),
        (
            "properties",
            Shape::Object(
                known![
                    "roleDefinitionId",
                    "principalId",
                    "principalType",
                    "condition",
                    "conditionVersion",
                    "description",
                    "scope",
                    "canDelegate",
                    "delegatedManagedIdentityResourceId",
                    "createdOn",
                    "createdBy",
                    "updatedOn",
                    "updatedBy"
                ],
                Others::Refused,
            ),
        ),
    ],
    Others::Kept,
);
