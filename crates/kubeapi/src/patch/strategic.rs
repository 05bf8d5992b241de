//! Strategic merge patch: a merge patch that merges lists by the keys that the schema defines.
//!
//! Directives: `$patch` (`replace`, `delete`, `merge`) in an object or list item, `$retainKeys` in an object,
//! `$setElementOrder/F` and `$deleteFromPrimitiveList/F` beside a list field `F`. Fields without a schema are
//! merged like a plain merge patch.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::PatchError;
use crate::schema::{Field, FieldType, Message, schema};

/// `object` with `patch` applied; `message` is its type.
pub(super) fn merge(object: &Value, patch: &Value, message: Option<&Message>) -> Result<Value, PatchError> {
    let (Value::Object(object), Value::Object(patch)) = (object, patch) else {
        return Err(PatchError::Malformed("expected an object".to_owned()));
    };
    merge_object(object.clone(), patch, &Shape::of(message)).map(Value::Object)
}

/// The type of an object's fields.
enum Shape<'a> {
    Unknown,
    Message(&'a Message),
    Map(&'a FieldType),
}

impl<'a> Shape<'a> {
    fn of(message: Option<&'a Message>) -> Self {
        message.map_or(Self::Unknown, Self::Message)
    }

    fn field(&self, name: &str) -> Option<&'a Field> {
        match self {
            Self::Message(message) => message.field(name),
            _ => None,
        }
    }

    fn inner(&self, name: &str) -> Shape<'a> {
        let kind = match self {
            Self::Unknown => None,
            Self::Map(kind) => Some(*kind),
            Self::Message(message) => message.field(name).map(|field| &field.kind),
        };
        match kind {
            Some(FieldType::Message(id)) => Shape::Message(schema().message(*id)),
            Some(FieldType::Map(kind)) => Shape::Map(kind),
            _ => Shape::Unknown,
        }
    }
}

fn merge_object(
    mut original: Map<String, Value>,
    patch: &Map<String, Value>,
    shape: &Shape<'_>,
) -> Result<Map<String, Value>, PatchError> {
    match patch.get(DIRECTIVE) {
        None => {}
        Some(Value::String(directive)) => match directive.as_str() {
            "replace" => return Ok(without_directives(patch)),
            "delete" => return Ok(Map::new()),
            "merge" => {}
            other => return Err(malformed(format!("unknown patch type found: {other}"))),
        },
        Some(_) => return Err(malformed("the value of $patch must be a string".to_owned())),
    }
    if let Some(retained) = patch.get(RETAIN_KEYS) {
        retain_keys(&mut original, patch, retained)?;
    }
    for (name, value) in patch {
        if name == DIRECTIVE || name == RETAIN_KEYS {
            continue;
        }
        if let Some(field) = name.strip_prefix(DELETE_PREFIX) {
            // If the patch also has the list field, the directive is handled with it.
            if !patch.contains_key(field) {
                let merged = merge_list(original.get(field), &[], patch, field, shape.field(field))?;
                put_list(&mut original, field, merged);
            }
            continue;
        }
        if let Some(field) = name.strip_prefix(ORDER_PREFIX) {
            if !patch.contains_key(field) && !patch.contains_key(&format!("{DELETE_PREFIX}{field}")) {
                let merged = merge_list(original.get(field), &[], patch, field, shape.field(field))?;
                put_list(&mut original, field, merged);
            }
            continue;
        }
        match value {
            Value::Null => {
                original.remove(name);
            }
            Value::Object(inner) => {
                let base = match original.remove(name) {
                    Some(Value::Object(base)) => base,
                    _ => Map::new(),
                };
                let deletes = inner.get(DIRECTIVE).and_then(Value::as_str) == Some("delete");
                let merged = merge_object(base, inner, &shape.inner(name))?;
                if !deletes {
                    original.insert(name.clone(), Value::Object(merged));
                }
            }
            Value::Array(items) => {
                let merged = merge_list(original.get(name), items, patch, name, shape.field(name))?;
                original.insert(name.clone(), Value::Array(merged));
            }
            scalar => {
                original.insert(name.clone(), scalar.clone());
            }
        }
    }
    Ok(original)
}

fn put_list(original: &mut Map<String, Value>, field: &str, list: Vec<Value>) {
    if original.contains_key(field) || !list.is_empty() {
        original.insert(field.to_owned(), Value::Array(list));
    }
}

fn retain_keys(
    original: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    retained: &Value,
) -> Result<(), PatchError> {
    let names: BTreeSet<&str> = retained
        .as_array()
        .ok_or_else(|| malformed("the value of $retainKeys must be a list".to_owned()))?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let stranger = patch
        .iter()
        .find(|(name, value)| !name.starts_with('$') && !value.is_null() && !names.contains(name.as_str()));
    if let Some((name, _)) = stranger {
        return Err(malformed(format!("the patch sets {name:?}, which $retainKeys does not name")));
    }
    original.retain(|name, _| names.contains(name.as_str()));
    Ok(())
}

fn merge_list(
    original: Option<&Value>,
    items: &[Value],
    patch: &Map<String, Value>,
    name: &str,
    field: Option<&Field>,
) -> Result<Vec<Value>, PatchError> {
    let server = original.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let Some((field, key)) = field.and_then(|field| Some((field, field.patch.merge?))) else {
        return Ok(items.iter().map(plain).collect());
    };
    let order = list_of(patch, &format!("{ORDER_PREFIX}{name}"))?;
    let deleted = list_of(patch, &format!("{DELETE_PREFIX}{name}"))?;
    let merged = if key.is_empty() {
        merge_scalars(server, items, deleted.unwrap_or_default())
    } else {
        match merge_items(server, items, field, key)? {
            Merged::Replaced(list) => return Ok(list),
            Merged::List(list) => list,
        }
    };
    Ok(match order {
        Some(order) => in_order(merged, server, order, key),
        None => merged,
    })
}

fn merge_scalars(server: &[Value], items: &[Value], deleted: &[Value]) -> Vec<Value> {
    let mut merged: Vec<_> = server.iter().filter(|item| !deleted.contains(item)).cloned().collect();
    for item in items {
        if !merged.contains(item) {
            merged.push(item.clone());
        }
    }
    merged
}

enum Merged {
    /// The list contained `$patch: replace`.
    Replaced(Vec<Value>),
    List(Vec<Value>),
}

fn merge_items(server: &[Value], items: &[Value], field: &Field, key: &str) -> Result<Merged, PatchError> {
    let directive = |item: &Value| item.get(DIRECTIVE).and_then(Value::as_str).map(str::to_owned);
    if items.iter().any(|item| directive(item).as_deref() == Some("replace")) {
        let kept = items.iter().filter(|item| item.get(DIRECTIVE).is_none()).map(plain).collect();
        return Ok(Merged::Replaced(kept));
    }
    let shape = match &field.kind {
        FieldType::List(element) => match **element {
            FieldType::Message(id) => Shape::Message(schema().message(id)),
            _ => Shape::Unknown,
        },
        _ => Shape::Unknown,
    };
    let mut merged = server.to_vec();
    for item in items {
        let Value::Object(item) = item else {
            return Err(malformed(format!("an item of a list that is merged by {key:?} is not an object")));
        };
        let Some(value) = item.get(key) else {
            return Err(PatchError::Inapplicable(format!(
                "an item of the list {:?} does not contain its declared merge key: {key}",
                field.name
            )));
        };
        let matches = |candidate: &Value| candidate.get(key) == Some(value);
        match item.get(DIRECTIVE).and_then(Value::as_str) {
            Some("delete") => merged.retain(|candidate| !matches(candidate)),
            Some("merge") | None => match merged.iter_mut().find(|candidate| matches(candidate)) {
                Some(Value::Object(found)) => *found = merge_object(std::mem::take(found), item, &shape)?,
                _ => merged.push(Value::Object(merge_object(Map::new(), item, &shape)?)),
            },
            Some(other) => return Err(malformed(format!("unknown patch type found: {other}"))),
        }
    }
    Ok(Merged::List(merged))
}

/// Puts the items named in `order` in that order; the others keep their relative positions as far as possible.
fn in_order(merged: Vec<Value>, server: &[Value], order: &[Value], key: &str) -> Vec<Value> {
    let identity = |item: &Value| if key.is_empty() { Some(item.clone()) } else { item.get(key).cloned() };
    let position = |list: &[Value], item: &Value| {
        let wanted = identity(item);
        list.iter().position(|candidate| identity(candidate) == wanted)
    };
    let (mut named, others): (Vec<_>, Vec<_>) =
        merged.into_iter().partition(|item| position(order, item).is_some());
    named.sort_by_key(|item| position(order, item));
    let mut result = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    loop {
        let other_first = match (named.peek(), others.peek()) {
            (None, None) => return result,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (Some(left), Some(right)) => match (position(server, left), position(server, right)) {
                (Some(left), Some(right)) => right < left,
                _ => false,
            },
        };
        result.extend(if other_first { others.next() } else { named.next() });
    }
}

fn list_of<'a>(patch: &'a Map<String, Value>, name: &str) -> Result<Option<&'a [Value]>, PatchError> {
    match patch.get(name) {
        None => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(_) => Err(malformed(format!("the value of {name} must be a list"))),
    }
}

fn without_directives(object: &Map<String, Value>) -> Map<String, Value> {
    object
        .iter()
        .filter(|(name, value)| !name.starts_with('$') && !value.is_null())
        .map(|(name, value)| (name.clone(), plain(value)))
        .collect()
}

/// The value without directives, at any depth.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(without_directives(object)),
        Value::Array(list) => Value::Array(list.iter().map(plain).collect()),
        scalar => scalar.clone(),
    }
}

fn malformed(because: String) -> PatchError {
    PatchError::Malformed(because)
}

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const ORDER_PREFIX: &str = "$setElementOrder/";
const DELETE_PREFIX: &str = "$deleteFromPrimitiveList/";
