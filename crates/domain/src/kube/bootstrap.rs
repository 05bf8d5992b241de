//! The roles, bindings and namespaces that a fresh API server makes for itself, and how those that are there are
//! brought up to date.
//!
//! A kube-apiserver adds what is missing and takes nothing away, so that a cluster keeps the rules of each release
//! that it has been. What only an earlier release gave may be a hole, which is why it was taken out there: here such
//! rules are withdrawn, once; see [`without_earlier_rules`].

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Namespaces, ClusterRoles, ClusterRoleBindings, Roles and RoleBindings as manifests, in that order: those of
/// release 1.36.
pub fn bootstrap_objects() -> Vec<Value> {
    read(TEXT)
}

/// The same of release 1.20, with which earlier programs made their clusters.
pub fn earlier_bootstrap_objects() -> Vec<Value> {
    read(EARLIER)
}

/// The object with the rules, subjects, labels and annotations of `wanted` that it lacks, unless it says that it wants
/// to be left alone. Rules of an aggregated role follow from other roles.
pub fn reconciled(object: &Value, wanted: &Value) -> Value {
    let mut value = object.clone();
    if !is_updated(object) {
        return value;
    }
    for field in ["labels", "annotations"] {
        let missing = wanted.pointer(&format!("/metadata/{field}")).and_then(Value::as_object);
        let Some(missing) = missing.filter(|missing| !missing.is_empty()) else { continue };
        let Some(Value::Object(metadata)) = value.get_mut("metadata") else { continue };
        let entries = metadata.entry(field).or_insert_with(|| Map::new().into());
        if let Value::Object(entries) = entries {
            for (key, wanted) in missing {
                entries.entry(key).or_insert_with(|| wanted.clone());
            }
        }
    }
    if object.get("aggregationRule").is_some() {
        return value;
    }
    for field in ["rules", "subjects"] {
        let Some(wanted) = wanted.get(field).and_then(Value::as_array) else { continue };
        let mut list = object.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
        let known: Vec<_> = list.iter().map(normal).collect();
        let missing: Vec<_> = wanted.iter().filter(|each| !known.contains(&normal(each))).cloned().collect();
        if let (false, Value::Object(members)) = (missing.is_empty(), &mut value) {
            list.extend(missing);
            members.insert(field.to_owned(), list.into());
        }
    }
    value
}

/// The role without those of its rules that are, word for word, rules of `earlier` and not of `wanted`. What people
/// have added or changed stays; so does all of a role that wants to be left alone.
pub fn without_earlier_rules(role: &Value, earlier: &Value, wanted: &Value) -> Value {
    let mut value = role.clone();
    if !is_updated(role) || role.get("aggregationRule").is_some() {
        return value;
    }
    let rules = |role: &Value| -> Vec<Value> {
        role.get("rules").and_then(Value::as_array).into_iter().flatten().map(normal).collect()
    };
    let (earlier, wanted) = (rules(earlier), rules(wanted));
    if let Some(Value::Array(list)) = value.get_mut("rules") {
        list.retain(|rule| {
            let rule = normal(rule);
            !earlier.contains(&rule) || wanted.contains(&rule)
        });
    }
    value
}

fn is_updated(object: &Value) -> bool {
    object.pointer(AUTO_UPDATE).and_then(Value::as_str) != Some("false")
}

/// A rule or subject in a form in which what means the same is equal: lists as sets, without empty members.
fn normal(value: &Value) -> Value {
    let Value::Object(members) = value else { return value.clone() };
    let members = members.iter().filter_map(|(name, member)| match member {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(list) if list.is_empty() => None,
        Value::Array(list) if list.iter().all(Value::is_string) => {
            let set: BTreeSet<&str> = list.iter().filter_map(Value::as_str).collect();
            Some((name.clone(), set.into_iter().map(Value::from).collect()))
        }
        other => Some((name.clone(), other.clone())),
    });
    Value::Object(members.collect())
}

fn read(text: &str) -> Vec<Value> {
    let file: File =
        serde_json::from_str(text).expect("the files are part of the program and a test reads them");
    file.objects
}

#[derive(Deserialize)]
struct File {
    objects: Vec<Value>,
}

const TEXT: &str = include_str!("bootstrap.json");
const EARLIER: &str = include_str!("bootstrap-1.20.json");
const AUTO_UPDATE: &str = "/metadata/annotations/rbac.authorization.kubernetes.io~1autoupdate";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(resource: &str, verbs: &[&str]) -> Value {
        json!({"apiGroups": [""], "resources": [resource], "verbs": verbs})
    }

    fn role(rules: &[Value]) -> Value {
        json!({"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": rules})
    }

    #[test]
    fn exactly_what_only_an_earlier_release_gave_is_withdrawn() {
        let earlier = role(&[rule("endpoints", &["create", "delete"]), rule("pods", &["get"])]);
        let wanted = role(&[rule("pods", &["get"]), rule("events", &["create"])]);
        let added = rule("secrets", &["get"]);
        let changed = rule("endpoints", &["create", "delete", "get"]);
        let reordered = json!({"apiGroups": [""], "resources": ["endpoints"], "resourceNames": [], "verbs": ["delete", "create"]});
        let kept = role(&[reordered, rule("pods", &["get"]), added.clone(), changed.clone()]);
        let expected = role(&[rule("pods", &["get"]), added.clone(), changed.clone()]);
        assert_eq!(without_earlier_rules(&kept, &earlier, &wanted), expected);
        let whole = role(&[rule("pods", &["get"]), added, changed, rule("events", &["create"])]);
        assert_eq!(reconciled(&expected, &wanted), whole);
        assert_eq!(reconciled(&whole, &wanted), whole);
        let mut alone = kept;
        alone["metadata"]["annotations"] = json!({"rbac.authorization.kubernetes.io/autoupdate": "false"});
        assert_eq!(without_earlier_rules(&alone, &earlier, &wanted), alone);
        assert_eq!(reconciled(&alone, &wanted), alone);
    }

    #[test]
    fn labels_that_are_missing_are_put_back_and_others_stay() {
        let wanted = json!({"metadata": {"name": "r", "labels": {"a": "1", "b": "2"}}});
        let kept = json!({"metadata": {"name": "r", "labels": {"a": "other", "c": "3"}}});
        let expected = json!({"metadata": {"name": "r", "labels": {"a": "other", "b": "2", "c": "3"}}});
        assert_eq!(reconciled(&kept, &wanted), expected);
    }

    /// A default role that went with a release would have to be withdrawn whole, with its binding.
    #[test]
    fn what_an_earlier_release_had_is_there_still() {
        let place = |object: &Value| {
            (
                object["kind"].clone(),
                object["metadata"]["namespace"].clone(),
                object["metadata"]["name"].clone(),
            )
        };
        let now: Vec<_> = bootstrap_objects().iter().map(place).collect();
        for object in earlier_bootstrap_objects() {
            assert!(now.contains(&place(&object)), "{}", object["metadata"]["name"]);
        }
    }
}
