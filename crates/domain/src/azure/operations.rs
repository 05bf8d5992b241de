//! The published data actions of the Kubernetes API: which resources they are for, for requests with
//! wildcards and for telling custom resources apart.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The known operations of a cluster. Load them once and hold them in an `Arc`.
#[derive(Clone, Debug)]
pub struct Operations {
    resources: BTreeMap<Pair, KnownResource>,
    /// Every published action, without the type of resource before it.
    suffixes: Vec<String>,
}

/// API group (empty: core) and plural resource name, both in lower case.
type Pair = (String, String);

/// What is known of one API resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownResource {
    pub namespaced: bool,
    /// What its actions end with: `read`, `write`, `delete`, `exec/action`.
    pub verbs: Vec<String>,
}

impl Operations {
    /// Parses the embedded list. It fails only if that list is damaged, which a test rules out.
    pub fn published() -> Result<Self, serde_json::Error> {
        let list: List = serde_json::from_str(include_str!("data_actions.json"))?;
        let prefix = format!("{}/{}/", list.provider, list.resource_type);
        let all = list.data_actions.iter().chain(&list.custom_resource_data_actions);
        let suffixes: Vec<String> =
            all.filter_map(|action| action.strip_prefix(&prefix).map(str::to_owned)).collect();
        let mut resources: BTreeMap<Pair, KnownResource> = BTreeMap::new();
        for (group, resource, verb) in list.data_actions.iter().filter_map(|action| split(action, &prefix)) {
            let namespaced = !CLUSTER_SCOPED.contains(&(group, resource));
            let pair = (group.to_owned(), resource.to_owned());
            let known =
                resources.entry(pair).or_insert_with(|| KnownResource { namespaced, verbs: Vec::new() });
            known.verbs.push(verb.to_owned());
        }
        Ok(Self { resources, suffixes })
    }

    /// The same without the resources that a cluster does not serve.
    pub fn served(&self, is_served: impl Fn(&str, &str) -> bool) -> Self {
        let mut served = self.clone();
        served.resources.retain(|(group, resource), _| is_served(group, resource));
        served
    }

    /// Nothing is known: wildcards cannot be expanded, and no resource is told to be a custom one.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// Compared without regard to case.
    pub fn resource(&self, group: &str, resource: &str) -> Option<&KnownResource> {
        self.resources.get(&(group.to_ascii_lowercase(), resource.to_ascii_lowercase()))
    }

    pub fn has_group(&self, group: &str) -> bool {
        self.resources.keys().any(|(known, _)| known.eq_ignore_ascii_case(group))
    }

    /// Group, resource and what is known of it, in order.
    pub fn resources(&self) -> impl Iterator<Item = (&str, &str, &KnownResource)> {
        self.resources.iter().map(|((group, resource), known)| (&**group, &**resource, known))
    }

    /// Every published action, paths and custom resources included, without the type of resource before it.
    pub(super) fn suffixes(&self) -> impl Iterator<Item = &str> {
        self.suffixes.iter().map(String::as_str)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    provider: String,
    resource_type: String,
    data_actions: Vec<String>,
    custom_resource_data_actions: Vec<String>,
}

/// Group, resource and verb part of a published action; `None` for paths and for impersonation targets,
/// which are no API resources.
fn split<'a>(action: &'a str, prefix: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let suffix = action.strip_prefix(prefix)?;
    let (first, rest) = suffix.split_once('/')?;
    if PATHS.contains(&first) {
        return None;
    }
    let is_group = first.contains('.') || GROUPS_WITHOUT_DOT.contains(&first);
    let (group, resource, verb) = if is_group {
        let (resource, verb) = rest.split_once('/')?;
        (first, resource, verb)
    } else {
        ("", first, rest)
    };
    (!IMPERSONATION_TARGETS.contains(&(group, resource))).then_some((group, resource, verb))
}

/// The types of resource that the published actions exist under, for the table of known actions.
pub(super) const PREFIXES: [&str; 4] = [
    "Microsoft.ContainerService/managedClusters",
    "Microsoft.ContainerService/fleets",
    "Microsoft.ContainerService/fleets/members",
    "Microsoft.Kubernetes/connectedClusters",
];

/// First segments of the published actions that stand for paths of the API server.
const PATHS: [&str; 13] = [
    "api",
    "apis",
    "healthz",
    "livez",
    "readyz",
    "logs",
    "metrics",
    "openapi",
    "resetMetrics",
    "swagger-api",
    "swagger-ui",
    "ui",
    "version",
];

const GROUPS_WITHOUT_DOT: [&str; 5] = ["apps", "autoscaling", "batch", "extensions", "policy"];

const IMPERSONATION_TARGETS: [(&str, &str); 3] =
    [("", "users"), ("", "groups"), ("authentication.k8s.io", "userextras")];

/// Kubernetes resources that live outside namespaces, among the published ones.
const CLUSTER_SCOPED: [(&str, &str); 28] = [
    ("", "componentstatuses"),
    ("", "namespaces"),
    ("", "nodes"),
    ("", "persistentvolumes"),
    ("admissionregistration.k8s.io", "initializerconfigurations"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("apiregistration.k8s.io", "apiservices"),
    ("authentication.k8s.io", "tokenreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
    ("certificates.k8s.io", "certificatesigningrequests"),
    ("extensions", "podsecuritypolicies"),
    ("flowcontrol.apiserver.k8s.io", "flowschemas"),
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"),
    ("metrics.k8s.io", "nodes"),
    ("networking.k8s.io", "ingressclasses"),
    ("node.k8s.io", "runtimeclasses"),
    ("policy", "podsecuritypolicies"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("scheduling.k8s.io", "priorityclasses"),
    ("storage.k8s.io", "csidrivers"),
    ("storage.k8s.io", "csinodes"),
    ("storage.k8s.io", "storageclasses"),
    ("storage.k8s.io", "volumeattachments"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_list_parses_into_api_resources() {
        let operations = Operations::published().unwrap();
        assert_eq!(operations.suffixes().count(), 314);
        let pods = operations.resource("", "PODS").unwrap();
        assert_eq!((pods.namespaced, pods.verbs.join(" ").as_str()), (true, "read write delete exec/action"));
        let metrics = operations.resource("metrics.k8s.io", "pods").unwrap();
        assert_eq!((metrics.namespaced, metrics.verbs.len()), (true, 1));
        assert!(!operations.resource("", "namespaces").unwrap().namespaced);
        assert!(
            operations
                .resource("policy", "podsecuritypolicies")
                .unwrap()
                .verbs
                .contains(&"use/action".into())
        );
        assert!(
            operations.resource("", "serviceaccounts").unwrap().verbs.contains(&"impersonate/action".into())
        );
        for (group, resource) in
            [("", "users"), ("authentication.k8s.io", "userextras"), ("", "api"), ("apis", "apps")]
        {
            assert!(operations.resource(group, resource).is_none(), "{group}/{resource}");
        }
        for (group, resource) in CLUSTER_SCOPED {
            assert!(operations.resource(group, resource).is_some(), "{group}/{resource}");
        }
        assert!(operations.resources().all(|(_, _, known)| !known.verbs.is_empty()));
    }

    #[test]
    fn what_a_cluster_does_not_serve_is_left_out() {
        let operations = Operations::published().unwrap().served(|group, _| group.is_empty());
        assert!(operations.resource("", "pods").is_some());
        assert!(!operations.has_group("apps"));
        assert!(operations.served(|_, _| false).is_empty());
    }
}
