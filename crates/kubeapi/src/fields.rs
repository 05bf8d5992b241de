//! Checks the shape of an object against the schema: wrong types, and fields that nobody knows.
//!
//! Wrong types are an error always; unknown and duplicate fields depend on `fieldValidation`. Unknown fields
//! are removed, as they are by a server that decodes into types. Meaning (names, references, limits) is checked
//! elsewhere, by the kind's own hook.

use serde_json::Value;

use crate::schema::{FieldType, Message, schema};

/// The query parameter `fieldValidation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// A value whose JSON type is not the field's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongType {
    /// Of the innermost message.
    pub message: &'static str,
    pub path: String,
    pub found: &'static str,
    pub expected: &'static str,
}

impl FieldValidation {
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "" | "Warn" => Self::Warn,
            "Ignore" => Self::Ignore,
            "Strict" => Self::Strict,
            _ => return None,
        })
    }
}

impl std::fmt::Display for WrongType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { message, path, found, expected } = self;
        write!(f, "json: cannot unmarshal {found} into Go struct field {message}.{path} of type {expected}")
    }
}

/// Removes the fields that `message` does not have, and nulls; answers the paths of the former.
pub fn prune(value: &mut Value, message: &Message) -> Result<Vec<String>, WrongType> {
    let mut unknown = Vec::new();
    prune_message(value, message, "", true, &mut unknown)?;
    Ok(unknown)
}

fn prune_message(
    value: &mut Value,
    message: &Message,
    path: &str,
    top: bool,
    unknown: &mut Vec<String>,
) -> Result<(), WrongType> {
    let found = kind_of(value);
    let Value::Object(object) = value else {
        return Err(WrongType {
            message: message.short_name(),
            path: path.into(),
            found,
            expected: message.name,
        });
    };
    let mut fault = None;
    object.retain(|name, inner| {
        if fault.is_some() || (top && matches!(name.as_str(), "apiVersion" | "kind")) {
            return true;
        }
        let path = join(path, name);
        let Some(field) = message.field(name) else {
            unknown.push(path);
            return false;
        };
        // A null is the same as no field, for every type but a list element.
        if inner.is_null() {
            return false;
        }
        if let Err(wrong) = prune_value(inner, &field.kind, message, &path, unknown) {
            fault = Some(wrong);
        }
        true
    });
    fault.map_or(Ok(()), Err)
}

fn prune_value(
    value: &mut Value,
    kind: &FieldType,
    owner: &Message,
    path: &str,
    unknown: &mut Vec<String>,
) -> Result<(), WrongType> {
    let wrong = |value: &Value, expected| WrongType {
        message: owner.short_name(),
        path: path.into(),
        found: kind_of(value),
        expected,
    };
    match (kind, &mut *value) {
        (FieldType::Raw | FieldType::Fields, _)
        | (FieldType::String | FieldType::Bytes | FieldType::Time | FieldType::MicroTime, Value::String(_))
        | (FieldType::Bool, Value::Bool(_))
        | (FieldType::Double, Value::Number(_))
        | (FieldType::IntOrString | FieldType::Quantity, Value::String(_)) => Ok(()),
        (FieldType::Quantity, Value::Number(number)) => {
            *value = Value::String(number.to_string());
            Ok(())
        }
        (FieldType::Int | FieldType::IntOrString, Value::Number(number)) => {
            if number.is_i64() {
                return Ok(());
            }
            // 3.0 is an integer to a Go server, 3.5 is not.
            match number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15) {
                #[expect(clippy::cast_possible_truncation, reason = "integral and below 2^53, as checked")]
                Some(float) => {
                    *value = Value::from(float as i64);
                    Ok(())
                }
                None => Err(wrong(value, "int64")),
            }
        }
        (FieldType::Strings, Value::Array(list)) => {
            if list.iter().all(Value::is_string) {
                return Ok(());
            }
            Err(wrong(value, "[]string"))
        }
        (FieldType::Message(id), Value::Object(_)) => {
            prune_message(value, schema().message(*id), path, false, unknown)
        }
        (FieldType::List(element), Value::Array(list)) => {
            for (index, item) in list.iter_mut().enumerate() {
                prune_value(item, element, owner, &format!("{path}[{index}]"), unknown)?;
            }
            Ok(())
        }
        (FieldType::Map(inner), Value::Object(map)) => {
            for (key, item) in map.iter_mut() {
                // A null in a map of strings is the empty string to a Go server.
                if item.is_null() && matches!(**inner, FieldType::String | FieldType::Bytes) {
                    *item = Value::String(String::new());
                    continue;
                }
                prune_value(item, inner, owner, &join(path, key), unknown)?;
            }
            Ok(())
        }
        (kind, value) => Err(wrong(value, go_type(kind))),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn go_type(kind: &FieldType) -> &'static str {
    match kind {
        FieldType::String => "string",
        FieldType::Bool => "bool",
        FieldType::Int => "int64",
        FieldType::Double => "float64",
        FieldType::Bytes => "[]uint8",
        FieldType::Quantity => "resource.Quantity",
        FieldType::Time => "v1.Time",
        FieldType::MicroTime => "v1.MicroTime",
        FieldType::IntOrString => "intstr.IntOrString",
        FieldType::Raw => "runtime.RawExtension",
        FieldType::Fields => "v1.FieldsV1",
        FieldType::Strings => "[]string",
        FieldType::Message(id) => schema().message(*id).name,
        FieldType::List(inner) => match **inner {
            FieldType::Message(id) => schema().message(id).name,
            _ => "[]string",
        },
        FieldType::Map(_) => "map[string]string",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_are_removed_and_named() {
        let mut value = json!({"apiVersion": "v1", "kind": "Pod", "nope": 1, "spec": {
            "containers": [{"name": "a", "imagee": "b", "livenessProbe": {"httpGet": {"port": 80}, "x": {}}}]},
            "metadata": {"labels": {"any": "key"}, "creationTimestamp": null}});
        let unknown = prune(&mut value, schema().find("core.v1.Pod").unwrap()).unwrap();
        assert_eq!(unknown, ["nope", "spec.containers[0].imagee", "spec.containers[0].livenessProbe.x"]);
        assert_eq!(
            value,
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"any": "key"}}, "spec": {
                "containers": [{"name": "a", "livenessProbe": {"httpGet": {"port": 80}}}]}})
        );
    }

    #[test]
    fn wrong_types_are_named_with_their_place() {
        let message = schema().find("core.v1.ConfigMap").unwrap();
        for (mut value, said) in [
            (
                json!({"data": {"a": 1}}),
                "json: cannot unmarshal number into Go struct field ConfigMap.data.a of type string",
            ),
            (
                json!({"data": []}),
                "json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string",
            ),
            (
                json!({"immutable": "yes"}),
                "json: cannot unmarshal string into Go struct field ConfigMap.immutable of type bool",
            ),
            (
                json!({"metadata": 3}),
                "json: cannot unmarshal number into Go struct field ConfigMap.metadata of type meta.v1.ObjectMeta",
            ),
        ] {
            assert_eq!(prune(&mut value, message).unwrap_err().to_string(), said);
        }
    }
}
