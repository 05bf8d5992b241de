//! Quantities that must not be negative: container resources, quotas, volume sizes. Unchanged stored values are not
//! checked, so that objects with an invalid one can still be updated.

use serde_json::Value;

use super::validate::{entries, items};
use crate::{
    status::Problem,
    values::{Sign, sign},
};

/// `spec.hard`.
pub(super) fn quota(value: &Value, old: Option<&Value>, problems: &mut Vec<Problem>) {
    check(value, old, "/spec", "spec", "hard", Sign::Zero, problems);
}

/// `spec.resources.requests.storage`, which must be greater than zero.
pub(super) fn volume_claim(value: &Value, old: Option<&Value>, problems: &mut Vec<Problem>) {
    check(value, old, "/spec/resources", "spec.resources", "requests", Sign::Positive, problems);
}

/// The resources of all containers of the pod specification at `pointer`.
pub(super) fn pod(
    value: &Value,
    old: Option<&Value>,
    pointer: &str,
    field: &str,
    problems: &mut Vec<Problem>,
) {
    let nothing = Value::Null;
    for list in ["initContainers", "containers"] {
        for index in 0..items(value.pointer(pointer).unwrap_or(&nothing), list).len() {
            let pointer = format!("{pointer}/{list}/{index}/resources");
            let field = format!("{field}.{list}[{index}].resources");
            for name in ["limits", "requests"] {
                check(value, old, &pointer, &field, name, Sign::Zero, problems);
            }
        }
    }
}

fn check(
    value: &Value,
    old: Option<&Value>,
    pointer: &str,
    field: &str,
    name: &str,
    least: Sign,
    problems: &mut Vec<Problem>,
) {
    let Some(holder) = value.pointer(pointer) else { return };
    let before = old.and_then(|old| old.pointer(pointer)?.get(name));
    for (key, quantity) in entries(holder, name) {
        let text = quantity.as_str().unwrap_or_default();
        let is_kept = before.and_then(|before| before.get(key)) == Some(quantity);
        if is_kept || sign(text) >= least || (least == Sign::Positive && key != "storage") {
            continue;
        }
        let because = match least {
            Sign::Positive => "must be greater than zero",
            Sign::Zero | Sign::Negative => "must be greater than or equal to 0",
        };
        problems.push(Problem::invalid(format!("{field}.{name}[{key}]"), text, because));
    }
}
