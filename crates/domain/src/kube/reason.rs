//! What decided in Kubernetes RBAC, in the words of kube-apiserver.

use std::{fmt, sync::Arc};

use super::{
    attributes::User,
    object::{Binding, RoleRef, Subject, SubjectKind},
    quote::{Quoted, QuotedList},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule of a bound role allows the request.
    Allowed(Grant),
    /// Membership of a group that the cluster's configuration makes administrators (W3).
    AdminGroup { group: String },
    /// Nothing allows it.
    NotBound { missing: Unresolved },
    /// Kubernetes RBAC is switched off for this cluster.
    Off,
}

/// Which rule of which role, bound by what to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub binding: Arc<Binding>,
    pub subject: Subject,
    /// Place of the rule in the role.
    pub rule: usize,
}

/// Roles that bindings of the caller name and that do not exist, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unresolved(pub Vec<RoleRef>);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(grant) => grant.fmt(f),
            Self::AdminGroup { group } => write!(
                f,
                "RBAC: allowed by the cluster's admin group {}, bound to ClusterRole \"cluster-admin\"",
                Quoted(group)
            ),
            Self::NotBound { missing } if missing.0.is_empty() => Ok(()),
            Self::NotBound { missing } => write!(f, "RBAC: {missing}"),
            Self::Off => f.write_str("Kubernetes RBAC is off for this cluster"),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, place) = match &self.binding.namespace {
            None => ("ClusterRoleBinding", self.binding.name.to_string()),
            Some(namespace) => ("RoleBinding", format!("{}/{namespace}", self.binding.name)),
        };
        let role = &self.binding.role;
        write!(f, "RBAC: allowed by {kind} {} of {} {} to ", Quoted(&place), role.kind, Quoted(&role.name))?;
        let namespace = self.binding.subject_namespace(&self.subject).unwrap_or_default();
        match self.subject.kind {
            SubjectKind::ServiceAccount => {
                write!(f, "ServiceAccount {}", Quoted(&format!("{}/{namespace}", self.subject.name)))
            }
            kind => write!(f, "{kind} {}", Quoted(&self.subject.name)),
        }
    }
}

impl Unresolved {
    pub(super) fn texts(&self) -> Vec<String> {
        let text = |role: &RoleRef| {
            format!("{}.rbac.authorization.k8s.io {} not found", role.kind.as_str().to_lowercase(), Quoted(&role.name))
        };
        self.0.iter().map(text).collect()
    }
}

/// One missing role as it is, several in brackets.
impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.texts().as_slice() {
            [one] => f.write_str(one),
            several => write!(f, "[{}]", several.join(", ")),
        }
    }
}

/// `user "bob" (groups=["system:authenticated"])`, as kube-apiserver describes a caller.
pub(super) fn describe(user: &User) -> String {
    format!("user {} (groups={})", Quoted(&user.name), QuotedList(&user.groups))
}
