//! The nesting depth of a JSON text, and the first value that is nested too deep.
//!
//! Stored records wrap a client's JSON in further levels, and the parser that reads them back has a depth limit. So
//! every surface refuses bodies well below it, by one shared limit.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor},
};

/// The most levels of nested arrays and objects in a request.
pub const DEEPEST: usize = 64;

/// The JSON pointer (RFC 6901) of the first array or object beyond `DEEPEST` levels. None if there is none before the
/// end of the text or before its first syntax error.
pub fn too_deep(bytes: &[u8]) -> Option<String> {
    // Fast path: most bodies hold too few brackets to be nested too deep.
    if bytes.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() <= DEEPEST {
        return None;
    }
    let mut walk = Walk::default();
    // Syntax errors are ignored here: the parser that reads the body into its type reports them.
    let _ = Value(&mut walk).deserialize(&mut serde_json::Deserializer::from_slice(bytes));
    walk.too_deep.then(|| pointer(&walk.path))
}

/// The path of members from the root to the value that is being read.
#[derive(Default)]
struct Walk<'de> {
    path: Vec<Member<'de>>,
    /// Whether `path` leads to a value that is nested too deep.
    too_deep: bool,
}

enum Member<'de> {
    Name(Name<'de>),
    Index(usize),
}

/// A member name; borrowed from the text unless it contains escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Walk<'_> {
    fn check<E: Error>(&mut self) -> Result<(), E> {
        self.too_deep = self.path.len() == DEEPEST;
        if self.too_deep { Err(E::custom("too deep")) } else { Ok(()) }
    }
}

/// Reads any value and discards it, recording only the path.
struct Value<'a, 'de>(&'a mut Walk<'de>);

impl<'de> DeserializeSeed<'de> for Value<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value of JSON")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.check()?;
        for index in 0.. {
            self.0.path.push(Member::Index(index));
            let value = list.next_element_seed(Value(self.0))?;
            self.0.path.pop();
            if value.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        self.0.check()?;
        while let Some(name) = object.next_key()? {
            self.0.path.push(Member::Name(name));
            object.next_value_seed(Value(self.0))?;
            self.0.path.pop();
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

fn pointer(path: &[Member<'_>]) -> String {
    let mut pointer = String::new();
    for member in path {
        if pointer.len() > MOST_POINTER {
            pointer.push_str("/...");
            break;
        }
        pointer.push('/');
        match member {
            Member::Index(index) => pointer.push_str(&index.to_string()),
            Member::Name(Name(name)) => {
                let shortened: String = name.chars().take(MOST_NAME).collect();
                pointer.push_str(&shortened.replace('~', "~0").replace('/', "~1"));
            }
        }
    }
    pointer
}

/// The longest pointer in an error message, in bytes.
const MOST_POINTER: usize = 160;
/// The longest member name in that pointer, in characters.
const MOST_NAME: usize = 60;
