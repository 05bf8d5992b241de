//! What an API server refuses about roles and bindings, in its words (`pkg/apis/rbac/validation`), so that
//! a client reads the same 422 as from a real one.
//!
//! Rules about other objects and about the caller are elsewhere: whether the role exists (the application),
//! whether the caller may grant so much (`escalation`).

use super::{
    LabelSelector, Manifest, PolicyRule, Problem, SelectorOperator,
    manifest::{API_GROUP, Kind, WrittenRoleRef, WrittenSubject},
    names,
    quote::Quoted,
};

/// Everything that is wrong with `manifest`, an object of `kind`.
pub fn check(manifest: &Manifest, kind: Kind) -> Vec<Problem> {
    let mut problems = check_metadata(manifest, kind);
    problems.extend(check_content(manifest, kind));
    problems
}

/// As [`check`], without the metadata, whose rules are those of every kind of object.
pub fn check_content(manifest: &Manifest, kind: Kind) -> Vec<Problem> {
    let mut problems = Vec::new();
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
pub fn check_role_ref_kept(old: &Manifest, new: &Manifest) -> Option<Problem> {
    if old.role_ref == new.role_ref {
        return None;
    }
    let nothing = WrittenRoleRef::default();
    let new = new.role_ref.as_ref().unwrap_or(&nothing);
    let printed = format!(
        "rbac.RoleRef{{APIGroup:{}, Kind:{}, Name:{}}}",
        Quoted(new.api_group.as_deref().unwrap_or(API_GROUP)),
        Quoted(&new.kind),
        Quoted(&new.name)
    );
    Some(Problem::invalid_printed("roleRef", printed, "cannot change roleRef"))
}

/// The rules of `meta.k8s.io/v1` for a selector that stands in `field`.
pub fn check_selector(problems: &mut Vec<Problem>, field: &str, selector: &LabelSelector) {
    for (key, value) in &selector.match_labels {
        let field = format!("{field}.matchLabels");
        refuse_all(problems, &field, key, names::check_qualified_name(key));
        refuse_all(problems, &field, value, names::check_label_value(value));
    }
    for (position, requirement) in selector.match_expressions.iter().enumerate() {
        let field = format!("{field}.matchExpressions[{position}]");
        let no_values = requirement.values.is_empty();
        match &requirement.operator {
            SelectorOperator::In | SelectorOperator::NotIn if no_values => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                problems.push(Problem::required(format!("{field}.values"), detail));
            }
            SelectorOperator::Exists | SelectorOperator::DoesNotExist if !no_values => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                problems.push(Problem::forbidden(format!("{field}.values"), detail));
            }
            SelectorOperator::Other(operator) => {
                let detail = "not a valid selector operator";
                problems.push(Problem::invalid(format!("{field}.operator"), operator, detail));
            }
            _ => {}
        }
        let faults = names::check_qualified_name(&requirement.key);
        refuse_all(problems, &format!("{field}.key"), &requirement.key, faults);
    }
}

fn check_metadata(manifest: &Manifest, kind: Kind) -> Vec<Problem> {
    let mut problems = Vec::new();
    let name = &manifest.metadata.name;
    let namespace = manifest.metadata.namespace.as_deref().unwrap_or_default();
    if name.is_empty() {
        problems.push(Problem::required("metadata.name", "name or generateName is required"));
    }
    refuse_all(&mut problems, "metadata.name", name, names::check_path_segment(name));
    if kind.is_namespaced() && namespace.is_empty() {
        problems.push(Problem::required("metadata.namespace", ""));
    }
    if !kind.is_namespaced() && !namespace.is_empty() {
        problems.push(Problem::forbidden("metadata.namespace", "not allowed on this type"));
    }
    problems
}

fn refuse_all(problems: &mut Vec<Problem>, field: &str, value: &str, faults: Vec<String>) {
    problems.extend(faults.into_iter().map(|fault| Problem::invalid(field, value, fault)));
}

fn check_absent(problems: &mut Vec<Problem>, field: &str, present: bool) {
    if present {
        problems.push(Problem::forbidden(field, "not a field of this kind"));
    }
}

fn check_rule(problems: &mut Vec<Problem>, field: &str, rule: &PolicyRule, kind: Kind) {
    let mut require = |part: &str, values: &[String], detail: &str| {
        if values.is_empty() {
            problems.push(Problem::required(format!("{field}.{part}"), detail));
        }
    };
    require("verbs", &rule.verbs, "verbs must contain at least one value");
    if rule.non_resource_urls.is_empty() {
        require("apiGroups", &rule.api_groups, "resource rules must supply at least one api group");
        require("resources", &rule.resources, "resource rules must supply at least one resource");
        return;
    }
    let mut refuse = |detail: &str| {
        let urls = go_strings(&rule.non_resource_urls);
        problems.push(Problem::invalid_printed(format!("{field}.nonResourceURLs"), urls, detail));
    };
    if kind.is_namespaced() {
        refuse("namespaced rules cannot apply to non-resource URLs");
    }
    if !(rule.api_groups.is_empty() && rule.resources.is_empty() && rule.resource_names.is_empty()) {
        refuse("rules cannot apply to both regular resources and non-resource URLs");
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
        problems.push(Problem::required(field, detail));
    }
    for (position, selector) in aggregation.cluster_role_selectors.iter().enumerate() {
        check_selector(problems, &format!("{field}[{position}]"), selector);
    }
}

fn check_role_ref(problems: &mut Vec<Problem>, written: Option<&WrittenRoleRef>, kind: Kind) {
    let kinds: &[&str] = if kind == Kind::RoleBinding { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    let nothing = WrittenRoleRef::default();
    let role_ref = written.unwrap_or(&nothing);
    check_api_group(problems, "roleRef.apiGroup", role_ref.api_group.as_deref(), API_GROUP);
    if !kinds.contains(&role_ref.kind.as_str()) {
        problems.push(Problem::not_supported("roleRef.kind", &role_ref.kind, kinds));
    }
    if role_ref.name.is_empty() {
        problems.push(Problem::required("roleRef.name", ""));
    }
    refuse_all(problems, "roleRef.name", &role_ref.name, names::check_path_segment(&role_ref.name));
}

fn check_subject(problems: &mut Vec<Problem>, field: &str, subject: &WrittenSubject, kind: Kind) {
    let group = format!("{field}.apiGroup");
    let name = format!("{field}.name");
    if subject.name.is_empty() {
        problems.push(Problem::required(&name, ""));
    }
    match subject.kind.as_str() {
        "User" | "Group" => check_api_group(problems, &group, subject.api_group.as_deref(), API_GROUP),
        "ServiceAccount" => {
            if !subject.name.is_empty() {
                refuse_all(problems, &name, &subject.name, names::check_subdomain(&subject.name));
            }
            check_api_group(problems, &group, subject.api_group.as_deref(), "");
            if !kind.is_namespaced() && subject.namespace.as_deref().unwrap_or_default().is_empty() {
                problems.push(Problem::required(format!("{field}.namespace"), ""));
            }
        }
        other => {
            let supported = ["ServiceAccount", "User", "Group"];
            problems.push(Problem::not_supported(format!("{field}.kind"), other, &supported));
        }
    }
}

/// A group left out or empty is filled in with what is expected.
fn check_api_group(problems: &mut Vec<Problem>, field: &str, group: Option<&str>, expected: &str) {
    let group = group.filter(|group| !group.is_empty()).unwrap_or(expected);
    if group != expected {
        problems.push(Problem::not_supported(field, group, &[expected]));
    }
}

/// A list as Go's `%#v` prints it.
fn go_strings(list: &[String]) -> String {
    let quoted: Vec<String> = list.iter().map(|each| Quoted(each).to_string()).collect();
    format!("[]string{{{}}}", quoted.join(", "))
}
