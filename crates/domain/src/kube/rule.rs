//! One rule of a role, and whether it lets a request through.
//!
//! The comparisons are kube-apiserver's (`pkg/apis/rbac/v1/evaluation_helpers.go`): exact text, `*` for all,
//! `*/scale` for that subresource of every resource, and for paths a `*` at the end. What a rule says in
//! the terms of other rules is `escalation`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::{
    attributes::{Attributes, Target},
    quote::QuotedList,
};

/// `PolicyRule` of `rbac.authorization.k8s.io/v1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct PolicyRule {
    #[serde(deserialize_with = "list")]
    pub verbs: Vec<String>,
    /// The core group is the empty string.
    #[serde(deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    /// `pods`, `pods/log`, `*/scale` or `*`.
    #[serde(deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Empty: every name, and requests that name nothing.
    #[serde(deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    #[serde(rename = "nonResourceURLs", deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    pub non_resource_urls: Vec<String>,
}

impl PolicyRule {
    pub fn allows(&self, attributes: &Attributes) -> bool {
        // What tells most rules apart comes first.
        match &attributes.target {
            Target::Resource { group, resource, subresource, name, .. } => {
                self.resources.iter().any(|ruled| resource_matches(ruled, resource, subresource))
                    && has_or_all(&self.api_groups, group)
                    && has_or_all(&self.verbs, &attributes.verb)
                    && (self.resource_names.is_empty() || self.resource_names.contains(name))
            }
            Target::Path(path) => {
                self.non_resource_urls.iter().any(|url| url_covers(url, path))
                    && has_or_all(&self.verbs, &attributes.verb)
            }
        }
    }
}

/// As in kube-apiserver's refusals: `{APIGroups:["apps"], Resources:["deployments"], Verbs:["get" "list"]}`.
impl fmt::Display for PolicyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", &self.resource_names),
            ("Verbs", &self.verbs),
        ];
        let mut separator = "{";
        for (label, list) in parts.into_iter().filter(|(_, list)| !list.is_empty()) {
            write!(f, "{separator}{label}:{}", QuotedList(list))?;
            separator = ", ";
        }
        f.write_str(if separator == "{" { "{}" } else { "}" })
    }
}

/// Whether the URL of a rule stands for `path`, itself a path or the URL of another rule.
pub(super) fn url_covers(url: &str, path: &str) -> bool {
    url == path || url.ends_with('*') && path.starts_with(url.trim_end_matches('*'))
}

/// Reads a list that a client may also send as null.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<Vec<T>>::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn has_or_all(list: &[String], asked: &str) -> bool {
    list.iter().any(|each| each == ALL || each == asked)
}

fn resource_matches(ruled: &str, resource: &str, subresource: &str) -> bool {
    if ruled == ALL {
        return true;
    }
    if subresource.is_empty() {
        return ruled == resource;
    }
    match ruled.strip_suffix(subresource).and_then(|front| front.strip_suffix('/')) {
        Some(front) => front == resource || front == ALL,
        None => false,
    }
}

pub(super) const ALL: &str = "*";
