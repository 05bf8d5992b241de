//! What an engine answers, and why.

use std::fmt;

/// The answer of one engine, or of both together. There is no default: silence must be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow(Reason),
    /// An engine refused; nothing later in the chain can allow.
    Deny(Reason),
    /// Nothing applied. The reason says what was lacking, or is [`Reason::Silent`].
    NoOpinion(Reason),
}

/// What decided, as data. `Display` gives the sentence that goes to the wire, the log and the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing applied and there is nothing to say about it.
    Silent,
    /// A member of `system:masters`, allowed before any engine is asked, as kube-apiserver does.
    Masters,
    /// Only an administrator of the directory, or an owner of the object, may do it.
    NotAdministrator,
    Kube(crate::kube::Reason),
    Azure(crate::azure::Reason),
    /// The creator of a cluster lacks what its features need.
    Preflight(Box<crate::preflight::Shortfall>),
    /// The directory no longer stands behind the identity.
    Identity(crate::review::IdentityRefusal),
}

impl Decision {
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }

    pub fn reason(&self) -> &Reason {
        match self {
            Self::Allow(reason) | Self::Deny(reason) | Self::NoOpinion(reason) => reason,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => Ok(()),
            Self::Masters => f.write_str("system:masters"),
            Self::NotAdministrator => f.write_str(
                "only a Global Administrator of the directory, or an owner of the object, may do this",
            ),
            Self::Kube(reason) => reason.fmt(f),
            Self::Azure(reason) => reason.fmt(f),
            Self::Preflight(shortfall) => shortfall.fmt(f),
            Self::Identity(refusal) => refusal.fmt(f),
        }
    }
}
