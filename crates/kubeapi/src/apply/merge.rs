//! Merges applied fields into the live object, and removes fields that have no manager any more.

use serde_json::{Map, Value};

use super::field_set::{FieldSet, key_step};
use crate::schema::{FieldType, ListType, Message, schema};

/// `live` with all fields that `config` sets. `message` is the type of both, if they are messages.
pub(super) fn merge(live: &Value, config: &Value, kind: &FieldType, message: Option<&Message>) -> Value {
    let (Value::Object(live_object), Value::Object(config_object)) = (live, config) else {
        return config.clone();
    };
    let mut merged = live_object.clone();
    for (name, value) in config_object {
        let before = live_object.get(name).unwrap_or(&Value::Null);
        let joined = match (message.map(|message| message.field(name)), kind) {
            (Some(Some(field)), _) => merge_value(before, value, &field.kind, &field.list),
            (None, FieldType::Map(inner)) => merge_value(before, value, inner, &ListType::Unmarked),
            _ => value.clone(),
        };
        merged.insert(name.clone(), joined);
    }
    Value::Object(merged)
}

/// Removes the fields in `dropped` that are not in `kept`.
pub(super) fn remove(value: &mut Value, dropped: &FieldSet, kept: &FieldSet) {
    let nothing = FieldSet::default();
    for (step, inner) in &dropped.children {
        let others = kept.children.get(step).unwrap_or(&nothing);
        match (step.split_once(':'), &mut *value) {
            (Some(("f", name)), Value::Object(object)) => {
                if gone(inner, others) {
                    object.remove(name);
                } else if let Some(below) = object.get_mut(name) {
                    remove(below, inner, others);
                    // An object that becomes empty is removed too.
                    if is_empty(below) && others.is_empty() {
                        object.remove(name);
                    }
                }
            }
            (Some(("k", key)), Value::Array(items)) => {
                let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
                let names: Vec<&str> = key.keys().map(String::as_str).collect();
                let matches = |item: &Value| key_step(item, &names) == *step;
                if gone(inner, others) {
                    items.retain(|item| !matches(item));
                } else if let Some(item) = items.iter_mut().find(|item| matches(item)) {
                    remove(item, inner, others);
                }
            }
            (Some(("v", _)), Value::Array(items)) if gone(inner, others) => {
                items.retain(|item| format!("v:{item}") != *step);
            }
            _ => {}
        }
    }
}

fn gone(dropped: &FieldSet, kept: &FieldSet) -> bool {
    dropped.own && kept.is_empty()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn merge_value(live: &Value, config: &Value, kind: &FieldType, list: &ListType) -> Value {
    match (kind, list) {
        (_, ListType::Atomic) => config.clone(),
        (FieldType::Message(id), _) => merge(live, config, kind, Some(schema().message(*id))),
        (FieldType::Map(_), _) => merge(live, config, kind, None),
        (FieldType::List(element), ListType::Keys(keys)) => merge_items(live, config, element, keys),
        (FieldType::List(_), ListType::Set) => {
            let mut items = live.as_array().cloned().unwrap_or_default();
            for item in config.as_array().into_iter().flatten() {
                if !items.contains(item) {
                    items.push(item.clone());
                }
            }
            Value::Array(items)
        }
        _ => config.clone(),
    }
}

/// Items in both lists are merged at their position in the live list; new ones are appended in their order.
fn merge_items(live: &Value, config: &Value, element: &FieldType, keys: &[&str]) -> Value {
    let mut items = live.as_array().cloned().unwrap_or_default();
    for item in config.as_array().into_iter().flatten() {
        let step = key_step(item, keys);
        match items.iter_mut().find(|candidate| key_step(candidate, keys) == step) {
            Some(found) => *found = merge_value(found, item, element, &ListType::Unmarked),
            None => items.push(item.clone()),
        }
    }
    Value::Array(items)
}
