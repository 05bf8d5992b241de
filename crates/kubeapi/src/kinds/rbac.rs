//! Validation of roles and bindings by the rules of `domain::kube::check`. Whether the caller may grant the
//! permissions (escalation) is checked elsewhere.

use domain::kube::{
    Manifest, check,
    manifest::{API_VERSION, Kind},
};
use serde_json::Value;

use crate::status::Problem;

pub(super) fn role(value: &Value, _: Option<&Value>, problems: &mut Vec<Problem>) {
    content(value, Kind::Role, problems);
}

pub(super) fn cluster_role(value: &Value, _: Option<&Value>, problems: &mut Vec<Problem>) {
    content(value, Kind::ClusterRole, problems);
}

pub(super) fn role_binding(value: &Value, old: Option<&Value>, problems: &mut Vec<Problem>) {
    binding(value, old, Kind::RoleBinding, problems);
}

pub(super) fn cluster_role_binding(value: &Value, old: Option<&Value>, problems: &mut Vec<Problem>) {
    binding(value, old, Kind::ClusterRoleBinding, problems);
}

fn binding(value: &Value, old: Option<&Value>, kind: Kind, problems: &mut Vec<Problem>) {
    let Some(new) = content(value, kind, problems) else { return };
    let Some(old) = old.and_then(|old| read(old, problems)) else { return };
    problems.extend(check::check_role_ref_kept(&old, &new));
}

fn content(value: &Value, kind: Kind, problems: &mut Vec<Problem>) -> Option<Manifest> {
    let manifest = read(value, problems)?;
    problems.extend(check::check_content(&manifest, kind));
    Some(manifest)
}

/// Parses the manifest as the RBAC engine does; refuses it if that fails.
fn read(value: &Value, problems: &mut Vec<Problem>) -> Option<Manifest> {
    let read = Manifest::parse(value);
    read.map_err(|error| problems.push(Problem::invalid("", API_VERSION, error.to_string()))).ok()
}
