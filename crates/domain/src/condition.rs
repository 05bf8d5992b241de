//! The condition language of role assignments, version 2.0.

mod error;
mod facts;

use std::{fmt, str::FromStr, sync::Arc};

pub use self::{
    error::{ConditionError, UnsupportedVersion},
    facts::{Facts, Source, Value, Values, attribute_names_match},
};

/// A condition that has been parsed and type-checked. Keeps the text as written.
#[derive(Clone, Debug)]
pub struct Condition {
    text: Arc<str>,
}

impl Condition {
    /// Reads a condition of version 2.0.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        Err(ConditionError::at(text, 0, "conditions are not read yet".to_owned()))
    }

    /// Checks a `conditionVersion`; an absent one means 2.0.
    pub fn check_version(version: Option<&str>) -> Result<(), UnsupportedVersion> {
        match version {
            None | Some("2.0") => Ok(()),
            Some(other) => Err(UnsupportedVersion(other.chars().take(20).collect())),
        }
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the assignment that carries this condition counts for the request.
    pub fn holds(&self, _facts: &impl Facts) -> bool {
        false
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl Eq for Condition {}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Condition {
    type Err = ConditionError;
    fn from_str(text: &str) -> Result<Self, ConditionError> {
        Self::parse(text)
    }
}

impl serde::Serialize for Condition {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> serde::Deserialize<'de> for Condition {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[doc(inline)]
pub use self::glob::glob_matches;
mod glob;
