//! Server-side apply: ownership of fields, conflicts, and what is dropped.

use serde_json::json;

use super::*;
use crate::schema::schema;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn manager(name: &str) -> Manager<'_> {
    Manager { name, api_version: "v1", subresource: "" }
}

fn applied(live: &Value, config: Value, name: &str, force: bool) -> Result<Value, Conflicts> {
    let config_map = schema().find("core.v1.ConfigMap").unwrap();
    apply(live, &config, config_map, &manager(name), force, at(1))
}

fn config(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data})
}

#[test]
fn an_apply_owns_exactly_what_it_sets() {
    let object = applied(&Value::Null, config(json!({"a": "1"})), "one", false).unwrap();
    assert_eq!(
        object["metadata"]["managedFields"],
        json!([{"manager": "one", "operation": "Apply", "apiVersion": "v1", "time": "1970-01-01T00:00:01Z",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}}}}])
    );
}

#[test]
fn what_a_manager_leaves_out_is_removed() {
    let object = applied(&Value::Null, config(json!({"a": "1", "b": "2"})), "one", false).unwrap();
    let object = applied(&object, config(json!({"c": "3"})), "two", false).unwrap();
    let object = applied(&object, config(json!({"a": "1"})), "one", false).unwrap();
    assert_eq!(object["data"], json!({"a": "1", "c": "3"}));
    let object = applied(
        &object,
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}),
        "one",
        false,
    )
    .unwrap();
    assert_eq!(object["data"], json!({"c": "3"}));
}

#[test]
fn another_value_for_a_field_of_another_manager_is_a_conflict() {
    let object = applied(&Value::Null, config(json!({"k": "1"})), "one", false).unwrap();
    let conflicts = applied(&object, config(json!({"k": "2"})), "two", false).unwrap_err();
    assert_eq!(conflicts.message, "Apply failed with 1 conflict: conflict with \"one\": .data.k");
    assert_eq!(
        conflicts.causes,
        [Cause {
            reason: "FieldManagerConflict".into(),
            message: "conflict with \"one\"".into(),
            field: ".data.k".into()
        }]
    );
    let forced = applied(&object, config(json!({"k": "2"})), "two", true).unwrap();
    assert_eq!(forced["data"]["k"], "2");
    let managers = forced["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(managers.len(), 1, "the field moved to its new manager: {managers:?}");
}

#[test]
fn an_equal_value_is_shared_and_survives_until_the_last_leaves() {
    let object = applied(&Value::Null, config(json!({"k": "1"})), "one", false).unwrap();
    let object = applied(&object, config(json!({"k": "1"})), "two", false).unwrap();
    let nothing = || json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
    let object = applied(&object, nothing(), "one", false).unwrap();
    assert_eq!(object["data"], json!({"k": "1"}));
    let object = applied(&object, nothing(), "two", false).unwrap();
    assert_eq!(object.get("data"), None);
}

#[test]
fn updates_take_over_what_they_change() {
    let message = schema().find("core.v1.ConfigMap").unwrap();
    let old = applied(&Value::Null, config(json!({"a": "1", "b": "2"})), "one", false).unwrap();
    let mut new = old.clone();
    new["data"] = json!({"a": "9", "c": "3"});
    record_update(&old, &mut new, message, &manager("two"), at(2));
    assert_eq!(
        new["metadata"]["managedFields"],
        json!([{"manager": "two", "operation": "Update", "apiVersion": "v1", "time": "1970-01-01T00:00:02Z",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}, "f:c": {}}}}])
    );
    let conflicts = applied(&new, config(json!({"a": "1"})), "one", false).unwrap_err();
    assert_eq!(
        conflicts.message,
        "Apply failed with 1 conflict: conflict with \"two\" using v1 at 1970-01-01T00:00:02Z: .data.a"
    );
}

#[test]
fn a_create_owns_the_containers_too() {
    let mut new = config(json!({"a": "1"}));
    new["metadata"]["labels"] = json!({"l": "1"});
    record_update(
        &Value::Null,
        &mut new,
        schema().find("core.v1.ConfigMap").unwrap(),
        &manager("kubectl-create"),
        at(1),
    );
    assert_eq!(
        new["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:data": {".": {}, "f:a": {}}, "f:metadata": {"f:labels": {".": {}, "f:l": {}}}})
    );
}

#[test]
fn items_of_keyed_lists_are_managed_one_by_one() {
    let message = schema().find("apps.v1.Deployment").unwrap();
    let deployment = |containers: Value| json!({"metadata": {"name": "d"}, "spec": {"template": {"spec": {"containers": containers}}}});
    let one = deployment(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]));
    let object = apply(&Value::Null, &one, message, &manager("one"), false, at(1)).unwrap();
    let two = deployment(json!([{"name": "b", "image": "2"}, {"name": "c", "image": "3"}]));
    let conflicts = apply(&object, &two, message, &manager("two"), false, at(1)).unwrap_err();
    assert_eq!(conflicts.causes[0].field, ".spec.template.spec.containers[name=\"b\"].image");
    let two = deployment(json!([{"name": "c", "image": "3"}]));
    let object = apply(&object, &two, message, &manager("two"), false, at(1)).unwrap();
    let one = deployment(json!([{"name": "a", "image": "1"}]));
    let object = apply(&object, &one, message, &manager("one"), false, at(1)).unwrap();
    assert_eq!(
        object["spec"]["template"]["spec"]["containers"],
        json!([{"name": "a", "image": "1"}, {"name": "c", "image": "3"}])
    );
}

#[test]
fn applying_the_same_again_changes_nothing() {
    let message = schema().find("apps.v1.Deployment").unwrap();
    let config = json!({"metadata": {"name": "d", "labels": {"a": "b"}}, "spec": {"replicas": 1,
        "template": {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]}}}});
    let once = apply(&Value::Null, &config, message, &manager("one"), false, at(1)).unwrap();
    let again = apply(&once, &config, message, &manager("one"), false, at(9)).unwrap();
    assert_eq!(once, again);
}
