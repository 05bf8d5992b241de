//! The four RBAC objects as people write them: `rbac.authorization.k8s.io/v1` in JSON or YAML.
//!
//! Reading a [`Manifest`] with serde refuses unknown fields, so that a world file with a misspelt key is
//! not taken as if the key were not there; [`Manifest::parse`] passes over them, as an API server does with
//! what it has stored. Defaults that a server fills in are filled in here.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::{AggregationRule, ObjectError, PolicyRule};

/// One object as written. Which parts it may have depends on its kind; [`check`](super::check) says so.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    pub api_version: String,
    pub kind: String,
    pub metadata: Metadata,
    pub rules: Option<Vec<PolicyRule>>,
    pub aggregation_rule: Option<AggregationRule>,
    pub subjects: Option<Vec<WrittenSubject>>,
    pub role_ref: Option<WrittenRoleRef>,
}

/// What counts of an object's metadata. The other fields are known, and passed over.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Metadata {
    pub name: String,
    pub namespace: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    generate_name: IgnoredAny,
    annotations: IgnoredAny,
    uid: IgnoredAny,
    resource_version: IgnoredAny,
    generation: IgnoredAny,
    creation_timestamp: IgnoredAny,
    deletion_timestamp: IgnoredAny,
    deletion_grace_period_seconds: IgnoredAny,
    owner_references: IgnoredAny,
    finalizers: IgnoredAny,
    managed_fields: IgnoredAny,
    self_link: IgnoredAny,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WrittenSubject {
    pub kind: String,
    #[serde(default)]
    pub api_group: Option<String>,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub namespace: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WrittenRoleRef {
    #[serde(default)]
    pub api_group: Option<String>,
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub name: String,
}

/// The kinds of this group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Role,
    ClusterRole,
    RoleBinding,
    ClusterRoleBinding,
}

impl Manifest {
    /// Reads one object and passes over fields that are not known.
    pub fn parse(value: &Value) -> Result<Self, ObjectError> {
        let known = known_fields(value);
        Self::deserialize(&known).map_err(|error| ObjectError::Malformed(error.to_string()))
    }

    pub fn kind(&self) -> Result<Kind, ObjectError> {
        let kind = match self.kind.as_str() {
            "Role" => Kind::Role,
            "ClusterRole" => Kind::ClusterRole,
            "RoleBinding" => Kind::RoleBinding,
            "ClusterRoleBinding" => Kind::ClusterRoleBinding,
            _ => return Err(self.foreign()),
        };
        if self.api_version == API_VERSION { Ok(kind) } else { Err(self.foreign()) }
    }

    fn foreign(&self) -> ObjectError {
        ObjectError::Kind { api_version: self.api_version.clone(), kind: self.kind.clone() }
    }
}

impl Kind {
    pub fn is_namespaced(self) -> bool {
        matches!(self, Self::Role | Self::RoleBinding)
    }
}

/// The same object without fields that this module does not know.
fn known_fields(value: &Value) -> Value {
    let mut known =
        keep(value, &["apiVersion", "kind", "metadata", "rules", "aggregationRule", "subjects", "roleRef"]);
    let Some(object) = known.as_object_mut() else { return known };
    let rule = ["verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"];
    replace(object, "metadata", |metadata| keep(metadata, &["name", "namespace", "labels"]));
    replace(object, "rules", |rules| each(rules, |item| keep(item, &rule)));
    replace(object, "subjects", |list| {
        each(list, |item| keep(item, &["kind", "apiGroup", "name", "namespace"]))
    });
    replace(object, "roleRef", |role| keep(role, &["apiGroup", "kind", "name"]));
    replace(object, "aggregationRule", |aggregation| {
        let mut aggregation = keep(aggregation, &["clusterRoleSelectors"]);
        if let Some(fields) = aggregation.as_object_mut() {
            replace(fields, "clusterRoleSelectors", |list| each(list, known_selector_fields));
        }
        aggregation
    });
    known
}

fn known_selector_fields(selector: &Value) -> Value {
    let mut selector = keep(selector, &["matchLabels", "matchExpressions"]);
    if let Some(fields) = selector.as_object_mut() {
        if fields.get("matchLabels").is_some_and(Value::is_null) {
            fields.remove("matchLabels");
        }
        replace(fields, "matchExpressions", |list| {
            each(list, |item| keep(item, &["key", "operator", "values"]))
        });
    }
    selector
}

/// Fields of an object that are named in `fields`; anything else than an object as it is.
fn keep(value: &Value, fields: &[&str]) -> Value {
    let Some(object) = value.as_object() else { return value.clone() };
    let kept: Map<String, Value> = object
        .iter()
        .filter(|(key, _)| fields.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    Value::Object(kept)
}

fn each(value: &Value, change: impl Fn(&Value) -> Value) -> Value {
    match value.as_array() {
        Some(items) => Value::Array(items.iter().map(change).collect()),
        None => value.clone(),
    }
}

fn replace(object: &mut Map<String, Value>, field: &str, change: impl FnOnce(&Value) -> Value) {
    if let Some(value) = object.get_mut(field) {
        *value = change(value);
    }
}

pub const API_GROUP: &str = "rbac.authorization.k8s.io";
pub const API_VERSION: &str = "rbac.authorization.k8s.io/v1";
