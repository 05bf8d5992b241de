//! Checked names of the directory and of resources. A value of one of these types has passed its rules, so
//! nothing behind the edge checks again.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// A user principal name, `alice@example.org`: shown as stored, compared without regard to case.
///
/// The characters are those that Entra allows (letters, digits and `'.-_!#^~` before the `@`), all ASCII:
/// a look-alike from another script is therefore another name that cannot exist.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Upn {
    written: Arc<str>,
    folded: Arc<str>,
}

/// A name that people read: 1 to 256 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DisplayName(Arc<str>);

/// The name of a resource or resource group: 1 to 90 letters, digits, `-`, `_`, `.`, `(` and `)`, not
/// ending with a dot. Compared without regard to case, shown as stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceName(Arc<str>);

/// Why a text is not the name that it was given as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" is not a {kind}: expected {expected}")]
pub struct NameError {
    pub kind: &'static str,
    pub value: String,
    pub expected: &'static str,
}

impl Upn {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let error = || NameError {
            kind: "user principal name",
            value: shortened(text),
            expected: "name@domain with letters, digits and '.-_!#^~, at most 113 characters",
        };
        let (local, domain) = text.split_once('@').ok_or_else(error)?;
        let local_ok = !local.is_empty()
            && local.len() <= 64
            && !local.starts_with('.')
            && !local.ends_with('.')
            && local.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"'.-_!#^~".contains(&byte));
        if !local_ok || domain.len() > 48 || !is_domain(domain) {
            return Err(error());
        }
        Ok(Self { written: text.into(), folded: text.to_ascii_lowercase().into() })
    }

    /// As stored, for people.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// For comparison and look-up.
    pub fn folded(&self) -> &str {
        &self.folded
    }

    pub fn domain(&self) -> &str {
        self.written.split_once('@').map_or("", |(_, domain)| domain)
    }
}

impl DisplayName {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let length = text.chars().count();
        if length == 0 || length > 256 || text.chars().any(char::is_control) || text.trim().is_empty() {
            return Err(NameError {
                kind: "display name",
                value: shortened(text),
                expected: "1 to 256 characters without control characters",
            });
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ResourceName {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.()".contains(&byte);
        let dots_only = text.bytes().all(|byte| byte == b'.');
        if text.is_empty()
            || text.len() > 90
            || !text.bytes().all(allowed)
            || dots_only
            || text.ends_with('.')
        {
            return Err(NameError {
                kind: "resource name",
                value: shortened(text),
                expected: "1 to 90 letters, digits, '-', '_', '.', '(' or ')', not ending with a dot",
            });
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    pub fn matches(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl<K> From<crate::id::Id<K>> for ResourceName {
    fn from(id: crate::id::Id<K>) -> Self {
        Self(id.to_string().into())
    }
}

impl PartialEq for Upn {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}
impl Eq for Upn {}
impl PartialEq for ResourceName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}
impl Eq for ResourceName {}

impl fmt::Display for Upn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}
impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Upn {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}
impl TryFrom<String> for DisplayName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}
impl TryFrom<String> for ResourceName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}
impl From<Upn> for String {
    fn from(upn: Upn) -> Self {
        upn.written.to_string()
    }
}
impl From<DisplayName> for String {
    fn from(name: DisplayName) -> Self {
        name.0.to_string()
    }
}
impl From<ResourceName> for String {
    fn from(name: ResourceName) -> Self {
        name.0.to_string()
    }
}

/// A DNS name of at least one label: letters, digits and inner hyphens.
pub fn is_domain(text: &str) -> bool {
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(label_ok)
}

/// The part of a refused value that an error repeats: enough to recognise it, never a whole large input.
fn shortened(text: &str) -> String {
    text.chars().take(120).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principal_names_are_compared_without_case_and_shown_as_stored() {
        let upn = Upn::parse("Alice.O'Neil@Example.org").unwrap();
        assert_eq!(upn, Upn::parse("alice.o'neil@example.ORG").unwrap());
        assert_eq!(upn.to_string(), "Alice.O'Neil@Example.org");
        assert_eq!(upn.domain(), "Example.org");
    }

    #[test]
    fn names_that_could_be_taken_for_others_are_refused() {
        for text in [
            "",
            "alice",
            "@x.org",
            "a@",
            "a@b@c.org",
            "system:admin@x.org",
            "а@x.org",
            "a\0@x.org",
            "a..@x.org",
        ] {
            assert!(Upn::parse(text).is_err(), "{text:?}");
        }
        for text in ["", ".", "..", "a/b", "a\0", "x.", "ä"] {
            assert!(ResourceName::parse(text).is_err(), "{text:?}");
        }
        for text in ["", "  ", "a\nb"] {
            assert!(DisplayName::parse(text).is_err(), "{text:?}");
        }
    }
}
