//! Needs, features and proposals, on a small world.

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    assignment::{PrincipalKind, RoleAssignment},
    azure::{BuiltIn, Operations},
    id::{AssignmentId, RoleId},
    role::{Permission, RoleDefinition, RoleKind, Stamp},
};

fn scope(rest: &str) -> Scope {
    Scope::parse(&format!("/subscriptions/00000000-0000-0000-0000-000000000001{rest}")).unwrap()
}

fn place() -> ClusterLocation {
    ClusterLocation {
        resource_group: scope("/resourceGroups/rg"),
        node_resource_group: scope("/resourceGroups/mc"),
    }
}

fn policy() -> Policy {
    Policy::new(&BuiltIn::load().unwrap(), &Operations::published().unwrap())
}

fn caller() -> Caller {
    Caller::new(ObjectId::new(Uuid::from_u128(7)), [].into())
}

fn features(properties: Value) -> Features {
    let Value::Object(properties) = properties else { panic!("an object") };
    Features::of(&properties, &place(), |_| None)
}

fn give(policy: &mut Policy, role: RoleId, at: Scope) {
    policy.put_assignment(RoleAssignment {
        id: AssignmentId::new(Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{role}{at}").as_bytes())),
        principal: caller().object_id,
        principal_kind: PrincipalKind::ServicePrincipal,
        role,
        scope: at,
        condition: None,
        description: None,
        created: Stamp::BUILT_IN,
        updated: Stamp::BUILT_IN,
    });
}

fn rows(policy: &Policy, features: &Features) -> Vec<Row> {
    let needs = Needs::load().unwrap();
    let place = place();
    let rows = needs.of(features, &place);
    rows.map(|(need, scope)| Row::decide(policy, &caller(), need, scope, Timestamp::UNIX_EPOCH)).collect()
}

#[test]
fn with_every_feature_each_row_of_the_reference_stands_once() {
    let reference: Value = serde_json::from_str(include_str!("needs.json")).unwrap();
    let mut expected = Vec::new();
    for part in ["creator", "cluster", "clusterAdditional", "node"] {
        for need in reference["identities"][part]["needs"].as_array().unwrap() {
            expected.push((need["when"].as_str().map(str::to_owned), need["permissions"].clone()));
        }
    }
    let all = Features::all(&Needs::load().unwrap());
    let found: Vec<_> =
        rows(&policy(), &all).into_iter().map(|row| (row.need.when, json!(row.need.permissions))).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_proposed_for_each_identity_leaves_nothing_missing() {
    let mut policy = policy();
    let all = Features::all(&Needs::load().unwrap());
    let before = rows(&policy, &all);
    assert!(before.iter().all(|row| row.missing().count() == row.need.permissions.len()));
    let proposals = Proposal::for_all(&policy, &before);
    let whose: Vec<String> = proposals.iter().map(|each| each.who.to_string()).collect();
    assert_eq!(whose, ["creator", "cluster", "kubelet", "httpApplicationRouting", "containerInsights"]);
    for (number, proposal) in proposals.into_iter().enumerate() {
        let role = match proposal.role {
            ProposedRole::Existing { id, .. } => id,
            ProposedRole::Custom { name, actions } => {
                let id = RoleId::new(Uuid::from_u128(number as u128));
                policy.put_role(RoleDefinition {
                    id,
                    name: name.as_str().into(),
                    description: String::new(),
                    kind: RoleKind::Custom,
                    assignable_scopes: vec![proposal.scope.clone()],
                    permissions: vec![Permission { actions, ..Permission::default() }],
                    created: Stamp::BUILT_IN,
                    updated: Stamp::BUILT_IN,
                });
                id
            }
        };
        give(&mut policy, role, proposal.scope);
    }
    let after = rows(&policy, &all);
    let missing: Vec<_> = after.iter().flat_map(Row::missing).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(Proposal::for_all(&policy, &after).is_empty());
}

#[test]
fn contributor_holds_all_that_the_cluster_identity_needs_at_its_node_resource_group() {
    let mut policy = policy();
    let contributor = policy.role_named("Contributor").unwrap().id;
    give(&mut policy, contributor, place().node_resource_group);
    assert!(rows(&policy, &Features::default()).iter().all(|row| row.missing().next().is_none()));
}

#[test]
fn a_wildcard_is_not_held_by_a_role_that_leaves_some_of_it_out() {
    let mut policy = policy();
    let whole = ActionPattern::parse("Microsoft.ContainerService/managedClusters/*").unwrap();
    let held = |policy: &Policy| {
        policy.grants_whole(&caller(), &whole, &scope("/resourceGroups/mc"), Timestamp::UNIX_EPOCH).is_ok()
    };
    let role = |except: &[&str]| RoleDefinition {
        id: RoleId::new(Uuid::from_u128(9)),
        name: "x".into(),
        description: String::new(),
        kind: RoleKind::Custom,
        assignable_scopes: vec![Scope::root()],
        permissions: vec![Permission {
            actions: vec![ActionPattern::parse("Microsoft.ContainerService/*").unwrap()],
            not_actions: except.iter().map(|text| ActionPattern::parse(text).unwrap()).collect(),
            ..Permission::default()
        }],
        created: Stamp::BUILT_IN,
        updated: Stamp::BUILT_IN,
    };
    policy.put_role(role(&["*/delete"]));
    give(&mut policy, RoleId::new(Uuid::from_u128(9)), scope("/resourceGroups/mc"));
    assert!(!held(&policy));
    policy.put_role(role(&["Microsoft.ContainerService/fleets/delete"]));
    assert!(held(&policy));
}

#[test]
fn features_are_read_from_the_properties_of_a_cluster() {
    let subnet = scope("/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/v/subnets/s");
    let inside = scope("/resourceGroups/mc/providers/Microsoft.Network/virtualNetworks/v/subnets/s");
    let found = features(json!({
        "agentPoolProfiles": [{"vnetSubnetID": subnet}, {"vnetSubnetID": subnet}, {"vnetSubnetID": inside}],
        "networkProfile": {"loadBalancerProfile": {"backendPoolType": "NodeIP"}},
        "addonProfiles": {"omsagent": {"enabled": true, "config": {}}, "httpApplicationRouting": {"enabled": false}},
        "apiServerAccessProfile": {"privateDNSZone": "system"},
    }));
    let names: Vec<_> =
        found.iter().map(|feature| (feature.name.as_str(), feature.resource.clone())).collect();
    assert_eq!(
        names,
        [
            ("customVnet", Some(subnet.clone())),
            ("subnetInOtherResourceGroup", Some(subnet.clone())),
            ("customVnet", Some(inside)),
            ("ipBasedLoadBalancer", subnet.parent()),
            ("containerInsights", None),
        ]
    );
}

#[test]
fn a_feature_that_does_not_exist_is_refused_with_those_that_do() {
    let needs = Needs::load().unwrap();
    let mut features = Features::default();
    assert!(features.add_named(&needs, "CUSTOMVNET", None).is_ok());
    let text = features.add_named(&needs, "vnet", None).unwrap_err().to_string();
    assert!(text.contains("\"vnet\"") && text.contains("customVnet"), "{text}");
}
