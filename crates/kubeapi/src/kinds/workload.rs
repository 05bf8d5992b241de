//! Validation of pods and of workload controllers.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    quantities,
    validate::{PROTOCOLS, entries, items, label_selector, text},
};
use domain::kube::names;

use crate::{selectors::LabelSelector, status::Problem};

pub(super) fn pod(value: &Value, old: Option<&Value>, problems: &mut Vec<Problem>) {
    let nothing = Value::Null;
    let spec = value.get("spec").unwrap_or(&nothing);
    pod_spec(spec, "spec", problems);
    quantities::pod(value, old, "/spec", "spec", problems);
    if let Some(old) = old
        && fixed_part(old.get("spec").unwrap_or(&nothing)) != fixed_part(spec)
    {
        problems.push(Problem::forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,\
             `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
             existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
             previously negative)",
        ));
    }
}

/// Deployments, ReplicaSets, StatefulSets and DaemonSets: selector, pod template and, except DaemonSets, replicas.
pub(super) fn controller(value: &Value, old: Option<&Value>, problems: &mut Vec<Problem>) {
    let nothing = Value::Null;
    let spec = value.get("spec").unwrap_or(&nothing);
    if let Some(replicas) = spec.get("replicas").and_then(Value::as_i64)
        && replicas < 0
    {
        problems.push(Problem::invalid_printed(
            "spec.replicas",
            replicas.to_string(),
            "must be greater than or equal to 0",
        ));
    }
    let template = spec.get("template").unwrap_or(&nothing);
    match spec.get("selector") {
        None => problems.push(Problem::required("spec.selector", "")),
        Some(selector) => {
            label_selector(selector, "spec.selector", problems);
            if selector.as_object().is_some_and(serde_json::Map::is_empty) {
                problems.push(Problem::invalid_printed(
                    "spec.selector",
                    "{}",
                    "empty selector is invalid for deployment",
                ));
            }
            let labels = template.pointer("/metadata/labels").unwrap_or(&nothing);
            if !LabelSelector::from_value(selector).is_some_and(|selector| selector.matches_value(labels)) {
                let printed: Vec<_> = entries(template.get("metadata").unwrap_or(&nothing), "labels")
                    .map(|(key, value)| format!("{key:?}:{:?}", value.as_str().unwrap_or_default()))
                    .collect();
                problems.push(Problem::invalid_printed(
                    "spec.template.metadata.labels",
                    format!("map[string]string{{{}}}", printed.join(", ")),
                    "`selector` does not match template `labels`",
                ));
            }
            if let Some(old) = old
                && old.pointer("/spec/selector") != Some(selector)
            {
                problems.push(Problem::invalid_printed(
                    "spec.selector",
                    selector.to_string(),
                    "field is immutable",
                ));
            }
        }
    }
    let inner = template.get("spec").unwrap_or(&nothing);
    pod_spec(inner, "spec.template.spec", problems);
    quantities::pod(value, old, "/spec/template/spec", "spec.template.spec", problems);
    let policy = text(inner, "/restartPolicy");
    if !matches!(policy, "Always" | "") {
        problems.push(Problem::not_supported("spec.template.spec.restartPolicy", policy, &["Always"]));
    }
}

/// The specification without the fields that an update may change.
fn fixed_part(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Value::Object(object) = &mut spec {
        for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"] {
            object.remove(field);
        }
        for list in ["containers", "initContainers"] {
            for container in object.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                if let Value::Object(container) = container {
                    container.remove("image");
                    container.remove("imagePullPolicy");
                }
            }
        }
    }
    spec
}

fn pod_spec(spec: &Value, field: &str, problems: &mut Vec<Problem>) {
    let volumes: BTreeSet<_> = items(spec, "volumes").iter().map(|volume| text(volume, "/name")).collect();
    unique_names(items(spec, "volumes"), &format!("{field}.volumes"), problems);
    if items(spec, "containers").is_empty() {
        problems.push(Problem::required(format!("{field}.containers"), ""));
    }
    for list in ["containers", "initContainers"] {
        let containers = items(spec, list);
        unique_names(containers, &format!("{field}.{list}"), problems);
        for (index, container) in containers.iter().enumerate() {
            check_container(container, &format!("{field}.{list}[{index}]"), &volumes, problems);
        }
    }
    let policy = text(spec, "/restartPolicy");
    if !matches!(policy, "" | "Always" | "OnFailure" | "Never") {
        problems.push(Problem::not_supported(
            format!("{field}.restartPolicy"),
            policy,
            &["Always", "OnFailure", "Never"],
        ));
    }
    let account = text(spec, "/serviceAccountName");
    if !account.is_empty() {
        for fault in names::check_subdomain(account) {
            problems.push(Problem::invalid(format!("{field}.serviceAccountName"), account, fault));
        }
    }
}

fn check_container(container: &Value, field: &str, volumes: &BTreeSet<&str>, problems: &mut Vec<Problem>) {
    if text(container, "/image").is_empty() {
        problems.push(Problem::required(format!("{field}.image"), ""));
    }
    for (index, port) in items(container, "ports").iter().enumerate() {
        let number = port.get("containerPort").and_then(Value::as_i64).unwrap_or_default();
        if !(1..=65_535).contains(&number) {
            problems.push(Problem::invalid_printed(
                format!("{field}.ports[{index}].containerPort"),
                number.to_string(),
                "must be between 1 and 65535, inclusive",
            ));
        }
        let protocol = text(port, "/protocol");
        if !protocol.is_empty() && !PROTOCOLS.contains(&protocol) {
            problems.push(Problem::not_supported(
                format!("{field}.ports[{index}].protocol"),
                protocol,
                PROTOCOLS,
            ));
        }
    }
    for (index, variable) in items(container, "env").iter().enumerate() {
        if text(variable, "/name").is_empty() {
            problems.push(Problem::required(format!("{field}.env[{index}].name"), ""));
        }
    }
    for (index, mount) in items(container, "volumeMounts").iter().enumerate() {
        let name = text(mount, "/name");
        if !volumes.contains(name) {
            problems.push(Problem {
                field: format!("{field}.volumeMounts[{index}].name"),
                fault: domain::kube::problem::Fault::NotFound { value: format!("{name:?}") },
            });
        }
        if text(mount, "/mountPath").is_empty() {
            problems.push(Problem::required(format!("{field}.volumeMounts[{index}].mountPath"), ""));
        }
    }
}

fn unique_names(list: &[Value], field: &str, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, item) in list.iter().enumerate() {
        let name = text(item, "/name");
        let place = format!("{field}[{index}].name");
        if name.is_empty() {
            problems.push(Problem::required(place, ""));
            continue;
        }
        for fault in names::check_label_name(name) {
            problems.push(Problem::invalid(place.clone(), name, fault));
        }
        if !seen.insert(name) {
            problems.push(Problem::duplicate(place, name));
        }
    }
}
