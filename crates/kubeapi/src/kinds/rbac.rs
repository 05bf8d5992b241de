//! Validation of roles and bindings: the rules of `domain::kube::check` for what this surface has read. Whether
//! the writer may grant what they say is decided elsewhere.

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

/// What cannot be read is refused: the engine could not read it either.
fn read(value: &Value, problems: &mut Vec<Problem>) -> Option<Manifest> {
    let read = Manifest::parse(value);
    read.map_err(|error| problems.push(Problem::invalid("", API_VERSION, error.to_string()))).ok()
}
