//! JSON as a request body: bounded in depth, with the places of keys that stand twice.
//!
//! `serde_json::Value` alone would keep the last of two equal keys and say nothing, which strict field
//! validation must report. Everything else about the document is left to `fields`.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A parsed document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub value: Value,
    /// Paths of keys that occur more than once, as in `metadata.labels.a`; at most [`MAXIMUM_DUPLICATES`].
    pub duplicates: Vec<String>,
}

/// Parses one document; nothing may follow it. The error is a sentence for the client.
pub fn parse(body: &[u8]) -> Result<Document, String> {
    let mut duplicates = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let seed = Seed { depth: 0, path: String::new(), duplicates: &mut duplicates };
    let value = seed.deserialize(&mut deserializer).map_err(|error| explain(&error))?;
    deserializer.end().map_err(|error| explain(&error))?;
    Ok(Document { value, duplicates })
}

/// How deep lists and objects may be nested.
pub const MAXIMUM_DEPTH: usize = 128;
pub const MAXIMUM_DUPLICATES: usize = 16;

fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.starts_with("recursion limit exceeded") || text.starts_with(TOO_DEEP) {
        return format!("{TOO_DEEP} than {MAXIMUM_DEPTH} levels");
    }
    text
}

const TOO_DEEP: &str = "the document is nested deeper";

struct Seed<'a> {
    depth: usize,
    path: String,
    duplicates: &'a mut Vec<String>,
}

impl Seed<'_> {
    fn inner<E: de::Error>(&self) -> Result<usize, E> {
        if self.depth >= MAXIMUM_DEPTH { Err(E::custom(TOO_DEEP)) } else { Ok(self.depth + 1) }
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
        let depth = self.inner()?;
        let mut list = Vec::new();
        loop {
            let path = if self.duplicates.len() < MAXIMUM_DUPLICATES {
                format!("{}[{}]", self.path, list.len())
            } else {
                String::new()
            };
            match access.next_element_seed(Seed { depth, path, duplicates: self.duplicates })? {
                Some(value) => list.push(value),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let depth = self.inner()?;
        let mut object = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let path = if self.path.is_empty() { key.clone() } else { format!("{}.{key}", self.path) };
            if object.contains_key(&key) && self.duplicates.len() < MAXIMUM_DUPLICATES {
                self.duplicates.push(path.clone());
            }
            let value = access.next_value_seed(Seed { depth, path, duplicates: self.duplicates })?;
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
        for depth in [129, 10_000, 1_000_000] {
            let body = "[".repeat(depth);
            assert_eq!(parse(body.as_bytes()).unwrap_err(), "the document is nested deeper than 128 levels");
        }
        let fine = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert!(parse(fine.as_bytes()).is_ok());
    }

    #[test]
    fn text_after_the_document_is_refused() {
        assert!(parse(b"{} {}").is_err());
        assert!(parse(b"").is_err());
    }
}
