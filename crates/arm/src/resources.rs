//! Generic resources, which are only stored, and the list of all resources in a resource group or subscription.

use std::collections::BTreeMap;

use app::{
    resource_manager::{resources::NewResource, scope_rules::CreatedOrUpdated},
    state::precondition::entity_tag,
};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use domain::{
    cluster::Cluster,
    resource::{Resource, USER_ASSIGNED_IDENTITY},
    scope::Scope,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    call::Call,
    error::ArmError,
    identities,
    members::{Others, Shape, known},
    page, tags,
};

#[derive(Deserialize)]
struct ResourceForm {
    #[serde(default)]
    location: Option<String>,
    #[serde(default, deserialize_with = "tags::deserialize")]
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

/// The filter of a resource list.
#[derive(Default)]
struct Filter {
    group: Option<String>,
    resource_type: Option<String>,
    name: Option<String>,
}

/// One entry of a list, borrowed, so that only the entries of the page are copied.
enum ListEntry<'a> {
    Cluster(&'a Cluster),
    Other(&'a Resource),
}

/// All resources in a subscription or resource group, clusters included.
pub(crate) fn list(call: &Call<'_>, below: &Scope) -> Result<Response, ArmError> {
    let filter = Filter::parse(call.parameter("$filter").unwrap_or_default())?;
    let found = call.app.resource_manager().list_resources(&call.caller, below)?;
    let group = below.resource_group_name();
    let clusters = call.app.resource_manager().list_clusters(&call.caller, call.subscription()?, group)?;
    let clusters = clusters.iter().map(|cluster| ListEntry::Cluster(cluster));
    let others = found.iter().map(|resource| ListEntry::Other(resource));
    let all: Vec<ListEntry<'_>> = clusters.chain(others).filter(|each| filter.takes(each)).collect();
    page::respond(call, all, ListEntry::key, |each| each.render(call))
}

impl ListEntry<'_> {
    fn key(&self) -> String {
        match self {
            Self::Cluster(cluster) => cluster.resource_id().to_lowercase(),
            Self::Other(resource) => resource.id.folded().to_owned(),
        }
    }

    fn group(&self) -> &str {
        match self {
            Self::Cluster(cluster) => cluster.resource_group.as_str(),
            Self::Other(resource) => resource.id.resource_group_name().unwrap_or_default(),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Cluster(cluster) => cluster.name.as_str(),
            Self::Other(resource) => resource.id.name(),
        }
    }

    fn resource_type(&self) -> String {
        match self {
            Self::Cluster(_) => "Microsoft.ContainerService/managedClusters".to_owned(),
            Self::Other(resource) => resource.id.resource_type().unwrap_or_default(),
        }
    }

    /// The members that Azure includes in a resource list.
    fn render(&self, call: &Call<'_>) -> Value {
        let mut body = json!({"name": self.name(), "type": self.resource_type()});
        let Some(members) = body.as_object_mut() else { return body };
        match self {
            Self::Cluster(cluster) => {
                members.insert("id".into(), cluster.resource_id().into());
                members.insert("location".into(), json!(cluster.location));
                members.insert("tags".into(), json!(cluster.tags));
            }
            Self::Other(resource) => {
                for name in SHOWN_IN_LISTS {
                    if let Some(value) = resource.other.get(name) {
                        members.insert(name.to_owned(), value.clone());
                    }
                }
                members.insert("id".into(), json!(resource.id));
                members.insert("location".into(), json!(resource.location));
                members.insert("tags".into(), json!(resource.tags));
                if let Some(identity) = system_identity(call, resource) {
                    members.insert("identity".into(), identity);
                }
            }
        }
        body
    }
}

pub(crate) fn show(call: &Call<'_>) -> Result<Response, ArmError> {
    Ok(Json(render(call, &*call.app.resource_manager().find_resource(&call.caller, &id(call)?)?))
        .into_response())
}

pub(crate) async fn put(call: &Call<'_>) -> Result<Response, ArmError> {
    let ResourceForm { location, tags, identity, mut other } = call.json_of(&SHAPE)?;
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
    let (resource, written) = call.app.resource_manager().put_resource(&call.caller, &id(call)?, new).await?;
    let status = if written == CreatedOrUpdated::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(render(call, &resource))).into_response())
}

pub(crate) async fn delete(call: &Call<'_>) -> Result<Response, ArmError> {
    let deleted =
        call.app.resource_manager().delete_resource(&call.caller, &id(call)?, call.precondition()).await?;
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

    fn takes(&self, resource: &ListEntry<'_>) -> bool {
        let is = |wanted: &Option<String>, own: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(own))
        };
        is(&self.group, resource.group())
            && is(&self.resource_type, &resource.resource_type())
            && is(&self.name, resource.name())
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
    if let Some(identity) = system_identity(call, resource) {
        body.insert("identity".into(), identity);
    }
    body.into()
}

fn system_identity(call: &Call<'_>, resource: &Resource) -> Option<Value> {
    let identity = resource.identity.as_ref().filter(|_| !resource.is_of_type(USER_ASSIGNED_IDENTITY))?;
    Some(json!({"type": "SystemAssigned", "principalId": identity.object_id, "tenantId": call.caller.tenant}))
}

/// Client-written members that lists include.
const SHOWN_IN_LISTS: [&str; 5] = ["kind", "plan", "sku", "zones", "extendedLocation"];
const SHAPE: Shape = Shape::Object(
    &[
        ("id", Shape::Any),
        ("name", Shape::Any),
        ("type", Shape::Any),
        ("location", Shape::Any),
        ("tags", Shape::Any),
        ("identity", Shape::Object(known!["type"], Others::Kept)),
        ("properties", Shape::Any),
    ],
    Others::Kept,
);
