//! What an API server refuses about roles and bindings, in its words (`pkg/apis/rbac/validation`), so that
//! a client reads the same 422 as from a real one.
//!
//! Rules about other objects and about the caller are elsewhere: whether the role exists (the application),
//! whether the caller may grant so much (`escalation`).

use std::fmt;

use super::{
    LabelSelector, Manifest, PolicyRule, RoleRef, SelectorOperator,
    manifest::{API_GROUP, Kind, WrittenRoleRef, WrittenSubject},
    quote::Quoted,
};

/// One reason to refuse an object. `Display` is the server's text: `rules[0].verbs: Required value: ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, such as `subjects[1].kind`.
    pub field: String,
    pub fault: Fault,
    /// What is wrong; may be empty.
    pub detail: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Required,
    /// With the value in Go's form.
    Invalid(String),
    /// With the value in Go's form.
    NotSupported(String),
    Forbidden,
}

impl Problem {
    /// The reason in `details.causes` of a Status.
    pub fn reason(&self) -> &'static str {
        match self.fault {
            Fault::Required => "FieldValueRequired",
            Fault::Invalid(_) => "FieldValueInvalid",
            Fault::NotSupported(_) => "FieldValueNotSupported",
            Fault::Forbidden => "FieldValueForbidden",
        }
    }

    /// The text without the field, the message in `details.causes` of a Status.
    pub fn message(&self) -> String {
        let fault = match &self.fault {
            Fault::Required => "Required value".to_owned(),
            Fault::Invalid(value) => format!("Invalid value: {value}"),
            Fault::NotSupported(value) => format!("Unsupported value: {value}"),
            Fault::Forbidden => "Forbidden".to_owned(),
        };
        if self.detail.is_empty() { fault } else { format!("{fault}: {}", self.detail) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message())
    }
}

/// Everything that is wrong with `manifest`, an object of `kind`.
pub fn check(manifest: &Manifest, kind: Kind) -> Vec<Problem> {
    let mut problems = check_metadata(manifest, kind);
    match kind {
        Kind::Role | Kind::ClusterRole => {
            check_absent(&mut problems, "subjects", manifest.subjects.is_some());
            check_absent(&mut problems, "roleRef", manifest.role_ref.is_some());
            for (position, rule) in manifest.rules.iter().flatten().enumerate() {
                check_rule(&mut problems, &format!("rules[{position}]"), rule, kind);
            }
            check_aggregation(&mut problems, manifest, kind);
        }
        Kind::RoleBinding | Kind::ClusterRoleBinding => {
            check_absent(&mut problems, "rules", manifest.rules.is_some());
            check_absent(&mut problems, "aggregationRule", manifest.aggregation_rule.is_some());
            check_role_ref(&mut problems, manifest.role_ref.as_ref(), kind);
            for (position, subject) in manifest.subjects.iter().flatten().enumerate() {
                check_subject(&mut problems, &format!("subjects[{position}]"), subject, kind);
            }
        }
    }
    problems
}

/// The one thing that an update of a binding may not change.
pub fn check_role_ref_kept(old: &RoleRef, new: &RoleRef) -> Option<Problem> {
    let value = format!(
        "rbac.RoleRef{{APIGroup:{}, Kind:{}, Name:{}}}",
        Quoted(API_GROUP),
        Quoted(new.kind.as_str()),
        Quoted(&new.name)
    );
    (old != new).then(|| problem("roleRef", Fault::Invalid(value), "cannot change roleRef"))
}

fn check_metadata(manifest: &Manifest, kind: Kind) -> Vec<Problem> {
    let mut problems = Vec::new();
    let namespace = manifest.metadata.namespace.as_deref().unwrap_or_default();
    if manifest.metadata.name.is_empty() {
        problems.push(problem("metadata.name", Fault::Required, "name or generateName is required"));
    }
    check_name(&mut problems, "metadata.name", &manifest.metadata.name);
    if kind.is_namespaced() && namespace.is_empty() {
        problems.push(problem("metadata.namespace", Fault::Required, ""));
    }
    if !kind.is_namespaced() && !namespace.is_empty() {
        problems.push(problem("metadata.namespace", Fault::Forbidden, "not allowed on this type"));
    }
    problems
}

/// Names in this group are segments of a path.
fn check_name(problems: &mut Vec<Problem>, field: &str, name: &str) {
    let mut refuse = |detail: String| {
        problems.push(problem(field, Fault::Invalid(Quoted(name).to_string()), &detail));
    };
    if name == "." || name == ".." {
        return refuse(format!("may not be '{name}'"));
    }
    for part in ["/", "%"] {
        if name.contains(part) {
            refuse(format!("may not contain '{part}'"));
        }
    }
}

fn check_absent(problems: &mut Vec<Problem>, field: &str, present: bool) {
    if present {
        problems.push(problem(field, Fault::Forbidden, "not a field of this kind"));
    }
}

fn check_rule(problems: &mut Vec<Problem>, field: &str, rule: &PolicyRule, kind: Kind) {
    let mut refuse = |part: &str, fault: Fault, detail: &str| {
        problems.push(problem(&format!("{field}.{part}"), fault, detail));
    };
    if rule.verbs.is_empty() {
        refuse("verbs", Fault::Required, "verbs must contain at least one value");
    }
    if rule.non_resource_urls.is_empty() {
        if rule.api_groups.is_empty() {
            refuse("apiGroups", Fault::Required, "resource rules must supply at least one api group");
        }
        if rule.resources.is_empty() {
            refuse("resources", Fault::Required, "resource rules must supply at least one resource");
        }
        return;
    }
    let urls = go_strings(&rule.non_resource_urls);
    if kind.is_namespaced() {
        let detail = "namespaced rules cannot apply to non-resource URLs";
        refuse("nonResourceURLs", Fault::Invalid(urls.clone()), detail);
    }
    if !(rule.api_groups.is_empty() && rule.resources.is_empty() && rule.resource_names.is_empty()) {
        let detail = "rules cannot apply to both regular resources and non-resource URLs";
        refuse("nonResourceURLs", Fault::Invalid(urls), detail);
    }
}

fn check_aggregation(problems: &mut Vec<Problem>, manifest: &Manifest, kind: Kind) {
    let Some(aggregation) = &manifest.aggregation_rule else { return };
    if kind == Kind::Role {
        return check_absent(problems, "aggregationRule", true);
    }
    let field = "aggregationRule.clusterRoleSelectors";
    if aggregation.cluster_role_selectors.is_empty() {
        let detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
        problems.push(problem(field, Fault::Required, detail));
    }
    for (position, selector) in aggregation.cluster_role_selectors.iter().enumerate() {
        check_selector(problems, &format!("{field}[{position}]"), selector);
    }
}

fn check_selector(problems: &mut Vec<Problem>, field: &str, selector: &LabelSelector) {
    for (position, requirement) in selector.match_expressions.iter().enumerate() {
        let field = format!("{field}.matchExpressions[{position}].values");
        let wants_values = matches!(requirement.operator, SelectorOperator::In | SelectorOperator::NotIn);
        if wants_values && requirement.values.is_empty() {
            let detail = "must be specified when `operator` is 'In' or 'NotIn'";
            problems.push(problem(&field, Fault::Required, detail));
        }
        if !wants_values && !requirement.values.is_empty() {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            problems.push(problem(&field, Fault::Forbidden, detail));
        }
    }
}

fn check_role_ref(problems: &mut Vec<Problem>, written: Option<&WrittenRoleRef>, kind: Kind) {
    let kinds: &[&str] = if kind == Kind::RoleBinding { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    let nothing = WrittenRoleRef { api_group: None, kind: String::new(), name: String::new() };
    let role_ref = written.unwrap_or(&nothing);
    check_api_group(problems, "roleRef.apiGroup", role_ref.api_group.as_deref(), API_GROUP);
    if !kinds.contains(&role_ref.kind.as_str()) {
        problems.push(unsupported("roleRef.kind", &role_ref.kind, kinds));
    }
    if role_ref.name.is_empty() {
        problems.push(problem("roleRef.name", Fault::Required, ""));
    }
    check_name(problems, "roleRef.name", &role_ref.name);
}

fn check_subject(problems: &mut Vec<Problem>, field: &str, subject: &WrittenSubject, kind: Kind) {
    let group = format!("{field}.apiGroup");
    if subject.name.is_empty() {
        problems.push(problem(&format!("{field}.name"), Fault::Required, ""));
    }
    match subject.kind.as_str() {
        "User" | "Group" => check_api_group(problems, &group, subject.api_group.as_deref(), API_GROUP),
        "ServiceAccount" => {
            if !subject.name.is_empty() && !is_subdomain(&subject.name) {
                let value = Quoted(&subject.name).to_string();
                problems.push(problem(&format!("{field}.name"), Fault::Invalid(value), SUBDOMAIN));
            }
            check_api_group(problems, &group, subject.api_group.as_deref(), "");
            let namespace = subject.namespace.as_deref().unwrap_or_default();
            if !kind.is_namespaced() && namespace.is_empty() {
                problems.push(problem(&format!("{field}.namespace"), Fault::Required, ""));
            }
        }
        other => {
            problems.push(unsupported(&format!("{field}.kind"), other, &["ServiceAccount", "User", "Group"]));
        }
    }
}

/// A group left out or empty is filled in with what is expected.
fn check_api_group(problems: &mut Vec<Problem>, field: &str, group: Option<&str>, expected: &str) {
    let group = group.filter(|group| !group.is_empty()).unwrap_or(expected);
    if group != expected {
        problems.push(unsupported(field, group, &[expected]));
    }
}

/// A DNS subdomain, RFC 1123 §2.1 in lower case, at most 253 characters.
fn is_subdomain(name: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.iter().all(|byte| is_alphanumeric(*byte) || *byte == b'-')
            && bytes.first().copied().is_some_and(is_alphanumeric)
            && bytes.last().copied().is_some_and(is_alphanumeric)
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn unsupported(field: &str, value: &str, supported: &[&str]) -> Problem {
    let supported: Vec<String> = supported.iter().map(|each| Quoted(each).to_string()).collect();
    let detail = format!("supported values: {}", supported.join(", "));
    problem(field, Fault::NotSupported(Quoted(value).to_string()), &detail)
}

fn problem(field: &str, fault: Fault, detail: &str) -> Problem {
    Problem { field: field.to_owned(), fault, detail: detail.to_owned() }
}

/// A list as Go's `%#v` prints it.
fn go_strings(list: &[String]) -> String {
    let quoted: Vec<String> = list.iter().map(|each| Quoted(each).to_string()).collect();
    format!("[]string{{{}}}", quoted.join(", "))
}

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or \
                         '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used \
                         for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
