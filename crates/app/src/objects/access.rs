//! May this caller do this in this cluster: the decision before every use case on objects.

use domain::{
    azure,
    cluster::Cluster,
    decision::{Decision, Reason},
    id::ClusterId,
    kube::{self, Attributes, User},
    scope::Scope,
    snapshot::Snapshot,
};

use super::{Denied, KubeCaller, ObjectError, embedded};
use crate::{App, tokens::is_enabled};

pub use domain::kube::Target;

/// What is asked for: a verb on a target, as kube-apiserver's authorizers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
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

impl App {
    /// Refuses unless the caller, as the directory has them at this moment, may do what is asked.
    pub fn allow(&self, caller: &KubeCaller, asked: &Asked) -> Result<(), ObjectError> {
        let user = self.current_user(caller)?;
        self.allow_user(&self.snapshot(), caller.cluster, &user, asked)
    }

    /// The decision for any user, for reviews. Whoever asks must be allowed to ask.
    pub fn decide_kube(&self, cluster: ClusterId, user: &User, asked: &Asked) -> Decision {
        self.decide_on(&self.snapshot(), cluster, user, asked)
    }

    /// The rules that Kubernetes RBAC gives the caller in a namespace.
    pub fn held_rules(
        &self,
        caller: &KubeCaller,
        asked: &Asked,
        namespace: &str,
    ) -> Result<HeldRules, ObjectError> {
        self.allow(caller, asked)?;
        let user = self.current_user(caller)?;
        let snapshot = self.snapshot();
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
        asked: &Asked,
    ) -> Result<(), ObjectError> {
        match self.decide_on(snapshot, cluster, user, asked) {
            Decision::Allow(_) => Ok(()),
            Decision::Deny(reason) | Decision::NoOpinion(reason) => {
                let policy = snapshot.rbac(cluster);
                let helpful = match (&reason, policy) {
                    (Reason::Kube(_) | Reason::Silent, Some(policy)) => {
                        policy.roles_that_allow(&asked.attributes(user), MOST_HELPFUL)
                    }
                    _ => Vec::new(),
                };
                Err(ObjectError::Denied(Box::new(Denied {
                    user: user.clone(),
                    verb: asked.verb.clone(),
                    target: asked.target.clone(),
                    reason,
                    helpful,
                })))
            }
        }
    }

    /// Kubernetes RBAC first: Allow ends it. Then, where the cluster has it and the identity is of the
    /// directory, Azure RBAC.
    pub(super) fn decide_on(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        user: &User,
        asked: &Asked,
    ) -> Decision {
        let Some(cluster) = embedded(snapshot, cluster) else { return Decision::Deny(Reason::Silent) };
        if user.in_group(User::MASTERS) {
            return Decision::Allow(Reason::Masters);
        }
        let attributes = asked.attributes(user);
        let granted = match snapshot.rbac(cluster.id) {
            Some(policy) => policy.decide(&attributes),
            None => Decision::NoOpinion(Reason::Silent),
        };
        if granted.is_allowed() || !cluster.azure_rbac {
            return granted;
        }
        match user.object_id() {
            Some(object_id) if is_enabled(snapshot, object_id) => {
                let groups = snapshot.directory().transitive_groups(object_id);
                let caller = azure::Caller::new(object_id, groups);
                self.ask_azure(snapshot, cluster, &attributes, &caller)
            }
            _ => granted,
        }
    }

    fn ask_azure(
        &self,
        snapshot: &Snapshot,
        cluster: &Cluster,
        attributes: &Attributes,
        caller: &azure::Caller,
    ) -> Decision {
        let problem =
            |problem: String| Decision::NoOpinion(Reason::Azure(azure::Reason::BadRequest { problem }));
        let scope = match Scope::parse(&cluster.resource_id()) {
            Ok(scope) => scope,
            Err(error) => return problem(error.to_string()),
        };
        let settings = azure::kubernetes::Settings::new(scope);
        let answer = azure::kubernetes::decide_as(
            snapshot.azure(),
            self.operations(),
            &settings,
            attributes,
            caller,
            self.now(),
        );
        answer.decision.unwrap_or_else(|error| problem(error.to_string()))
    }
}

impl Asked {
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
