//! The table of served kinds. A new kind is a row here and its messages in `schema`.
//!
//! A row has everything that the generic code needs: names, verbs, subresources, table columns, the naming rule, and
//! two hooks, one that sets defaults and one that validates. Field names and patch strategies are in the schema.
//! Rules for all kinds (metadata, namespaces, conflicts) are in `lifecycle`.

use std::fmt;

use serde_json::Value;

use domain::kube::names;

use crate::{
    schema::{Message, schema},
    status::{Problem, Status},
    table::columns::{self, Column},
};

mod defaults;
mod quantities;
mod rbac;
mod validate;
mod workload;

pub use defaults::{default_pod_account, default_pod_status};

/// One row.
pub struct Kind {
    /// Empty for the core group.
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub singular: &'static str,
    pub short_names: &'static [&'static str],
    pub categories: &'static [&'static str],
    pub namespaced: bool,
    pub verbs: &'static [&'static str],
    /// The name of its message in the schema.
    pub message: &'static str,
    pub subresources: &'static [Subresource],
    pub naming: Naming,
    /// Fields that a field selector may use besides `metadata.name` and `metadata.namespace`.
    pub fields: &'static [&'static str],
    /// An update of an object that does not exist creates it.
    pub create_on_update: bool,
    /// `metadata.generation` counts changes of the specification.
    pub generation: bool,
    pub columns: &'static [Column],
    /// Sets defaults. Must be idempotent.
    pub default: fn(&mut Value),
    /// Validates the object; `old` is given for an update.
    pub validate: fn(&Value, Option<&Value>, &mut Vec<Problem>),
    pub role: Role,
}

/// Whether a kind is stored or a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Objects that are stored.
    Stored,
    /// A review: answered, not stored.
    Review(Review),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    Token,
    SelfSubject,
    SubjectAccess,
    SelfSubjectAccess,
    LocalSubjectAccess,
    SelfSubjectRules,
}

#[derive(Debug)]
pub struct Subresource {
    pub name: &'static str,
    pub kind: &'static str,
    /// Group and version of the subresource's kind if they differ from the row's.
    pub group_version: Option<(&'static str, &'static str)>,
    pub verbs: &'static [&'static str],
}

/// The naming rule for objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    Subdomain,
    Label,
    Service,
    PathSegment,
}

/// Every row, in the order of discovery: the core group first, then by group.
pub fn kinds() -> &'static [Kind] {
    KINDS
}

/// The row of a resource.
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.plural == plural && kind.group == group && kind.version == version)
}

/// The stored row of a resource, whatever its version.
pub fn find_stored(group: &str, plural: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.plural == plural && kind.group == group && kind.role == Role::Stored)
}

/// Whether the group is served, and in the version if one is given.
pub fn group_version_exists(group: &str, version: Option<&str>) -> bool {
    KINDS.iter().any(|kind| kind.group == group && version.is_none_or(|version| kind.version == version))
}

/// Groups other than the core one with their versions, in order.
pub fn groups() -> Vec<(&'static str, &'static str)> {
    let mut groups: Vec<_> =
        KINDS.iter().filter(|kind| !kind.group.is_empty()).map(|kind| (kind.group, kind.version)).collect();
    groups.dedup();
    groups
}

/// The schema message of a request body type, for the protobuf decoder.
pub fn message_of(api_version: &str, kind: &str) -> Option<&'static Message> {
    if let Some(row) = KINDS.iter().find(|row| row.kind == kind && row.api_version() == api_version) {
        return schema().find(row.message);
    }
    let name = match (api_version, kind) {
        ("authentication.k8s.io/v1", "TokenRequest") => "authentication.v1.TokenRequest",
        ("autoscaling/v1", "Scale") => "autoscaling.v1.Scale",
        // Every group version registers DeleteOptions.
        (_, "DeleteOptions") => "meta.v1.DeleteOptions",
        _ => return None,
    };
    schema().find(name)
}

impl Kind {
    pub fn not_found(&self, name: &str) -> Status {
        Status::not_found(self.group, self.plural, name)
    }

    pub fn invalid(&self, name: &str, problems: &[Problem]) -> Status {
        Status::invalid(self.group, self.kind, name, problems)
    }

    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        group_version(self.group, self.version)
    }

    pub fn subresource(&self, name: &str) -> Option<&'static Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }

    /// Whether the kind has a status subresource.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }

    pub fn schema(&self) -> Option<&'static Message> {
        schema().find(self.message)
    }

    /// The description of the kind for the use cases.
    pub fn resource(&self) -> app::kubernetes::objects::Resource {
        app::kubernetes::objects::Resource {
            group: self.group,
            plural: self.plural,
            kind: self.kind,
            namespaced: self.namespaced,
        }
    }

    pub fn is_namespace(&self) -> bool {
        self.group.is_empty() && self.plural == "namespaces"
    }
}

impl Naming {
    pub fn check(self, name: &str) -> Vec<String> {
        match self {
            Self::Subdomain => names::check_subdomain(name),
            Self::Label => names::check_label_name(name),
            Self::Service => names::check_service_name(name),
            Self::PathSegment => names::check_path_segment(name),
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({} {})", self.api_version(), self.kind)
    }
}

/// `v1` or `apps/v1`.
pub fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// All verbs of an ordinary stored kind.
const ALL: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const NO_COLLECTION: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
const CREATE: &[&str] = &["create"];

const fn same(name: &'static str, kind: &'static str, verbs: &'static [&'static str]) -> Subresource {
    Subresource { name, kind, group_version: None, verbs }
}

const READ_WRITE: &[&str] = &["get", "patch", "update"];
const CONNECT: &[&str] = &["create", "get"];
const PROXY: &[&str] = &["create", "delete", "get", "patch", "update"];

const SCALE: Subresource = Subresource {
    name: "scale",
    kind: "Scale",
    group_version: Some(("autoscaling", "v1")),
    verbs: READ_WRITE,
};

/// The defaults of a row.
const PLAIN: Kind = Kind {
    group: "",
    version: "v1",
    kind: "",
    plural: "",
    singular: "",
    short_names: &[],
    categories: &[],
    namespaced: true,
    verbs: ALL,
    message: "",
    subresources: &[],
    naming: Naming::Subdomain,
    fields: &[],
    create_on_update: false,
    generation: false,
    columns: columns::PLAIN,
    default: |_| {},
    validate: |_, _, _| {},
    role: Role::Stored,
};

const RBAC: Kind =
    Kind { group: "rbac.authorization.k8s.io", naming: Naming::PathSegment, create_on_update: true, ..PLAIN };
const APPS: Kind = Kind { group: "apps", categories: &["all"], generation: true, ..PLAIN };
const AUTHENTICATION: Kind =
    Kind { group: "authentication.k8s.io", namespaced: false, verbs: CREATE, ..PLAIN };
const AUTHORIZATION: Kind = Kind { group: "authorization.k8s.io", namespaced: false, verbs: CREATE, ..PLAIN };

const KINDS: &[Kind] = &[
    Kind {
        kind: "ConfigMap",
        plural: "configmaps",
        singular: "configmap",
        short_names: &["cm"],
        message: "core.v1.ConfigMap",
        columns: columns::CONFIG_MAP,
        validate: validate::config_map,
        ..PLAIN
    },
    Kind {
        kind: "Endpoints",
        plural: "endpoints",
        singular: "endpoints",
        short_names: &["ep"],
        message: "core.v1.Endpoints",
        create_on_update: true,
        ..PLAIN
    },
    Kind {
        kind: "Event",
        plural: "events",
        singular: "event",
        short_names: &["ev"],
        message: "core.v1.Event",
        fields: &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "type",
        ],
        create_on_update: true,
        columns: columns::EVENT,
        ..PLAIN
    },
    Kind {
        kind: "LimitRange",
        plural: "limitranges",
        singular: "limitrange",
        short_names: &["limits"],
        message: "core.v1.LimitRange",
        create_on_update: true,
        ..PLAIN
    },
    Kind {
        kind: "Namespace",
        plural: "namespaces",
        singular: "namespace",
        short_names: &["ns"],
        namespaced: false,
        verbs: NO_COLLECTION,
        message: "core.v1.Namespace",
        subresources: &[same("finalize", "Namespace", &["update"]), same("status", "Namespace", READ_WRITE)],
        naming: Naming::Label,
        fields: &["status.phase"],
        columns: columns::NAMESPACE,
        default: defaults::namespace,
        ..PLAIN
    },
    Kind {
        kind: "Node",
        plural: "nodes",
        singular: "node",
        short_names: &["no"],
        namespaced: false,
        message: "core.v1.Node",
        fields: &["spec.unschedulable"],
        subresources: &[same("proxy", "NodeProxyOptions", PROXY), same("status", "Node", READ_WRITE)],
        columns: columns::NODE,
        ..PLAIN
    },
    Kind {
        kind: "PersistentVolumeClaim",
        plural: "persistentvolumeclaims",
        singular: "persistentvolumeclaim",
        short_names: &["pvc"],
        message: "core.v1.PersistentVolumeClaim",
        subresources: &[same("status", "PersistentVolumeClaim", READ_WRITE)],
        default: defaults::volume_claim,
        validate: quantities::volume_claim,
        ..PLAIN
    },
    Kind {
        kind: "Pod",
        plural: "pods",
        singular: "pod",
        short_names: &["po"],
        categories: &["all"],
        message: "core.v1.Pod",
        fields: &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        ],
        subresources: &[
            same("attach", "PodAttachOptions", CONNECT),
            same("exec", "PodExecOptions", CONNECT),
            same("log", "Pod", &["get"]),
            same("portforward", "PodPortForwardOptions", CONNECT),
            same("proxy", "PodProxyOptions", PROXY),
            same("status", "Pod", READ_WRITE),
        ],
        generation: true,
        columns: columns::POD,
        default: defaults::pod,
        validate: workload::pod,
        ..PLAIN
    },
    Kind {
        kind: "ResourceQuota",
        plural: "resourcequotas",
        singular: "resourcequota",
        short_names: &["quota"],
        message: "core.v1.ResourceQuota",
        subresources: &[same("status", "ResourceQuota", READ_WRITE)],
        validate: quantities::quota,
        ..PLAIN
    },
    Kind {
        kind: "Secret",
        plural: "secrets",
        singular: "secret",
        message: "core.v1.Secret",
        fields: &["type"],
        columns: columns::SECRET,
        default: defaults::secret,
        validate: validate::secret,
        ..PLAIN
    },
    Kind {
        kind: "ServiceAccount",
        plural: "serviceaccounts",
        singular: "serviceaccount",
        short_names: &["sa"],
        message: "core.v1.ServiceAccount",
        subresources: &[Subresource {
            name: "token",
            kind: "TokenRequest",
            group_version: Some(("authentication.k8s.io", "v1")),
            verbs: CREATE,
        }],
        columns: columns::SERVICE_ACCOUNT,
        ..PLAIN
    },
    Kind {
        kind: "Service",
        plural: "services",
        singular: "service",
        short_names: &["svc"],
        categories: &["all"],
        message: "core.v1.Service",
        subresources: &[same("proxy", "ServiceProxyOptions", PROXY), same("status", "Service", READ_WRITE)],
        naming: Naming::Service,
        create_on_update: true,
        columns: columns::SERVICE,
        default: defaults::service,
        validate: validate::service,
        ..PLAIN
    },
    Kind {
        kind: "DaemonSet",
        plural: "daemonsets",
        singular: "daemonset",
        short_names: &["ds"],
        message: "apps.v1.DaemonSet",
        subresources: &[same("status", "DaemonSet", READ_WRITE)],
        default: defaults::daemon_set,
        validate: workload::controller,
        ..APPS
    },
    Kind {
        kind: "Deployment",
        plural: "deployments",
        singular: "deployment",
        short_names: &["deploy"],
        message: "apps.v1.Deployment",
        subresources: &[SCALE, same("status", "Deployment", READ_WRITE)],
        columns: columns::DEPLOYMENT,
        default: defaults::deployment,
        validate: workload::controller,
        ..APPS
    },
    Kind {
        kind: "ReplicaSet",
        plural: "replicasets",
        singular: "replicaset",
        short_names: &["rs"],
        message: "apps.v1.ReplicaSet",
        fields: &["status.replicas"],
        subresources: &[SCALE, same("status", "ReplicaSet", READ_WRITE)],
        columns: columns::REPLICA_SET,
        default: defaults::replica_set,
        validate: workload::controller,
        ..APPS
    },
    Kind {
        kind: "StatefulSet",
        plural: "statefulsets",
        singular: "statefulset",
        short_names: &["sts"],
        message: "apps.v1.StatefulSet",
        subresources: &[SCALE, same("status", "StatefulSet", READ_WRITE)],
        default: defaults::stateful_set,
        validate: workload::controller,
        ..APPS
    },
    Kind {
        kind: "SelfSubjectReview",
        plural: "selfsubjectreviews",
        singular: "selfsubjectreview",
        message: "authentication.v1.SelfSubjectReview",
        role: Role::Review(Review::SelfSubject),
        ..AUTHENTICATION
    },
    Kind {
        kind: "TokenReview",
        plural: "tokenreviews",
        singular: "tokenreview",
        message: "authentication.v1.TokenReview",
        role: Role::Review(Review::Token),
        ..AUTHENTICATION
    },
    Kind {
        kind: "LocalSubjectAccessReview",
        plural: "localsubjectaccessreviews",
        singular: "localsubjectaccessreview",
        namespaced: true,
        message: "authorization.v1.LocalSubjectAccessReview",
        role: Role::Review(Review::LocalSubjectAccess),
        ..AUTHORIZATION
    },
    Kind {
        kind: "SelfSubjectAccessReview",
        plural: "selfsubjectaccessreviews",
        singular: "selfsubjectaccessreview",
        message: "authorization.v1.SelfSubjectAccessReview",
        role: Role::Review(Review::SelfSubjectAccess),
        ..AUTHORIZATION
    },
    Kind {
        kind: "SelfSubjectRulesReview",
        plural: "selfsubjectrulesreviews",
        singular: "selfsubjectrulesreview",
        message: "authorization.v1.SelfSubjectRulesReview",
        role: Role::Review(Review::SelfSubjectRules),
        ..AUTHORIZATION
    },
    Kind {
        kind: "SubjectAccessReview",
        plural: "subjectaccessreviews",
        singular: "subjectaccessreview",
        message: "authorization.v1.SubjectAccessReview",
        role: Role::Review(Review::SubjectAccess),
        ..AUTHORIZATION
    },
    Kind {
        group: "coordination.k8s.io",
        kind: "Lease",
        plural: "leases",
        singular: "lease",
        message: "coordination.v1.Lease",
        create_on_update: true,
        ..PLAIN
    },
    Kind {
        kind: "ClusterRoleBinding",
        plural: "clusterrolebindings",
        singular: "clusterrolebinding",
        namespaced: false,
        message: "rbac.v1.ClusterRoleBinding",
        columns: columns::BINDING,
        default: defaults::binding,
        validate: rbac::cluster_role_binding,
        ..RBAC
    },
    Kind {
        kind: "ClusterRole",
        plural: "clusterroles",
        singular: "clusterrole",
        namespaced: false,
        message: "rbac.v1.ClusterRole",
        columns: columns::ROLE,
        validate: rbac::cluster_role,
        ..RBAC
    },
    Kind {
        kind: "RoleBinding",
        plural: "rolebindings",
        singular: "rolebinding",
        message: "rbac.v1.RoleBinding",
        columns: columns::BINDING,
        default: defaults::binding,
        validate: rbac::role_binding,
        ..RBAC
    },
    Kind {
        kind: "Role",
        plural: "roles",
        singular: "role",
        message: "rbac.v1.Role",
        columns: columns::ROLE,
        validate: rbac::role,
        ..RBAC
    },
];

#[cfg(test)]
mod tests;
