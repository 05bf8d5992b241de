//! The roles, bindings and namespaces that a fresh API server makes for itself.

use serde::Deserialize;
use serde_json::Value;

/// Namespaces, ClusterRoles, ClusterRoleBindings, Roles and RoleBindings as manifests, in that order.
pub fn bootstrap_objects() -> Vec<Value> {
    let file: File = serde_json::from_str(TEXT).expect("the file is part of the program and a test reads it");
    file.objects
}

#[derive(Deserialize)]
struct File {
    objects: Vec<Value>,
}

const TEXT: &str = include_str!("bootstrap.json");
