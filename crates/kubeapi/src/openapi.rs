//! OpenAPI version 3 documents of the served groups, made from the schema.
//!
//! They are minimal on purpose: kubectl reads types and descriptions from them (`explain`), and checks whether the
//! paths declare `fieldValidation` on POST and PATCH, in which case it leaves validation to the server.
//!
//! The version 2 document is empty. kubectl requires it before it applies a `List`; for types that are not in it, it
//! leaves validation to the server.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{
    kinds::{self, Kind, Role},
    schema::{FieldType, ListType, Message, MessageId, schema},
};

/// `GET /openapi/v3`: the paths of the documents. `prefix` is the path under which the cluster is served, empty or
/// beginning with a slash.
pub fn index() -> Value {
    let mut paths = Map::new();
    for (group, version) in std::iter::once(("", "v1")).chain(kinds::groups()) {
        let path =
            if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") };
        // kubectl resolves this URL against the server URL, including its path.
        let entry = json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={REVISION}")});
        paths.insert(path, entry);
    }
    json!({"paths": paths})
}

/// The document of one group and version; `None` for what is not served.
pub fn document(group: &str, version: &str) -> Option<Value> {
    if !kinds::group_version_exists(group, Some(version)) {
        return None;
    }
    let mut paths = Map::new();
    let mut wanted = BTreeSet::new();
    for kind in kinds::kinds().iter().filter(|kind| kind.group == group && kind.version == version) {
        let root =
            if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let root = if kind.namespaced { format!("{root}/namespaces/{{namespace}}") } else { root };
        let collection = format!("{root}/{}", kind.plural);
        paths.insert(collection.clone(), collection_path(kind));
        if kind.role == Role::Stored {
            paths.insert(format!("{collection}/{{name}}"), object_path(kind));
        }
        wanted.insert(kind.message);
    }
    let mut schemas = Map::new();
    let mut pending: Vec<&'static str> = wanted.into_iter().collect();
    while let Some(name) = pending.pop() {
        let Some(message) = schema().find(name) else { continue };
        let public = public_name(message);
        if schemas.contains_key(&public) {
            continue;
        }
        schemas.insert(public, message_schema(message, &mut pending));
    }
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": TITLE, "version": VERSION},
        "paths": paths,
        "components": {"schemas": schemas},
    }))
}

/// `GET /openapi/v2`: an empty document.
pub fn version_2() -> Value {
    json!({"swagger": "2.0", "info": {"title": TITLE, "version": VERSION}, "paths": {}})
}

/// The same as the protobuf message `openapi.v2.Document`, which kubectl requests: field 1 is `swagger`, 2 is `info`;
/// in `info`, 1 is `title`, 2 is `version`.
pub fn version_2_protobuf() -> Vec<u8> {
    let info = [field(1, TITLE.as_bytes()), field(2, VERSION.as_bytes())].concat();
    [field(1, b"2.0"), field(2, &info)].concat()
}

/// A length-delimited protobuf field of fewer than 128 bytes, so that the length is one byte.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("the texts here are short");
    [&[number << 3 | 2, length], bytes].concat()
}

fn collection_path(kind: &Kind) -> Value {
    let mut path = json!({"post": operation(kind, "post", true)});
    if let (Role::Stored, Value::Object(path)) = (kind.role, &mut path) {
        path.insert("get".into(), operation(kind, "list", false));
    }
    path
}

fn object_path(kind: &Kind) -> Value {
    json!({
        "get": operation(kind, "get", false),
        "put": operation(kind, "put", true),
        "patch": operation(kind, "patch", true),
        "delete": operation(kind, "delete", false),
    })
}

fn operation(kind: &Kind, action: &str, writes: bool) -> Value {
    let reference = reference(kind.message);
    let mut operation = json!({
        "operationId": format!("{action}{}{}", kind.version, kind.kind),
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
    });
    if let (true, Value::Object(operation)) = (writes, &mut operation) {
        let parameters: Vec<_> = ["dryRun", "fieldManager", "fieldValidation"]
            .iter()
            .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}))
            .collect();
        operation.insert("parameters".into(), parameters.into());
        let media_type = if action == "patch" { "application/strategic-merge-patch+json" } else { "*/*" };
        operation.insert("requestBody".into(), json!({"content": {media_type: {"schema": reference}}}));
    }
    operation
}

fn message_schema(message: &'static Message, pending: &mut Vec<&'static str>) -> Value {
    let mut properties = Map::new();
    let rows = kinds::kinds().iter().filter(|kind| kind.message == message.name);
    let kinds: Vec<_> =
        rows.map(|kind| json!({"group": kind.group, "version": kind.version, "kind": kind.kind})).collect();
    if !kinds.is_empty() {
        for (name, description) in
            [("apiVersion", "Version of the form of this object"), ("kind", "Kind of this object")]
        {
            properties.insert(name.into(), json!({"type": "string", "description": description}));
        }
    }
    for field in message.json_fields() {
        let mut property = type_schema(&field.kind, pending);
        if let Value::Object(property) = &mut property {
            match &field.list {
                ListType::Unmarked => {}
                ListType::Atomic if matches!(field.kind, FieldType::Map(_)) => {
                    property.insert("x-kubernetes-map-type".into(), "atomic".into());
                }
                ListType::Atomic => {
                    property.insert("x-kubernetes-list-type".into(), "atomic".into());
                }
                ListType::Set => {
                    property.insert("x-kubernetes-list-type".into(), "set".into());
                }
                ListType::Keys(keys) => {
                    property.insert("x-kubernetes-list-type".into(), "map".into());
                    property.insert("x-kubernetes-list-map-keys".into(), json!(keys));
                }
            }
            if let Some(key) = field.patch.merge {
                let strategy = if field.patch.retain_keys { "merge,retainKeys" } else { "merge" };
                property.insert("x-kubernetes-patch-strategy".into(), strategy.into());
                if !key.is_empty() {
                    property.insert("x-kubernetes-patch-merge-key".into(), key.into());
                }
            }
        }
        properties.insert(field.name.into(), property);
    }
    let mut object = json!({"type": "object", "properties": properties});
    if let (false, Value::Object(object)) = (kinds.is_empty(), &mut object) {
        object.insert("x-kubernetes-group-version-kind".into(), kinds.into());
    }
    object
}

fn type_schema(kind: &FieldType, pending: &mut Vec<&'static str>) -> Value {
    match kind {
        FieldType::String => json!({"type": "string"}),
        FieldType::Bool => json!({"type": "boolean"}),
        FieldType::Int32 => json!({"type": "integer", "format": "int32"}),
        FieldType::Int64 => json!({"type": "integer", "format": "int64"}),
        FieldType::Double => json!({"type": "number", "format": "double"}),
        FieldType::Bytes => json!({"type": "string", "format": "byte"}),
        FieldType::Quantity => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
        FieldType::Time | FieldType::MicroTime => json!({"type": "string", "format": "date-time"}),
        FieldType::IntOrString => {
            json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
        }
        FieldType::Raw | FieldType::Fields => json!({"type": "object"}),
        FieldType::Strings => json!({"type": "array", "items": {"type": "string"}}),
        FieldType::Message(id) => {
            pending.push(name_of(*id));
            json!({"allOf": [reference(name_of(*id))]})
        }
        FieldType::List(element) => json!({"type": "array", "items": type_schema(element, pending)}),
        FieldType::Map(value) => {
            json!({"type": "object", "additionalProperties": type_schema(value, pending)})
        }
    }
}

fn name_of(id: MessageId) -> &'static str {
    schema().message(id).name
}

fn reference(message: &str) -> Value {
    let name = schema().find(message).map_or_else(|| message.to_owned(), public_name);
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The name of the type in Kubernetes' OpenAPI documents.
fn public_name(message: &Message) -> String {
    match message.name.strip_prefix("meta.") {
        Some(rest) => format!("io.k8s.apimachinery.pkg.apis.meta.{rest}"),
        None => format!("io.k8s.api.{}", message.name),
    }
}

/// Changes whenever the documents do, so that clients' caches notice.
const TITLE: &str = "Kubernetes";
const VERSION: &str = app::resource_manager::clusters::KUBERNETES_GIT_VERSION;
const REVISION: &str = concat!("portcullis-", env!("CARGO_PKG_VERSION"), "-1");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_a_document_is_in_it() {
        for (group, version) in std::iter::once(("", "v1")).chain(kinds::groups()) {
            let document = document(group, version).unwrap();
            let schemas = document["components"]["schemas"].as_object().unwrap();
            let text = document.to_string();
            for reference in text.split("#/components/schemas/").skip(1) {
                let name = reference.split('"').next().unwrap();
                assert!(schemas.contains_key(name), "{name} of {group}/{version}");
            }
        }
    }

    #[test]
    fn writes_declare_field_validation() {
        let document = document("rbac.authorization.k8s.io", "v1").unwrap();
        let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles";
        for (path, method) in [(path.to_owned(), "post"), (format!("{path}/{{name}}"), "patch")] {
            let parameters = document["paths"][&path][method]["parameters"].as_array().unwrap();
            assert!(parameters.iter().any(|parameter| parameter["name"] == "fieldValidation"));
        }
        assert_eq!(document["paths"][path]["post"]["x-kubernetes-group-version-kind"]["kind"], "Role");
    }
}
