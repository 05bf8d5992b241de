//! The patch types of the Kubernetes API: JSON patch, merge patch and strategic merge patch.
//!
//! A patch is parsed once, and applied again after each write conflict. The result is checked like any other object:
//! schema, defaults, validation. Server-side apply is separate, in `apply`.

use domain::nesting;
use json_patch::{PatchOperation, jsonptr};
use serde_json::Value;
use thiserror::Error;

use crate::{json, schema::Message};

mod strategic;

/// A patch as sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    Json(Vec<PatchOperation>),
    Merge(Value),
    Strategic(Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    Json,
    Merge,
    Strategic,
    /// Server-side apply.
    Apply,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatchError {
    /// The patch is not valid for its type.
    #[error("{0}")]
    Malformed(String),
    /// The patch cannot be applied to this object.
    #[error("{0}")]
    Inapplicable(String),
}

impl PatchType {
    /// By media type, without parameters.
    pub fn parse(media_type: &str) -> Option<Self> {
        Some(match media_type {
            "application/json-patch+json" => Self::Json,
            "application/merge-patch+json" => Self::Merge,
            "application/strategic-merge-patch+json" => Self::Strategic,
            "application/apply-patch+yaml" => Self::Apply,
            _ => return None,
        })
    }

    pub const ACCEPTED: &'static str = "application/json-patch+json, application/merge-patch+json, \
        application/strategic-merge-patch+json, application/apply-patch+yaml";
}

impl Patch {
    /// Parses a patch body; not for an apply.
    pub fn parse(kind: PatchType, body: &[u8]) -> Result<Self, PatchError> {
        let value = json::parse(body)
            .map_err(|because| PatchError::Malformed(format!("error decoding patch: {because}")))?
            .value;
        match kind {
            PatchType::Json => {
                let operations: Vec<PatchOperation> = serde_json::from_value(value)
                    .map_err(|error| PatchError::Malformed(format!("error decoding patch: {error}")))?;
                if operations.len() > MAXIMUM_OPERATIONS {
                    return Err(PatchError::Malformed(format!(
                        "The allowed maximum operations in a JSON patch is {MAXIMUM_OPERATIONS}, got {}",
                        operations.len()
                    )));
                }
                Ok(Self::Json(operations))
            }
            PatchType::Merge | PatchType::Strategic if !value.is_object() => {
                Err(PatchError::Malformed("error decoding patch: expected an object".to_owned()))
            }
            PatchType::Merge => Ok(Self::Merge(value)),
            PatchType::Strategic => Ok(Self::Strategic(value)),
            PatchType::Apply => Err(PatchError::Malformed(
                "error decoding patch: apply is not a patch of this form".to_owned(),
            )),
        }
    }

    /// The object as it is after the patch.
    pub fn apply(&self, object: &Value, message: Option<&Message>) -> Result<Value, PatchError> {
        match self {
            Self::Json(operations) => apply_operations(object, operations),
            Self::Merge(patch) => {
                let mut merged = object.clone();
                json_patch::merge(&mut merged, patch);
                Ok(merged)
            }
            Self::Strategic(patch) => strategic::merge(object, patch, message),
        }
    }
}

/// Applies the operations one by one and checks limits after each, so that `copy` cannot grow the object
/// exponentially in size or depth.
fn apply_operations(object: &Value, operations: &[PatchOperation]) -> Result<Value, PatchError> {
    let mut patched = object.clone();
    let mut copied = 0;
    let mut depths = Depths { most: json::MAXIMUM_DEPTH.max(nesting::depth(object)), visited: 0 };
    for operation in operations {
        if let PatchOperation::Copy(copy) = operation {
            let size = patched.pointer(copy.from.as_str()).map_or(0, |value| value.to_string().len());
            copied += size;
            if copied > MAXIMUM_COPIED_BYTES {
                return Err(PatchError::Inapplicable(format!(
                    "the patch copies more than {MAXIMUM_COPIED_BYTES} bytes"
                )));
            }
        }
        match operation {
            PatchOperation::Add(add) => depths.check(&add.path, Some(&add.value))?,
            PatchOperation::Replace(replace) => depths.check(&replace.path, Some(&replace.value))?,
            PatchOperation::Copy(copy) => depths.check(&copy.path, patched.pointer(copy.from.as_str()))?,
            PatchOperation::Move(moved) => depths.check(&moved.path, patched.pointer(moved.from.as_str()))?,
            PatchOperation::Remove(_) | PatchOperation::Test(_) => {}
        }
        json_patch::patch(&mut patched, std::slice::from_ref(operation))
            .map_err(|error| PatchError::Inapplicable(error.to_string()))?;
    }
    Ok(patched)
}

/// The depth limit between operations, and the number of values visited to check it.
struct Depths {
    most: usize,
    visited: usize,
}

impl Depths {
    /// Refuses a value that would be too deep at this path.
    fn check(&mut self, place: &jsonptr::Pointer, value: Option<&Value>) -> Result<(), PatchError> {
        let depth = place.count() + value.map_or(0, |value| self.depth(value));
        if depth > self.most {
            let place: String = place.as_str().chars().take(200).collect();
            return Err(PatchError::Inapplicable(format!(
                "the patch nests the object deeper than {} levels at {place:?}",
                self.most
            )));
        }
        if self.visited > MAXIMUM_VISITED {
            return Err(PatchError::Inapplicable(format!(
                "the patch adds, copies and moves more than {MAXIMUM_VISITED} values"
            )));
        }
        Ok(())
    }

    fn depth(&mut self, value: &Value) -> usize {
        self.visited += 1;
        if self.visited > MAXIMUM_VISITED {
            return 0;
        }
        let inner = match value {
            Value::Array(list) => list.iter().map(|each| self.depth(each)).max(),
            Value::Object(members) => members.values().map(|each| self.depth(each)).max(),
            _ => return 0,
        };
        inner.unwrap_or(0) + 1
    }
}

const MAXIMUM_OPERATIONS: usize = 10_000;
const MAXIMUM_COPIED_BYTES: usize = 3 * 1024 * 1024;
const MAXIMUM_VISITED: usize = 10_000_000;

#[cfg(test)]
mod tests;
