//! May this caller do this in this cluster: both engines together. The server's API, its webhooks and
//! `portcullis eval` all decide here.
//!
//! ```text
//! embedded:  system:masters ─► Kubernetes RBAC ─► Azure RBAC      first Allow or Deny ends it
//! attached:  identity still good? ─► admin groups, Azure RBAC ─► no name or group gone that the request has?
//!            ─► (Kubernetes RBAC, in the API server itself)
//! ```
//!
//! Who calls is settled before; what is asked for beside the decision itself (audit, the wire's words) is
//! up to the callers.

mod identity;

use jiff::Timestamp;

use crate::{
    azure::{
        self, Operations,
        kubernetes::{Answer, Settings, UnanswerableError},
    },
    cluster::Cluster,
    decision::{Decision, Reason},
    id::ObjectId,
    kube::{self, Attributes, User},
    scope::Scope,
};

pub use identity::IdentityRefusal;

/// How one cluster decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterAccess {
    pub kubernetes_rbac: bool,
    pub azure_rbac: bool,
    /// Groups that hold cluster-admin while Azure RBAC is off (W3), where no binding says so: an embedded
    /// cluster keeps a real one and leaves this empty.
    pub admin_groups: Vec<ObjectId>,
    /// How Azure RBAC is asked.
    pub settings: Settings,
}

/// Everything that a decision reads.
#[derive(Clone, Copy, Debug)]
pub struct Engines<'a> {
    pub access: &'a ClusterAccess,
    pub kube: &'a kube::Policy,
    pub azure: &'a azure::Policy,
    pub operations: &'a Operations,
    pub now: Timestamp,
}

/// Which groups of the directory the caller is in.
#[derive(Clone, Copy, Debug)]
pub enum Membership<'a> {
    /// Those that the request names, and these.
    Named(&'a [ObjectId]),
    /// The directory knows the caller: its groups count, and no other object id that the request names.
    Live(&'a azure::Caller),
}

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What the decision needs.
    Decide,
    /// Every engine that the cluster uses, though an earlier one may have settled it.
    Explain,
}

/// What is known of a directory identity at this moment.
#[derive(Clone, Copy, Debug)]
pub enum IdentityState<'a> {
    Active {
        caller: &'a azure::Caller,
        /// The user principal name; none where the object id is the name.
        name: Option<&'a str>,
    },
    Disabled,
    Deleted,
    /// Signed out everywhere since the token was issued.
    Revoked,
    /// The directory has no such object. It may have had one, so nothing that the request says of it counts.
    Unknown,
}

/// Where the webhook stands in the API server's chain of authorizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookPlace {
    /// A lack of grants leaves the request to Kubernetes RBAC.
    BeforeRbac,
    /// Kubernetes RBAC has had its say: a lack of grants is a refusal, as AKS has it.
    AfterRbac,
}

/// The decision, and each engine's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// What counts. An error is never an allowance.
    pub decision: Result<Decision, UnanswerableError>,
    pub kube: Decision,
    /// None where Azure RBAC was not asked.
    pub azure: Option<Answer>,
}

impl ClusterAccess {
    /// As the cluster is configured. None where its names make no resource id.
    pub fn of(cluster: &Cluster) -> Option<Self> {
        // An embedded cluster keeps a real binding for its admin groups.
        let admin_groups = if cluster.is_embedded() { Vec::new() } else { cluster.admin_groups.clone() };
        Some(Self {
            kubernetes_rbac: true,
            azure_rbac: cluster.azure_rbac,
            admin_groups,
            settings: Settings::new(Scope::parse(&cluster.resource_id()).ok()?),
        })
    }
}

impl Engines<'_> {
    /// The decision of an embedded cluster.
    pub fn review(&self, attributes: &Attributes, membership: Membership<'_>, depth: Depth) -> Review {
        if attributes.user.in_group(User::MASTERS) {
            let decision = Ok(Decision::Allow(Reason::Masters));
            return Review { decision, kube: Decision::NoOpinion(Reason::Silent), azure: None };
        }
        let kube = self.ask_kube(attributes, membership);
        let settled = kube.is_allowed() && depth == Depth::Decide;
        let azure = (self.access.azure_rbac && !settled).then(|| {
            let mut answer = self.ask_azure(attributes, membership);
            answer.decision = answer.decision.map(refuse_lack);
            answer
        });
        let decision = match &azure {
            _ if kube.is_allowed() => Ok(kube.clone()),
            Some(Answer { decision: Ok(Decision::NoOpinion(_)), .. }) | None => Ok(kube.clone()),
            Some(answer) => answer.decision.clone(),
        };
        Review { decision, kube, azure }
    }

    /// The answer of the webhook of an attached cluster, whose API server asks Kubernetes RBAC itself. That knows
    /// the name and the groups of the last sign-in check, so what is left to it is refused where one of them is gone.
    pub fn attached(&self, attributes: &Attributes, state: IdentityState<'_>, place: WebhookPlace) -> Review {
        let silent = || Decision::NoOpinion(Reason::Silent);
        let answer = |decision: Decision| Review { decision: Ok(decision), kube: silent(), azure: None };
        let user = &attributes.user;
        if is_of_the_cluster(user) {
            return answer(silent());
        }
        let Some(values) = user.extra.get("oid") else {
            let refuses = self.access.azure_rbac && !self.access.settings.skip_users_without_object_id;
            let refused = Decision::Deny(Reason::Azure(azure::Reason::NoObjectId));
            return answer(if refuses { refused } else { silent() });
        };
        let Some(object_id) = user.object_id() else {
            let reason = azure::Reason::BadObjectId { count: values.len() };
            return answer(Decision::Deny(Reason::Azure(reason)));
        };
        let (caller, name) = match check_identity(object_id, state) {
            Ok(found) => found,
            Err(refusal) => return answer(Decision::Deny(Reason::Identity(refusal))),
        };
        let mut review = self.granted(attributes, caller, place);
        if is_left_to_kube(&review.decision) {
            let gone = groups_gone(user, caller);
            let refusal = if !gone.is_empty() {
                Some(IdentityRefusal::MembershipChanged(gone))
            } else if !is_named(user, object_id, name) {
                Some(IdentityRefusal::NameChanged(user.name.clone()))
            } else {
                None
            };
            if let Some(refusal) = refusal {
                review.decision = Ok(Decision::Deny(Reason::Identity(refusal)));
            }
        }
        review
    }

    /// What the live directory gives the caller in an attached cluster.
    fn granted(&self, attributes: &Attributes, caller: &azure::Caller, place: WebhookPlace) -> Review {
        let kube = Decision::NoOpinion(Reason::Silent);
        if let Some(group) = self.admin_group(|group| caller.groups.contains(group)) {
            let decision = Ok(Decision::Allow(Reason::Kube(kube::Reason::AdminGroup(group))));
            return Review { decision, kube, azure: None };
        }
        if !self.access.azure_rbac {
            return Review { decision: Ok(kube.clone()), kube, azure: None };
        }
        let azure = self.ask_azure(attributes, Membership::Live(caller));
        let decision = match place {
            WebhookPlace::BeforeRbac => azure.decision.clone(),
            WebhookPlace::AfterRbac => azure.decision.clone().map(refuse_lack),
        };
        Review { decision, kube, azure: Some(azure) }
    }

    /// Up to two ClusterRoles that would allow the request if they were bound to the caller.
    pub fn advice(&self, attributes: &Attributes) -> Option<String> {
        if !self.access.kubernetes_rbac {
            return None;
        }
        match self.kube.roles_that_allow(attributes, 2).as_slice() {
            [] => None,
            [role] => {
                Some(format!("{} \"{}\" would allow it if it were bound to the caller", role.kind, role.name))
            }
            [role, other, ..] => Some(format!(
                "{} \"{}\" or {} \"{}\" would allow it if it were bound to the caller",
                role.kind, role.name, other.kind, other.name
            )),
        }
    }

    fn ask_kube(&self, attributes: &Attributes, membership: Membership<'_>) -> Decision {
        if !self.access.kubernetes_rbac {
            return Decision::NoOpinion(Reason::Kube(kube::Reason::Off));
        }
        let decision = match membership {
            Membership::Named(groups) => self.kube.decide_with(attributes, groups),
            Membership::Live(caller) => self.kube.decide_within(attributes, &caller.groups),
        };
        if decision.is_allowed() {
            return decision;
        }
        let is_member = |group: &ObjectId| match membership {
            Membership::Named(groups) => {
                groups.contains(group) || attributes.user.in_group(&group.to_string())
            }
            Membership::Live(caller) => caller.groups.contains(group),
        };
        match self.admin_group(is_member) {
            Some(group) => Decision::Allow(Reason::Kube(kube::Reason::AdminGroup(group))),
            None => decision,
        }
    }

    fn admin_group(&self, is_member: impl Fn(&ObjectId) -> bool) -> Option<ObjectId> {
        let counts = self.access.kubernetes_rbac && !self.access.azure_rbac;
        self.access.admin_groups.iter().copied().find(|group| counts && is_member(group))
    }

    fn ask_azure(&self, attributes: &Attributes, membership: Membership<'_>) -> Answer {
        let Self { access: ClusterAccess { settings, .. }, azure, operations, now, .. } = *self;
        match membership {
            Membership::Named(groups) => {
                azure::kubernetes::decide(azure, operations, settings, attributes, groups, now)
            }
            Membership::Live(caller) => {
                azure::kubernetes::decide_as(azure, operations, settings, attributes, caller, now)
            }
        }
    }
}

/// The caller as the directory has them, if it has them still.
fn check_identity(
    object_id: ObjectId,
    state: IdentityState<'_>,
) -> Result<(&azure::Caller, Option<&str>), IdentityRefusal> {
    match state {
        IdentityState::Active { caller, name } if caller.object_id == object_id => Ok((caller, name)),
        IdentityState::Disabled => Err(IdentityRefusal::Disabled(object_id)),
        IdentityState::Deleted => Err(IdentityRefusal::Deleted(object_id)),
        IdentityState::Revoked => Err(IdentityRefusal::Revoked(object_id)),
        IdentityState::Active { .. } | IdentityState::Unknown => Err(IdentityRefusal::Unknown(object_id)),
    }
}

/// Neither allowed nor denied; a question that could not be put is not, either.
fn is_left_to_kube(decision: &Result<Decision, UnanswerableError>) -> bool {
    matches!(decision, Ok(Decision::NoOpinion(_)) | Err(_))
}

/// Whether the request comes under the name that the caller has now.
fn is_named(user: &User, object_id: ObjectId, name: Option<&str>) -> bool {
    match name {
        Some(name) => user.name.eq_ignore_ascii_case(name),
        None => ObjectId::parse(&user.name) == Ok(object_id),
    }
}

/// Groups of the directory that the request names and the caller is not in. Which of them a role is bound to, only
/// the cluster itself knows.
fn groups_gone(user: &User, caller: &azure::Caller) -> Vec<ObjectId> {
    let is_sorted = caller.groups.is_sorted();
    let is_member = |group: &ObjectId| {
        if is_sorted { caller.groups.binary_search(group).is_ok() } else { caller.groups.contains(group) }
    };
    let named = user.groups.iter().filter_map(|group| ObjectId::parse(group).ok());
    named.filter(|group| !is_member(group)).collect()
}

/// Users of the cluster itself, such as service accounts and nodes. No identity of the directory has such a
/// name.
fn is_of_the_cluster(user: &User) -> bool {
    user.name.get(..SYSTEM.len()).is_some_and(|start| start.eq_ignore_ascii_case(SYSTEM))
}

/// Asked, and not granted: a refusal, where nothing comes after.
fn refuse_lack(decision: Decision) -> Decision {
    match decision {
        Decision::NoOpinion(reason) if reason != Reason::Silent => Decision::Deny(reason),
        other => other,
    }
}

const SYSTEM: &str = "system:";

#[cfg(test)]
mod tests;
