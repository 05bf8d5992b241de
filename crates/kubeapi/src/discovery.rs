//! Discovery: `/version`, and the aggregated and plain discovery documents.
//!
//! All of it is generated from the table of kinds.

use serde_json::{Value, json};

use crate::kinds::{self, Kind, Subresource, group_version};

/// `GET /version`: the Kubernetes release whose API is served, marked as this server.
pub fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "gitVersion": app::resource_manager::clusters::KUBERNETES_GIT_VERSION, "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc", "platform": "linux/amd64",
    })
}

/// `GET /api` in the aggregated form.
pub fn aggregated_core() -> Value {
    aggregated(vec![aggregated_group("", "v1")])
}

/// `GET /apis` in the aggregated form.
pub fn aggregated_groups() -> Value {
    aggregated(kinds::groups().into_iter().map(|(group, version)| aggregated_group(group, version)).collect())
}

/// `GET /api`, plain.
pub fn core_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

/// `GET /apis`, plain.
pub fn group_list() -> Value {
    let groups: Vec<_> =
        kinds::groups().into_iter().map(|(group, version)| api_group(group, version)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `GET /apis/{group}`; `None` for a group that is not served.
pub fn group(name: &str) -> Option<Value> {
    let (group, version) = kinds::groups().into_iter().find(|(group, _)| *group == name)?;
    let mut answer = api_group(group, version);
    if let Value::Object(answer) = &mut answer {
        answer.insert("kind".into(), "APIGroup".into());
        answer.insert("apiVersion".into(), "v1".into());
    }
    Some(answer)
}

/// `GET /api/v1` and `GET /apis/{group}/{version}`; `None` for what is not served.
pub fn resource_list(group: &str, version: &str) -> Option<Value> {
    if !kinds::group_version_exists(group, Some(version)) {
        return None;
    }
    let resources: Vec<_> = rows(group, version)
        .flat_map(|kind| {
            std::iter::once(resource(kind))
                .chain(kind.subresources.iter().map(|subresource| subresource_entry(kind, subresource)))
        })
        .collect();
    Some(json!({
        "kind": "APIResourceList", "apiVersion": "v1",
        "groupVersion": group_version(group, version), "resources": resources,
    }))
}

fn rows(group: &str, version: &str) -> impl Iterator<Item = &'static Kind> {
    kinds::kinds().iter().filter(move |kind| kind.group == group && kind.version == version)
}

fn aggregated(items: Vec<Value>) -> Value {
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    })
}

fn aggregated_group(group: &str, version: &str) -> Value {
    let resources: Vec<_> = rows(group, version)
        .map(|kind| {
            let mut entry = json!({
                "resource": kind.plural,
                "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
                "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
                "singularResource": kind.singular,
                "verbs": kind.verbs,
            });
            add_names(&mut entry, kind);
            let subresources: Vec<_> = kind
                .subresources
                .iter()
                .map(|subresource| {
                    let (group, version) = subresource.group_version.unwrap_or((kind.group, kind.version));
                    json!({
                        "subresource": subresource.name,
                        "responseKind": {"group": group, "version": version, "kind": subresource.kind},
                        "verbs": subresource.verbs,
                    })
                })
                .collect();
            if let (false, Value::Object(entry)) = (subresources.is_empty(), &mut entry) {
                entry.insert("subresources".into(), subresources.into());
            }
            entry
        })
        .collect();
    let metadata = if group.is_empty() {
        json!({"creationTimestamp": null})
    } else {
        json!({"name": group, "creationTimestamp": null})
    };
    json!({
        "metadata": metadata,
        "versions": [{"version": version, "freshness": "Current", "resources": resources}],
    })
}

fn api_group(group: &str, version: &str) -> Value {
    let version = json!({"groupVersion": group_version(group, version), "version": version});
    json!({"name": group, "versions": [version], "preferredVersion": version})
}

fn resource(kind: &Kind) -> Value {
    let mut entry = json!({
        "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced,
        "kind": kind.kind, "verbs": kind.verbs,
    });
    add_names(&mut entry, kind);
    entry
}

fn subresource_entry(kind: &Kind, subresource: &Subresource) -> Value {
    let mut entry = json!({
        "name": format!("{}/{}", kind.plural, subresource.name), "singularName": "",
        "namespaced": kind.namespaced, "kind": subresource.kind, "verbs": subresource.verbs,
    });
    if let (Some((group, version)), Value::Object(entry)) = (subresource.group_version, &mut entry) {
        entry.insert("group".into(), group.into());
        entry.insert("version".into(), version.into());
    }
    entry
}

fn add_names(entry: &mut Value, kind: &Kind) {
    let Value::Object(entry) = entry else { return };
    if !kind.short_names.is_empty() {
        entry.insert("shortNames".into(), json!(kind.short_names));
    }
    if !kind.categories.is_empty() {
        entry.insert("categories".into(), json!(kind.categories));
    }
}
