//! Validation of ConfigMaps, Secrets and Services, and helpers for other kinds.

use serde_json::Value;

use domain::kube::{LabelSelector, check, names};
use serde::Deserialize;

use crate::status::Problem;

pub(super) fn config_map(value: &Value, old: Option<&Value>, problems: &mut Vec<Problem>) {
    let mut size = 0;
    for (field, other) in [("data", "binaryData"), ("binaryData", "data")] {
        for (key, content) in entries(value, field) {
            size += key.len() + content.as_str().map_or(0, str::len);
            for fault in names::check_config_key(key) {
                problems.push(Problem::invalid(format!("{field}[{key}]"), key, fault));
            }
            if field == "data" && value.get(other).is_some_and(|other| other.get(key).is_some()) {
                problems.push(Problem::invalid(
                    format!("{field}[{key}]"),
                    key,
                    format!("duplicate of key present in {other}"),
                ));
            }
        }
    }
    if size > MAXIMUM_DATA_BYTES {
        problems.push(Problem::too_long("", MAXIMUM_DATA_BYTES));
    }
    check_immutable(value, old, &["data", "binaryData"], problems);
}

pub(super) fn secret(value: &Value, old: Option<&Value>, problems: &mut Vec<Problem>) {
    let mut size = 0;
    for (key, content) in entries(value, "data") {
        size += content.as_str().map_or(0, |text| text.len() / 4 * 3);
        for fault in names::check_config_key(key) {
            problems.push(Problem::invalid(format!("data[{key}]"), key, fault));
        }
    }
    if size > MAXIMUM_DATA_BYTES {
        problems.push(Problem::too_long("data", MAXIMUM_DATA_BYTES));
    }
    let kind = text(value, "/type");
    let required: &[&str] = match kind {
        "kubernetes.io/service-account-token" => {
            let pointer = "/metadata/annotations/kubernetes.io~1service-account.name";
            if text(value, pointer).is_empty() {
                problems
                    .push(Problem::required("metadata.annotations[kubernetes.io/service-account.name]", ""));
            }
            &[]
        }
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        _ => &[],
    };
    for key in required {
        if value.get("data").is_none_or(|data| data.get(key).is_none()) {
            problems.push(Problem::required(format!("data[{key}]"), ""));
        }
    }
    if let Some(old) = old
        && text(old, "/type") != kind
    {
        problems.push(Problem::invalid("type", kind, "field is immutable"));
    }
    check_immutable(value, old, &["data"], problems);
}

pub(super) fn service(value: &Value, _: Option<&Value>, problems: &mut Vec<Problem>) {
    const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    let kind = text(value, "/spec/type");
    if !TYPES.contains(&kind) {
        problems.push(Problem::not_supported("spec.type", kind, TYPES));
    }
    let ports = value.get("spec").map_or(&[][..], |spec| items(spec, "ports"));
    if ports.is_empty() && kind != "ExternalName" && text(value, "/spec/clusterIP") != "None" {
        problems.push(Problem::required("spec.ports", ""));
    }
    if kind == "ExternalName" && text(value, "/spec/externalName").is_empty() {
        problems.push(Problem::required("spec.externalName", ""));
    }
    for (index, port) in ports.iter().enumerate() {
        let number = port.get("port").and_then(Value::as_i64).unwrap_or_default();
        if !(1..=65_535).contains(&number) {
            problems.push(Problem::invalid_printed(
                format!("spec.ports[{index}].port"),
                number.to_string(),
                "must be between 1 and 65535, inclusive",
            ));
        }
        if ports.len() > 1 && text(port, "/name").is_empty() {
            problems.push(Problem::required(format!("spec.ports[{index}].name"), ""));
        }
        let protocol = text(port, "/protocol");
        if !PROTOCOLS.contains(&protocol) {
            problems.push(Problem::not_supported(
                format!("spec.ports[{index}].protocol"),
                protocol,
                PROTOCOLS,
            ));
        }
    }
}

/// `matchLabels` and `matchExpressions`.
pub(super) fn label_selector(selector: &Value, field: &str, problems: &mut Vec<Problem>) {
    match LabelSelector::deserialize(selector) {
        Ok(selector) => check::check_selector(problems, field, &selector),
        Err(error) => problems.push(Problem::invalid_printed(field, selector.to_string(), error.to_string())),
    }
}

fn check_immutable(value: &Value, old: Option<&Value>, fields: &[&str], problems: &mut Vec<Problem>) {
    let Some(old) = old.filter(|old| old.get("immutable") == Some(&Value::Bool(true))) else { return };
    for field in ["immutable"].iter().chain(fields) {
        if old.get(field) != value.get(field) {
            problems.push(Problem::forbidden(*field, "field is immutable when `immutable` is set"));
        }
    }
}

pub(super) fn items<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn entries<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(field).and_then(Value::as_object).into_iter().flatten()
}

pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

const MAXIMUM_DATA_BYTES: usize = 1024 * 1024;
pub(super) const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];
