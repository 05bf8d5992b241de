//! Validation of roles and bindings. Whether the writer may grant what they say is decided elsewhere.

use serde_json::Value;

use super::validate::{go_strings, items, text};
use crate::{names, status::Problem};

pub(super) fn role(value: &Value, _: Option<&Value>, problems: &mut Vec<Problem>) {
    rules(value, true, problems);
}

pub(super) fn cluster_role(value: &Value, _: Option<&Value>, problems: &mut Vec<Problem>) {
    rules(value, false, problems);
    let Some(aggregation) = value.get("aggregationRule") else { return };
    let selectors = items(aggregation, "clusterRoleSelectors");
    if selectors.is_empty() {
        problems.push(Problem::required(
            "aggregationRule.clusterRoleSelectors",
            "at least one clusterRoleSelector required if aggregationRule is non-nil",
        ));
    }
    for (index, selector) in selectors.iter().enumerate() {
        super::validate::label_selector(
            selector,
            &format!("aggregationRule.clusterRoleSelectors[{index}]"),
            problems,
        );
    }
}

pub(super) fn role_binding(value: &Value, old: Option<&Value>, problems: &mut Vec<Problem>) {
    binding(value, old, &["Role", "ClusterRole"], true, problems);
}

pub(super) fn cluster_role_binding(value: &Value, old: Option<&Value>, problems: &mut Vec<Problem>) {
    binding(value, old, &["ClusterRole"], false, problems);
}

fn rules(value: &Value, namespaced: bool, problems: &mut Vec<Problem>) {
    for (index, rule) in items(value, "rules").iter().enumerate() {
        let field = |name: &str| format!("rules[{index}].{name}");
        if items(rule, "verbs").is_empty() {
            problems.push(Problem::required(field("verbs"), "verbs must contain at least one value"));
        }
        let urls = items(rule, "nonResourceURLs");
        if !urls.is_empty() {
            if namespaced {
                problems.push(Problem::invalid_printed(
                    field("nonResourceURLs"),
                    go_strings(urls),
                    "namespaced rules cannot apply to non-resource URLs",
                ));
            }
            if ["apiGroups", "resources", "resourceNames"].iter().any(|name| !items(rule, name).is_empty()) {
                problems.push(Problem::invalid_printed(
                    field("nonResourceURLs"),
                    go_strings(urls),
                    "rules cannot apply to both regular resources and non-resource URLs",
                ));
            }
            continue;
        }
        if items(rule, "apiGroups").is_empty() {
            problems.push(Problem::required(
                field("apiGroups"),
                "resource rules must supply at least one api group",
            ));
        }
        if items(rule, "resources").is_empty() {
            problems.push(Problem::required(
                field("resources"),
                "resource rules must supply at least one resource",
            ));
        }
    }
}

fn binding(
    value: &Value,
    old: Option<&Value>,
    role_kinds: &[&str],
    namespaced: bool,
    problems: &mut Vec<Problem>,
) {
    let group = text(value, "/roleRef/apiGroup");
    if group != GROUP {
        problems.push(Problem::not_supported("roleRef.apiGroup", group, &[GROUP]));
    }
    let kind = text(value, "/roleRef/kind");
    if !role_kinds.contains(&kind) {
        problems.push(Problem::not_supported("roleRef.kind", kind, role_kinds));
    }
    let name = text(value, "/roleRef/name");
    if name.is_empty() {
        problems.push(Problem::required("roleRef.name", ""));
    }
    for fault in names::check_path_segment(name) {
        problems.push(Problem::invalid("roleRef.name", name, fault));
    }
    for (index, subject) in items(value, "subjects").iter().enumerate() {
        check_subject(subject, index, namespaced, problems);
    }
    if let Some(old) = old
        && old.get("roleRef") != value.get("roleRef")
    {
        let printed = format!("rbac.RoleRef{{APIGroup:{group:?}, Kind:{kind:?}, Name:{name:?}}}");
        problems.push(Problem::invalid_printed("roleRef", printed, "cannot change roleRef"));
    }
}

fn check_subject(subject: &Value, index: usize, namespaced: bool, problems: &mut Vec<Problem>) {
    let field = |name: &str| format!("subjects[{index}].{name}");
    let name = text(subject, "/name");
    if name.is_empty() {
        problems.push(Problem::required(field("name"), ""));
    }
    let group = text(subject, "/apiGroup");
    match text(subject, "/kind") {
        "ServiceAccount" => {
            if !name.is_empty() {
                for fault in names::check_subdomain(name) {
                    problems.push(Problem::invalid(field("name"), name, fault));
                }
            }
            if !group.is_empty() {
                problems.push(Problem::not_supported(field("apiGroup"), group, &[""]));
            }
            if !namespaced && text(subject, "/namespace").is_empty() {
                problems.push(Problem::required(field("namespace"), ""));
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                problems.push(Problem::not_supported(field("apiGroup"), group, &[GROUP]));
            }
        }
        kind => {
            problems.push(Problem::not_supported(field("kind"), kind, &["ServiceAccount", "User", "Group"]))
        }
    }
}

const GROUP: &str = "rbac.authorization.k8s.io";
