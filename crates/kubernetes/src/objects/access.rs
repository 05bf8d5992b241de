//! May this caller do this in this cluster: the decision before every use case on objects.

use domain::{
    azure,
    decision::{Decision, Reason},
    id::ClusterId,
    kube::{self, Attributes, User},
    review::{Depth, Membership},
    snapshot::Snapshot,
};

use sign_in::tokens::service_account::embedded;

use super::{Denied, ObjectError, caller::KubeCaller};
use crate::{Kubernetes, engines::PrincipalStatus};
use state::Error;

pub use domain::kube::Target;

/// What is asked for: a verb on a target, as kube-apiserver's authorizers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedAccess {
    pub verb: String,
    pub target: Target,
}

/// What somebody may do, as far as it can be listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldRules {
    pub rules: Vec<kube::PolicyRule>,
    /// Why the list is not all of it, a sentence each.
    pub gaps: Vec<String>,
}

impl Kubernetes {
    /// Refuses unless the caller, as the directory has them at this moment, may do what is asked.
    pub fn allow(&self, caller: &KubeCaller, access: &RequestedAccess) -> Result<(), ObjectError> {
        let user = self.current_user(caller)?;
        self.allow_user(&self.state.snapshot(), caller.cluster, &user, access)
    }

    /// The decision for any user, for reviews. Whoever asks must be allowed to ask.
    pub fn decide_kube(&self, cluster: ClusterId, user: &User, access: &RequestedAccess) -> Decision {
        self.decide_on(&self.state.snapshot(), cluster, user, access)
    }

    /// The rules that Kubernetes RBAC gives the caller in a namespace.
    pub fn held_rules(
        &self,
        caller: &KubeCaller,
        access: &RequestedAccess,
        namespace: &str,
    ) -> Result<HeldRules, ObjectError> {
        self.allow(caller, access)?;
        let user = self.current_user(caller)?;
        let snapshot = self.state.snapshot();
        let Some(policy) = snapshot.rbac(caller.cluster) else { return Ok(HeldRules::default()) };
        let held = policy.rules_for(&user, &[], namespace);
        let mut gaps: Vec<String> = held.errors.iter().map(ToString::to_string).collect();
        let asks_azure = embedded(&snapshot, caller.cluster).is_some_and(|cluster| cluster.azure_rbac);
        if asks_azure && user.object_id().is_some() {
            gaps.push("role assignments of Azure RBAC count too and are not among these rules".to_owned());
        }
        Ok(HeldRules { rules: held.rules.into_iter().cloned().collect(), gaps })
    }

    pub(super) fn allow_user(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        user: &User,
        access: &RequestedAccess,
    ) -> Result<(), ObjectError> {
        if self.state.is_stale() {
            return Err(ObjectError::App(Error::Unavailable(
                "the state is stale: nothing is allowed".into(),
            )));
        }
        match self.decide_on(snapshot, cluster, user, access) {
            Decision::Allow(_) => Ok(()),
            Decision::Deny(reason) | Decision::NoOpinion(reason) => {
                let policy = snapshot.rbac(cluster);
                let helpful = match (&reason, policy) {
                    (Reason::Kube(_) | Reason::Silent, Some(policy)) => {
                        policy.roles_that_allow(&access.attributes(user), MOST_HELPFUL)
                    }
                    _ => Vec::new(),
                };
                Err(ObjectError::Denied(Box::new(Denied {
                    user: user.clone(),
                    verb: access.verb.clone(),
                    target: access.target.clone(),
                    reason,
                    helpful,
                })))
            }
        }
    }

    /// Kubernetes RBAC first: Allow ends it. Then, where the cluster has it and the identity is of the
    /// directory, Azure RBAC. A state that may be old allows nothing.
    pub(super) fn decide_on(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        user: &User,
        access: &RequestedAccess,
    ) -> Decision {
        let Some(cluster) = embedded(snapshot, cluster).filter(|_| !self.state.is_stale()) else {
            return Decision::Deny(Reason::Silent);
        };
        let attributes = access.attributes(user);
        let standing =
            user.object_id().map(|id| (id, PrincipalStatus::of(snapshot, cluster.tenant, id, None)));
        let membership = match &standing {
            None => Membership::Named(&[]),
            Some((object_id, standing)) => match standing.caller(*object_id) {
                Ok(caller) => Membership::Live(caller),
                Err(refused) => return refused,
            },
        };
        let review = self.with_engines(snapshot, cluster.id, |engines| {
            engines.review(&attributes, membership, Depth::Decide).decision
        });
        match review {
            Some(Ok(decision)) => decision,
            Some(Err(error)) => {
                let problem = error.to_string();
                Decision::Deny(Reason::Azure(azure::Reason::BadRequest { problem }))
            }
            None => Decision::Deny(Reason::Silent),
        }
    }
}

impl RequestedAccess {
    /// The same for a verb and a resource without a subresource.
    pub fn resource(verb: &str, group: &str, resource: &str, namespace: &str, name: &str) -> Self {
        Self {
            verb: verb.to_owned(),
            target: Target::Resource {
                group: group.to_owned(),
                version: "v1".to_owned(),
                resource: resource.to_owned(),
                subresource: String::new(),
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            },
        }
    }

    fn attributes(&self, user: &User) -> Attributes {
        Attributes { user: user.clone(), verb: self.verb.clone(), target: self.target.clone() }
    }

    /// The same target, to be made.
    pub fn as_create(&self) -> Self {
        Self { verb: "create".to_owned(), target: self.target.clone() }
    }
}

/// Roles that a refusal names.
const MOST_HELPFUL: usize = 3;
