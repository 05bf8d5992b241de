//! Role definitions: which actions a role grants, as patterns, and where it may be assigned.

use std::{fmt, str::FromStr, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_security::skeleton;

use crate::{
    azure::text::{CaseFolded, shortened},
    id::{ObjectId, RoleId},
    scope::{Scope, check_segment},
};

/// A role definition (`Microsoft.Authorization/roleDefinitions`), built-in or custom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleDefinition {
    pub id: RoleId,
    /// What people call it; compared without regard to case.
    pub name: Arc<str>,
    #[serde(default)]
    pub description: String,
    pub kind: RoleKind,
    pub assignable_scopes: Vec<Scope>,
    pub permissions: Vec<Permission>,
    pub created: Stamp,
    pub updated: Stamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoleKind {
    BuiltIn,
    Custom,
}

/// One block of a role or of a deny assignment: what it names, less what it excepts. The exceptions count
/// within this block only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permission {
    #[serde(default)]
    pub actions: Vec<ActionPattern>,
    #[serde(default)]
    pub not_actions: Vec<ActionPattern>,
    #[serde(default)]
    pub data_actions: Vec<ActionPattern>,
    #[serde(default)]
    pub not_data_actions: Vec<ActionPattern>,
}

/// An action such as `Microsoft.ContainerService/managedClusters/pods/read`, or a pattern of actions in which
/// `*` stands for any run of characters, slashes included. Compared without regard to case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionPattern {
    text: CaseFolded,
}

/// Who wrote a record last, and when. Nobody for what the product brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub by: Option<ObjectId>,
    pub at: Timestamp,
}

/// Why a role definition is not well formed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    #[error(
        "\"{0}\" is not the name of a role: expected 1 to 512 characters that can be seen, none of them a slash, with one space between words and none at the ends"
    )]
    Name(String),
    #[error("the description has {0} characters: expected at most 2,048")]
    Description(usize),
    #[error("a custom role needs at least one assignable scope")]
    NoAssignableScope,
    #[error("{count} {what}: expected at most {most}")]
    TooMany { what: &'static str, count: usize, most: usize },
}

/// Why a text is not an action or a pattern of actions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" is not an action: {problem}")]
pub struct ActionPatternError {
    pub value: String,
    pub problem: &'static str,
}

impl RoleDefinition {
    /// The checks that every new or changed definition passes; what they say is for the person who writes it.
    pub fn check(&self) -> Result<(), RoleError> {
        let length = self.name.chars().count();
        let is_plain = |character: char| character == ' ' || !(character == '/' || is_unseen(character));
        let name_ok = (1..=512).contains(&length)
            && self.name.chars().all(is_plain)
            && self.name.split(' ').all(|word| !word.is_empty());
        if !name_ok {
            return Err(RoleError::Name(shortened(&self.name)));
        }
        let description = self.description.chars().count();
        if description > MAX_DESCRIPTION {
            return Err(RoleError::Description(description));
        }
        if self.kind == RoleKind::Custom && self.assignable_scopes.is_empty() {
            return Err(RoleError::NoAssignableScope);
        }
        at_most("assignable scopes", self.assignable_scopes.len(), MAX_SCOPES)?;
        check_permissions(&self.permissions)
    }

    pub fn is_named(&self, name: &str) -> bool {
        self.name.to_lowercase() == name.to_lowercase()
    }

    /// Whether people could take a role of this name for this one: the same letters in another case, spacing or
    /// width; and for a built-in role, whatever looks like it (Unicode Technical Standard 39).
    pub fn is_taken_for(&self, name: &str) -> bool {
        let looks_alike = self.kind == RoleKind::BuiltIn && looks(&self.name) == looks(name);
        looks_alike || seen(&self.name).to_lowercase() == seen(name).to_lowercase()
    }
}

/// The resource id of a role definition as it reads at a scope: with the subscription that the scope is, or is in, and
/// without one at management groups and the root. Clients compare these texts.
pub fn definition_id(role: RoleId, at: &Scope) -> String {
    let subscription = match (at.subscription_id(), at.subscription_name()) {
        (Some(id), _) => format!("/subscriptions/{id}"),
        (None, Some(name)) => format!("/subscriptions/{name}"),
        (None, None) => String::new(),
    };
    format!("{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}")
}

/// The role that a text names: its GUID, alone or at the end of its resource id at whatever scope.
pub fn parse_definition_id(text: &str) -> Option<RoleId> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let Some((front, id)) = text.rsplit_once('/') else { return RoleId::parse(text).ok() };
    let (scope, kind) = front.split_at_checked(front.len().checked_sub(OF_ROLES.len())?)?;
    let is_scope = scope.is_empty() || Scope::parse(scope).is_ok();
    if is_scope && kind.eq_ignore_ascii_case(OF_ROLES) { RoleId::parse(id).ok() } else { None }
}

/// The bounds that the permissions of roles and of deny assignments keep.
pub(crate) fn check_permissions(permissions: &[Permission]) -> Result<(), RoleError> {
    at_most("blocks of permissions", permissions.len(), MAX_BLOCKS)?;
    let count =
        permissions.iter().map(|each| each.lists().iter().map(|list| list.len()).sum::<usize>()).sum();
    at_most("actions", count, MAX_PATTERNS)
}

impl Permission {
    fn lists(&self) -> [&Vec<ActionPattern>; 4] {
        [&self.actions, &self.not_actions, &self.data_actions, &self.not_data_actions]
    }
}

impl ActionPattern {
    pub fn parse(text: &str) -> Result<Self, ActionPatternError> {
        let error = |problem| ActionPatternError { value: shortened(text), problem };
        if text.is_empty() || text.len() > MAX_PATTERN {
            return Err(error("expected 1 to 512 characters"));
        }
        for segment in text.split('/') {
            if segment.contains(' ') {
                return Err(error("it has a space"));
            }
            // A wildcard may stand for part of a segment; what is left of the segment is checked as a name.
            let literal = segment.replace('*', "");
            if segment.is_empty() || !literal.is_empty() {
                check_segment(&literal).map_err(error)?;
            }
        }
        Ok(Self { text: CaseFolded::new(text) })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        self.text.written()
    }

    /// In lower case, for comparison.
    pub fn folded(&self) -> &str {
        self.text.folded()
    }

    /// The namespace of the provider whose actions these are, as written; `None` where a wildcard takes its place.
    /// An action without a slash is of a provider that no list has.
    pub fn provider(&self) -> Option<&str> {
        let provider = self.as_str().split_once('/').map_or(self.as_str(), |(provider, _)| provider);
        (!provider.contains('*')).then_some(if provider.len() < self.as_str().len() { provider } else { "" })
    }

    pub fn has_wildcard(&self) -> bool {
        self.folded().contains('*')
    }
}

impl Stamp {
    /// Of what is part of the product itself.
    pub const BUILT_IN: Self = Self { by: None, at: Timestamp::UNIX_EPOCH };
}

impl fmt::Debug for ActionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Display for ActionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl FromStr for ActionPattern {
    type Err = ActionPatternError;
    fn from_str(text: &str) -> Result<Self, ActionPatternError> {
        Self::parse(text)
    }
}
impl Serialize for ActionPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for ActionPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// Nothing is drawn for it, or only room.
fn is_unseen(character: char) -> bool {
    // What Unicode calls ignorable has no looks; the empty pattern of Braille is drawn as nothing.
    let has_looks = skeleton(character.encode_utf8(&mut [0; 4])).next().is_some();
    character.is_control() || character.is_whitespace() || !has_looks || character == '\u{2800}'
}

/// What can be seen of a name: compatible forms as one, with one space between words.
fn seen(name: &str) -> String {
    let spaced = name.nfkc().map(|character| if character.is_whitespace() { ' ' } else { character });
    let seen: String = spaced.filter(|character| *character == ' ' || !is_unseen(*character)).collect();
    seen.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What a name looks like at a glance. Letters look alike in one case or in the other, and the letters `i` and `l` in
/// either; marks on letters and dots at the end are overlooked, and two `v` are read as a `w`.
fn looks(name: &str) -> String {
    let bare: String = seen(name).nfd().filter(|character| !is_combining_mark(*character)).collect();
    let looks: String = skeleton(bare.trim_end_matches(['.', ' '])).collect();
    let looks: String =
        skeleton(&looks.to_lowercase()).map(|letter| if letter == 'i' { 'l' } else { letter }).collect();
    looks.replace("vv", "w")
}

fn at_most(what: &'static str, count: usize, most: usize) -> Result<(), RoleError> {
    if count > most { Err(RoleError::TooMany { what, count, most }) } else { Ok(()) }
}

/// What stands in the resource id of a role, after the scope.
const OF_ROLES: &str = "/providers/Microsoft.Authorization/roleDefinitions";
const MAX_DESCRIPTION: usize = 2048;
const MAX_SCOPES: usize = 2000;
const MAX_BLOCKS: usize = 64;
const MAX_PATTERNS: usize = 10_000;
const MAX_PATTERN: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn role(name: &str) -> RoleDefinition {
        RoleDefinition {
            id: RoleId::new(Uuid::from_u128(1)),
            name: name.into(),
            description: String::new(),
            kind: RoleKind::Custom,
            assignable_scopes: vec![Scope::root()],
            permissions: vec![Permission::default()],
            created: Stamp::BUILT_IN,
            updated: Stamp::BUILT_IN,
        }
    }

    #[test]
    fn patterns_are_kept_as_written_and_compared_without_case() {
        let pattern = ActionPattern::parse("Microsoft.X/*/Read").unwrap();
        assert_eq!(pattern.as_str(), "Microsoft.X/*/Read");
        assert_eq!(pattern, ActionPattern::parse("microsoft.x/*/READ").unwrap());
        assert!(pattern.has_wildcard());
        for text in ["*", "*/read", "a/b*/c", "Microsoft.Insights/Metrics/Write", "a/signers:approve"] {
            assert!(ActionPattern::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_actions_are_refused() {
        let long = "a".repeat(513);
        for text in
            ["", "/", "a/", "/a", "a//b", "a/./b", "a/../b", "a b/c", "a/\0", "a/ä", "a/b?c", "a/b%2f", &long]
        {
            assert!(ActionPattern::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn definitions_with_a_bad_name_or_without_a_place_are_refused() {
        assert_eq!(role("Deployment Reader").check(), Ok(()));
        for name in [
            "",
            "  ",
            "a\nb",
            "a/b",
            &"x".repeat(513),
            "Owner ",
            " Owner",
            "Key  Vault",
            "Own\u{200b}er",
            "Own\u{ad}er",
            "Owner\u{a0}",
            "Key\u{3000}Vault",
            "\u{202e}renwO",
            "\u{2800}",
            "\u{3164}",
        ] {
            assert!(matches!(role(name).check(), Err(RoleError::Name(_))), "{name:?}");
        }
        let nowhere = RoleDefinition { assignable_scopes: vec![], ..role("x") };
        assert_eq!(nowhere.check(), Err(RoleError::NoAssignableScope));
        let patterns = vec![ActionPattern::parse("*").unwrap(); MAX_PATTERNS + 1];
        let large = RoleDefinition {
            permissions: vec![Permission { actions: patterns, ..Permission::default() }],
            ..role("x")
        };
        assert!(matches!(large.check(), Err(RoleError::TooMany { what: "actions", .. })));
    }

    #[test]
    fn a_name_is_taken_for_another_by_case_and_spacing_and_for_a_built_in_one_by_its_looks() {
        let built_in = |name: &str| RoleDefinition { kind: RoleKind::BuiltIn, ..role(name) };
        let operator = "Managed Identity Operator";
        for (known, name, expected) in [
            ("Owner", "OWNER", true),
            ("Owner", "Owner ", true),
            ("Owner", "Ow\u{200d}ner", true),
            ("Owner", "Ｏｗｎｅｒ", true),
            // Cyrillic and Greek letters, alone and with others of their kind.
            ("Owner", "Оwner", true),
            ("Owner", "Οwnеr", true),
            ("Owner", "𝐎wner", true),
            ("Owner", "0wner", true),
            ("Owner", "O\u{301}wner", true),
            ("Owner", "Ówner", true),
            ("Owner", "Owner.", true),
            ("Owner", "Owner ..", true),
            ("Owner", "Ovvner", true),
            (operator, "Managed ldentity Operator", true),
            (operator, "managed іdentity operator", true),
            (operator, "Managed  ldentity Operatоr", true),
            (
                "Azure Kubernetes Service Cluster Admin Role",
                "Azure Kubernetes Service CIuster Admin Role",
                true,
            ),
            ("Owner", "Owners", false),
            ("Owner", "Own", false),
            ("Reader", "Leser", false),
        ] {
            assert_eq!(built_in(known).is_taken_for(name), expected, "{known} {name}");
        }
        // Two roles of people may look alike: numbers and letters in them are meant.
        for (known, name, expected) in
            [("Team 10", "team  10", true), ("Team 10", "Team lO", false), ("modern", "modem", false)]
        {
            assert_eq!(role(known).is_taken_for(name), expected, "{known} {name}");
        }
    }

    #[test]
    fn the_stored_form_comes_back_as_it_was() {
        let role = role("x");
        let text = serde_json::to_string(&role).unwrap();
        assert_eq!(serde_json::from_str::<RoleDefinition>(&text).unwrap(), role);
        assert!(serde_json::from_str::<Permission>(r#"{"actions":["a//b"]}"#).is_err());
    }
}
