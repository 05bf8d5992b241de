//! Parses JSON request bodies, with a depth limit and the paths of duplicate keys.
//!
//! `serde_json::Value` alone would silently keep the last of two equal keys, which strict field validation must
//! report. All other checks are in `fields`.

use std::fmt;

use domain::nesting;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A parsed document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub value: Value,
    /// Paths of keys that occur more than once, as in `metadata.labels.a`; at most [`MAXIMUM_DUPLICATES`].
    pub duplicates: Vec<String>,
}

/// Parses one document; nothing may follow it. The error is a message for the client.
pub fn parse(body: &[u8]) -> Result<Document, String> {
    let mut duplicates = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let seed = Seed { path: String::new(), levels: MAXIMUM_DEPTH, duplicates: &mut duplicates };
    let value = seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    // The path of the nesting error is computed only when parsing fails.
    let value = value.map_err(|error| {
        web::body::too_deep(body).map_or_else(|| error.to_string(), |place| too_deep(&place))
    })?;
    Ok(Document { value, duplicates })
}

/// Refuses a value that is nested deeper than [`parse`] allows: for YAML and protobuf bodies and for patched objects.
/// `allowed` is the depth that the object already had.
pub fn check_depth(value: &Value, allowed: usize) -> Result<(), String> {
    nesting::beyond(value, MAXIMUM_DEPTH.max(allowed)).map_or(Ok(()), |place| Err(too_deep(&place)))
}

/// The most levels of nested arrays and objects.
pub const MAXIMUM_DEPTH: usize = web::body::DEEPEST;
pub const MAXIMUM_DUPLICATES: usize = 16;
/// The longest path that is kept for messages, in bytes.
const MAXIMUM_PATH: usize = 512;

fn too_deep(place: &str) -> String {
    format!("the document is nested deeper than {MAXIMUM_DEPTH} levels at {place}")
}

struct Seed<'a> {
    path: String,
    /// The nesting levels that remain.
    levels: usize,
    duplicates: &'a mut Vec<String>,
}

impl Seed<'_> {
    /// The nesting levels that remain below this one.
    fn levels_below<E: Error>(&self) -> Result<usize, E> {
        self.levels.checked_sub(1).ok_or_else(|| E::custom("nested too deep"))
    }

    /// The path of a member; shortened, and empty once enough duplicates are found, to bound time and memory.
    fn path_to(&self, member: impl fmt::Display) -> String {
        match self.path.len() {
            _ if self.duplicates.len() >= MAXIMUM_DUPLICATES => String::new(),
            MAXIMUM_PATH.. => self.path.chars().take(MAXIMUM_PATH).collect(),
            _ => format!("{}{member}", self.path),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let levels = self.levels_below()?;
        let mut list = Vec::new();
        loop {
            let path = self.path_to(format_args!("[{}]", list.len()));
            match access.next_element_seed(Seed { path, levels, duplicates: self.duplicates })? {
                Some(value) => list.push(value),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let levels = self.levels_below()?;
        let mut object = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let dot = if self.path.is_empty() { "" } else { "." };
            let path = self.path_to(format_args!("{dot}{key}"));
            if object.contains_key(&key) && self.duplicates.len() < MAXIMUM_DUPLICATES {
                self.duplicates.push(path.clone());
            }
            let value = access.next_value_seed(Seed { path, levels, duplicates: self.duplicates })?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_keys_are_named_with_their_place() {
        let document = parse(br#"{"a":1,"b":[{"c":1,"c":2}],"a":2}"#).unwrap();
        assert_eq!(document.duplicates, ["b[0].c", "a"]);
        assert_eq!(document.value["a"], 2);
    }

    #[test]
    fn deep_nesting_is_refused_with_a_clear_text() {
        let place = "/0".repeat(64);
        let told = format!("the document is nested deeper than 64 levels at {place}");
        for depth in [65, 128, 10_000, 1_000_000] {
            assert_eq!(parse("[".repeat(depth).as_bytes()).unwrap_err(), told);
        }
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let fine = parse(nested(64).as_bytes()).unwrap().value;
        assert_eq!(check_depth(&fine, 0), Ok(()));
        let deeper = serde_json::from_str::<Value>(&nested(65)).unwrap();
        assert_eq!(check_depth(&deeper, 0), Err(told));
        assert_eq!(check_depth(&deeper, 65), Ok(()));
    }

    /// A name of a megabyte with a list of a million below it would be copied a million times.
    #[test]
    fn long_names_are_not_carried_along() {
        let seed = Seed { path: "n".repeat(1_000_000), levels: 1, duplicates: &mut Vec::new() };
        assert_eq!(seed.path_to("[7]").len(), MAXIMUM_PATH);
    }

    #[test]
    fn text_after_the_document_is_refused() {
        assert!(parse(b"{} {}").is_err());
        assert!(parse(b"").is_err());
    }
}
