//! Why Azure RBAC answered as it did, as data; `Display` gives the sentence for people.

use std::{fmt, sync::Arc};

use super::actions::Action;
use crate::{
    id::{AssignmentId, ObjectId, RoleId},
    scope::Scope,
};

/// What decided in Azure RBAC, or what was lacking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Role assignments grant every action: the one for the first action, and those that the others needed
    /// besides.
    Granted { grant: Grant, others: Vec<Grant> },
    /// A deny assignment refuses an action, whatever is granted.
    Denied(Box<Refusal>),
    /// No role assignment grants an action.
    NotGranted(Box<MissingPermission>),
    /// A discovery path of the Kubernetes API, which everyone in the directory may read.
    Discovery { path: String },
    /// Users without an object id are refused, as the cluster is configured.
    NoObjectId,
    /// `extra.oid` is not exactly one UUID.
    BadObjectId { count: usize },
    /// The request names something that no action or scope can be made of.
    BadRequest { problem: String },
    /// A stored record that may refuse this cannot be read.
    InDoubt,
}

/// A role assignment that grants, and how it reaches the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub assignment: AssignmentId,
    pub role: RoleId,
    pub role_name: Arc<str>,
    /// Of the assignment.
    pub scope: Scope,
    /// The group that holds it; `None`: the caller.
    pub through: Option<ObjectId>,
}

/// A deny assignment that refuses, and how it reaches the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub assignment: AssignmentId,
    pub name: Arc<str>,
    /// Of the deny assignment.
    pub scope: Scope,
    pub action: Action,
    /// The group that it names; `None`: the caller, or everyone.
    pub through: Option<ObjectId>,
}

/// What is missing, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingPermission {
    /// The first action that nothing grants.
    pub action: Action,
    /// Further ones of the same request.
    pub further_actions: usize,
    /// What was asked for.
    pub scope: Scope,
    /// Names of roles that would grant all that is lacking if they were assigned at the scope: the narrowest
    /// first.
    pub helpful_roles: Vec<Arc<str>>,
    /// An assignment that would grant the action, were its condition met.
    pub unmet_condition: Option<UnmetCondition>,
}

/// A role assignment whose condition keeps it from granting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmetCondition {
    pub grant: Grant,
    /// Which clause the request does not meet, as a sentence without a subject.
    pub refusal: String,
}

impl Reason {
    /// The role assignment to name for an allowance.
    pub fn grant(&self) -> Option<&Grant> {
        match self {
            Self::Granted { grant, .. } => Some(grant),
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Azure RBAC: ")?;
        match self {
            Self::Granted { grant, others } => {
                write!(f, "allowed by {grant}")?;
                match others.len() {
                    0 => Ok(()),
                    1 => f.write_str(" and by one more role assignment"),
                    more => write!(f, " and by {more} more role assignments"),
                }
            }
            Self::Denied(refusal) => {
                let Refusal { assignment, name, scope, action, through } = &**refusal;
                write!(f, "deny assignment \"{name}\" ({assignment}) at {scope} refuses {action}")?;
                through.map_or(Ok(()), |group| write!(f, " to group {group}"))
            }
            Self::NotGranted(lack) => lack.fmt(f),
            Self::Discovery { path } => {
                write!(f, "{path} is a discovery path, open to everyone in the directory")
            }
            Self::NoObjectId => f.write_str("the user has no object id, and this cluster refuses such users"),
            Self::BadObjectId { count: 1 } => f.write_str("the user's object id is not a UUID"),
            Self::BadObjectId { count } => write!(f, "the user has {count} object ids, expected exactly one"),
            Self::BadRequest { problem } => write!(f, "the request cannot be granted: {problem}"),
            Self::InDoubt => f.write_str(
                "a stored record that may bear on this cannot be read, so it is refused until an operator has repaired it",
            ),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { assignment, role, role_name, scope, through } = self;
        write!(f, "role assignment {assignment} of \"{role_name}\" ({role}) at {scope}")?;
        match through {
            Some(group) => write!(f, " to group {group}"),
            None => f.write_str(" to the caller"),
        }
    }
}

impl fmt::Display for MissingPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, further_actions, scope, helpful_roles, unmet_condition } = self;
        write!(f, "no role assignment gives {action}")?;
        match further_actions {
            0 => {}
            1 => f.write_str(" and one more action")?,
            more => write!(f, " and {more} more actions")?,
        }
        write!(f, " at {scope}")?;
        if let Some(UnmetCondition { grant, refusal }) = unmet_condition {
            write!(f, "; the condition of {grant} {refusal}")?;
        }
        match helpful_roles.as_slice() {
            [] => f.write_str("; no existing role that can be assigned there gives it"),
            [role] => write!(f, "; \"{role}\" at this scope would"),
            [role, other, ..] => write!(f, "; \"{role}\" or \"{other}\" at this scope would"),
        }
    }
}
