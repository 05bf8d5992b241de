//! Access to the Kubernetes API as a question to Azure RBAC: which data actions a request needs, at which
//! scope, and what is asked next when the first scope gives nothing.
//!
//! The rules are those of AKS's authorization webhook; where AKS is lax by accident, the stricter reading is
//! built and listed in `docs/decisions/azure-quirks.md`. What a lack of grants means for the request (a
//! refusal, or nothing at all because Kubernetes RBAC is asked next) is for the caller to say.

mod translate;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{Access, Action, Attributes, Caller, Operations, Policy, Reason};
use crate::{
    decision::{self, Decision},
    id::{AssignmentId, ObjectId},
    kube::{self, Target, User},
    scope::Scope,
};
use translate::{Prefix, RequestedActions};

/// How one cluster asks. [`Settings::new`] gives what a managed cluster has from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub cluster: ClusterScope,
    pub custom_resources: CustomResources,
    pub operations: KnownOperations,
    /// Send the subresource as a request attribute.
    pub subresource_attribute: bool,
    /// Also ask at the managed namespace of the cluster.
    pub managed_namespaces: bool,
    /// The fleet that the cluster is a member of.
    pub fleet: Option<Scope>,
    /// Allow reading the discovery paths to everyone in the directory.
    pub discovery_paths: bool,
    /// Have no opinion on users without an object id; else refuse them.
    pub skip_users_without_object_id: bool,
}

/// Resource id of a cluster, and what its actions begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterScope {
    scope: Scope,
    /// None where it is no kind of cluster.
    prefix: Option<Prefix>,
}

/// What a request for a custom resource asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomResources {
    /// `customresources/read` and so on, with group and resource as attributes for conditions.
    Attributes,
    /// An action that names the resource.
    Literal,
}

/// Which operations the cluster knows, for wildcards and custom resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownOperations {
    Published,
    /// Wildcards cannot be answered, and no resource is told to be a custom one.
    None,
}

/// The decision and what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// `Allow`: granted, or a discovery path. `Deny`: a deny assignment, or an identity that is not to be let
    /// in. `NoOpinion` with [`decision::Reason::Silent`]: not a caller of the directory, nothing was asked;
    /// with any other reason: asked, and not granted. An error is never an allowance.
    pub decision: Result<Decision, UnanswerableError>,
    /// The actions asked for at the scope that decided, or at the first where none did. Empty where none
    /// could be named.
    pub actions: Vec<Action>,
    pub scope: Scope,
    /// Request attributes, for conditions.
    pub attributes: BTreeMap<String, String>,
    /// The assignment that granted.
    pub assignment: Option<AssignmentId>,
}

/// Why a request cannot be put as a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnanswerableError {
    #[error("a wildcard needs the list of known operations, and this cluster has none")]
    OperationsUnknown,
    #[error("no known operation fits verb \"{verb}\", resource \"{resource}\", group \"{group}\"")]
    NothingFits { verb: String, resource: String, group: String },
    #[error("verb \"{verb}\" cannot be asked for on the custom resource \"{resource}\" of group \"{group}\"")]
    VerbOnCustomResource { verb: String, resource: String, group: String },
    #[error(
        "{0} is not a cluster: expected a resource of type Microsoft.ContainerService/managedClusters, \
         Microsoft.ContainerService/fleets, Microsoft.ContainerService/aiManagers or \
         Microsoft.Kubernetes/connectedClusters"
    )]
    NotACluster(Scope),
}

impl From<Scope> for ClusterScope {
    fn from(scope: Scope) -> Self {
        let prefix = Prefix::of(&scope);
        Self { scope, prefix }
    }
}

impl Settings {
    pub fn new(cluster: Scope) -> Self {
        Self {
            cluster: cluster.into(),
            custom_resources: CustomResources::Attributes,
            operations: KnownOperations::Published,
            subresource_attribute: false,
            managed_namespaces: false,
            fleet: None,
            discovery_paths: true,
            skip_users_without_object_id: true,
        }
    }
}

/// Decides for the user of a review. The groups are those of the review that are object ids, and the given
/// ones of the directory.
pub fn decide(
    policy: &Policy,
    operations: &Operations,
    settings: &Settings,
    attributes: &kube::Attributes,
    directory_groups: &[ObjectId],
    now: Timestamp,
) -> Answer {
    let question = Question { policy, operations, settings, attributes, now };
    question.answer(|user| caller_of_review(user, directory_groups))
}

/// Decides for a user whose object id and groups the directory gave; those in the attributes do not count.
/// A user whose name begins with `system:` is of the cluster, whatever is given.
pub fn decide_as(
    policy: &Policy,
    operations: &Operations,
    settings: &Settings,
    attributes: &kube::Attributes,
    caller: &Caller,
    now: Timestamp,
) -> Answer {
    let question = Question { policy, operations, settings, attributes, now };
    question.answer(|_| Identity::InDirectory(caller.clone()))
}

struct Question<'a> {
    policy: &'a Policy,
    operations: &'a Operations,
    settings: &'a Settings,
    attributes: &'a kube::Attributes,
    now: Timestamp,
}

/// What a review says of the user's object id.
enum Identity {
    Absent,
    /// Not exactly one UUID: so many values.
    Malformed(usize),
    InDirectory(Caller),
}

impl Question<'_> {
    fn answer(&self, identify: impl FnOnce(&User) -> Identity) -> Answer {
        let user = &self.attributes.user;
        let asked = translate::translate(self.settings, self.operations, self.attributes);
        if has_prefix_in_any_case(&user.name, "system:") {
            return self.unasked(asked, Decision::NoOpinion(decision::Reason::Silent));
        }
        let identity = identify(user);
        if matches!(identity, Identity::Absent) {
            let silent = Decision::NoOpinion(decision::Reason::Silent);
            let refused = Decision::Deny(decision::Reason::Azure(Reason::NoObjectId));
            return self
                .unasked(asked, if self.settings.skip_users_without_object_id { silent } else { refused });
        }
        if let Some(path) = self.discovery_path() {
            let reason = Reason::Discovery { path: path.to_owned() };
            return self.unasked(asked, Decision::Allow(decision::Reason::Azure(reason)));
        }
        match identity {
            Identity::InDirectory(caller) => self.ask(asked, &caller),
            Identity::Malformed(count) => {
                let reason = decision::Reason::Azure(Reason::BadObjectId { count });
                self.unasked(asked, Decision::Deny(reason))
            }
            Identity::Absent => self.unasked(asked, Decision::NoOpinion(decision::Reason::Silent)),
        }
    }

    /// The path, if it is one that every member of the directory may read.
    fn discovery_path(&self) -> Option<&str> {
        let Target::Path(path) = &self.attributes.target else { return None };
        let first = path.strip_prefix('/')?.split('/').next()?;
        let is_discovery = self.settings.discovery_paths
            && self.attributes.verb.eq_ignore_ascii_case("get")
            && translate::check_path(path).is_ok()
            && DISCOVERY.iter().any(|known| known.eq_ignore_ascii_case(first));
        is_discovery.then_some(path)
    }

    /// An answer that no assignment was looked at for; it still tells what the request amounts to.
    fn unasked(&self, asked: Result<RequestedActions, translate::Refused>, decision: Decision) -> Answer {
        let (actions, attributes) = match asked {
            Ok(asked) => (asked.actions(asked.prefix), asked.attributes),
            Err(_) => (Vec::new(), BTreeMap::new()),
        };
        let scope =
            self.attempts().next().map_or_else(|| self.settings.cluster.scope.clone(), |(scope, _)| scope);
        Answer { decision: Ok(decision), actions, scope, attributes, assignment: None }
    }

    /// Asks at one scope after the other. The first allowance ends it, and so does a deny assignment.
    fn ask(&self, asked: Result<RequestedActions, translate::Refused>, caller: &Caller) -> Answer {
        let empty = |decision| Answer {
            decision,
            actions: Vec::new(),
            scope: self.settings.cluster.scope.clone(),
            attributes: BTreeMap::new(),
            assignment: None,
        };
        let refused = |problem: String| {
            empty(Ok(Decision::NoOpinion(decision::Reason::Azure(Reason::BadRequest { problem }))))
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(translate::Refused::Malformed(problem)) => return refused(problem),
            Err(translate::Refused::Unanswerable(error)) => return empty(Err(error)),
        };
        let mut first_answer = None;
        for (scope, fleet) in self.attempts() {
            let prefix = if fleet { Prefix::FLEET_MEMBERS } else { asked.prefix };
            let attributes = Attributes { request: asked.attributes.clone(), ..Attributes::default() };
            let access = Access { scope, actions: asked.actions(prefix), attributes };
            let decision = self.policy.decide(caller, &access, self.now);
            let is_settled = !matches!(decision, Decision::NoOpinion(_));
            let assignment = match decision.reason() {
                decision::Reason::Azure(reason) => reason.grant().map(|grant| grant.assignment),
                _ => None,
            };
            let answer = Answer {
                decision: Ok(decision),
                actions: access.actions,
                scope: access.scope,
                attributes: access.attributes.request,
                assignment,
            };
            if is_settled {
                return answer;
            }
            first_answer.get_or_insert(answer);
        }
        first_answer.unwrap_or_else(|| refused("its namespace is not the name of one".to_owned()))
    }

    /// The scopes to ask at, in order; `true` for those of the fleet. Nothing for a malformed namespace.
    fn attempts(&self) -> impl Iterator<Item = (Scope, bool)> {
        let namespace = match &self.attributes.target {
            Target::Resource { namespace, .. } if !namespace.is_empty() => Some(namespace.as_str()),
            _ => None,
        };
        let settings = self.settings;
        let below = move |scope: &Scope, kind: &str| match namespace {
            Some(namespace) => scope.child(kind, namespace).ok(),
            None => Some(scope.clone()),
        };
        let fleet = settings.fleet.as_ref();
        let steps = [
            (true, Some(&settings.cluster.scope), "namespaces", false),
            (
                settings.managed_namespaces && namespace.is_some(),
                Some(&settings.cluster.scope),
                "managedNamespaces",
                false,
            ),
            (true, fleet, "namespaces", true),
            (namespace.is_some(), fleet, "managedNamespaces", true),
        ];
        steps
            .into_iter()
            .filter(|(applies, ..)| *applies)
            .filter_map(move |(_, scope, kind, is_fleet)| Some((below(scope?, kind)?, is_fleet)))
    }
}

fn caller_of_review(user: &User, directory_groups: &[ObjectId]) -> Identity {
    let Some(values) = user.extra.get("oid") else { return Identity::Absent };
    let Some(object_id) = user.object_id() else { return Identity::Malformed(values.len()) };
    let reviewed = user.groups.iter().filter_map(|group| ObjectId::parse(group).ok());
    let mut groups: Vec<ObjectId> = reviewed.chain(directory_groups.iter().copied()).collect();
    groups.sort_unstable();
    groups.dedup();
    Identity::InDirectory(Caller { object_id, groups: Arc::from(groups) })
}

fn has_prefix_in_any_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// First segments of the paths that clients read to learn what a server offers.
const DISCOVERY: [&str; 5] = ["api", "apis", "openapi", "version", "healthz"];

#[cfg(test)]
mod tests;
