//! How deep a JSON text is nested, and where it becomes too deep.
//!
//! What is stored wraps what a client sends in levels of its own, and the parser that reads it back has a limit. So
//! bodies are refused well below that limit, by one number for every surface.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor},
};

/// How deep lists and objects of a request may be nested.
pub const DEEPEST: usize = 64;

/// The JSON pointer (RFC 6901) of the first list or object beyond `DEEPEST` levels; none where there is none before the
/// text ends or is no JSON any more.
pub fn too_deep(bytes: &[u8]) -> Option<String> {
    // Nearly all bodies hold too few brackets to be deep, which is quickly seen.
    if bytes.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() <= DEEPEST {
        return None;
    }
    let mut walk = Walk::default();
    // Whether it is JSON to its end is for the parser to say that reads it into what is wanted.
    let _ = Value(&mut walk).deserialize(&mut serde_json::Deserializer::from_slice(bytes));
    walk.too_deep.then(|| pointer(&walk.path))
}

/// The members that lead to what is being read.
#[derive(Default)]
struct Walk<'de> {
    path: Vec<Member<'de>>,
    /// The path leads to what is too deep.
    too_deep: bool,
}

enum Member<'de> {
    Name(Name<'de>),
    Index(usize),
}

/// Copied only where the text has escapes in it.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl Walk<'_> {
    fn check<E: Error>(&mut self) -> Result<(), E> {
        self.too_deep = self.path.len() == DEEPEST;
        if self.too_deep { Err(E::custom("too deep")) } else { Ok(()) }
    }
}

/// Reads any value and keeps nothing of it.
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
                let shown: String = name.chars().take(MOST_NAME).collect();
                pointer.push_str(&shown.replace('~', "~0").replace('/', "~1"));
            }
        }
    }
    pointer
}

/// Of a pointer that is shown.
const MOST_POINTER: usize = 160;
/// Of one name in it, in characters.
const MOST_NAME: usize = 60;
