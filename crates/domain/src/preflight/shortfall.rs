//! What is missing before something may be made, and the one assignment that would grant it.

use std::{fmt, sync::Arc};

use super::Who;
use crate::{
    id::{ObjectId, RoleId},
    role::ActionPattern,
    scope::Scope,
};

/// `Display` says how to get what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    pub missing: Vec<(ActionPattern, Scope)>,
    pub proposal: Proposal,
}

/// A role for a principal at a scope; nothing is missing once it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub who: Who,
    /// Absent: the identity is not there yet.
    pub principal: Option<ObjectId>,
    pub scope: Scope,
    pub role: ProposedRole,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProposedRole {
    /// A role that exists and grants everything that is missing.
    Existing { id: RoleId, name: Arc<str> },
    /// No role that is about these actions grants them all: a custom role with just these actions.
    Custom { name: String, actions: Vec<ActionPattern> },
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("missing are ")?;
        for (place, (permission, scope)) in self.missing.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}'{permission}' at '{scope}'")?;
        }
        write!(f, ". {} would grant them", self.proposal)
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.role {
            ProposedRole::Existing { name, .. } => write!(f, "the role \"{name}\" at '{}'", self.scope),
            ProposedRole::Custom { actions, .. } => {
                write!(f, "a custom role with {} actions at '{}'", actions.len(), self.scope)
            }
        }
    }
}
