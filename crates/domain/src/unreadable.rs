//! Stored records that cannot be read: damaged, or written by a later release. They are set aside, so that all others
//! are served; here is what each of them, unread, keeps from being decided.
//!
//! Most records only grant something, and one that is not there grants nothing. Some may refuse or protect: what such
//! a record may have covered is refused while it cannot be read.

use std::{collections::HashSet, fmt, sync::Arc};

use serde::Deserialize;

use crate::{change::RecordKey, id::ObjectId, scope::Scope};

/// A stored record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where it is stored.
    pub place: Arc<str>,
    /// Which record it is, as far as its place tells.
    pub record: Option<RecordKey>,
    /// Why it cannot be read; for the log.
    pub problem: String,
    pub effect: Effect,
}

/// What is refused while a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What it would grant, and what needs it. Whatever else it says could only have given more.
    Itself,
    /// Everything that Azure RBAC decides at the scope and below: a refusal may be missing there.
    Scope(Scope),
    /// Everything that Azure RBAC decides about the principal, a group's members included: a refusal may name a group
    /// that it is in.
    Principal(ObjectId),
    /// The same of the direct members of a group.
    Members(ObjectId),
    /// Changes at the scope and below, as if it were locked against all of them.
    Changes(Scope),
}

impl Unreadable {
    /// `text` is what is stored there.
    pub fn new(place: &str, record: Option<RecordKey>, text: &[u8], problem: String) -> Self {
        let effect = Effect::of(record.as_ref(), text);
        Self { place: place.into(), record, problem, effect }
    }

    /// Whether it says what is being made or deleted in steps.
    pub fn is_work(&self) -> bool {
        matches!(self.record, Some(RecordKey::Unfinished(_)))
    }

    /// Whether it is a part of another record and goes when that one is deleted.
    pub fn is_part_of(&self, whole: &RecordKey) -> bool {
        let Some(part) = &self.record else { return false };
        match (whole, part) {
            (RecordKey::Cluster(id), RecordKey::Object(key)) => key.cluster == *id,
            (RecordKey::Cluster(id), RecordKey::AdminCertificate(cluster, _)) => cluster == id,
            (RecordKey::Object(whole), RecordKey::Object(key)) => {
                whole.group.is_empty()
                    && &*whole.resource == "namespaces"
                    && key.cluster == whole.cluster
                    && key.namespace == whole.name
            }
            (RecordKey::Group(id), RecordKey::Membership(membership)) => membership.group == *id,
            (RecordKey::User(id) | RecordKey::ServicePrincipal(id), RecordKey::Membership(membership)) => {
                membership.member == *id
            }
            _ => false,
        }
    }

    /// Whether it is, or may be, in a resource group, which therefore cannot be deleted.
    pub fn may_be_within(&self, group: &RecordKey) -> bool {
        let RecordKey::ResourceGroup(subscription, name) = group else { return false };
        match &self.record {
            Some(RecordKey::Resource(id)) => {
                let within = format!("/subscriptions/{subscription}/resourcegroups/{name}/");
                id.starts_with(&within)
            }
            // Its place does not tell where it is.
            Some(RecordKey::Cluster(_)) => true,
            _ => false,
        }
    }
}

impl Effect {
    fn of(record: Option<&RecordKey>, text: &[u8]) -> Self {
        let Some(record) = record else { return Self::Scope(Scope::root()) };
        match record {
            // The hierarchy above the subscriptions is what refusals come down by.
            RecordKey::Tenant(_) | RecordKey::ManagementGroup(_) => Self::Scope(Scope::root()),
            // What is half deleted would be in use again, and its place does not tell what that is.
            RecordKey::Unfinished(_) => Self::Scope(Scope::root()),
            RecordKey::Subscription(id) => Self::Scope(Scope::subscription(*id)),
            RecordKey::DenyAssignment(_) => Self::Scope(deny_scope(text).unwrap_or_else(Scope::root)),
            RecordKey::Group(id) => Self::Members(*id),
            RecordKey::Membership(membership) => Self::Principal(membership.member),
            RecordKey::Lock(key) => Self::Changes(lock_scope(key).unwrap_or_else(Scope::root)),
            RecordKey::User(_)
            | RecordKey::Application(_)
            | RecordKey::ServicePrincipal(_)
            | RecordKey::ResourceGroup(..)
            | RecordKey::Resource(_)
            | RecordKey::Role(_)
            | RecordKey::Assignment(_)
            | RecordKey::Cluster(_)
            | RecordKey::AdminCertificate(..)
            | RecordKey::SigningKey(_)
            | RecordKey::Object(_) => Self::Itself,
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself => f.write_str("it grants nothing, and what needs it is refused"),
            Self::Scope(scope) if *scope == Scope::root() => {
                f.write_str("everything that Azure RBAC decides is refused")
            }
            Self::Scope(scope) => {
                write!(f, "everything that Azure RBAC decides at {scope} and below is refused")
            }
            Self::Principal(id) => {
                write!(f, "everything that Azure RBAC decides about {id} and its members is refused")
            }
            Self::Members(group) => {
                write!(f, "everything that Azure RBAC decides about members of group {group} is refused")
            }
            Self::Changes(scope) => write!(f, "every change at {scope} and below is refused"),
        }
    }
}

/// The scope of a deny assignment in today's stored form of which something else cannot be read.
fn deny_scope(text: &[u8]) -> Option<Scope> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Stored {
        v: u32,
        deny_assignment: Placed,
    }
    #[derive(Deserialize)]
    struct Placed {
        scope: Scope,
    }
    let stored: Stored = serde_json::from_slice(text).ok()?;
    (stored.v == 1).then_some(stored.deny_assignment.scope)
}

/// The part of a lock's key before its name.
fn lock_scope(key: &str) -> Option<Scope> {
    let (scope, _) = key.rsplit_once('/')?;
    Scope::parse(&format!("/{scope}")).ok()
}

/// What Azure RBAC must refuse because of records that cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UndecidedByDamage {
    pub scopes: Vec<Scope>,
    pub principals: HashSet<ObjectId>,
}

impl UndecidedByDamage {
    pub fn is_empty(&self) -> bool {
        self.scopes.is_empty() && self.principals.is_empty()
    }
}

#[cfg(test)]
mod tests;
