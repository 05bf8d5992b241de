//! The few ways in which a use case ends without a result. Each surface renders them once, in its own
//! protocol's body and status.

use crate::Kind;
use domain::{decision::Reason, id::ObjectId, name::NameError};
use jiff::Timestamp;
use store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{kind} \"{id}\" was not found")]
    NotFound { kind: Kind, id: String },
    #[error("{kind} \"{id}\" already exists")]
    AlreadyExists { kind: Kind, id: String },
    /// The caller's view is outdated, or the state forbids the step. The text says which.
    #[error("{0}")]
    Conflict(String),
    /// A rule forbids the step that clients know by its name; the text says what to do.
    #[error("{1}")]
    Rule(Rule, String),
    #[error("{}", joined(.0))]
    Invalid(Vec<Problem>),
    /// A record would hold more than one may. Surfaces say it as their protocols do.
    #[error("{kind} of {bytes} bytes: expected at most {most}")]
    TooLarge { kind: &'static str, bytes: usize, most: usize },
    /// No or no valid credentials. The text is for people and gives nothing away.
    #[error("{0}")]
    Unauthenticated(String),
    #[error("{0}")]
    Forbidden(Box<Refusal>),
    #[error("too many attempts: try again after {until}")]
    Throttled { until: Timestamp },
    /// Trying again later may help. The text is safe to show.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of ours. The text goes to the log only.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Rules whose names are part of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A lock at, above or below the place forbids it.
    ScopeLocked,
    RoleInUse,
    BuiltInRole,
    /// A role names an action of no known provider.
    UnknownAction,
    /// A custom role cannot be made assignable there.
    AssignableScope,
    /// A resource group that belongs to a cluster.
    GroupManaged,
    /// What is in a resource group that belongs to a cluster.
    ManagedContents,
    /// A resource group that is being deleted.
    GroupEnding,
    /// Something that is being made or deleted.
    InProgress,
    /// A cluster's group that is there already.
    NodeGroupTaken,
    /// The issuer of a cluster, which others trust, cannot be turned off.
    IssuerStays,
    /// A management group that still holds something, or the root group of a tenant.
    GroupStays,
    /// The tree of management groups would have a loop, or be too deep.
    GroupTree,
    /// The resource is not in the state that the request demands.
    Precondition,
}

/// One thing that is wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: a field's path as the client wrote it, `properties.roleDefinitionId`; empty for the whole.
    pub field: String,
    pub message: String,
}

/// Who may not do what where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{caller} may not perform {action} at {scope}: {reason}")]
pub struct Refusal {
    pub caller: String,
    pub object_id: ObjectId,
    pub action: String,
    pub scope: String,
    pub reason: Reason,
}

impl Error {
    pub fn not_found(kind: Kind, id: impl ToString) -> Self {
        Self::NotFound { kind, id: id.to_string() }
    }

    pub fn already_exists(kind: Kind, id: impl ToString) -> Self {
        Self::AlreadyExists { kind, id: id.to_string() }
    }

    pub fn invalid(field: &str, message: impl ToString) -> Self {
        Self::Invalid(vec![Problem { field: field.to_owned(), message: message.to_string() }])
    }

    pub fn internal(cause: impl ToString) -> Self {
        Self::Internal(cause.to_string())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => {
                Self::Conflict("the data has changed since it was read: try again".into())
            }
            StoreError::Compacted => Self::Conflict("the requested revision is no longer kept".into()),
            StoreError::Invalid(cause) => Self::Internal(cause),
            // Their causes name files of the machine: those are for the log.
            StoreError::Full(cause) => {
                tracing::error!(cause, "nothing can be written");
                Self::Unavailable(
                    "the server's disk is full: nothing was changed, and what is stored is served".into(),
                )
            }
            StoreError::Unavailable(cause) => {
                tracing::error!(cause, "the store is unavailable");
                Self::Unavailable("the server's store is unavailable: try again later".into())
            }
            corrupt @ StoreError::Corrupt { .. } => Self::Internal(corrupt.to_string()),
        }
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        Self::invalid("", error)
    }
}

fn joined(problems: &[Problem]) -> String {
    let texts: Vec<String> = problems
        .iter()
        .map(|problem| match problem.field.as_str() {
            "" => problem.message.clone(),
            field => format!("{field}: {}", problem.message),
        })
        .collect();
    texts.join("; ")
}
