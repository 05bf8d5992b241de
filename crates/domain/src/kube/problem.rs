//! What is wrong with a field of an object, in the words of kube-apiserver
//! (`k8s.io/apimachinery/pkg/util/validation/field`): clients print it, and some compare it.

use std::fmt;

use super::quote::Quoted;

/// One reason to refuse an object. `Display` is the server's text: `rules[0].verbs: Required value: ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// As in `spec.template.spec.containers[0].name`.
    pub field: String,
    pub fault: Fault,
}

/// Values are held as Go prints them: strings in quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Invalid { value: String, detail: String },
    Required { detail: String },
    NotSupported { value: String, supported: Vec<String> },
    Duplicate { value: String },
    Forbidden { detail: String },
    TooLong { maximum_bytes: usize },
    NotFound { value: String },
}

impl Problem {
    pub fn invalid(field: impl Into<String>, value: &str, detail: impl Into<String>) -> Self {
        Self::invalid_printed(field, Quoted(value).to_string(), detail)
    }

    /// `value` is printed as it is.
    pub fn invalid_printed(
        field: impl Into<String>,
        value: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self { field: field.into(), fault: Fault::Invalid { value: value.into(), detail: detail.into() } }
    }

    pub fn required(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), fault: Fault::Required { detail: detail.into() } }
    }

    pub fn not_supported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let supported = supported.iter().map(|each| (*each).to_owned()).collect();
        let value = Quoted(value).to_string();
        Self { field: field.into(), fault: Fault::NotSupported { value, supported } }
    }

    pub fn duplicate(field: impl Into<String>, value: &str) -> Self {
        Self { field: field.into(), fault: Fault::Duplicate { value: Quoted(value).to_string() } }
    }

    pub fn forbidden(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), fault: Fault::Forbidden { detail: detail.into() } }
    }

    pub fn too_long(field: impl Into<String>, maximum_bytes: usize) -> Self {
        Self { field: field.into(), fault: Fault::TooLong { maximum_bytes } }
    }

    pub fn not_found(field: impl Into<String>, value: &str) -> Self {
        Self { field: field.into(), fault: Fault::NotFound { value: Quoted(value).to_string() } }
    }
}

impl Fault {
    /// The reason in `details.causes` of a Status.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "FieldValueInvalid",
            Self::Required { .. } => "FieldValueRequired",
            Self::NotSupported { .. } => "FieldValueNotSupported",
            Self::Duplicate { .. } => "FieldValueDuplicate",
            Self::Forbidden { .. } => "FieldValueForbidden",
            Self::TooLong { .. } => "FieldValueTooLong",
            Self::NotFound { .. } => "FieldValueNotFound",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { value, detail } => write!(f, "Invalid value: {value}: {detail}"),
            Self::Required { detail } if detail.is_empty() => f.write_str("Required value"),
            Self::Required { detail } => write!(f, "Required value: {detail}"),
            Self::NotSupported { value, supported } => {
                write!(f, "Unsupported value: {value}: supported values: ")?;
                for (position, each) in supported.iter().enumerate() {
                    let separator = if position == 0 { "" } else { ", " };
                    write!(f, "{separator}{}", Quoted(each))?;
                }
                Ok(())
            }
            Self::Duplicate { value } => write!(f, "Duplicate value: {value}"),
            Self::NotFound { value } => write!(f, "Not found: {value}"),
            Self::Forbidden { detail } => write!(f, "Forbidden: {detail}"),
            Self::TooLong { maximum_bytes } => {
                write!(f, "Too long: may not be more than {maximum_bytes} bytes")
            }
        }
    }
}
