//! The columns of each kind, in the order of kube-apiserver's printers.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age;

/// One column of a kind.
#[derive(Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    /// `string`, `integer`, `date`.
    pub kind: &'static str,
    /// `name` for the column that holds the object's name, else empty.
    pub format: &'static str,
    pub description: &'static str,
    /// Above 0: only with `-o wide`.
    pub priority: u8,
    pub cell: fn(&Value, Timestamp) -> Value,
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({})", self.name)
    }
}

/// The columns of kinds without specific ones.
pub const PLAIN: &[Column] = &[NAME, AGE];

pub const NAMESPACE: &[Column] = &[
    NAME,
    Column {
        name: "Status",
        description: "The status of the namespace",
        cell: |object, _| at(object, "/status/phase"),
        ..TEXT
    },
    AGE,
];

pub const SERVICE_ACCOUNT: &[Column] = &[
    NAME,
    Column {
        name: "Secrets",
        description: "Secrets that pods running with this account may use",
        cell: |object, _| count(object, &["/secrets"]).to_string().into(),
        ..TEXT
    },
    AGE,
];

pub const SECRET: &[Column] = &[
    NAME,
    Column {
        name: "Type",
        description: "What the secret is for",
        cell: |object, _| at(object, "/type"),
        ..TEXT
    },
    Column {
        name: "Data",
        description: "Number of entries",
        cell: |object, _| count(object, &["/data"]).to_string().into(),
        ..TEXT
    },
    AGE,
];

pub const CONFIG_MAP: &[Column] = &[
    NAME,
    Column {
        name: "Data",
        description: "Number of entries",
        cell: |object, _| count(object, &["/data", "/binaryData"]).to_string().into(),
        ..TEXT
    },
    AGE,
];

pub const ROLE: &[Column] = &[
    NAME,
    Column {
        name: "Created At",
        kind: "date",
        description: CREATED,
        cell: |object, _| at(object, "/metadata/creationTimestamp"),
        ..TEXT
    },
];

pub const BINDING: &[Column] = &[
    NAME,
    Column {
        name: "Role",
        description: "The role that is granted",
        cell: |object, _| {
            format!("{}/{}", text(object, "/roleRef/kind"), text(object, "/roleRef/name")).into()
        },
        ..TEXT
    },
    AGE,
    Column {
        name: "Users",
        description: "Users that the role is granted to",
        cell: |object, _| subjects(object, "User"),
        ..WIDE
    },
    Column {
        name: "Groups",
        description: "Groups that the role is granted to",
        cell: |object, _| subjects(object, "Group"),
        ..WIDE
    },
    Column {
        name: "ServiceAccounts",
        description: "Service accounts that the role is granted to",
        cell: |object, _| subjects(object, "ServiceAccount"),
        ..WIDE
    },
];

pub const DEPLOYMENT: &[Column] = &[
    NAME,
    Column {
        name: "Ready",
        description: "Ready pods of those wanted",
        cell: |object, _| {
            format!("{}/{}", integer(object, "/status/readyReplicas"), integer(object, "/spec/replicas"))
                .into()
        },
        ..TEXT
    },
    Column {
        name: "Up-to-date",
        description: "Pods of the newest template",
        cell: |object, _| integer(object, "/status/updatedReplicas").to_string().into(),
        ..TEXT
    },
    Column {
        name: "Available",
        description: "Pods that are available",
        cell: |object, _| integer(object, "/status/availableReplicas").to_string().into(),
        ..TEXT
    },
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub const REPLICA_SET: &[Column] = &[
    NAME,
    Column {
        name: "Desired",
        description: "Pods wanted",
        cell: |object, _| integer(object, "/spec/replicas").into(),
        ..NUMBER
    },
    Column {
        name: "Current",
        description: "Pods that exist",
        cell: |object, _| integer(object, "/status/replicas").into(),
        ..NUMBER
    },
    Column {
        name: "Ready",
        description: "Pods that are ready",
        cell: |object, _| integer(object, "/status/readyReplicas").into(),
        ..NUMBER
    },
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

pub const POD: &[Column] = &[
    NAME,
    Column {
        name: "Ready",
        description: "Ready containers of all",
        cell: |object, _| {
            let ready = list(object, "/status/containerStatuses")
                .iter()
                .filter(|status| status.get("ready") == Some(&Value::Bool(true)))
                .count();
            format!("{ready}/{}", list(object, "/spec/containers").len()).into()
        },
        ..TEXT
    },
    Column {
        name: "Status",
        description: "Where the pod is in its life",
        cell: |object, _| pod_status(object),
        ..TEXT
    },
    Column {
        name: "Restarts",
        description: "How often its containers were started again",
        cell: |object, _| {
            let restarts: i64 = list(object, "/status/containerStatuses")
                .iter()
                .map(|status| integer(status, "/restartCount"))
                .sum();
            restarts.to_string().into()
        },
        ..TEXT
    },
    AGE,
    Column {
        name: "IP",
        description: "Address of the pod",
        cell: |object, _| or_none(object, "/status/podIP"),
        ..WIDE
    },
    Column {
        name: "Node",
        description: "Node that runs it",
        cell: |object, _| or_none(object, "/spec/nodeName"),
        ..WIDE
    },
    Column {
        name: "Nominated Node",
        description: "Node that is being freed for it",
        cell: |object, _| or_none(object, "/status/nominatedNodeName"),
        ..WIDE
    },
    Column {
        name: "Readiness Gates",
        description: "Conditions beyond its containers",
        cell: |object, _| {
            let gates = list(object, "/spec/readinessGates").len();
            if gates == 0 { NONE.into() } else { format!("0/{gates}").into() }
        },
        ..WIDE
    },
];

pub const SERVICE: &[Column] = &[
    NAME,
    Column {
        name: "Type",
        description: "How the service is reached",
        cell: |object, _| at(object, "/spec/type"),
        ..TEXT
    },
    Column {
        name: "Cluster-IP",
        description: "Address in the cluster",
        cell: |object, _| or_none(object, "/spec/clusterIP"),
        ..TEXT
    },
    Column {
        name: "External-IP",
        description: "Addresses from outside",
        cell: |object, _| match text(object, "/spec/type") {
            "ExternalName" => at(object, "/spec/externalName"),
            "LoadBalancer" if list(object, "/status/loadBalancer/ingress").is_empty() => "<pending>".into(),
            _ => NONE.into(),
        },
        ..TEXT
    },
    Column {
        name: "Port(s)",
        description: "Ports of the service",
        cell: |object, _| {
            let ports: Vec<_> = list(object, "/spec/ports")
                .iter()
                .map(|port| match integer(port, "/nodePort") {
                    0 => format!("{}/{}", integer(port, "/port"), text(port, "/protocol")),
                    node => format!("{}:{node}/{}", integer(port, "/port"), text(port, "/protocol")),
                })
                .collect();
            joined(&ports)
        },
        ..TEXT
    },
    AGE,
    Column {
        name: "Selector",
        description: "Labels of its pods",
        cell: |object, _| pairs(object, "/spec/selector"),
        ..WIDE
    },
];

pub const NODE: &[Column] = &[
    NAME,
    Column {
        name: "Status",
        description: "Whether the node is ready",
        cell: |object, _| {
            let ready = list(object, "/status/conditions")
                .iter()
                .find(|condition| text(condition, "/type") == "Ready")
                .map(|condition| text(condition, "/status"));
            match ready {
                Some("True") => "Ready".into(),
                Some(_) => "NotReady".into(),
                None => "Unknown".into(),
            }
        },
        ..TEXT
    },
    Column {
        name: "Roles",
        description: "Roles by label",
        cell: |object, _| {
            let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
            let roles: Vec<_> = labels
                .into_iter()
                .flatten()
                .filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"))
                .map(str::to_owned)
                .collect();
            joined(&roles)
        },
        ..TEXT
    },
    AGE,
    Column {
        name: "Version",
        description: "Version of its kubelet",
        cell: |object, _| at(object, "/status/nodeInfo/kubeletVersion"),
        ..TEXT
    },
];

pub const EVENT: &[Column] = &[
    Column {
        name: "Last Seen",
        description: "When it happened last",
        cell: |object, now| {
            let last = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/firstTimestamp"]
                .iter()
                .find_map(|place| object.pointer(place)?.as_str()?.parse::<Timestamp>().ok());
            last.map_or_else(|| "<unknown>".to_owned(), |last| age(last, now)).into()
        },
        ..TEXT
    },
    Column { name: "Type", description: "Normal or Warning", cell: |object, _| at(object, "/type"), ..TEXT },
    Column { name: "Reason", description: "Why, in a word", cell: |object, _| at(object, "/reason"), ..TEXT },
    Column {
        name: "Object",
        description: "What it happened to",
        cell: |object, _| {
            let kind = text(object, "/involvedObject/kind").to_lowercase();
            format!("{kind}/{}", text(object, "/involvedObject/name")).into()
        },
        ..TEXT
    },
    Column {
        name: "Subobject",
        description: "Which part of it",
        cell: |object, _| at(object, "/involvedObject/fieldPath"),
        ..WIDE
    },
    Column {
        name: "Source",
        description: "Who says so",
        cell: |object, _| at(object, "/source/component"),
        ..WIDE
    },
    Column {
        name: "Message",
        description: "What happened",
        cell: |object, _| text(object, "/message").trim().into(),
        ..TEXT
    },
    Column {
        name: "Name",
        format: "name",
        description: NAME.description,
        cell: |object, _| at(object, "/metadata/name"),
        ..WIDE
    },
];

const TEXT: Column =
    Column { name: "", kind: "string", format: "", description: "", priority: 0, cell: |_, _| Value::Null };
const WIDE: Column = Column { priority: 1, ..TEXT };
const NUMBER: Column = Column { kind: "integer", ..TEXT };

const NAME: Column = Column {
    name: "Name",
    format: "name",
    description: "Name of the object, unique in its namespace",
    cell: |object, _| at(object, "/metadata/name"),
    ..TEXT
};

const AGE: Column = Column {
    name: "Age",
    description: CREATED,
    cell: |object, now| {
        let created = text(object, "/metadata/creationTimestamp").parse::<Timestamp>();
        created.map_or_else(|_| "<unknown>".to_owned(), |created| age(created, now)).into()
    },
    ..TEXT
};

const CONTAINERS: Column = Column {
    name: "Containers",
    description: "Names of the containers",
    cell: |object, _| containers(object, "/name"),
    ..WIDE
};
const IMAGES: Column = Column {
    name: "Images",
    description: "Images of the containers",
    cell: |object, _| containers(object, "/image"),
    ..WIDE
};
const SELECTOR: Column = Column {
    name: "Selector",
    description: "Labels of the pods",
    cell: |object, _| pairs(object, "/spec/selector/matchLabels"),
    ..WIDE
};

const CREATED: &str = "When the object was made";
const NONE: &str = "<none>";

fn pod_status(object: &Value) -> Value {
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return "Terminating".into();
    }
    match text(object, "/status/reason") {
        "" => at(object, "/status/phase"),
        reason => reason.into(),
    }
}

fn subjects(object: &Value, kind: &str) -> Value {
    let names: Vec<_> = list(object, "/subjects")
        .iter()
        .filter(|subject| text(subject, "/kind") == kind)
        .map(|subject| match (kind, text(subject, "/namespace")) {
            ("ServiceAccount", namespace) => format!("{namespace}/{}", text(subject, "/name")),
            _ => text(subject, "/name").to_owned(),
        })
        .collect();
    names.join(", ").into()
}

fn containers(object: &Value, field: &str) -> Value {
    let found: Vec<_> = list(object, "/spec/template/spec/containers")
        .iter()
        .map(|container| text(container, field).to_owned())
        .collect();
    found.join(",").into()
}

fn pairs(object: &Value, place: &str) -> Value {
    let labels = object.pointer(place).and_then(Value::as_object);
    let pairs: Vec<_> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    joined(&pairs)
}

fn joined(list: &[String]) -> Value {
    if list.is_empty() { NONE.into() } else { list.join(",").into() }
}

fn count(object: &Value, places: &[&str]) -> usize {
    places
        .iter()
        .map(|place| match object.pointer(place) {
            Some(Value::Array(list)) => list.len(),
            Some(Value::Object(map)) => map.len(),
            _ => 0,
        })
        .sum()
}

fn at(object: &Value, place: &str) -> Value {
    object.pointer(place).cloned().unwrap_or_else(|| json!(""))
}

fn or_none(object: &Value, place: &str) -> Value {
    match text(object, place) {
        "" => NONE.into(),
        found => found.into(),
    }
}

fn text<'a>(object: &'a Value, place: &str) -> &'a str {
    object.pointer(place).and_then(Value::as_str).unwrap_or_default()
}

fn integer(object: &Value, place: &str) -> i64 {
    object.pointer(place).and_then(Value::as_i64).unwrap_or_default()
}

fn list<'a>(object: &'a Value, place: &str) -> &'a [Value] {
    object.pointer(place).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
