//! Roles and bindings as the engine holds them: checked, and without what plays no part in a decision.
//!
//! How they are written in manifests is `manifest`; what a server refuses is `check`; how the one becomes the other is
//! `reading`.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Problem, rule::PolicyRule};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    Role(Role),
    ClusterRole(ClusterRole),
    /// A RoleBinding or, without a namespace, a ClusterRoleBinding.
    Binding(Binding),
}

/// A Role: rules in one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub namespace: Arc<str>,
    pub name: Arc<str>,
    pub rules: Arc<[PolicyRule]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRole {
    pub name: Arc<str>,
    /// By these other roles select it.
    pub labels: BTreeMap<String, String>,
    /// As written. Of no account where there is an aggregation rule: see [`super::Policy::cluster_role_rules`].
    pub rules: Arc<[PolicyRule]>,
    pub aggregation_rule: Option<AggregationRule>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct AggregationRule {
    #[serde(deserialize_with = "super::rule::list")]
    pub cluster_role_selectors: Vec<LabelSelector>,
}

/// `LabelSelector` of `meta.k8s.io/v1`: all parts must hold; an empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LabelSelector {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "super::rule::list", skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelSelectorRequirement {
    pub key: String,
    pub operator: SelectorOperator,
    #[serde(default, deserialize_with = "super::rule::list", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelectorOperator {
    In,
    /// Holds for objects without the label too.
    NotIn,
    Exists,
    DoesNotExist,
    /// None of the above: written, refused by [`check`](super::check), and never true.
    #[serde(untagged)]
    Other(String),
}

/// Gives the rules of a role to subjects: a RoleBinding in its namespace, a ClusterRoleBinding everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// None: a ClusterRoleBinding.
    pub namespace: Option<Arc<str>>,
    pub name: Arc<str>,
    pub role: RoleRef,
    pub subjects: Vec<Subject>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleRef {
    pub kind: RoleKind,
    pub name: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleKind {
    Role,
    ClusterRole,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub kind: SubjectKind,
    pub name: Arc<str>,
    /// Of a service account; where a RoleBinding leaves it out, its own namespace is meant.
    pub namespace: Option<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectKind {
    User,
    Group,
    ServiceAccount,
}

/// Why a manifest is not a role or binding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    #[error(
        "{api_version} {kind} is not one of Role, ClusterRole, RoleBinding, ClusterRoleBinding of \
         rbac.authorization.k8s.io/v1"
    )]
    Kind { api_version: String, kind: String },
    /// The shape is wrong: a text where a list belongs, a field missing.
    #[error("{0}")]
    Malformed(String),
    /// A server would refuse it: answer 422.
    #[error("{}", join(.0))]
    Invalid(Vec<Problem>),
}

impl LabelSelector {
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.holds(labels))
    }
}

impl LabelSelectorRequirement {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let label = labels.get(&self.key);
        match self.operator {
            SelectorOperator::In => label.is_some_and(|value| self.values.contains(value)),
            SelectorOperator::NotIn => label.is_none_or(|value| !self.values.contains(value)),
            SelectorOperator::Exists => label.is_some(),
            SelectorOperator::DoesNotExist => label.is_none(),
            SelectorOperator::Other(_) => false,
        }
    }
}

impl Binding {
    /// The user name by which `subject` of this binding signs in, where it is a service account; none
    /// where no namespace is known.
    pub fn service_account_user(&self, subject: &Subject) -> Option<String> {
        let namespace = self.subject_namespace(subject).filter(|namespace| !namespace.is_empty())?;
        Some(format!("system:serviceaccount:{namespace}:{}", subject.name))
    }

    /// The namespace meant for `subject`, a service account.
    pub(super) fn subject_namespace<'a>(&'a self, subject: &'a Subject) -> Option<&'a str> {
        let own = subject.namespace.as_deref().filter(|namespace| !namespace.is_empty());
        own.or(self.namespace.as_deref())
    }
}

impl RoleKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::ClusterRole => "ClusterRole",
        }
    }
}

impl SubjectKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
            Self::ServiceAccount => "ServiceAccount",
        }
    }
}

impl fmt::Display for RoleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SubjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn join(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
    match texts.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}
