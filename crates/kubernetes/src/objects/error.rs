//! How a use case on objects ends without a result, in the terms of the Kubernetes API: the surface makes a
//! Status of it.

use domain::{
    decision::Reason,
    kube::{RoleRef, Target, User},
};

use state::Error;

#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The decision was no.
    #[error("{0}")]
    Denied(Box<Denied>),
    /// A rule beyond access forbids it: escalation, a system namespace, a namespace that ends.
    #[error("{resource} \"{name}\" is forbidden: {because}")]
    Forbidden { group: String, resource: String, name: String, because: String },
    #[error("{resource} \"{name}\" not found")]
    NotFound { group: String, resource: String, name: String },
    #[error("{resource} \"{name}\" already exists")]
    AlreadyExists { group: String, resource: String, name: String },
    #[error("{resource} \"{name}\": {because}")]
    Conflict { group: String, resource: String, name: String, because: String },
    /// A field of the object is wrong.
    #[error("{kind} \"{name}\": {field}: {detail}")]
    Invalid { group: String, kind: String, name: String, field: String, value: String, detail: String },
    /// The credentials do not count any more.
    #[error("the credentials are not accepted")]
    Unauthenticated,
    /// The history that a watch asks for is forgotten.
    #[error("too old resource version: {requested} ({oldest})")]
    Expired { requested: u64, oldest: u64 },
    /// Of this user, or of all together.
    #[error("too many watches are open: end some, or try again later")]
    TooManyWatches,
    #[error(transparent)]
    App(Error),
}

/// Who may not do what, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("User {:?} cannot {verb} {}: {reason}", user.name, describe(target))]
pub struct Denied {
    pub user: User,
    pub verb: String,
    pub target: Target,
    pub reason: Reason,
    /// Roles that would allow it if they were bound to the user.
    pub helpful: Vec<RoleRef>,
}

impl ObjectError {
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        Self::NotFound { group: group.into(), resource: resource.into(), name: name.into() }
    }
}

impl From<Error> for ObjectError {
    fn from(error: Error) -> Self {
        Self::App(error)
    }
}

fn describe(target: &Target) -> String {
    match target {
        Target::Path(path) => format!("path {path:?}"),
        Target::Resource { group, resource, namespace, name, .. } => {
            format!("{resource}.{group} {name:?} in {namespace:?}")
        }
    }
}
