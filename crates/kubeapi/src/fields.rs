//! Checks an object against the schema: wrong types and unknown fields.
//!
//! Wrong types, and strings that do not parse as their type (`values`), are always errors; unknown and duplicate
//! fields depend on `fieldValidation`. Unknown fields are removed, as a typed Go server does. Semantic rules (names,
//! references, limits) are checked by the kind's `validate` hook.

use serde_json::Value;

use crate::{
    schema::{FieldType, Message, schema},
    values,
};

/// The query parameter `fieldValidation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// Why a value does not fit the type of its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The JSON type is wrong, or the number is out of range.
    Type {
        /// The innermost message.
        message: &'static str,
        /// Field names from the root, without list indexes and map keys.
        path: String,
        found: String,
        expected: String,
    },
    /// The string does not parse as the type.
    Value(String),
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

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Type { message, path, found, expected } => write!(
                f,
                "json: cannot unmarshal {found} into Go struct field {message}.{path} of type {expected}"
            ),
            Self::Value(because) => f.write_str(because),
        }
    }
}

/// Removes nulls and fields that `message` does not have; returns the paths of the latter. Values are normalized to
/// the form that a Go server would write.
pub fn prune(value: &mut Value, message: &Message) -> Result<Vec<String>, Fault> {
    let mut unknown = Vec::new();
    prune_message(value, message, &FieldPath::default(), &mut unknown)?;
    Ok(unknown)
}

/// As [`prune`], for a single scalar value.
pub(crate) fn prune_one(value: &mut Value, kind: &FieldType, owner: &Message) -> Result<(), Fault> {
    prune_scalar(value, kind, owner, &FieldPath::default())
}

/// The path of a value in an object.
#[derive(Clone, Debug, Default)]
struct FieldPath {
    /// As in `spec.containers[0].name`.
    path: String,
    /// As in Go's decoding errors: `spec.containers.name`.
    fields: String,
}

impl FieldPath {
    fn field(&self, name: &str) -> Self {
        Self { path: join(&self.path, name), fields: join(&self.fields, name) }
    }

    fn item(&self, index: usize) -> Self {
        Self { path: format!("{}[{index}]", self.path), fields: self.fields.clone() }
    }

    fn key(&self, key: &str) -> Self {
        Self { path: join(&self.path, key), fields: self.fields.clone() }
    }
}

fn prune_message(
    value: &mut Value,
    message: &Message,
    field_path: &FieldPath,
    unknown: &mut Vec<String>,
) -> Result<(), Fault> {
    let top = field_path.path.is_empty();
    let Value::Object(object) = value else {
        return Err(wrong(value, &FieldType::Raw, message, field_path));
    };
    let mut fault = None;
    object.retain(|name, inner| {
        if fault.is_some() || (top && matches!(name.as_str(), "apiVersion" | "kind")) {
            return true;
        }
        let field_path = field_path.field(name);
        let Some(field) = message.field(name) else {
            unknown.push(field_path.path);
            return false;
        };
        // A null counts as an absent field.
        if inner.is_null() {
            return false;
        }
        fault = prune_value(inner, &field.kind, message, &field_path, unknown).err();
        true
    });
    fault.map_or(Ok(()), Err)
}

fn prune_value(
    value: &mut Value,
    kind: &FieldType,
    owner: &Message,
    field_path: &FieldPath,
    unknown: &mut Vec<String>,
) -> Result<(), Fault> {
    match (kind, &mut *value) {
        (FieldType::Message(id), Value::Object(_)) => {
            prune_message(value, schema().message(*id), field_path, unknown)
        }
        (FieldType::List(element), Value::Array(list)) => {
            for (index, item) in list.iter_mut().enumerate() {
                fill_null(item, element);
                prune_value(item, element, owner, &field_path.item(index), unknown)?;
            }
            Ok(())
        }
        (FieldType::Map(inner), Value::Object(map)) => {
            for (key, item) in map.iter_mut() {
                fill_null(item, inner);
                prune_value(item, inner, owner, &field_path.key(key), unknown)?;
            }
            Ok(())
        }
        _ => prune_scalar(value, kind, owner, field_path),
    }
}

fn prune_scalar(
    value: &mut Value,
    kind: &FieldType,
    owner: &Message,
    field_path: &FieldPath,
) -> Result<(), Fault> {
    let canonical = match (kind, &*value) {
        (FieldType::Raw | FieldType::Fields, _)
        | (FieldType::String | FieldType::IntOrString, Value::String(_))
        | (FieldType::Bool, Value::Bool(_))
        | (FieldType::Double, Value::Number(_)) => return Ok(()),
        (FieldType::Bytes, Value::String(text)) => Value::from(values::bytes(text).map_err(Fault::Value)?),
        (FieldType::Time, Value::String(text)) => Value::from(values::time(text).map_err(Fault::Value)?),
        (FieldType::MicroTime, Value::String(text)) => {
            Value::from(values::micro_time(text).map_err(Fault::Value)?)
        }
        (FieldType::Quantity, found) => {
            let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
            values::quantity(&text).map_err(|because| Fault::Value(because.to_owned()))?;
            Value::from(text)
        }
        (FieldType::Int32 | FieldType::IntOrString, Value::Number(number)) => {
            let whole = whole(number).filter(|number| i32::try_from(*number).is_ok());
            Value::from(whole.ok_or_else(|| wrong(value, kind, owner, field_path))?)
        }
        (FieldType::Int64, Value::Number(number)) => {
            Value::from(whole(number).ok_or_else(|| wrong(value, kind, owner, field_path))?)
        }
        (FieldType::Strings, Value::Array(list)) if list.iter().all(Value::is_string) => return Ok(()),
        _ => return Err(wrong(value, kind, owner, field_path)),
    };
    if *value != canonical {
        *value = canonical;
    }
    Ok(())
}

/// Replaces a null in a list or map by the type's zero value, as Go does.
fn fill_null(value: &mut Value, kind: &FieldType) {
    if !value.is_null() {
        return;
    }
    *value = match kind {
        FieldType::String | FieldType::Bytes => Value::String(String::new()),
        FieldType::Quantity => Value::String("0".to_owned()),
        FieldType::Bool => Value::Bool(false),
        FieldType::Int32 | FieldType::Int64 | FieldType::Double | FieldType::IntOrString => Value::from(0),
        FieldType::Message(_) | FieldType::Map(_) => Value::Object(serde_json::Map::new()),
        FieldType::List(_) | FieldType::Strings => Value::Array(Vec::new()),
        FieldType::Time | FieldType::MicroTime | FieldType::Raw | FieldType::Fields => return,
    };
}

/// The number as an integer. As for patches in Go, 3.0 is one and 3.5 is not.
fn whole(number: &serde_json::Number) -> Option<i64> {
    if let Some(whole) = number.as_i64() {
        return Some(whole);
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15)?;
    #[expect(clippy::cast_possible_truncation, reason = "integral and below 2^53, as checked")]
    Some(float as i64)
}

fn wrong(value: &Value, kind: &FieldType, owner: &Message, field_path: &FieldPath) -> Fault {
    let found = match (kind, value) {
        (FieldType::Int32 | FieldType::Int64 | FieldType::IntOrString, Value::Number(number)) => {
            format!("number {number}")
        }
        _ => kind_of(value).to_owned(),
    };
    Fault::Type {
        message: owner.short_name(),
        path: field_path.fields.clone(),
        found,
        expected: go_type(kind),
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

fn go_type(kind: &FieldType) -> String {
    match kind {
        // Go decodes times from a string, and an IntOrString that is not a string from a number.
        FieldType::String | FieldType::Time | FieldType::MicroTime => "string".to_owned(),
        FieldType::Bool => "bool".to_owned(),
        FieldType::Int32 | FieldType::IntOrString => "int32".to_owned(),
        FieldType::Int64 => "int64".to_owned(),
        FieldType::Double => "float64".to_owned(),
        FieldType::Bytes => "[]uint8".to_owned(),
        FieldType::Quantity => "resource.Quantity".to_owned(),
        FieldType::Raw => "runtime.RawExtension".to_owned(),
        FieldType::Fields => "v1.FieldsV1".to_owned(),
        FieldType::Strings => "[]string".to_owned(),
        // As in v1.Pod: the package is the version.
        FieldType::Message(id) => {
            let name = schema().message(*id).name;
            name.split_once('.').map_or(name, |(_, name)| name).to_owned()
        }
        FieldType::List(inner) => format!("[]{}", go_type(inner)),
        FieldType::Map(inner) if **inner == FieldType::Quantity => "v1.ResourceList".to_owned(),
        FieldType::Map(inner) => format!("map[string]{}", go_type(inner)),
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
                "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
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
                "json: cannot unmarshal number into Go struct field ConfigMap.metadata of type v1.ObjectMeta",
            ),
        ] {
            assert_eq!(prune(&mut value, message).unwrap_err().to_string(), said);
        }
    }

    /// Every field of every kind, in an object that has nothing else, with a value of another type and, where the
    /// type has a text form, with a text that is none.
    #[test]
    fn every_field_of_every_kind_is_decoded_as_its_type() {
        fn spoilt(kind: &FieldType, depth: usize) -> Vec<Value> {
            let texts = |values: &[Value]| values.to_vec();
            match kind {
                FieldType::String => texts(&[json!(1), json!({}), json!([])]),
                FieldType::Bool => texts(&[json!(1), json!("true")]),
                FieldType::Int32 => {
                    texts(&[json!("1"), json!(1.5), json!(1_i64 << 31), json!(-(1_i64 << 31) - 1)])
                }
                FieldType::Int64 => texts(&[json!("1"), json!(1.5), json!(u64::MAX)]),
                FieldType::Double => texts(&[json!("1")]),
                FieldType::Bytes => texts(&[json!(1), json!("***"), json!("a"), json!("aGk")]),
                FieldType::Quantity => texts(&[json!(true), json!("much"), json!(""), json!("1e1234567")]),
                FieldType::Time => texts(&[json!(1), json!("now"), json!("2026-11-30"), json!("")]),
                FieldType::MicroTime => texts(&[json!(1), json!("2026-11-30T17:00:00Z")]),
                FieldType::IntOrString => texts(&[json!(true), json!(1_i64 << 31), json!({})]),
                FieldType::Raw | FieldType::Fields => Vec::new(),
                FieldType::Strings => texts(&[json!("a"), json!([1])]),
                FieldType::Message(id) => {
                    let mut all = texts(&[json!("a"), json!([1])]);
                    if depth > 0 {
                        for field in schema().message(*id).json_fields() {
                            all.extend(
                                spoilt(&field.kind, depth - 1)
                                    .into_iter()
                                    .map(|value| json!({field.name: value})),
                            );
                        }
                    }
                    all
                }
                FieldType::List(inner) => {
                    let items = spoilt(inner, depth).into_iter().map(|value| json!([value]));
                    items.chain([json!("a"), json!({})]).collect()
                }
                FieldType::Map(inner) => {
                    let items = spoilt(inner, depth).into_iter().map(|value| json!({"k": value}));
                    items.chain([json!("a"), json!([])]).collect()
                }
            }
        }
        let mut count = 0;
        for kind in crate::kinds::kinds() {
            let message = kind.schema().unwrap();
            for field in message.json_fields() {
                for value in spoilt(&field.kind, 7) {
                    let mut object = json!({field.name: value});
                    assert!(prune(&mut object, message).is_err(), "{}: {object}", message.name);
                    count += 1;
                }
            }
        }
        assert!(count > 10_000, "{count}");
    }
}
