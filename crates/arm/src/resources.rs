//! Resources that have no behaviour of their own here, and the list of everything in a resource group.

use std::collections::BTreeMap;

use app::{assignments::Written, precondition::entity_tag, resources::NewResource};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{
    resource::{Resource, USER_ASSIGNED_IDENTITY},
    scope::Scope,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{call::Call, error::ArmError, identities, page};

#[derive(Deserialize)]
struct ResourceForm {
    #[serde(default)]
    location: Option<String>,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    identity: Option<IdentityForm>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Deserialize)]
struct IdentityForm {
    #[serde(rename = "type")]
    kind: String,
}

/// What a list of resources may be asked for.
#[derive(Default)]
struct Filter {
    group: Option<String>,
    resource_type: Option<String>,
    name: Option<String>,
}

/// Everything below a subscription or resource group, clusters included.
pub(crate) fn list(call: &Call<'_>, below: &Scope) -> Result<Response, ArmError> {
    let filter = Filter::parse(call.parameter("$filter").unwrap_or_default())?;
    let found = call.app.list_resources(&call.caller, below)?;
    let group = below.resource_group_name();
    let clusters = call.app.list_clusters(&call.caller, call.subscription()?, group)?;
    let clusters = clusters.iter().map(|cluster| {
        json!({
            "id": cluster.resource_id(), "name": cluster.name, "location": cluster.location, "tags": cluster.tags,
            "type": "Microsoft.ContainerService/managedClusters",
        })
    });
    let plain = found.iter().map(|resource| {
        let mut value = render(call, resource);
        if let Some(members) = value.as_object_mut() {
            members.remove("properties");
        }
        value
    });
    let all: Vec<Value> = clusters.chain(plain).filter(|each| filter.takes(each)).collect();
    let key = |each: &Value| each.get("id").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    page::respond(call, all, key, Value::clone)
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    Ok(Json(render(call, &*call.app.find_resource(&call.caller, &id(call)?)?)).into_response())
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let ResourceForm { location, tags, identity, mut other } = call.json()?;
    let system_identity = match identity.map(|form| form.kind.to_ascii_lowercase()).as_deref() {
        None | Some("none") => false,
        Some("systemassigned") => true,
        Some(kind) => {
            let text = format!("identity.type '{kind}': expected 'SystemAssigned' or 'None'.");
            return Err(ArmError::bad("InvalidParameter", text));
        }
    };
    for read_only in ["id", "name", "type", "systemData", "etag"] {
        other.remove(read_only);
    }
    let precondition = call.precondition().clone();
    let new = NewResource { location, tags: tags.unwrap_or_default(), system_identity, other, precondition };
    let (resource, written) = call.app.put_resource(&call.caller, &id(call)?, new).await?;
    let status = if written == Written::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render(call, &resource))).into_response())
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    let deleted = call.app.delete_resource(&call.caller, &id(call)?, call.precondition()).await?;
    Ok((if deleted { StatusCode::OK } else { StatusCode::NO_CONTENT }).into_response())
}

impl Filter {
    /// `resourceGroup eq 'x'`, `resourceType eq 'x'` and `name eq 'x'`, joined by `and`.
    fn parse(text: &str) -> Result<Self, ArmError> {
        let refused = || {
            let text: String = text.chars().take(200).collect();
            ArmError::bad(
                "InvalidFilterInQueryString",
                format!(
                    "Invalid $filter '{text}' specified in the query string. Expected \"resourceGroup eq 'X'\", \"resourceType eq 'X'\" or \"name eq 'X'\", joined by 'and'."
                ),
            )
        };
        let mut filter = Self::default();
        for term in text.split(" and ").map(str::trim).filter(|term| !term.is_empty()) {
            let (field, value) = term.split_once(" eq ").ok_or_else(refused)?;
            let value = value.trim().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            let value = value.filter(|value| !value.contains('\'')).ok_or_else(refused)?.to_owned();
            let place = match field.trim().to_ascii_lowercase().as_str() {
                "resourcegroup" => &mut filter.group,
                "resourcetype" => &mut filter.resource_type,
                "name" => &mut filter.name,
                _ => return Err(refused()),
            };
            if place.replace(value).is_some() {
                return Err(refused());
            }
        }
        Ok(filter)
    }

    fn takes(&self, resource: &Value) -> bool {
        let text = |name: &str| resource.get(name).and_then(Value::as_str).unwrap_or_default();
        let id = Scope::parse(text("id")).ok();
        let group = id.as_ref().and_then(Scope::resource_group_name).unwrap_or_default();
        let is = |wanted: &Option<String>, own: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(own))
        };
        is(&self.group, group) && is(&self.resource_type, text("type")) && is(&self.name, text("name"))
    }
}

fn id(call: &Call<'_>) -> Result<Scope, ArmError> {
    let group = call.group_scope()?;
    let name = |name: &str| call.name(name);
    let mut text = format!("{group}/providers/{}/{}/{}", name("provider"), name("type"), name("name"));
    if !name("child").is_empty() {
        text.push_str(&format!("/{}/{}", name("childType"), name("child")));
    }
    Scope::parse(&text).map_err(|error| ArmError::bad("InvalidResourceId", error.to_string()))
}

fn render(call: &Call<'_>, resource: &Resource) -> Value {
    if resource.is_of_type(USER_ASSIGNED_IDENTITY) {
        return identities::render(call, resource);
    }
    let mut body = resource.other.clone();
    let properties = body.entry("properties").or_insert_with(|| json!({}));
    if let Some(members) = properties.as_object_mut() {
        members.insert("provisioningState".into(), "Succeeded".into());
    }
    body.insert("id".into(), json!(resource.id));
    body.insert("etag".into(), entity_tag(resource).into());
    body.insert("name".into(), resource.id.name().into());
    body.insert("type".into(), json!(resource.id.resource_type()));
    body.insert("location".into(), json!(resource.location));
    body.insert("tags".into(), json!(resource.tags));
    if let Some(identity) = &resource.identity {
        let identity = json!({"type": "SystemAssigned", "principalId": identity.object_id, "tenantId": call.caller.tenant});
        body.insert("identity".into(), identity);
    }
    body.into()
}
