//! From the attributes of a Kubernetes request to the data actions that it needs.
//!
//! An action is the type of the cluster's resource and a suffix: `/apps/deployments/read`. Suffixes are
//! made here once and serve every scope that is asked at.

use std::collections::BTreeMap;

use super::{CustomResources, KnownOperations, Settings, UnanswerableError};
use crate::{
    azure::{Action, Operations, text::shortened},
    kube::{Attributes, Target},
    scope::{Scope, check_segment},
};

/// What a request amounts to. There is at least one suffix.
#[derive(Debug)]
pub(super) struct RequestedActions {
    pub(super) prefix: Prefix,
    suffixes: Vec<String>,
    pub(super) attributes: BTreeMap<String, String>,
}

/// The type of resource before a suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix(&'static str);

#[derive(Debug)]
pub(super) enum Refused {
    /// No such request can exist.
    Malformed(String),
    Unanswerable(UnanswerableError),
}

pub(super) fn translate(
    settings: &Settings,
    operations: &Operations,
    attributes: &Attributes,
) -> Result<RequestedActions, Refused> {
    let cluster = &settings.cluster;
    let not_a_cluster = || Refused::Unanswerable(UnanswerableError::NotACluster(cluster.scope.clone()));
    let prefix = cluster.prefix.ok_or_else(not_a_cluster)?;
    let verb = Verb::read(&attributes.verb)?;
    match &attributes.target {
        Target::Path(path) => {
            let path = check_path(path)?;
            let suffix = match verb {
                Verb::Known(part) if path.is_empty() => format!("/{part}"),
                Verb::Known(part) => format!("/{path}/{part}"),
                Verb::Any | Verb::Other(_) if path.is_empty() => format!(":{}", attributes.verb),
                Verb::Any | Verb::Other(_) => format!("/{path}:{}", attributes.verb),
            };
            Ok(RequestedActions { prefix, suffixes: vec![suffix], attributes: BTreeMap::new() })
        }
        Target::Resource { group, resource, subresource, namespace, .. } => {
            check_name("API group", group, Empty::Allowed)?;
            check_name("resource", resource, Empty::Refused)?;
            check_name("subresource", subresource, Empty::Allowed)?;
            if !namespace.is_empty() {
                check_segment(namespace).map_err(|problem| malformed("namespace", namespace, problem))?;
            }
            let request = Request {
                verb,
                group,
                resource,
                subresource,
                in_namespace: !namespace.is_empty(),
                known: match settings.operations {
                    KnownOperations::Published if !operations.is_empty() => Some(operations),
                    _ => None,
                },
                custom_resources: settings.custom_resources,
            };
            let mut asked = RequestedActions { prefix, suffixes: Vec::new(), attributes: BTreeMap::new() };
            request.ask(&mut asked).map_err(Refused::Unanswerable)?;
            if settings.subresource_attribute && request.has_subresource_attribute() {
                asked.attributes.insert(SUBRESOURCE_ATTRIBUTE.to_owned(), subresource.clone());
            }
            Ok(asked)
        }
    }
}

/// The path without its outer slashes, if every segment of it is plain.
pub(super) fn check_path(path: &str) -> Result<&str, Refused> {
    let inner =
        path.strip_prefix('/').ok_or_else(|| malformed("path", path, "expected a slash at its start"))?;
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    if inner.len() > MAX_PATH {
        return Err(malformed("path", path, "longer than 1,024 characters"));
    }
    if path == "/" {
        return Ok("");
    }
    for segment in inner.split('/') {
        // A review may ask for a path that ends with a wildcard, as roles name them.
        let plain = if segment == "*" { "x" } else { segment };
        check_segment(plain).map_err(|problem| malformed("path", path, problem))?;
    }
    Ok(inner)
}

impl RequestedActions {
    pub(super) fn actions(&self, prefix: Prefix) -> Vec<Action> {
        self.suffixes.iter().map(|suffix| Action::data(&[prefix.0, suffix].concat())).collect()
    }

    /// The verb with what sets it off: a slash before Kubernetes' own, a colon before others.
    fn push(&mut self, group: &str, resource: &str, [mark, verb]: [&str; 2]) {
        let separator = if group.is_empty() { "" } else { "/" };
        let suffix = [separator, group, "/", resource, mark, verb].concat();
        if !self.suffixes.contains(&suffix) {
            self.suffixes.push(suffix);
        }
    }
}

impl Prefix {
    pub(super) const FLEET_MEMBERS: Self = Self("Microsoft.ContainerService/fleets/members");

    /// None for a scope that is no kind of cluster.
    pub(super) fn of(cluster: &Scope) -> Option<Self> {
        let kind = cluster.resource_type()?;
        CLUSTER_TYPES.iter().find(|known| known.eq_ignore_ascii_case(&kind)).map(|known| Self(known))
    }
}

#[derive(Clone, Copy, Debug)]
enum Verb<'a> {
    /// With what its action ends.
    Known(&'static str),
    Any,
    Other(&'a str),
}

impl<'a> Verb<'a> {
    fn read(verb: &'a str) -> Result<Self, Refused> {
        Ok(match verb {
            "get" | "list" | "watch" => Self::Known(READ),
            "create" | "update" | "patch" => Self::Known("write"),
            "delete" | "deletecollection" => Self::Known("delete"),
            "bind" => Self::Known("bind/action"),
            "escalate" => Self::Known("escalate/action"),
            "use" => Self::Known("use/action"),
            "impersonate" => Self::Known("impersonate/action"),
            "*" => Self::Any,
            other => {
                check_name("verb", other, Empty::Refused)?;
                Self::Other(other)
            }
        })
    }
}

struct Request<'a> {
    verb: Verb<'a>,
    group: &'a str,
    resource: &'a str,
    subresource: &'a str,
    in_namespace: bool,
    known: Option<&'a Operations>,
    custom_resources: CustomResources,
}

impl Request<'_> {
    fn ask(&self, asked: &mut RequestedActions) -> Result<(), UnanswerableError> {
        if self.is_named(&["pods"]) && self.has_subresource(&["exec"]) && !matches!(self.verb, Verb::Any) {
            asked.push("", "pods", ["/", "exec/action"]);
            return Ok(());
        }
        let is_wild = matches!(self.verb, Verb::Any) || self.resource == "*" || self.group == "*";
        if is_wild {
            self.expand(asked)?;
        } else if self.is_custom() {
            self.ask_custom(asked)?;
        } else if self.is_channel() {
            // Reading through these opens a connection: they stand for themselves, see `ask_channels`.
        } else {
            match self.verb {
                Verb::Known(part) => asked.push(self.group, self.resource, ["/", part]),
                Verb::Any | Verb::Other(_) => self.push_unknown_verb(asked),
            }
        }
        self.ask_channels(asked);
        if asked.suffixes.is_empty() { Err(self.nothing_fits()) } else { Ok(()) }
    }

    /// Every known operation that a request with a wildcard fits.
    fn expand(&self, asked: &mut RequestedActions) -> Result<(), UnanswerableError> {
        let known = self.known.ok_or(UnanswerableError::OperationsUnknown)?;
        let is_unknown = match (self.resource, self.group) {
            ("*", "*") | (_, "*") => false,
            ("*", group) => !known.has_group(group),
            (resource, group) => known.resource(group, resource).is_none(),
        };
        if is_unknown {
            return if self.is_custom() { self.ask_custom(asked) } else { Err(self.nothing_fits()) };
        }
        if let Verb::Other(_) = self.verb {
            self.push_unknown_verb(asked);
            return Ok(());
        }
        for (group, resource, operation) in known.resources() {
            let group_fits = self.group == "*" || self.group.eq_ignore_ascii_case(group);
            let resource_fits = match self.resource {
                "*" => operation.namespaced || !self.in_namespace,
                name => name.eq_ignore_ascii_case(resource),
            };
            if !group_fits || !resource_fits {
                continue;
            }
            for verb in &operation.verbs {
                if matches!(self.verb, Verb::Any) || matches!(self.verb, Verb::Known(part) if part == verb) {
                    asked.push(group, resource, ["/", verb]);
                }
            }
        }
        if asked.suffixes.is_empty() {
            return Err(self.nothing_fits());
        }
        if self.resource == "*" && self.group == "*" {
            self.add_custom(asked);
        }
        Ok(())
    }

    /// Everything is custom resources too, of every group: without one as an attribute no condition on it holds.
    fn add_custom(&self, asked: &mut RequestedActions) {
        if self.custom_resources == CustomResources::Literal {
            return;
        }
        for part in CUSTOM_VERBS {
            if matches!(self.verb, Verb::Any) || matches!(self.verb, Verb::Known(verb) if verb == part) {
                asked.push("", "customresources", ["/", part]);
            }
        }
    }

    /// A verb that is not Kubernetes' own has an action of its own, which ends neither like a known verb nor
    /// below the resource: `certificates.k8s.io/signers:approve`.
    fn push_unknown_verb(&self, asked: &mut RequestedActions) {
        if let Verb::Other(verb) = self.verb {
            asked.push(self.group, self.resource, [":", verb]);
        }
    }

    /// Not among the known API resources, and not one that exists in access reviews alone.
    fn is_custom(&self) -> bool {
        let Some(known) = self.known else { return false };
        self.custom_resources == CustomResources::Attributes
            && !self.group.is_empty()
            && !REVIEWED_ONLY.contains(&(self.group, self.resource))
            && known.resource(self.group, self.resource).is_none()
    }

    fn ask_custom(&self, asked: &mut RequestedActions) -> Result<(), UnanswerableError> {
        match self.verb {
            Verb::Known(part) if CUSTOM_VERBS.contains(&part) => {
                asked.push("", "customresources", ["/", part]);
            }
            Verb::Any => {
                for part in CUSTOM_VERBS {
                    asked.push("", "customresources", ["/", part]);
                }
            }
            Verb::Known(_) | Verb::Other(_) => {
                return Err(UnanswerableError::VerbOnCustomResource {
                    verb: self.verb_text(),
                    resource: shortened(self.resource),
                    group: shortened(self.group),
                });
            }
        }
        asked.attributes.insert(GROUP_ATTRIBUTE.to_owned(), self.group.to_owned());
        asked.attributes.insert(KIND_ATTRIBUTE.to_owned(), self.resource.to_owned());
        Ok(())
    }

    /// A subresource that is a connection into the cluster asks for its own action beside, or instead of,
    /// that of reading the resource; so does a review that names every subresource.
    fn ask_channels(&self, asked: &mut RequestedActions) {
        let is_core = self.group.is_empty() || self.group == "*";
        let opens_by_reading = matches!(self.verb, Verb::Any | Verb::Known(READ));
        for (resource, subresource) in CHANNELS {
            let fits = is_core
                && (self.resource == "*" || self.resource.eq_ignore_ascii_case(resource))
                && (self.subresource == "*" || self.subresource.eq_ignore_ascii_case(subresource));
            if fits && (opens_by_reading || subresource == "exec") {
                asked.push("", resource, ["/", &format!("{subresource}/action")]);
            }
        }
    }

    /// A request for exactly one such subresource by a reading verb.
    fn is_channel(&self) -> bool {
        matches!(self.verb, Verb::Known(READ))
            && CHANNELS.iter().any(|(resource, subresource)| {
                self.is_named(&[resource]) && self.has_subresource(&[subresource])
            })
    }

    fn has_subresource_attribute(&self) -> bool {
        let in_group = |groups: &[&str]| groups.iter().any(|group| self.group.eq_ignore_ascii_case(group));
        let is_resource = |names: &[&str]| names.iter().any(|name| self.resource.eq_ignore_ascii_case(name));
        (in_group(&[""]) && is_resource(&["pods"]) && self.has_subresource(&POD_SUBRESOURCES))
            || (in_group(&["apps", "extensions"]) && is_resource(&SCALED) && self.has_subresource(&["scale"]))
    }

    /// Whether it is one of these resources of the core group.
    fn is_named(&self, resources: &[&str]) -> bool {
        self.group.is_empty() && resources.iter().any(|name| self.resource.eq_ignore_ascii_case(name))
    }

    fn has_subresource(&self, subresources: &[&str]) -> bool {
        subresources.iter().any(|name| self.subresource.eq_ignore_ascii_case(name))
    }

    fn nothing_fits(&self) -> UnanswerableError {
        UnanswerableError::NothingFits {
            verb: self.verb_text(),
            resource: shortened(self.resource),
            group: shortened(self.group),
        }
    }

    fn verb_text(&self) -> String {
        match self.verb {
            Verb::Known(part) => part.trim_end_matches("/action").to_owned(),
            Verb::Any => "*".to_owned(),
            Verb::Other(verb) => shortened(verb),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    Allowed,
    Refused,
}

/// Names hold neither slashes, which would make them several segments, nor colons, which set off verbs.
fn check_name(what: &'static str, name: &str, empty: Empty) -> Result<(), Refused> {
    if name == "*" || (name.is_empty() && empty == Empty::Allowed) {
        return Ok(());
    }
    if name.contains([':', '/']) {
        return Err(malformed(what, name, "it has a slash or a colon"));
    }
    check_segment(name).map_err(|problem| malformed(what, name, problem))
}

fn malformed(what: &str, value: &str, problem: &str) -> Refused {
    Refused::Malformed(format!("\"{}\" is no {what}: {problem}", shortened(value)))
}

const READ: &str = "read";
const CUSTOM_VERBS: [&str; 3] = [READ, "write", "delete"];
const GROUP_ATTRIBUTE: &str = "Microsoft.ContainerService/managedClusters/customResources:group";
const KIND_ATTRIBUTE: &str = "Microsoft.ContainerService/managedClusters/customResources:kind";
const SUBRESOURCE_ATTRIBUTE: &str = "Microsoft.ContainerService/managedClusters/resources:subresource";
const MAX_PATH: usize = 1024;

const CLUSTER_TYPES: [&str; 4] = [
    "Microsoft.ContainerService/managedClusters",
    "Microsoft.Kubernetes/connectedClusters",
    "Microsoft.ContainerService/fleets",
    "Microsoft.ContainerService/aiManagers",
];

/// Subresources of the core group through which a connection into the cluster is opened, even by reading.
const CHANNELS: [(&str, &str); 6] = [
    ("pods", "exec"),
    ("pods", "attach"),
    ("pods", "portforward"),
    ("pods", "proxy"),
    ("nodes", "proxy"),
    ("services", "proxy"),
];

/// Resources of Kubernetes that no server lists: they exist as targets of access reviews.
const REVIEWED_ONLY: [(&str, &str); 3] = [
    ("authentication.k8s.io", "userextras"),
    ("authentication.k8s.io", "uids"),
    ("certificates.k8s.io", "signers"),
];

/// `logs` is how AKS's own list spells the first.
const POD_SUBRESOURCES: [&str; 7] =
    ["log", "logs", "exec", "portforward", "proxy", "ephemeralcontainers", "attach"];
const SCALED: [&str; 3] = ["deployments", "statefulsets", "replicasets"];
