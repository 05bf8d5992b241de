//! Typed identifiers. Each kind of record has its own, so that a group's id is never handed in where a
//! tenant's is meant; the text form is the lower-case hyphenated UUID that Azure prints.

use std::{cmp::Ordering, fmt, hash, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// Any principal or other object of the directory: user, group, application, service principal.
pub type ObjectId = Id<kind::Object>;
pub type TenantId = Id<kind::Tenant>;
/// The `client_id` of OAuth, `appId` of Graph.
pub type AppId = Id<kind::App>;
pub type SubscriptionId = Id<kind::Subscription>;
/// A role definition, built-in or custom.
pub type RoleId = Id<kind::Role>;
/// What a directory role is made from: the same id in every tenant.
pub type RoleTemplateId = Id<kind::RoleTemplate>;
/// A role assignment or deny assignment.
pub type AssignmentId = Id<kind::Assignment>;
/// A cluster: stays the same for its life, unlike its resource id, whose case is as typed.
pub type ClusterId = Id<kind::Cluster>;

/// The kinds that tell ids apart; never constructed.
pub mod kind {
    #[derive(Debug)]
    pub enum Object {}
    #[derive(Debug)]
    pub enum Tenant {}
    #[derive(Debug)]
    pub enum App {}
    #[derive(Debug)]
    pub enum Subscription {}
    #[derive(Debug)]
    pub enum Role {}
    #[derive(Debug)]
    pub enum RoleTemplate {}
    #[derive(Debug)]
    pub enum Assignment {}
    #[derive(Debug)]
    pub enum Cluster {}
}

/// A UUID that belongs to records of kind `K`.
pub struct Id<K> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

/// A text that should have been a UUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a UUID such as 00000000-0000-0000-0000-000000000000")]
pub struct IdError(pub String);

impl<K> Id<K> {
    pub const fn new(uuid: Uuid) -> Self {
        Self { uuid, kind: PhantomData }
    }

    pub const fn uuid(self) -> Uuid {
        self.uuid
    }

    /// Reads the hyphenated form only, in any case: the compact and braced forms that a UUID library
    /// takes besides would give one record several names.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let hyphenated = text.len() == 36 && text.is_ascii();
        match Uuid::try_parse(text) {
            Ok(uuid) if hyphenated => Ok(Self::new(uuid)),
            _ => Err(IdError(text.chars().take(80).collect())),
        }
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<K> hash::Hash for Id<K> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid, f)
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid, f)
    }
}
impl<K> FromStr for Id<K> {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}
impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.uuid)
    }
}
impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}
