//! The objects that an API server makes for itself at its first start: default namespaces, roles and
//! bindings.

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct List {
    objects: Vec<Value>,
}

/// The objects, as manifests. Fails only if the embedded list is damaged, which a test rules out.
pub fn bootstrap_objects() -> Result<Vec<Value>, serde_json::Error> {
    let list: List = serde_json::from_str(include_str!("bootstrap.json"))?;
    Ok(list.objects)
}
