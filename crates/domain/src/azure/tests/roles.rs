//! The embedded lists: they parse, and say what is known of them.

use super::*;

fn grants(role: &str, suffix: &str) -> bool {
    let mut policy = empty_policy();
    let role = policy.role_named(role).unwrap().id;
    policy.put_assignment(assignment(1, object(1), role, Scope::root()));
    may(&policy, 1, &Scope::root(), &format!("Microsoft.ContainerService/managedClusters/{suffix}"))
}

fn grants_control(role: &str, action: &str) -> bool {
    let mut policy = empty_policy();
    let role = policy.role_named(role).unwrap().id;
    policy.put_assignment(assignment(1, object(1), role, Scope::root()));
    let access = Access::control_plane(scope(CLUSTER), &format!("Microsoft.ContainerService/{action}"));
    policy.decide(&caller(object(1), &[]), &access, now()).is_allowed()
}

#[test]
fn the_built_in_roles_parse_and_are_well_formed() {
    let built_in = BuiltIn::load().unwrap();
    assert_eq!(built_in.roles().len(), 53);
    for role in built_in.roles() {
        assert_eq!(role.check(), Ok(()), "{}", role.name);
        assert_eq!(role.kind, RoleKind::BuiltIn);
        assert!(!role.description.is_empty(), "{}", role.name);
        assert_eq!(built_in.role_named(&role.name.to_uppercase()).unwrap().id, role.id);
        assert_eq!(built_in.role(role.id).unwrap().name, role.name);
    }
    let ids = [
        (READER, "7f6c6a51-bcf8-42ba-9220-52d62157d7db"),
        ("Azure Kubernetes Service RBAC Writer", "a7ffa36f-339b-4b5c-8bdf-e2c188b2c0eb"),
        ("Azure Kubernetes Service RBAC Admin", "3498e952-d568-435e-9b2c-8d77e338d7f7"),
        ("Azure Kubernetes Service RBAC Cluster Admin", "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b"),
        ("Azure Kubernetes Service Cluster Admin Role", "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8"),
        ("Azure Kubernetes Service Cluster User Role", "4abbcc35-e782-43d8-92c5-2d3f1bd2253f"),
    ];
    for (name, id) in ids {
        assert_eq!(built_in.role_named(name).unwrap().id.to_string(), id);
    }
}

/// Every data action that the roles for clusters name is one that is published, or a pattern that names some.
#[test]
fn data_actions_of_the_cluster_roles_are_published() {
    let operations = Operations::published().unwrap();
    let known: Vec<String> = operations
        .suffixes()
        .map(|suffix| format!("microsoft.containerservice/managedclusters/{}", suffix.to_lowercase()))
        .collect();
    let built_in = BuiltIn::load().unwrap();
    let roles = built_in.roles().iter().filter(|role| role.name.starts_with("Azure Kubernetes Service RBAC"));
    let mut checked = 0;
    for pattern in roles.flat_map(|role| &role.permissions).flat_map(|block| &block.data_actions) {
        checked += 1;
        assert!(
            known.iter().any(|name| crate::condition::glob_matches(pattern.as_str(), name)),
            "{pattern} names no published action"
        );
    }
    assert_eq!(checked, 31 + 35 + 1 + 1);
}

#[test]
fn every_known_action_has_the_same_answer_by_bits_and_by_patterns() {
    let built_in = BuiltIn::load().unwrap();
    let known = KnownActions::collect(&Operations::published().unwrap(), built_in.roles());
    for role in built_in.roles() {
        let compiled = compiled::CompiledRole::compile(role.clone(), &known);
        for name in known.names() {
            for action in [Action::data(name), Action::control(name)] {
                let number = known.number(&action);
                assert!(number.is_some());
                assert_eq!(
                    compiled.permissions.names(&action, number),
                    compiled.permissions.names(&action, None),
                    "{}: {name}",
                    role.name
                );
            }
        }
    }
}

#[test]
fn credentials_of_a_cluster_are_given_by_the_roles_for_them_alone() {
    let (user, admin) = (
        "managedClusters/listClusterUserCredential/action",
        "managedClusters/listClusterAdminCredential/action",
    );
    let cases = [
        ("Azure Kubernetes Service Cluster User Role", true, false),
        ("Azure Kubernetes Service Cluster Admin Role", false, true),
        ("Azure Kubernetes Service RBAC Reader", false, false),
        ("Azure Kubernetes Service RBAC Writer", false, false),
        ("Azure Kubernetes Service RBAC Admin", true, false),
        ("Azure Kubernetes Service RBAC Cluster Admin", true, false),
        ("Azure Kubernetes Service Contributor Role", true, true),
        ("Owner", true, true),
        ("Contributor", true, true),
        ("Reader", false, false),
    ];
    for (role, may_user, may_admin) in cases {
        assert_eq!(grants_control(role, user), may_user, "{role}");
        assert_eq!(grants_control(role, admin), may_admin, "{role}");
    }
}

#[test]
fn roles_of_the_control_plane_grant_no_data_action() {
    for role in ["Owner", "Contributor", "Reader", "Azure Kubernetes Service Contributor Role"] {
        assert!(!grants(role, "pods/read"), "{role}");
    }
    assert!(grants_control("Azure Kubernetes Service Contributor Role", "managedClusters/write"));
    assert!(!grants_control("Azure Kubernetes Service RBAC Cluster Admin", "managedClusters/write"));
}
