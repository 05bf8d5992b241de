//! Management groups (`Microsoft.Management`, 2020-05-01 and later) and their children. Changes are complete when
//! they are answered, so there are no operations to poll; az accepts neither 201 for a group nor 200 for a deletion.

use app::resource_manager::{TenantResources, management_group_tree::Group, management_groups::NewGroup};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{
    name::{DisplayName, ResourceName},
    subscription::Subscription,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    call::Call,
    error::ArmError,
    members::{Others, Shape, known},
    page,
};

#[derive(Deserialize)]
struct GroupForm {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    properties: Option<Properties>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Properties {
    tenant_id: Option<String>,
    display_name: Option<String>,
    details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    parent: Option<Parent>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Parent {
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PatchForm {
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    parent_group_id: Option<String>,
}

#[derive(Deserialize)]
struct NameForm {
    name: String,
    #[serde(rename = "type", default)]
    kind: Option<String>,
}

/// The parts of a group that are rendered only on request (`$expand`).
#[derive(Default)]
struct Expanded {
    children: Value,
    path: Value,
}

pub(crate) fn list(call: &Call<'_>) -> Result<Response, ArmError> {
    let groups = call.app.resource_manager().list_management_groups(&call.caller);
    let render = |group: &Group| {
        json!({
            "id": group.scope(),
            "type": TYPE,
            "name": group.name,
            "properties": {"tenantId": group.tenant, "displayName": group.display_name},
        })
    };
    page::respond(call, groups, |group| group.name.folded(), render)
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    let found = call.app.resource_manager().find_management_group(&call.caller, &group(call)?)?;
    let resources = call.app.resource_manager().of(&call.caller);
    let mut expanded = Expanded::default();
    match call.parameter("$expand").unwrap_or_default() {
        "" => {}
        expand if expand.eq_ignore_ascii_case("children") => {
            let levels = if flag(call, "$recurse")? { MOST_LEVELS } else { 1 };
            expanded.children = children(&resources, &found, levels);
        }
        expand if expand.eq_ignore_ascii_case("path") || expand.eq_ignore_ascii_case("ancestors") => {
            let path: Vec<Value> = ancestors(&resources, &found)
                .iter()
                .map(|above| json!({"name": above.name, "displayName": above.display_name}))
                .collect();
            expanded.path = path.into();
        }
        other => {
            let other: String = other.chars().take(80).collect();
            let text =
                format!("The '$expand' of '{other}' is invalid. Expected 'children', 'path' or 'ancestors'.");
            return Err(ArmError::bad("InvalidExpand", text));
        }
    }
    Ok(Json(render(&resources, &found, expanded)).into_response())
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: GroupForm = call.json_of(&SHAPE)?;
    let name = group(call)?;
    if form.name.is_some_and(|written| !name.matches(&written)) {
        return Err(ArmError::bad(
            "InvalidRequestContent",
            "The name of the body is not that of the address.",
        ));
    }
    let properties = form.properties.unwrap_or_default();
    let tenant = properties.tenant_id.filter(|tenant| !tenant.is_empty());
    if tenant.is_some_and(|tenant| !tenant.eq_ignore_ascii_case(&call.caller.tenant.to_string())) {
        return Err(ArmError::bad(
            "InvalidTenantId",
            "properties.tenantId: expected the caller's own tenant.",
        ));
    }
    let parent = properties.details.unwrap_or_default().parent.unwrap_or_default().id;
    let new = NewGroup {
        display_name: display_name(properties.display_name)?,
        parent: reference(parent.as_deref())?,
    };
    let (group, _) = call.app.resource_manager().put_management_group(&call.caller, &name, new).await?;
    Ok(Json(render(&call.app.resource_manager().of(&call.caller), &group, Expanded::default()))
        .into_response())
}

pub(crate) async fn patch(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: PatchForm = call.json_of(&CHANGES)?;
    let new = NewGroup {
        display_name: display_name(form.display_name)?,
        parent: reference(form.parent_group_id.as_deref())?,
    };
    let group = call.app.resource_manager().update_management_group(&call.caller, &group(call)?, new).await?;
    Ok(Json(render(&call.app.resource_manager().of(&call.caller), &group, Expanded::default()))
        .into_response())
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    call.app.resource_manager().delete_management_group(&call.caller, &group(call)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) fn list_subscriptions(call: &Call<'_>) -> Result<Response, ArmError> {
    let found = call.app.resource_manager().find_management_group(&call.caller, &group(call)?)?;
    let placed = call.app.resource_manager().of(&call.caller).subscriptions_below(&found);
    page::respond(call, placed, |each| each.id.to_string(), |each| render_placed(&found, each))
}

pub(crate) fn show_subscription(call: &Call<'_>) -> Result<Response, ArmError> {
    let name = group(call)?;
    let subscription = call.app.resource_manager().find_subscription(&call.caller, call.subscription()?)?;
    let found = call.app.resource_manager().find_placed_subscription(&call.caller, &name, &subscription)?;
    Ok(Json(render_placed(&found, &subscription)).into_response())
}

pub(crate) async fn add_subscription(call: &Call<'_>) -> Result<Response, ArmError> {
    let name = group(call)?;
    let placed =
        call.app.resource_manager().place_subscription(&call.caller, &name, call.subscription()?).await?;
    let resources = call.app.resource_manager().of(&call.caller);
    let found = resources.management_group(name.as_str());
    Ok(match found {
        Some(found) => Json(render_placed(&found, &placed)).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

pub(crate) async fn remove_subscription(call: &Call<'_>) -> Result<Response, ArmError> {
    let found = call
        .app
        .resource_manager()
        .unplace_subscription(&call.caller, &group(call)?, call.subscription()?)
        .await?;
    Ok(if found { StatusCode::OK } else { StatusCode::NO_CONTENT }.into_response())
}

pub(crate) fn check_name(call: &Call<'_>) -> Result<Response, ArmError> {
    let form: NameForm = call.json()?;
    if form.kind.is_some_and(|kind| !kind.eq_ignore_ascii_case(TYPE)) {
        return Err(ArmError::bad("InvalidRequestContent", format!("type: expected '{TYPE}'.")));
    }
    let answer = match ResourceName::parse(&form.name) {
        Err(error) => json!({"nameAvailable": false, "reason": "Invalid", "message": error.to_string()}),
        Ok(name) if call.app.resource_manager().is_management_group_name_free(&call.caller, &name) => {
            json!({"nameAvailable": true})
        }
        Ok(name) => json!({
            "nameAvailable": false,
            "reason": "AlreadyExists",
            "message": format!("The group with the specified name '{name}' already exists."),
        }),
    };
    Ok(Json(answer).into_response())
}

/// All management groups and subscriptions visible to the caller, as one list.
pub(crate) fn entities(call: &Call<'_>) -> Result<Response, ArmError> {
    let resources = call.app.resource_manager().of(&call.caller);
    let entity =
        |id: String, kind: &str, name: String, display_name: &str, above: Vec<Group>, below: usize| {
            let names: Vec<&ResourceName> = above.iter().map(|group| &group.name).collect();
            let shown: Vec<&str> = above.iter().map(|group| group.display_name.as_str()).collect();
            let parent = above.last().map(Group::scope);
            json!({
                "id": id,
                "type": kind,
                "name": name,
                "properties": {
                    "tenantId": call.caller.tenant,
                    "displayName": display_name,
                    "parent": {"id": parent},
                    "permissions": "view",
                    "inheritedPermissions": "view",
                    "numberOfChildren": below,
                    "parentNameChain": names,
                    "parentDisplayNameChain": shown,
                },
            })
        };
    let groups = call.app.resource_manager().list_management_groups(&call.caller).into_iter().map(|group| {
        let below = resources.groups_below(&group).len() + resources.subscriptions_below(&group).len();
        let (id, above) = (group.scope().to_string(), ancestors(&resources, &group));
        entity(id, TYPE, group.name.to_string(), &group.display_name, above, below)
    });
    let subscriptions =
        call.app.resource_manager().list_subscriptions(&call.caller).into_iter().map(|subscription| {
            let group = resources.group_of(&subscription);
            let above = group.map_or_else(Vec::new, |group| {
                let mut above = ancestors(&resources, &group);
                above.push(group);
                above
            });
            let id = format!("/subscriptions/{}", subscription.id);
            let name = subscription.id.to_string();
            entity(id, "/subscriptions", name, subscription.display_name.as_str(), above, 0)
        });
    let all: Vec<Value> = groups.chain(subscriptions).collect();
    let key = |entity: &Value| {
        let id = entity.get("id").and_then(Value::as_str).unwrap_or_default();
        id.to_ascii_lowercase()
    };
    page::respond(call, all, key, Value::clone)
}

/// The name of the group in a resource id; `None` without an id.
pub(crate) fn reference(id: Option<&str>) -> Result<Option<ResourceName>, ArmError> {
    let Some(id) = id.filter(|id| !id.is_empty()) else { return Ok(None) };
    let malformed = || {
        let id: String = id.chars().take(120).collect();
        ArmError::bad(
            "InvalidManagementGroupId",
            format!("'{id}' is not the id of a management group. Expected '{PREFIX}NAME'."),
        )
    };
    let prefix = id.get(..PREFIX.len()).filter(|prefix| prefix.eq_ignore_ascii_case(PREFIX));
    let name = prefix.and_then(|_| id.get(PREFIX.len()..)).ok_or_else(malformed)?;
    ResourceName::parse(name).map(Some).map_err(|_| malformed())
}

fn group(call: &Call<'_>) -> Result<ResourceName, ArmError> {
    let name = ResourceName::parse(call.name("group"));
    name.map_err(|error| ArmError::bad("InvalidManagementGroupName", error.to_string()))
}

fn display_name(text: Option<String>) -> Result<Option<DisplayName>, ArmError> {
    let parse = |text: String| {
        DisplayName::parse(&text).map_err(|error| ArmError::bad("InvalidDisplayName", error.to_string()))
    };
    text.filter(|text| !text.is_empty()).map(parse).transpose()
}

fn flag(call: &Call<'_>, name: &'static str) -> Result<bool, ArmError> {
    match call.parameter(name).unwrap_or_default() {
        text if text.eq_ignore_ascii_case("true") => Ok(true),
        text if text.is_empty() || text.eq_ignore_ascii_case("false") => Ok(false),
        _ => {
            let text = format!("The value of '{name}' is invalid. Expected 'true' or 'false'.");
            Err(ArmError::bad("InvalidQueryParameterValue", text))
        }
    }
}

/// The groups above one, the root group first.
fn ancestors(resources: &TenantResources, group: &Group) -> Vec<Group> {
    let mut found = resources.above(group);
    found.reverse();
    found
}

fn children(resources: &TenantResources, group: &Group, levels: usize) -> Value {
    let groups = resources.groups_below(group).into_iter().map(|child| {
        let below = if levels > 1 { children(resources, &child, levels - 1) } else { Value::Null };
        json!({
            "type": TYPE,
            "id": child.scope(),
            "name": child.name,
            "displayName": child.display_name,
            "children": below,
        })
    });
    let subscriptions = resources.subscriptions_below(group).into_iter().map(|child| {
        json!({
            "type": "/subscriptions",
            "id": format!("/subscriptions/{}", child.id),
            "name": child.id,
            "displayName": child.display_name,
        })
    });
    groups.chain(subscriptions).collect::<Vec<_>>().into()
}

fn render(resources: &TenantResources, group: &Group, expanded: Expanded) -> Value {
    let parent = resources
        .parent(group)
        .map(|parent| json!({"id": parent.scope(), "name": parent.name, "displayName": parent.display_name}));
    json!({
        "id": group.scope(),
        "type": TYPE,
        "name": group.name,
        "properties": {
            "tenantId": group.tenant,
            "displayName": group.display_name,
            "details": {"version": 1, "updatedTime": group.created, "parent": parent, "path": expanded.path},
            "children": expanded.children,
        },
    })
}

fn render_placed(group: &Group, subscription: &Subscription) -> Value {
    json!({
        "id": format!("{}/subscriptions/{}", group.scope(), subscription.id),
        "type": "Microsoft.Management/managementGroups/subscriptions",
        "name": subscription.id,
        "properties": {
            "tenant": subscription.tenant,
            "displayName": subscription.display_name,
            "parent": {"id": group.scope()},
            "state": "Active",
        },
    })
}

const TYPE: &str = "Microsoft.Management/managementGroups";
const PREFIX: &str = "/providers/Microsoft.Management/managementGroups/";
const MOST_LEVELS: usize = 7;
const SHAPE: Shape = Shape::Object(
    &[
        ("name", Shape::Any),
        (
            "properties",
            Shape::Object(
                &[("tenantId", Shape::Any), ("displayName", Shape::Any), ("details", DETAILS)],
                Others::Kept,
            ),
        ),
    ],
    Others::Kept,
);
const DETAILS: Shape = Shape::Object(&[("parent", Shape::Object(known!["id"], Others::Kept))], Others::Kept);
const CHANGES: Shape = Shape::Object(known!["displayName", "parentGroupId"], Others::Kept);
