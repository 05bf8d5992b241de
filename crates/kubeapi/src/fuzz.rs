//! What clients of the Kubernetes API send, as none does: bodies in three forms, patches, selectors, addresses. It is
//! read or refused, in time and in words, and what is read can be written and read again.

use fuzzing::{bytes, says_something, text};
use http::{HeaderMap, HeaderValue, Method, header};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    apply::{self, Manager},
    fields::FieldValidation,
    json, kinds,
    lifecycle::{Expected, decode_body},
    patch::{Patch, PatchType},
    protobuf,
    request::{self, ListOptions, MediaType, Query, RequestInfo, WriteOptions},
    schema::schema,
    selectors::{FieldSelector, LabelSelector},
};

const POD: &str = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n", "labels": {"a": "b"},
    "finalizers": ["x/y"], "managedFields": [{"manager": "m", "operation": "Apply", "apiVersion": "v1",
    "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:image": {}}}}}}]},
    "spec": {"containers": [{"name": "c", "image": "i", "env": [{"name": "X", "value": "1"}],
    "resources": {"limits": {"cpu": "100m"}}}], "tolerations": [{"key": "k", "operator": "Exists"}]}}"#;

#[test]
fn selectors() {
    text(
        &["a=b,c!=d,e in (f,g),h notin (i),j,!k,x/y>5", "metadata.name=a\\,b,status!=x"],
        &[" in (", "=="],
        |text| {
            if let Err(error) = LabelSelector::parse(text) {
                says_something(error);
            }
            match FieldSelector::parse(text) {
                Ok(selector) => {
                    let _ = selector.name();
                }
                Err(error) => says_something(error),
            }
        },
    );
}

#[test]
fn documents() {
    bytes(&[POD.as_bytes()], &["[", "{\"a\":", "null", "1e9999", "\"\\ud800\""], |input| {
        match json::parse(input) {
            Ok(document) => {
                let written = document.value.to_string();
                assert_eq!(json::parse(written.as_bytes()).map(|read| read.value), Ok(document.value));
            }
            Err(error) => says_something(error),
        }
    });
}

#[test]
fn bodies() {
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: &l {a: 'b'}, annotations: *l}\nspec:\n  \
                containers:\n  - name: c\n    image: \"i\"\n    args: [!!str 1, |-\n      text]\n";
    let message = schema().find("core.v1.Pod").unwrap();
    let expected = || Expected { group: "", version: "v1", kind: "Pod", message };
    bytes(
        &[POD.as_bytes(), yaml.as_bytes()],
        &["&a [", "*a", "*a,", "<<: *l", "!!binary ", "---\n", "- - - "],
        |input| {
            for media_type in [MediaType::Json, MediaType::Yaml, MediaType::Protobuf] {
                if let Err(status) = decode_body(input, media_type, expected(), FieldValidation::Strict) {
                    says_something(status.message);
                }
            }
        },
    );
}

#[test]
fn protobuf_bodies() {
    use k8s_pb::{
        api::rbac::v1::Role,
        apimachinery::pkg::runtime::{TypeMeta, Unknown},
    };
    use prost::Message;
    let role = Role::default().encode_to_vec();
    let type_meta =
        TypeMeta { api_version: Some("rbac.authorization.k8s.io/v1".into()), kind: Some("Role".into()) };
    let raw = [role, vec![0x0a, 0x03, 0x0a, 0x01, b'r', 0x12, 0x05, 0x0a, 0x03, b'g', b'e', b't']].concat();
    let unknown = Unknown { type_meta: Some(type_meta), raw: Some(raw), ..Unknown::default() };
    let body = [b"k8s\0".as_slice(), &unknown.encode_to_vec()].concat();
    bytes(&[&body], &["k8s\0", "\n\u{7f}", "\u{12}\u{1}"], |input| {
        match protobuf::decode(input, kinds::message_of) {
            Ok(decoded) => assert!(decoded.value.is_object()),
            Err(error) => says_something(error),
        }
    });
}

#[test]
fn patches() {
    let object: Value = serde_json::from_str(POD).unwrap();
    let message = schema().find("core.v1.Pod");
    let json = br#"[{"op": "test", "path": "/metadata/name", "value": "p"}, {"op": "add", "path": "/spec/a~1b", "value": 1},
        {"op": "move", "from": "/spec/containers/0", "path": "/spec/containers/-"}, {"op": "remove", "path": "/kind"}]"#;
    let strategic = br#"{"spec": {"$setElementOrder/containers": [{"name": "c"}], "containers": [{"$patch": "delete",
        "name": "c"}], "$retainKeys": ["x"]}, "metadata": {"$deleteFromPrimitiveList/finalizers": ["x/y"], "labels": null}}"#;
    bytes(
        &[json, strategic],
        &["\"copy\"", "\"replace\"", "\"$patch\": \"replace\"", "/-", "/0", "~0"],
        |input| {
            for kind in [PatchType::Json, PatchType::Merge, PatchType::Strategic] {
                let patch = Patch::parse(kind, input);
                if let Err(error) = patch.and_then(|patch| patch.apply(&object, message)) {
                    says_something(error);
                }
            }
        },
    );
}

#[test]
fn applies() {
    let message = schema().find("core.v1.Pod").unwrap();
    let live: Value = serde_json::from_str(POD).unwrap();
    let manager = Manager { name: "other", api_version: "v1", subresource: "" };
    bytes(
        &[POD.as_bytes()],
        &["\"f:spec\": {}", "\"k:{\\\"name\\\":1}\": {}", "\"v:1\"", "[]", "null"],
        |input| {
            let Ok(document) = json::parse(input) else { return };
            for (live, config) in [(&live, &document.value), (&document.value, &live)] {
                for force in [false, true] {
                    match apply::apply(live, config, message, &manager, force, Timestamp::UNIX_EPOCH) {
                        Ok(_) => {}
                        Err(conflicts) => assert!(!conflicts.causes.is_empty(), "{}", conflicts.message),
                    }
                }
            }
        },
    );
}

#[test]
fn addresses() {
    let examples = [
        "/api/v1/namespaces/n/pods/p/log",
        "/apis/apps/v1/deployments?labelSelector=a%3Db&fieldSelector=metadata.name%3Dx&limit=5&watch=true",
        "/apis/g/v/namespaces/n/status?dryRun=All&fieldManager=m&fieldValidation=Warn&continue=x&timeoutSeconds=9",
    ];
    text(&examples, &["..", "//", "%2F", "?limit=", "&dryRun="], |text| {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let Some(query) = Query::parse(query) else { return };
        for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
            let _ = RequestInfo::parse(&method, path, &query);
        }
        if let Err(status) = ListOptions::parse(&query) {
            says_something(status.message);
        }
        if let Err(status) = WriteOptions::parse(&query, "CreateOptions") {
            says_something(status.message);
        }
    });
}

#[test]
fn headers() {
    let table = b"application/json;as=Table;v=v1;g=meta.k8s.io,application/json;q=0.5, */*";
    bytes(
        &[table, b"application/apply-patch+yaml; charset=utf-8"],
        &[";as=", ";q=", "application/vnd.kubernetes.protobuf"],
        |input| {
            let Ok(value) = HeaderValue::from_bytes(input) else { return };
            let headers: HeaderMap = [header::ACCEPT, header::CONTENT_TYPE]
                .into_iter()
                .map(|name| (name, value.clone()))
                .collect();
            if let Err(status) = request::accepted(&headers) {
                says_something(status.message);
            }
            let _ = (
                MediaType::parse(request::content_type(&headers)),
                PatchType::parse(request::content_type(&headers)),
            );
        },
    );
}
