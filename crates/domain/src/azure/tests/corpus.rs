//! Runs `corpus/azure/*.json`: world files with the expected answers, as far as this engine gives them.

use std::{collections::BTreeSet, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::{
    azure::kubernetes::{self, Answer, CustomResources, KnownOperations, Settings},
    kube::{self, Target, User},
};

#[test]
fn every_case_of_the_corpus_is_answered_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/azure");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut reviews = 0;
    let mut differences = Vec::new();
    for file in &files {
        let world: World = serde_json::from_str(&std::fs::read_to_string(file).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let policy = world.policy();
        for review in &world.reviews {
            reviews += 1;
            let answer = line(&world.answer(&policy, &review.spec));
            if let Err(difference) = covers(&answer, &review.expect) {
                differences.push(format!("{}: {}: {difference}", file.display(), review.name));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(files.len() >= 16 && reviews >= 400, "{} files, {reviews} reviews", files.len());
}

/// The answer in the form of the world file's result line. A lack of grants is a denial there, since nothing
/// else is left to ask.
fn line(answer: &Answer) -> Value {
    let (decision, reason) = match &answer.decision {
        Ok(Decision::Allow(reason)) => ("allowed", reason.to_string()),
        Ok(Decision::NoOpinion(decision::Reason::Silent)) => ("noOpinion", String::new()),
        Ok(Decision::Deny(reason) | Decision::NoOpinion(reason)) => ("denied", reason.to_string()),
        Err(error) => ("error", error.to_string()),
    };
    assert_eq!(answer.assignment.is_some(), reason.contains("allowed by role assignment"), "{reason}");
    let azure = json!({
        "decision": decision,
        "reason": reason,
        "actions": answer.actions.iter().map(|action| action.name()).collect::<Vec<_>>(),
        "scope": answer.scope.as_str(),
        "attributes": answer.attributes,
        "assignment": answer.assignment.map(|id| id.to_string()),
    });
    json!({ "decision": decision, "azure": azure })
}

/// Whether every key that is expected has the expected value; objects are compared by their keys.
fn covers(actual: &Value, expected: &Value) -> Result<(), String> {
    match (actual, expected) {
        // Attributes are given whole; of all other objects the keys that are named.
        (Value::Object(actual), Value::Object(expected)) => {
            expected.iter().try_for_each(|(key, expected)| {
                let actual = actual.get(key).unwrap_or(&Value::Null);
                if key == "attributes" && actual != expected {
                    return Err(format!("attributes are {actual}, expected {expected}"));
                }
                covers(actual, expected).map_err(|difference| format!("{key}: {difference}"))
            })
        }
        _ if actual == expected => Ok(()),
        _ => Err(format!("{actual}, expected {expected}")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct World {
    cluster: Cluster,
    #[serde(default)]
    management_groups: Vec<Group>,
    #[serde(default)]
    groups: Vec<DirectoryGroup>,
    #[serde(default)]
    role_definitions: Vec<Role>,
    #[serde(default)]
    role_assignments: Vec<Assignment>,
    #[serde(default)]
    deny_assignments: Vec<Denial>,
    reviews: Vec<Review>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Cluster {
    id: Scope,
    #[serde(rename = "azureRbac")]
    _azure_rbac: bool,
    custom_resources: Option<String>,
    operations: Option<String>,
    subresource_attribute: Option<bool>,
    managed_namespaces: Option<bool>,
    fleet: Option<Scope>,
    discovery_paths: Option<bool>,
    skip_users_without_object_id: Option<bool>,
}

#[derive(Deserialize)]
struct Group {
    id: ResourceName,
    parent: Option<ResourceName>,
    #[serde(default)]
    subscriptions: Vec<SubscriptionId>,
}

#[derive(Deserialize)]
struct DirectoryGroup {
    id: ObjectId,
    members: Vec<ObjectId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Role {
    id: RoleId,
    role_name: String,
    assignable_scopes: Vec<Scope>,
    permissions: Vec<Permission>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assignment {
    id: AssignmentId,
    principal_id: ObjectId,
    role: String,
    scope: Scope,
    condition: Option<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Denial {
    principals: Vec<ObjectId>,
    #[serde(default)]
    exclude_principals: Vec<ObjectId>,
    #[serde(default)]
    everyone: bool,
    scope: Scope,
    permissions: Vec<Permission>,
}

#[derive(Deserialize)]
struct Review {
    name: String,
    spec: Spec,
    expect: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    user: String,
    groups: Vec<String>,
    #[serde(default)]
    extra: std::collections::BTreeMap<String, Vec<String>>,
    resource_attributes: Option<Resource>,
    non_resource_attributes: Option<NonResource>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Resource {
    verb: String,
    group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct NonResource {
    verb: String,
    path: String,
}

impl World {
    fn policy(&self) -> Policy {
        let mut policy = empty_policy();
        for role in &self.role_definitions {
            policy.put_role(RoleDefinition {
                id: role.id,
                name: role.role_name.as_str().into(),
                assignable_scopes: role.assignable_scopes.clone(),
                ..custom_role(0, role.permissions.clone())
            });
        }
        for group in &self.management_groups {
            policy.put_management_group(ManagementGroup {
                name: group.id.clone(),
                parent: group.parent.clone(),
                subscriptions: group.subscriptions.clone(),
            });
        }
        for each in &self.role_assignments {
            let by_id = each.role.rsplit('/').next().and_then(|id| RoleId::parse(id).ok());
            let role = by_id.or_else(|| policy.role_named(&each.role).map(|role| role.id)).unwrap();
            policy.put_assignment(RoleAssignment {
                id: each.id,
                condition: each.condition.clone(),
                ..assignment(0, each.principal_id, role, each.scope.clone())
            });
        }
        for (number, each) in (1..).zip(&self.deny_assignments) {
            policy.put_deny(DenyAssignment {
                exclude_principals: each.exclude_principals.clone(),
                everyone: each.everyone,
                permissions: each.permissions.clone(),
                ..deny(number, &each.principals, each.scope.clone(), &[])
            });
        }
        policy
    }

    fn answer(&self, policy: &Policy, spec: &Spec) -> Answer {
        let cluster = &self.cluster;
        let defaults = Settings::new(cluster.id.clone());
        let settings = Settings {
            custom_resources: match cluster.custom_resources.as_deref() {
                Some("literal") => CustomResources::Literal,
                _ => CustomResources::Attributes,
            },
            operations: match cluster.operations.as_deref() {
                Some("none") => KnownOperations::None,
                _ => KnownOperations::Published,
            },
            subresource_attribute: cluster.subresource_attribute.unwrap_or(defaults.subresource_attribute),
            managed_namespaces: cluster.managed_namespaces.unwrap_or(defaults.managed_namespaces),
            fleet: cluster.fleet.clone(),
            discovery_paths: cluster.discovery_paths.unwrap_or(defaults.discovery_paths),
            skip_users_without_object_id: cluster
                .skip_users_without_object_id
                .unwrap_or(defaults.skip_users_without_object_id),
            cluster: defaults.cluster,
        };
        let attributes = spec.attributes();
        let groups = attributes.user.object_id().map(|id| self.directory_groups(id)).unwrap_or_default();
        let operations = Operations::published().unwrap();
        kubernetes::decide(policy, &operations, &settings, &attributes, &groups, now())
    }

    fn directory_groups(&self, member: ObjectId) -> Vec<ObjectId> {
        let mut known = BTreeSet::from([member]);
        loop {
            let before = known.len();
            for group in &self.groups {
                if group.members.iter().any(|member| known.contains(member)) {
                    known.insert(group.id);
                }
            }
            if known.len() == before {
                known.remove(&member);
                return known.into_iter().collect();
            }
        }
    }
}

impl Spec {
    fn attributes(&self) -> kube::Attributes {
        let user = User {
            name: self.user.clone(),
            groups: self.groups.clone().into(),
            extra: self.extra.clone(),
            ..User::default()
        };
        match (&self.resource_attributes, &self.non_resource_attributes) {
            (Some(resource), None) => kube::Attributes {
                user,
                verb: resource.verb.clone(),
                target: Target::Resource {
                    group: resource.group.clone(),
                    version: "v1".to_owned(),
                    resource: resource.resource.clone(),
                    subresource: resource.subresource.clone(),
                    namespace: resource.namespace.clone(),
                    name: resource.name.clone(),
                },
            },
            (None, Some(path)) => {
                kube::Attributes { user, verb: path.verb.clone(), target: Target::Path(path.path.clone()) }
            }
            _ => panic!("a review is either for a resource or for a path"),
        }
    }
}
