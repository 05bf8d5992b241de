//! Scopes: Azure resource ids as a tree. `/` is the root; below it hang management groups and subscriptions,
//! then resource groups, resources and their children, down to a namespace of a cluster.
//!
//! A scope is kept as written and compared without regard to case, by whole segments. Its text alone does
//! not say which management group a subscription is in: that is [`crate::azure::Policy`]'s to know.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    azure::text::{CaseFolded, shortened},
    id::SubscriptionId,
    name::ResourceName,
};

/// A well-formed resource id: at most 1,024 printable ASCII characters, no segment empty, `.` or `..`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    text: CaseFolded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    Root,
    ManagementGroup,
    Subscription,
    ResourceGroup,
    /// A resource of a provider, or a child of one.
    Resource,
}

/// Why a text is not a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" is not a scope: {problem}")]
pub struct ScopeError {
    pub value: String,
    pub problem: &'static str,
}

impl Scope {
    /// Reads an absolute resource id:
    ///
    /// ```
    /// # use domain::scope::{Scope, ScopeKind};
    /// let cluster = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/rg/\
    ///                providers/Microsoft.ContainerService/managedClusters/c1";
    /// let namespace = Scope::parse(&format!("{cluster}/namespaces/web")).unwrap();
    /// assert_eq!(namespace.parent(), Some(Scope::parse(&cluster.to_uppercase()).unwrap()));
    /// assert!(Scope::parse("/subscriptions/../x").is_err());
    /// ```
    ///
    /// A slash at its end is not part of it.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let text = text.strip_suffix('/').filter(|bare| !matches!(*bare, "" | "/")).unwrap_or(text);
        check(text).map_err(|problem| ScopeError { value: shortened(text), problem })?;
        Ok(Self { text: CaseFolded::new(text) })
    }

    pub fn root() -> Self {
        Self { text: CaseFolded::new("/") }
    }

    /// `/subscriptions/{id}`.
    pub fn subscription(id: SubscriptionId) -> Self {
        Self { text: CaseFolded::new(&format!("/subscriptions/{id}")) }
    }

    /// `/providers/Microsoft.Management/managementGroups/{name}`.
    pub fn management_group(name: &ResourceName) -> Self {
        Self { text: CaseFolded::new(&format!("/providers/Microsoft.Management/managementGroups/{name}")) }
    }

    /// The scope below this one that ends with `kind/name`, such as `namespaces/web` below a cluster.
    pub fn child(&self, kind: &str, name: &str) -> Result<Self, ScopeError> {
        let child = if self.is_root() {
            CaseFolded::new(&format!("/{kind}/{name}"))
        } else {
            self.text.followed_by(["/", kind, "/", name])
        };
        // What was well formed before is so still: the new segments are looked at, and the path's form.
        let checked = if child.written().len() > MAX_LENGTH {
            Err(TOO_LONG)
        } else {
            check_segment(kind).and_then(|()| check_segment(name))
        };
        let checked = match checked {
            Ok(()) if kind.contains('/') || name.contains('/') => Err("a segment holds a slash"),
            Ok(()) => walk(child.folded(), &mut Ends::default()),
            Err(problem) => Err(problem),
        };
        match checked {
            Ok(()) => Ok(Self { text: child }),
            Err(problem) => Err(ScopeError { value: shortened(child.written()), problem }),
        }
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        self.text.written()
    }

    /// In lower case, for comparison.
    pub fn folded(&self) -> &str {
        self.text.folded()
    }

    pub fn is_root(&self) -> bool {
        self.as_str() == "/"
    }

    pub fn kind(&self) -> ScopeKind {
        if self.is_root() {
            return ScopeKind::Root;
        }
        match self.folded().split('/').skip(1).collect::<Vec<_>>().as_slice() {
            ["subscriptions", _] => ScopeKind::Subscription,
            ["subscriptions", _, "resourcegroups", _] => ScopeKind::ResourceGroup,
            ["providers", "microsoft.management", "managementgroups", _] => ScopeKind::ManagementGroup,
            _ => ScopeKind::Resource,
        }
    }

    /// The last segment; empty for the root.
    pub fn name(&self) -> &str {
        self.as_str().rsplit('/').next().unwrap_or("")
    }

    /// The subscription that this is, or is in, as written.
    pub fn subscription_name(&self) -> Option<&str> {
        (self.folded().starts_with("/subscriptions/")).then(|| self.as_str().split('/').nth(2)).flatten()
    }

    pub fn subscription_id(&self) -> Option<SubscriptionId> {
        SubscriptionId::parse(self.subscription_name()?).ok()
    }

    /// The resource group that this is, or is in, as written.
    pub fn resource_group_name(&self) -> Option<&str> {
        let mut segments = self.as_str().split('/').skip(3);
        let is_group = self.folded().starts_with("/subscriptions/")
            && segments.next().is_some_and(|segment| segment.eq_ignore_ascii_case("resourceGroups"));
        if is_group { segments.next() } else { None }
    }

    /// The managed cluster that this is, or is in, as written.
    pub fn cluster_name(&self) -> Option<&str> {
        self.resource_group_name()?;
        let mut segments = self.as_str().split('/').skip(5);
        let is_cluster = ["providers", "Microsoft.ContainerService", "managedClusters"]
            .iter()
            .all(|word| segments.next().is_some_and(|segment| segment.eq_ignore_ascii_case(word)));
        if is_cluster { segments.next() } else { None }
    }

    /// The scope of the resource group that this is, or is in.
    pub fn resource_group(&self) -> Option<Self> {
        let name = self.resource_group_name()?;
        let subscription = self.subscription_name()?;
        Self::parse(&format!("/subscriptions/{subscription}/resourceGroups/{name}")).ok()
    }

    /// The management group that this is, or is a resource of, as written.
    pub fn management_group_name(&self) -> Option<&str> {
        let is_group = self.folded().starts_with("/providers/microsoft.management/managementgroups/");
        is_group.then(|| self.as_str().split('/').nth(4)).flatten()
    }

    /// Provider and type of the resource, without names: `Microsoft.ContainerService/managedClusters`, and
    /// with `/namespaces` after it for a namespace of a cluster. The innermost provider counts.
    pub fn resource_type(&self) -> Option<String> {
        let mut resource_type = None;
        let mut start = 0;
        for end in self.ends() {
            let mut segments = self.as_str().get(start..end)?.split('/').skip(1);
            match (segments.next()?, segments.next()?, segments.next()) {
                (_, provider, Some(kind)) => resource_type = Some(format!("{provider}/{kind}")),
                (kind, ..) => resource_type = resource_type.map(|above: String| above + "/" + kind),
            }
            start = end;
        }
        resource_type
    }

    /// The scope that holds this one, as far as the text says: below management groups and subscriptions it
    /// is exact; theirs is the root, since their parent is not in their text.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let above = self.ends().rev().nth(1).unwrap_or(0);
        Some(match self.as_str().get(..above) {
            Some(text) if !text.is_empty() => Self { text: CaseFolded::new(text) },
            _ => Self::root(),
        })
    }

    /// Whether `other` is this scope or lies below it, as far as the texts say.
    pub fn contains(&self, other: &Self) -> bool {
        self.is_root()
            || other
                .folded()
                .strip_prefix(self.folded())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Where each step of the path ends, outermost first and this scope itself last: for a resource the ends
    /// of subscription, resource group and resource. Nothing for the root.
    pub(crate) fn ends(&self) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let mut ends = Ends::default();
        walk(self.folded(), &mut ends).unwrap_or_default();
        ends.places.into_iter().take(ends.count).map(usize::from)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl FromStr for Scope {
    type Err = ScopeError;
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::parse(text)
    }
}
impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

fn check(text: &str) -> Result<(), &'static str> {
    if text == "/" {
        return Ok(());
    }
    if text.len() > MAX_LENGTH {
        return Err(TOO_LONG);
    }
    if !text.starts_with('/') {
        return Err("expected a path that starts with a slash");
    }
    for segment in text.split('/').skip(1) {
        check_segment(segment)?;
    }
    walk(text, &mut Ends::default())
}

/// Whether a text may stand between two slashes of a scope or an action. The refused characters are those
/// that some reader of URLs or of patterns would take for something else.
pub(crate) fn check_segment(segment: &str) -> Result<(), &'static str> {
    match segment {
        "" => return Err("it has an empty segment"),
        "." | ".." => return Err("it has a segment \".\" or \"..\""),
        _ if segment.len() > MAX_SEGMENT => return Err("it has a segment longer than 260 characters"),
        _ => {}
    }
    if segment.starts_with(' ') || segment.ends_with(' ') {
        return Err("a segment starts or ends with a space");
    }
    let allowed = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && !b"\\?#%<>\"*&".contains(&byte);
    if segment.bytes().all(allowed) {
        Ok(())
    } else {
        Err("it has a character other than ASCII letters, digits and common marks")
    }
}

/// Notes where each step of an absolute path ends. Segments are not looked at but for the words that give
/// the path its form.
fn walk(text: &str, ends: &mut Ends) -> Result<(), &'static str> {
    let mut place = 0;
    let mut next = |wanted: &'static str| -> Result<Option<&str>, &'static str> {
        let Some(rest) = text.get(place + 1..).filter(|_| place < text.len()) else {
            return if wanted.is_empty() { Ok(None) } else { Err(wanted) };
        };
        let length = rest.bytes().position(|byte| byte == b'/').unwrap_or(rest.len());
        place += 1 + length;
        Ok(rest.get(..length))
    };
    let mut consumed = 0;
    let mut inside = Inside::Root;
    while let Some(word) = next("")? {
        if word.is_empty() {
            break;
        }
        consumed += 1 + word.len();
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        let wanted: &[&'static str] = match inside {
            _ if is("providers") => {
                inside = Inside::Resource;
                &[
                    "expected a provider after \"providers\"",
                    "expected a resource type after the provider",
                    "expected a name after the resource type",
                ]
            }
            Inside::Root if is("subscriptions") => {
                inside = Inside::Subscription;
                &["expected a subscription id after \"subscriptions\""]
            }
            Inside::Subscription if is("resourceGroups") => {
                inside = Inside::ResourceGroup;
                &["expected a name after \"resourceGroups\""]
            }
            Inside::Resource => &["expected a name after the resource type"],
            Inside::Root => return Err("expected \"/subscriptions/...\" or \"/providers/...\""),
            Inside::Subscription => {
                return Err("expected \"resourceGroups\" or \"providers\" below a subscription");
            }
            Inside::ResourceGroup => return Err("expected \"providers\" below a resource group"),
        };
        for each in wanted {
            let segment = next(each)?.filter(|segment| !segment.is_empty()).ok_or(*each)?;
            consumed += 1 + segment.len();
        }
        ends.push(consumed)?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Inside {
    Root,
    Subscription,
    ResourceGroup,
    Resource,
}

#[derive(Default)]
struct Ends {
    places: [u16; MAX_STEPS],
    count: usize,
}

impl Ends {
    fn push(&mut self, place: usize) -> Result<(), &'static str> {
        let too_deep = "deeper than 16 steps";
        *self.places.get_mut(self.count).ok_or(too_deep)? = u16::try_from(place).map_err(|_| too_deep)?;
        self.count += 1;
        Ok(())
    }
}

const MAX_LENGTH: usize = 1024;
const TOO_LONG: &str = "longer than 1,024 characters";
const MAX_SEGMENT: usize = 260;
const MAX_STEPS: usize = 16;

#[cfg(test)]
mod tests;
