//! Both engines as one cluster uses them, for its own API server and for its webhooks.

use domain::{
    azure::Caller,
    decision::{Decision, Reason},
    directory::Principal,
    id::{ClusterId, ObjectId, TenantId},
    review::{Engines, IdentityRefusal, IdentityState},
    snapshot::Snapshot,
};

use state::principal_status::{is_enabled, session_stamp};

use crate::Kubernetes;

/// What the directory says of an object id now, with the groups that it gives.
pub(crate) enum PrincipalStatus<'a> {
    Active {
        caller: Caller,
        /// The user principal name; none where the object id is the name.
        name: Option<&'a str>,
    },
    Disabled,
    Deleted,
    Revoked,
}

impl Kubernetes {
    /// Decides with the engines of a cluster. One that is gone, or has no resource id, is never allowed anything.
    pub(crate) fn with_engines<T>(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        decide: impl FnOnce(&Engines<'_>) -> T,
    ) -> Option<T> {
        let access = snapshot.cluster_access(cluster)?;
        let kube = snapshot.rbac(cluster)?;
        let engines = Engines {
            access,
            kube,
            azure: snapshot.azure(),
            operations: self.state.operations(),
            now: self.state.now(),
        };
        Some(decide(&engines))
    }
}

impl<'a> PrincipalStatus<'a> {
    /// `stamp` marks the session that the request belongs to, where it tells.
    pub(crate) fn of(
        snapshot: &'a Snapshot,
        tenant: TenantId,
        object_id: ObjectId,
        stamp: Option<&str>,
    ) -> Self {
        let principal = snapshot.directory().principal(object_id);
        if principal.is_none_or(|principal| principal.tenant() != tenant) {
            return Self::Deleted;
        }
        if !is_enabled(snapshot, object_id) {
            return Self::Disabled;
        }
        let current = session_stamp(snapshot, object_id).map(|stamp| stamp.to_string());
        if stamp.is_some_and(|stamp| current.as_deref() != Some(stamp)) {
            return Self::Revoked;
        }
        let name = match principal {
            Some(Principal::User(user)) => Some(user.upn.as_str()),
            Some(Principal::ServicePrincipal(_) | Principal::Group(_)) | None => None,
        };
        let caller = Caller::new(object_id, snapshot.directory().transitive_groups(object_id));
        Self::Active { caller, name }
    }

    pub(crate) fn state(&self) -> IdentityState<'_> {
        match self {
            Self::Active { caller, name } => IdentityState::Active { caller, name: *name },
            Self::Disabled => IdentityState::Disabled,
            Self::Deleted => IdentityState::Deleted,
            Self::Revoked => IdentityState::Revoked,
        }
    }

    /// The caller, or the refusal of whoever is not to be let in whatever their rights are.
    pub(crate) fn caller(&self, object_id: ObjectId) -> Result<&Caller, Decision> {
        let refusal = match self {
            Self::Active { caller, .. } => return Ok(caller),
            Self::Disabled => IdentityRefusal::Disabled(object_id),
            Self::Deleted => IdentityRefusal::Deleted(object_id),
            Self::Revoked => IdentityRefusal::Revoked(object_id),
        };
        Err(Decision::Deny(Reason::Identity(refusal)))
    }
}
