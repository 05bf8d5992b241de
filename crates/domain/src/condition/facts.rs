//! What a condition is asked about: the seam between the language and those who know the request.
//!
//! Values are borrowed, so that an answer costs no allocation. A value that is known only as text, as on
//! the wire of AKS, is given as text; the operator that compares it reads it as its own type.

use jiff::Timestamp;
use uuid::Uuid;

/// Where an attribute lives; written `@Request[...]` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    Request,
    Resource,
    Principal,
    Environment,
}

/// One request, as far as conditions can see it.
pub trait Facts {
    /// The action or data action that is asked for, without wildcards.
    fn action(&self) -> &str;

    /// The sub-operation, such as `Blob.List`, where the service names one.
    fn sub_operation(&self) -> Option<&str>;

    /// The attribute `name` (what stands between the brackets), or nothing where the request has none.
    /// Names are compared by [`attribute_names_match`], whose first argument is `name`.
    fn attribute(&self, source: Source, name: &str) -> Option<Values<'_>>;
}

/// What an attribute holds. No value at all counts as an absent attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values<'a> {
    One(Value<'a>),
    Many(Vec<Value<'a>>),
    /// Many texts, as they lie in a record.
    Strings(&'a [String]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    String(&'a str),
    Number(i64),
    Bool(bool),
    Time(Timestamp),
    Guid(Uuid),
}

/// Whether `held`, the name under which an attribute is known, is the one that a condition asks for.
///
/// Case does not count, except in the key of `...:Key<$key_case_sensitive$>`: what lies between the first
/// colon and that suffix is compared exactly. `held` may carry the suffix or not.
pub fn attribute_names_match(asked: &str, held: &str) -> bool {
    let held = held.strip_suffix(KEY_CASE_SENSITIVE).unwrap_or(held);
    let Some(asked) = asked.strip_suffix(KEY_CASE_SENSITIVE) else {
        return asked.eq_ignore_ascii_case(held);
    };
    match (asked.split_once(':'), held.split_once(':')) {
        (Some((asked_path, asked_key)), Some((held_path, held_key))) => {
            asked_path.eq_ignore_ascii_case(held_path) && asked_key == held_key
        }
        _ => asked == held,
    }
}

impl Source {
    pub const ALL: [Self; 4] = [Self::Request, Self::Resource, Self::Principal, Self::Environment];

    /// As it is written after the `@`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "Request",
            Self::Resource => "Resource",
            Self::Principal => "Principal",
            Self::Environment => "Environment",
        }
    }
}

impl<'a> Values<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(values) => values.len(),
            Self::Strings(texts) => texts.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::One(value) => (index == 0).then_some(*value),
            Self::Many(values) => values.get(index).copied(),
            Self::Strings(texts) => texts.get(index).map(|text| Value::String(text)),
        }
    }
}

/// Ends the name of an attribute whose key is compared with its case.
pub(super) const KEY_CASE_SENSITIVE: &str = "<$key_case_sensitive$>";
