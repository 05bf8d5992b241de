//! Who asks for what, in the terms of the Kubernetes API: the input of every access decision.

use std::{collections::BTreeMap, sync::Arc};

use crate::id::ObjectId;

/// One request to be decided, as kube-apiserver's authorizers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    pub user: User,
    /// As sent: `get`, `list`, `bind`, or anything else; `*` in a review that asks for every verb.
    pub verb: String,
    pub target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Empty strings mean: core group, all namespaces or cluster scope, no subresource, no name.
    Resource {
        group: String,
        version: String,
        resource: String,
        subresource: String,
        namespace: String,
        name: String,
    },
    /// A path such as `/healthz`.
    Path(String),
}

/// A caller after authentication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub uid: String,
    pub groups: Arc<[String]>,
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    pub const MASTERS: &'static str = "system:masters";
    pub const AUTHENTICATED: &'static str = "system:authenticated";
    pub const UNAUTHENTICATED: &'static str = "system:unauthenticated";
    pub const ANONYMOUS: &'static str = "system:anonymous";

    /// The directory's id of the caller: `extra.oid`, if it is exactly one UUID.
    pub fn object_id(&self) -> Option<ObjectId> {
        match self.extra.get("oid").map(Vec::as_slice) {
            Some([oid]) => ObjectId::parse(oid).ok(),
            _ => None,
        }
    }

    pub fn in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|each| each == group)
    }
}
