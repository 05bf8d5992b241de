//! Checks and normalizes the member names of a JSON body.
//!
//! Resource Manager compares JSON member names case-insensitively, so they are normalized before a body is read.
//! Ignoring a member could drop a restriction: an exclusion of a role, the condition of an assignment. So where
//! access depends on a body, an unknown member is refused by name; elsewhere only a known member in the wrong place
//! is refused.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The members that a body may have.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Any value, unchanged.
    Any,
    List(&'static Shape),
    /// The known members, and the treatment of others.
    Object(&'static [(&'static str, Shape)], Others),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    Refused,
    /// Kept, except members that are known one level below or in another spelling, which are refused.
    Kept,
}

/// Members of these names, each with any value.
macro_rules! known {
    ($($name:literal),* $(,)?) => { &[$(($name, $crate::members::Shape::Any)),*] };
}
pub(crate) use known;

/// A resource whose `properties` have only these members.
macro_rules! resource {
    ($properties:expr) => {
        $crate::members::Shape::Object(
            &[
                ("id", $crate::members::Shape::Any),
                ("name", $crate::members::Shape::Any),
                ("type", $crate::members::Shape::Any),
                ("systemData", $crate::members::Shape::Any),
                ("properties", $crate::members::Shape::Object($properties, $crate::members::Others::Refused)),
            ],
            $crate::members::Others::Kept,
        )
    };
}
pub(crate) use resource;

/// Deserializes a value of a shape; `path` is its path in the body.
pub(crate) struct Reader {
    shape: &'static Shape,
    path: String,
}

impl Shape {
    pub(crate) fn reader(&'static self) -> Reader {
        Reader { shape: self, path: String::new() }
    }

    /// The known member with this name, case-insensitively.
    fn member(&'static self, name: &str) -> Option<&'static (&'static str, Shape)> {
        match self {
            Self::Object(known, _) => known.iter().find(|(each, _)| each.eq_ignore_ascii_case(name)),
            Self::Any | Self::List(_) => None,
        }
    }

    /// The path or spelling that a misplaced or misspelled member was probably meant as.
    fn meant(&'static self, name: &str) -> Option<String> {
        let Self::Object(known, _) = self else { return None };
        let plain = |text: &str| text.replace(['_', '-'], "").to_ascii_lowercase();
        let is_meant = |(each, _): &&(&'static str, Shape)| plain(each) == plain(name);
        if let Some((each, _)) = known.iter().find(is_meant) {
            return Some((*each).to_owned());
        }
        known.iter().find_map(|(outer, shape)| {
            let Self::Object(below, _) = shape else { return None };
            below.iter().find(is_meant).map(|(each, _)| format!("{outer}.{each}"))
        })
    }
}

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value of JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let shape = match self.shape {
            Shape::List(shape) => shape,
            Shape::Any | Shape::Object(..) => &Shape::Any,
        };
        let mut items = Vec::new();
        while let Some(item) =
            list.next_element_seed(Reader { shape, path: format!("{}[{}]", self.path, items.len()) })?
        {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(written) = object.next_key::<String>()? {
            let known = self.shape.member(&written);
            let name = known.map_or(written.as_str(), |(name, _)| name);
            let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
            let shape = known.map_or(&Shape::Any, |(_, shape)| shape);
            let value = object.next_value_seed(Reader { shape, path: path.clone() })?;
            if known.is_none() && !value.is_null() {
                let meant = self.shape.meant(&written);
                let refused = matches!(self.shape, Shape::Object(_, Others::Refused)) || meant.is_some();
                if refused {
                    return Err(unknown(&path, self.shape, meant));
                }
            }
            if members.contains_key(name) && known.is_some() {
                return Err(A::Error::custom(format!("the member '{path}' stands more than once")));
            }
            members.insert(name.to_owned(), value);
        }
        Ok(members.into())
    }
}

fn unknown<E: Error>(path: &str, shape: &'static Shape, meant: Option<String>) -> E {
    let path: String = path.chars().take(200).collect();
    let known = match shape {
        Shape::Object(known, _) => known.iter().map(|(name, _)| format!("'{name}'")).collect::<Vec<_>>(),
        Shape::Any | Shape::List(_) => Vec::new(),
    };
    let known = if known.is_empty() { "nothing there".to_owned() } else { known.join(", ") };
    let expected = meant.map_or(known, |meant| format!("'{meant}'"));
    E::custom(format!("could not find the member '{path}': expected {expected}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const INNER: Shape = Shape::Object(&[("notActions", Shape::Any)], Others::Refused);
    const SHAPE: Shape = Shape::Object(
        &[
            ("type", Shape::Any),
            (
                "properties",
                Shape::Object(
                    &[("permissions", Shape::List(&INNER)), ("aadProfile", Shape::Any)],
                    Others::Kept,
                ),
            ),
        ],
        Others::Kept,
    );

    fn read(body: &str) -> Result<Value, String> {
        let mut deserializer = serde_json::Deserializer::from_str(body);
        SHAPE.reader().deserialize(&mut deserializer).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_brought_to_their_usual_case() {
        let found = read(
            r#"{"PROPERTIES":{"Permissions":[{"NotActions":["A"]}],"Other":{"B":1}},"x":[null,1.5,-2,true]}"#,
        );
        let expected = json!({"properties": {"permissions": [{"notActions": ["A"]}], "Other": {"B": 1}}, "x": [null, 1.5, -2, true]});
        assert_eq!(found, Ok(expected));
        // What says nothing is no matter.
        assert!(read(r#"{"properties":{"permissions":[{"notAction":null}]}}"#).is_ok());
    }

    #[test]
    fn what_is_not_known_or_stands_elsewhere_is_refused_by_its_name() {
        for (body, said) in [
            (
                r#"{"properties":{"permissions":[{},{"notAction":["a"]}]}}"#,
                "'properties.permissions[1].notAction': expected 'notActions'",
            ),
            (r#"{"aadProfile":{}}"#, "'aadProfile': expected 'properties.aadProfile'"),
            (r#"{"aad_profile":{}}"#, "'aad_profile': expected 'properties.aadProfile'"),
            (r#"{"properties":{"aad_profile":{}}}"#, "'properties.aad_profile': expected 'aadProfile'"),
            (r#"{"type":1,"Type":2}"#, "'type' stands more than once"),
        ] {
            let found = read(body).unwrap_err();
            assert!(found.contains(said), "{body}: {found}");
        }
    }
}
