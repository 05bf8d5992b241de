//! Why an identity is refused whatever its rights are.

use std::fmt;

use crate::id::ObjectId;

/// See the head of this file; `Display` gives the sentence that goes to the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityRefusal {
    Disabled(ObjectId),
    Deleted(ObjectId),
    Revoked(ObjectId),
    Unknown(ObjectId),
    /// The request names groups that the caller is not in, or no longer, and nothing but them could allow it.
    MembershipChanged(Vec<ObjectId>),
    /// The request comes under a name that the caller has no longer, and nothing but that could allow it.
    NameChanged(String),
}

impl fmt::Display for IdentityRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled(id) => write!(f, "account {id} is disabled"),
            Self::Deleted(id) => write!(f, "account {id} has been deleted"),
            Self::Revoked(id) => write!(f, "the sessions of account {id} have been revoked: sign in again"),
            Self::Unknown(id) => write!(f, "the directory has no account {id}"),
            Self::MembershipChanged(groups) => {
                let groups: Vec<String> = groups.iter().map(ObjectId::to_string).collect();
                write!(
                    f,
                    "the membership of the caller has changed (no longer in {}): the next sign-in check, within 10 \
                     seconds, settles it",
                    groups.join(", ")
                )
            }
            Self::NameChanged(name) => write!(
                f,
                "the name of the caller has changed (no longer {name}): the next sign-in check, within 10 seconds, \
                 settles it"
            ),
        }
    }
}
