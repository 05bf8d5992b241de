//! What is written is compared with what the slower way makes: a changed copy.

use std::sync::Arc;

use domain::{
    id::ClusterId,
    object::{Object, ObjectKey},
};

use super::*;
use crate::{
    kinds,
    lifecycle::shown,
    table::{partial, table},
};

fn object(revision: u64, value: Value) -> Object {
    let cluster = ClusterId::parse("11111111-1111-4111-8111-111111111111").unwrap();
    let key = ObjectKey::new(cluster, "", "configmaps", "default", "a");
    Object { key, revision, value: Arc::new(value) }
}

fn objects() -> Vec<Object> {
    vec![
        object(
            7,
            json!({"kind": "ConfigMap", "apiVersion": "v1", "data": {"k": "\"\u{1}ü"},
            "metadata": {"name": "a", "zzz": 1, "creationTimestamp": "2026-11-24T09:00:00Z"}}),
        ),
        object(
            0,
            json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a", "resourceVersion": "3"}}),
        ),
        object(9, json!({"kind": "ConfigMap", "metadata": {"resourceVersion": "3"}})),
        object(9, json!({"kind": "ConfigMap"})),
    ]
}

fn view(form: Form, include: IncludeObject) -> View {
    let kind = kinds::find("", "v1", "configmaps").unwrap();
    View { kind, form, include, now: "2026-11-24T09:02:00Z".parse().unwrap() }
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> Value {
    let mut text = Vec::new();
    write(&mut text);
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn what_is_written_is_what_a_changed_copy_would_be() {
    for object in objects() {
        let copy = shown(&object);
        let written =
            |form| text(|to| view(form, IncludeObject::None).object(&object, Headers::Described, to));
        assert_eq!(written(Form::Object), copy);
        let mut expected = partial(&copy);
        if object.value.get("metadata").is_none() {
            expected["metadata"] = json!({"resourceVersion": object.revision.to_string()});
        }
        assert_eq!(written(Form::Metadata), expected);
    }
}

#[test]
fn a_table_is_written_as_it_is_made() {
    for include in [IncludeObject::None, IncludeObject::Metadata, IncludeObject::Object] {
        for object in &objects()[..2] {
            let view = view(Form::Table, include);
            let metadata = json!({"resourceVersion": object.revision.to_string()});
            for (headers, shown_headers) in [(Headers::Described, true), (Headers::AlreadySent, false)] {
                let made = table(view.kind, &[shown(object)], &metadata, include, shown_headers, view.now);
                assert_eq!(text(|to| view.object(object, headers, to)), made);
            }
        }
    }
}

#[test]
fn a_list_is_its_head_its_items_and_its_end() {
    let view = view(Form::Object, IncludeObject::None);
    let list = text(|to| {
        view.list_head(&json!({"resourceVersion": "9"}), to);
        for (place, object) in objects().iter().enumerate() {
            if place > 0 {
                to.push(b',');
            }
            view.item(object, to);
        }
        to.extend_from_slice(LIST_END);
    });
    assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("ConfigMapList"), &json!("v1")));
    let items: Vec<Value> = objects()
        .iter()
        .map(|object| {
            let mut value = shown(object);
            value.as_object_mut().unwrap().retain(|name, _| name != "kind" && name != "apiVersion");
            value
        })
        .collect();
    assert_eq!(list["items"], json!(items));
}

#[test]
fn large_is_what_takes_long_to_write() {
    assert!(!is_large(&json!({"data": {"k": "v".repeat(LARGE / 2)}})));
    assert!(is_large(&json!({"data": {"k": "v".repeat(LARGE)}})));
    assert!(is_large(&json!(vec!["v"; LARGE / 2])));
}
