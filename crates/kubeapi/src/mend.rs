//! Repairs objects that were stored before values were checked against their types: one object that clients cannot
//! decode breaks every list that contains it. Repair loses nothing: plain text in a bytes field is base64-encoded;
//! any other undecodable value moves to an annotation.

use app::{App, Error};
use serde_json::{Map, Value};

use crate::{
    fields::{Fault, prune_one},
    kinds,
    schema::{FieldType, Message, schema},
};

/// Repairs, at the start of the program and once per cluster, the objects of clusters older than the check.
pub async fn mend_stored_objects(app: &App) -> Result<(), Error> {
    app.kubernetes()
        .mend_objects(|key, value| {
            let message = kinds::find_stored(&key.group, &key.resource)?.schema()?;
            mend(value, message)
        })
        .await
}

/// The repaired object; `None` if it is decodable already.
pub fn mend(value: &Value, message: &Message) -> Option<Value> {
    let mut mended = value.clone();
    let mut unreadable = Map::new();
    mend_message(&mut mended, message, "", &mut unreadable);
    if mended == *value {
        return None;
    }
    if !unreadable.is_empty()
        && let Value::Object(object) = &mut mended
        && let Value::Object(metadata) = object.entry("metadata").or_insert_with(|| Map::new().into())
        && let Value::Object(annotations) = metadata.entry("annotations").or_insert_with(|| Map::new().into())
    {
        annotations.insert(UNREADABLE.to_owned(), Value::Object(unreadable).to_string().into());
    }
    Some(mended)
}

fn mend_message(value: &mut Value, message: &Message, path: &str, unreadable: &mut Map<String, Value>) {
    let Value::Object(object) = value else { return };
    object.retain(|name, inner| {
        if path.is_empty() && matches!(name.as_str(), "apiVersion" | "kind") {
            return true;
        }
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        message.field(name).is_none_or(|field| mend_value(inner, &field.kind, message, &path, unreadable))
    });
}

/// Repairs a value; whether it can stay in its field.
fn mend_value(
    value: &mut Value,
    kind: &FieldType,
    owner: &Message,
    path: &str,
    unreadable: &mut Map<String, Value>,
) -> bool {
    match (kind, &mut *value) {
        (FieldType::Message(id), Value::Object(_)) => {
            mend_message(value, schema().message(*id), path, unreadable);
            return true;
        }
        (FieldType::List(element), Value::Array(list)) => {
            let mut index = 0;
            list.retain_mut(|item| {
                let path = format!("{path}[{index}]");
                index += 1;
                mend_value(item, element, owner, &path, unreadable)
            });
            return true;
        }
        (FieldType::Map(inner), Value::Object(map)) => {
            map.retain(|key, item| mend_value(item, inner, owner, &format!("{path}.{key}"), unreadable));
            return true;
        }
        _ => {}
    }
    match (prune_one(value, kind, owner), &*value) {
        (Ok(()), _) => true,
        (Err(Fault::Value(_)), Value::String(text)) if *kind == FieldType::Bytes => {
            *value = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text).into();
            true
        }
        (Err(_), _) => {
            unreadable.insert(path.to_owned(), value.take());
            false
        }
    }
}

/// The annotation: a JSON object of the undecodable values by path.
const UNREADABLE: &str = "portcullis/unreadable-fields";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fields::prune;

    fn check(message: &str, old: &Value, expected: Value) {
        let message = schema().find(message).unwrap();
        let mut mended = mend(old, message).unwrap();
        assert_eq!(mended, expected);
        assert_eq!(mend(&mended, message), None);
        prune(&mut mended, message).unwrap();
    }

    #[test]
    fn text_that_stands_for_bytes_becomes_the_bytes_of_the_text() {
        check(
            "core.v1.Secret",
            &json!({"metadata": {"name": "s"}, "data": {"a": "***", "b": "aGk=", "c": "aG\nk="}}),
            json!({"metadata": {"name": "s"}, "data": {"a": "Kioq", "b": "aGk=", "c": "aGk="}}),
        );
    }

    #[test]
    fn what_cannot_be_decoded_moves_to_an_annotation() {
        check(
            "core.v1.Pod",
            &json!({"metadata": {"name": "p", "annotations": {"a": "b"}, "deletionTimestamp": "soon"}, "spec": {
                "priority": 5_000_000_000_i64, "activeDeadlineSeconds": 5_000_000_000_i64,
                "containers": [{"name": "c", "resources": {"limits": {"cpu": "much", "memory": "1Gi"}}}]}}),
            json!({"metadata": {"name": "p", "annotations": {"a": "b", UNREADABLE: json!({
                    "metadata.deletionTimestamp": "soon", "spec.priority": 5_000_000_000_i64,
                    "spec.containers[0].resources.limits.cpu": "much"}).to_string()}},
                "spec": {"activeDeadlineSeconds": 5_000_000_000_i64,
                    "containers": [{"name": "c", "resources": {"limits": {"memory": "1Gi"}}}]}}),
        );
    }

    #[test]
    fn an_object_that_can_be_decoded_stays_as_it_is() {
        let value =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "aGk="}});
        assert_eq!(mend(&value, schema().find("core.v1.Secret").unwrap()), None);
    }
}
