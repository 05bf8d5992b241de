//! A world file as people write it. Reading one with serde refuses unknown keys, and ids, scopes, actions
//! and conditions that are not well formed; a reader that knows lines (of YAML, say) can tell them with the
//! error. What keys mean together is checked in `build`.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny},
};

use super::Expectation;
use crate::{
    condition::Condition,
    id::{AssignmentId, ObjectId, SubscriptionId},
    kube::Manifest,
    name::ResourceName,
    role::{ActionPattern, Permission},
    scope::Scope,
};

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorldFile {
    pub api_version: String,
    pub kind: String,
    #[serde(default)]
    pub cluster: Cluster,
    #[serde(default, deserialize_with = "list")]
    pub management_groups: Vec<ManagementGroup>,
    #[serde(default, deserialize_with = "list")]
    pub groups: Vec<Group>,
    #[serde(default, deserialize_with = "list")]
    pub role_definitions: Vec<WrittenRole>,
    #[serde(default, deserialize_with = "list")]
    pub role_assignments: Vec<WrittenAssignment>,
    #[serde(default, deserialize_with = "list")]
    pub deny_assignments: Vec<WrittenDeny>,
    #[serde(default, deserialize_with = "list")]
    pub kubernetes: Vec<Manifest>,
    #[serde(default, deserialize_with = "list")]
    pub reviews: Vec<Review>,
}

/// The cluster that is asked about, and how it decides.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Cluster {
    /// May be left out while Azure RBAC is off.
    pub id: Option<Scope>,
    pub kubernetes_rbac: bool,
    pub azure_rbac: bool,
    #[serde(deserialize_with = "list")]
    pub admin_groups: Vec<ObjectId>,
    pub custom_resources: CustomResources,
    pub operations: KnownOperations,
    pub subresource_attribute: bool,
    pub managed_namespaces: bool,
    pub fleet: Option<Scope>,
    pub discovery_paths: bool,
    pub skip_users_without_object_id: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CustomResources {
    Attributes,
    Literal,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KnownOperations {
    Published,
    None,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManagementGroup {
    pub id: ResourceName,
    #[serde(default)]
    pub parent: Option<ResourceName>,
    #[serde(default, deserialize_with = "list")]
    pub subscriptions: Vec<SubscriptionId>,
}

/// A group of the directory.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    pub id: ObjectId,
    /// For people only.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Users and groups.
    #[serde(default, deserialize_with = "list")]
    pub members: Vec<ObjectId>,
}

/// A custom role in the flat form in which `az role definition list` prints it; its other keys are passed
/// over.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WrittenRole {
    /// A GUID or a full resource id.
    pub id: String,
    pub role_name: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(deserialize_with = "list")]
    pub assignable_scopes: Vec<Scope>,
    #[serde(deserialize_with = "list")]
    pub permissions: Vec<WrittenPermission>,
    #[serde(default)]
    pub name: IgnoredAny,
    #[serde(default)]
    pub role_type: IgnoredAny,
    #[serde(default, rename = "type")]
    pub resource_type: IgnoredAny,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct WrittenPermission {
    #[serde(deserialize_with = "list")]
    pub actions: Vec<ActionPattern>,
    #[serde(deserialize_with = "list")]
    pub not_actions: Vec<ActionPattern>,
    #[serde(deserialize_with = "list")]
    pub data_actions: Vec<ActionPattern>,
    #[serde(deserialize_with = "list")]
    pub not_data_actions: Vec<ActionPattern>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WrittenAssignment {
    #[serde(default)]
    pub id: Option<AssignmentId>,
    pub principal_id: ObjectId,
    /// A role's name, its GUID or its full resource id.
    pub role: String,
    pub scope: Scope,
    #[serde(default, deserialize_with = "condition")]
    pub condition: Option<Condition>,
    #[serde(default)]
    pub condition_version: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WrittenDeny {
    #[serde(default)]
    pub id: Option<AssignmentId>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub principals: Vec<ObjectId>,
    #[serde(default, deserialize_with = "list")]
    pub exclude_principals: Vec<ObjectId>,
    #[serde(default)]
    pub everyone: bool,
    pub scope: Scope,
    #[serde(deserialize_with = "list")]
    pub permissions: Vec<WrittenPermission>,
}

/// A question.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Review {
    #[serde(default)]
    pub name: Option<String>,
    pub spec: ReviewSpec,
    #[serde(default)]
    pub expect: Option<Expectation>,
}

/// `spec` of `authorization.k8s.io/v1` SubjectAccessReview.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ReviewSpec {
    pub user: Option<String>,
    pub uid: Option<String>,
    #[serde(deserialize_with = "list")]
    pub groups: Vec<String>,
    pub extra: Option<BTreeMap<String, Vec<String>>>,
    pub resource_attributes: Option<ResourceAttributes>,
    pub non_resource_attributes: Option<NonResourceAttributes>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ResourceAttributes {
    pub namespace: Option<String>,
    pub verb: Option<String>,
    pub group: Option<String>,
    pub version: Option<String>,
    pub resource: Option<String>,
    pub subresource: Option<String>,
    pub name: Option<String>,
    /// No engine looks at selectors.
    pub field_selector: IgnoredAny,
    pub label_selector: IgnoredAny,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct NonResourceAttributes {
    pub path: Option<String>,
    pub verb: Option<String>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            id: None,
            kubernetes_rbac: true,
            azure_rbac: false,
            admin_groups: Vec::new(),
            custom_resources: CustomResources::Attributes,
            operations: KnownOperations::Published,
            subresource_attribute: false,
            managed_namespaces: false,
            fleet: None,
            discovery_paths: true,
            skip_users_without_object_id: true,
        }
    }
}

impl From<WrittenPermission> for Permission {
    fn from(written: WrittenPermission) -> Self {
        let WrittenPermission { actions, not_actions, data_actions, not_data_actions } = written;
        Self { actions, not_actions, data_actions, not_data_actions }
    }
}

/// A condition, whose errors have a place in its own text, besides that in the file.
fn condition<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Condition>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let problem = |error| de::Error::custom(format!("in the condition, {error}"));
    Condition::parse(&text).map(Some).map_err(problem)
}

/// A list; a key with nothing after it, which YAML reads as null, is an empty one.
fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<Vec<T>>::deserialize(deserializer).map(Option::unwrap_or_default)
}
