//! Patches of each type, and the directives of strategic merge patches.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::schema;

fn strategic(message: &str, object: Value, patch: Value) -> Result<Value, PatchError> {
    Patch::Strategic(patch).apply(&object, schema().find(message))
}

#[test]
fn lists_are_merged_by_their_key() {
    let deployment = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "1"}]}}}});
    let patch = json!({"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "a"}, {"name": "c"}],
        "containers": [{"name": "a", "image": "2", "env": [{"name": "Y", "value": "2"}]},
            {"$patch": "delete", "name": "b"}, {"name": "c", "image": "3"}]}}}});
    assert_eq!(
        strategic("apps.v1.Deployment", deployment, patch).unwrap(),
        json!({"spec": {"template": {"spec": {"containers": [
            {"name": "a", "image": "2", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
            {"name": "c", "image": "3"}]}}}})
    );
}

#[test]
fn rules_of_a_role_are_replaced() {
    let role =
        json!({"rules": [{"verbs": ["get"]}, {"verbs": ["list"]}], "metadata": {"labels": {"a": "b"}}});
    let patch = json!({"rules": [{"verbs": ["watch"]}], "metadata": {"labels": {"a": null, "c": "d"}}});
    assert_eq!(
        strategic("rbac.v1.Role", role, patch).unwrap(),
        json!({"rules": [{"verbs": ["watch"]}], "metadata": {"labels": {"c": "d"}}})
    );
}

#[test]
fn finalizers_are_a_set_with_deletions() {
    let object = json!({"metadata": {"finalizers": ["a", "b", "c"]}});
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["b"], "finalizers": ["d"],
        "$setElementOrder/finalizers": ["d", "c"]}});
    assert_eq!(
        strategic("core.v1.ConfigMap", object, patch).unwrap(),
        json!({"metadata": {"finalizers": ["d", "a", "c"]}})
    );
    let object = json!({"metadata": {"finalizers": ["a", "b"]}});
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}});
    assert_eq!(
        strategic("core.v1.ConfigMap", object, patch).unwrap(),
        json!({"metadata": {"finalizers": ["b"]}})
    );
}

#[test]
fn directives_replace_delete_and_retain() {
    let object =
        || json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
    for (patch, expected) in [
        (
            json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
            json!({"spec": {"strategy": {"type": "Recreate"}}}),
        ),
        (
            json!({"spec": {"strategy": {"$patch": "replace", "type": "Recreate"}}}),
            json!({"spec": {"strategy": {"type": "Recreate"}}}),
        ),
        (json!({"spec": {"strategy": {"$patch": "delete"}}}), json!({"spec": {}})),
        (json!({"spec": {"strategy": null}}), json!({"spec": {}})),
    ] {
        assert_eq!(strategic("apps.v1.Deployment", object(), patch.clone()).unwrap(), expected, "{patch}");
    }
    let containers = json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}});
    let patch = json!({"spec": {"containers": [{"$patch": "replace"}, {"name": "c"}]}});
    assert_eq!(
        strategic("core.v1.Pod", containers, patch).unwrap(),
        json!({"spec": {"containers": [{"name": "c"}]}})
    );
}

#[test]
fn order_alone_moves_items() {
    let object = json!({"spec": {"containers": [{"name": "a"}, {"name": "x"}, {"name": "b"}]}});
    let patch = json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}});
    assert_eq!(
        strategic("core.v1.Pod", object, patch).unwrap(),
        json!({"spec": {"containers": [{"name": "x"}, {"name": "b"}, {"name": "a"}]}})
    );
}

#[test]
fn malformed_strategic_patches_are_told_apart() {
    let object = || json!({"spec": {"containers": [{"name": "a"}]}});
    for patch in [
        json!({"spec": {"$patch": "other"}}),
        json!({"spec": {"$patch": 1}}),
        json!({"spec": {"$retainKeys": 1}}),
        json!({"spec": {"$retainKeys": ["a"], "b": 1}}),
        json!({"spec": {"$setElementOrder/containers": 1}}),
        json!({"spec": {"containers": ["a"]}}),
    ] {
        let error = strategic("core.v1.Pod", object(), patch.clone()).unwrap_err();
        assert!(matches!(error, PatchError::Malformed(_)), "{patch}");
    }
    let error =
        strategic("core.v1.Pod", object(), json!({"spec": {"containers": [{"image": "b"}]}})).unwrap_err();
    assert!(matches!(error, PatchError::Inapplicable(_)));
}

#[test]
fn json_patches_apply_or_say_why_not() {
    let object = json!({"data": {"a": "b"}});
    let apply = |patch: &str| Patch::parse(PatchType::Json, patch.as_bytes())?.apply(&object, None);
    assert_eq!(
        apply(r#"[{"op":"add","path":"/data/c","value":"d"}]"#).unwrap(),
        json!({"data": {"a": "b", "c": "d"}})
    );
    for patch in [
        r#"[{"op":"test","path":"/data/a","value":"x"}]"#,
        r#"[{"op":"remove","path":"/nope"}]"#,
        r#"[{"op":"replace","path":"/data/nope","value":1}]"#,
    ] {
        assert!(matches!(apply(patch), Err(PatchError::Inapplicable(_))), "{patch}");
    }
    for patch in ["{}", "[1]", r#"[{"op":"explode","path":"/a"}]"#, "[", ""] {
        assert!(matches!(apply(patch), Err(PatchError::Malformed(_))), "{patch}");
    }
}

#[test]
fn copies_cannot_double_an_object_without_end() {
    let object = json!({"a": "x".repeat(100)});
    let copies: Vec<_> = (0..40).map(|n| format!(r#"{{"op":"copy","from":"","path":"/b{n}"}}"#)).collect();
    let patch = format!("[{}]", copies.join(","));
    let error = Patch::parse(PatchType::Json, patch.as_bytes()).unwrap().apply(&object, None).unwrap_err();
    assert!(matches!(error, PatchError::Inapplicable(_)));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        "[a-c]",
        prop::sample::select(vec![
            "spec",
            "containers",
            "name",
            "metadata",
            "finalizers",
            "labels",
            "$patch",
            "$retainKeys",
            "$setElementOrder/containers",
            "$deleteFromPrimitiveList/finalizers",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_strategic_patch_is_applied_or_refused(object in any_json(), patch in any_json()) {
        let _ = strategic("core.v1.Pod", object, patch);
    }

    #[test]
    fn a_merge_patch_applied_twice_is_the_same_as_once(
        object in any_json(), members in prop::collection::hash_map("[a-c]|spec|metadata", any_json(), 0..4),
    ) {
        let patch = Patch::Merge(Value::Object(members.into_iter().collect()));
        let once = patch.apply(&object, None).unwrap();
        prop_assert_eq!(patch.apply(&once, None).unwrap(), once);
    }
}

/// Each copy of the whole into its own deepest place doubles the depth: nothing but its value would be dropped, and
/// that takes the stack.
#[test]
fn a_patch_cannot_build_what_is_too_deep() {
    let copies = |count: usize| {
        let place = |depth: usize| "/a".repeat(depth);
        let operations: Vec<_> = (0..count)
            .map(|turn| serde_json::json!({"op": "copy", "from": "", "path": place(1 << turn)}))
            .collect();
        Patch::parse(PatchType::Json, serde_json::to_string(&operations).unwrap().as_bytes()).unwrap()
    };
    let object = serde_json::json!({});
    let patched = copies(6).apply(&object, None).unwrap();
    assert_eq!(domain::nesting::depth(&patched), 64);
    let error = copies(16).apply(&object, None).unwrap_err();
    assert!(error.to_string().contains("deeper than 64 levels at"), "{error}");
    // One level at a time, by moving what there is into a new list.
    let moves: Vec<_> = (0..200)
        .flat_map(|_| {
            [
                serde_json::json!({"op": "add", "path": "/b", "value": []}),
                serde_json::json!({"op": "move", "from": "/a", "path": "/b/0"}),
                serde_json::json!({"op": "move", "from": "/b", "path": "/a"}),
            ]
        })
        .collect();
    let patch = Patch::parse(PatchType::Json, serde_json::to_string(&moves).unwrap().as_bytes()).unwrap();
    let error = patch.apply(&serde_json::json!({"a": 1}), None).unwrap_err();
    assert!(error.to_string().contains("deeper than 64 levels"), "{error}");
}
