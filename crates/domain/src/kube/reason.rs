//! Why Kubernetes RBAC answered as it did, as data; `Display` gives kube-apiserver's own words.

use std::{fmt, sync::Arc};

use crate::id::ObjectId;

use super::{
    object::{Binding, RoleKind, RoleRef, Subject, SubjectKind},
    quote::Quoted,
};

/// What decided in Kubernetes RBAC, or what was lacking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    Grant(Grant),
    /// Granted by the binding that a cluster's admin groups imply, where no such object is kept (W3).
    AdminGroup(ObjectId),
    /// Nothing granted, and these roles, named by bindings of the caller, could not be read.
    Unresolved(Vec<Unresolved>),
    /// The cluster does not use Kubernetes RBAC.
    Off,
}

/// The rule that let a request through, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub binding: Arc<Binding>,
    /// The first subject of the binding that the caller is.
    pub subject: Subject,
    /// Position in the rules of the role, aggregated ones included.
    pub rule: usize,
}

/// A role that a binding names and that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved(pub RoleRef);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant(grant) => write!(f, "RBAC: allowed by {grant}"),
            Self::AdminGroup(group) => write!(
                f,
                "RBAC: allowed by ClusterRoleBinding \"{ADMIN_GROUPS_BINDING}\" of ClusterRole \"{CLUSTER_ADMIN}\" \
                 to Group \"{group}\", an admin group of the cluster"
            ),
            Self::Unresolved(errors) => write!(f, "RBAC: {}", Aggregate(errors)),
            Self::Off => f.write_str("Kubernetes RBAC is off for this cluster"),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Binding { namespace, name, role, .. } = &*self.binding;
        match namespace {
            None => write!(f, "ClusterRoleBinding {}", Quoted(name))?,
            Some(namespace) => write!(f, "RoleBinding {}", Quoted(&format!("{name}/{namespace}")))?,
        }
        write!(f, " of {} {} to {} ", role.kind, Quoted(&role.name), self.subject.kind)?;
        match self.subject.kind {
            SubjectKind::User | SubjectKind::Group => Quoted(&self.subject.name).fmt(f),
            SubjectKind::ServiceAccount => {
                let namespace = self.binding.subject_namespace(&self.subject).unwrap_or_default();
                Quoted(&format!("{}/{namespace}", self.subject.name)).fmt(f)
            }
        }
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = match self.0.kind {
            RoleKind::Role => "role",
            RoleKind::ClusterRole => "clusterrole",
        };
        write!(f, "{resource}.rbac.authorization.k8s.io {} not found", Quoted(&self.0.name))
    }
}

/// Several errors in one text, each once: `a`, or `[a, b]`.
pub(super) struct Aggregate<'a>(pub(super) &'a [Unresolved]);

impl fmt::Display for Aggregate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts: Vec<String> = Vec::new();
        for error in self.0 {
            let text = error.to_string();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        match texts.as_slice() {
            [one] => f.write_str(one),
            several => write!(f, "[{}]", several.join(", ")),
        }
    }
}

/// The ClusterRoleBinding that gives the admin groups of a cluster the role `cluster-admin` (W3), by the
/// name that AKS gives it.
pub const ADMIN_GROUPS_BINDING: &str = "aks-cluster-admin-binding-aad";
pub const CLUSTER_ADMIN: &str = "cluster-admin";
