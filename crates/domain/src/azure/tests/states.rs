//! States of a policy beside each other, and what is said of decisions.

use super::*;

fn with_reader(number: u128, who: u128) -> Policy {
    let mut policy = empty_policy();
    let reader = policy.role_named(READER).unwrap().id;
    policy.put_assignment(assignment(number, object(who), reader, scope(CLUSTER)));
    policy
}

#[test]
fn a_copy_keeps_its_state_while_the_original_changes() {
    let mut policy = with_reader(1, 1);
    let before = policy.clone();
    assert!(may(&policy, 1, &scope(CLUSTER), PODS_READ));
    policy.remove_assignment(assignment_id(1));
    assert!(!may(&policy, 1, &scope(CLUSTER), PODS_READ));
    assert!(may(&before, 1, &scope(CLUSTER), PODS_READ));
    assert!(!may(&policy, 1, &scope(CLUSTER), PODS_READ));
}

#[test]
fn what_is_remembered_of_a_caller_is_not_taken_for_one_with_other_groups() {
    let policy = with_reader(1, 7);
    let access = Access::data_plane(scope(CLUSTER), PODS_READ);
    assert!(policy.decide(&caller(object(1), &[object(7)]), &access, now()).is_allowed());
    assert!(!policy.decide(&caller(object(1), &[object(8)]), &access, now()).is_allowed());
    assert!(!policy.decide(&caller(object(1), &[]), &access, now()).is_allowed());
    assert!(policy.decide(&caller(object(1), &[object(7)]), &access, now()).is_allowed());
}

#[test]
fn a_fold_of_another_history_is_refused() {
    let mut policy = with_reader(1, 1);
    let other = with_reader(1, 2);
    assert!(!policy.adopt(&other.prepare_fold()));
    let early = policy.prepare_fold();
    let mut branch = policy.clone();
    policy.remove_assignment(assignment_id(1));
    branch.put_assignment(assignment(2, object(2), role_id(1), Scope::root()));
    let of_branch = branch.prepare_fold();
    assert!(!policy.adopt(&of_branch));
    assert!(policy.adopt(&early));
    assert!(!policy.adopt(&early), "its base is no longer the one that was folded");
    assert!(!may(&policy, 1, &scope(CLUSTER), PODS_READ));
    assert_eq!(policy.index_size().1, 1);
}

#[test]
fn many_changes_fold_by_themselves_and_say_when_a_fold_is_due() {
    let mut policy = empty_policy();
    let reader = policy.role_named(READER).unwrap().id;
    for number in 0..20_000 {
        policy.put_assignment(assignment(number, object(number), reader, scope(CLUSTER)));
        assert!(policy.needs_fold() || !(1023..16_384).contains(&number));
    }
    let (_, folded) = policy.index_size();
    assert!(folded > 16_000, "{folded}");
    for number in [0, 1, 16_383, 16_384, 16_385, 19_999] {
        assert!(may(&policy, number, &scope(CLUSTER), PODS_READ), "{number}");
    }
    assert!(!may(&policy, 20_000, &scope(CLUSTER), PODS_READ));
}

#[test]
fn built_in_roles_cannot_be_replaced_or_removed() {
    let mut policy = with_reader(1, 1);
    let reader = policy.role_named(READER).unwrap().id;
    policy.put_role(RoleDefinition { id: reader, ..custom_role(1, vec![]) });
    policy.remove_role(reader);
    assert!(may(&policy, 1, &scope(CLUSTER), PODS_READ));
}

#[test]
fn assignments_of_a_role_that_is_gone_grant_nothing_until_it_is_back() {
    let mut policy = empty_policy();
    policy.put_assignment(assignment(1, object(1), role_id(5), scope(CLUSTER)));
    assert!(!may(&policy, 1, &scope(CLUSTER), PODS_READ));
    let block = Permission { data_actions: patterns(&[PODS_READ]), ..Permission::default() };
    policy.put_role(custom_role(5, vec![block]));
    assert!(may(&policy, 1, &scope(CLUSTER), PODS_READ));
    policy.remove_role(role_id(5));
    assert!(!may(&policy, 1, &scope(CLUSTER), PODS_READ));
}

#[test]
fn denials_for_the_scope_itself_leave_what_is_below_alone() {
    let mut policy = with_reader(1, 1);
    let mut only_here = deny(2, &[object(1)], scope(CLUSTER), &["*"]);
    only_here.does_not_apply_to_children = true;
    policy.put_deny(only_here);
    assert!(!may(&policy, 1, &scope(CLUSTER), PODS_READ));
    assert!(may(&policy, 1, &scope(CLUSTER).child("namespaces", "web").unwrap(), PODS_READ));
    policy.remove_deny(assignment_id(2));
    assert!(may(&policy, 1, &scope(CLUSTER), PODS_READ));
}

#[test]
fn reasons_are_sentences_that_name_what_decided() {
    let mut policy = empty_policy();
    let reader = policy.role_named(READER).unwrap().id;
    let place = scope("/subscriptions/s");
    policy.put_assignment(assignment(1, object(7), reader, place.clone()));
    let say = |policy: &Policy, who: u128, groups: &[ObjectId], access: &Access| {
        policy.decide(&caller(object(who), groups), access, now()).reason().to_string()
    };
    let pods = Access::data_plane(place.clone(), PODS_READ);
    let credential = "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action";
    let credential = Access::control_plane(place.clone(), credential);
    let unheard_of = Access::control_plane(place, "Example.Nowhere/things/juggle/action");
    let nothing = Access { actions: vec![], ..pods.clone() };
    let three = [&pods, &credential, &unheard_of].map(|each| each.actions[0].clone());
    let three = Access { actions: three.into(), ..pods.clone() };
    insta::assert_snapshot!(say(&policy, 1, &[object(7)], &pods), @r#"Azure RBAC: allowed by role assignment 00000000-0000-0000-0000-000000000001 of "Azure Kubernetes Service RBAC Reader" (7f6c6a51-bcf8-42ba-9220-52d62157d7db) at /subscriptions/s to group 00000000-0000-0000-0000-000000000007"#);
    insta::assert_snapshot!(say(&policy, 7, &[], &pods), @r#"Azure RBAC: allowed by role assignment 00000000-0000-0000-0000-000000000001 of "Azure Kubernetes Service RBAC Reader" (7f6c6a51-bcf8-42ba-9220-52d62157d7db) at /subscriptions/s to the caller"#);
    insta::assert_snapshot!(say(&policy, 1, &[], &pods), @r#"Azure RBAC: no role assignment gives Microsoft.ContainerService/managedClusters/pods/read at /subscriptions/s; "Azure Kubernetes Service RBAC Reader" or "Azure Kubernetes Service RBAC Writer" at this scope would"#);
    insta::assert_snapshot!(say(&policy, 7, &[], &nothing), @"Azure RBAC: the request cannot be granted: it asks for no action");
    insta::assert_snapshot!(say(&policy, 1, &[], &credential), @r#"Azure RBAC: no role assignment gives Microsoft.ContainerService/managedClusters/listClusterUserCredential/action at /subscriptions/s; "Azure Kubernetes Service Cluster User Role" or "Azure Kubernetes Service RBAC Admin" at this scope would"#);
    insta::assert_snapshot!(say(&policy, 1, &[], &unheard_of), @r#"Azure RBAC: no role assignment gives Example.Nowhere/things/juggle/action at /subscriptions/s; "Contributor" or "Owner" at this scope would"#);
    insta::assert_snapshot!(say(&policy, 7, &[], &three), @r#"Azure RBAC: no role assignment gives Microsoft.ContainerService/managedClusters/listClusterUserCredential/action and one more action at /subscriptions/s; "Contributor" or "Owner" at this scope would"#);
    policy.put_deny(deny(2, &[object(7)], Scope::root(), &["*/read"]));
    insta::assert_snapshot!(say(&policy, 1, &[object(7)], &pods), @r#"Azure RBAC: deny assignment "Denial 2" (00000000-0000-0000-0000-000000000002) at / refuses Microsoft.ContainerService/managedClusters/pods/read to group 00000000-0000-0000-0000-000000000007"#);
}

#[test]
fn a_refusal_says_which_condition_was_not_met() {
    let mut policy = empty_policy();
    let reader = policy.role_named(READER).unwrap().id;
    let condition = Condition::parse("@Request[a/b:c] StringEquals 'x'").unwrap();
    policy.put_assignment(RoleAssignment {
        condition: Some(condition),
        ..assignment(1, object(1), reader, scope("/subscriptions/s"))
    });
    let access = Access::data_plane(scope("/subscriptions/s"), PODS_READ);
    let decision = policy.decide(&caller(object(1), &[]), &access, now());
    insta::assert_snapshot!(decision.reason().to_string(), @r#"Azure RBAC: no role assignment gives Microsoft.ContainerService/managedClusters/pods/read at /subscriptions/s; the condition of role assignment 00000000-0000-0000-0000-000000000001 of "Azure Kubernetes Service RBAC Reader" (7f6c6a51-bcf8-42ba-9220-52d62157d7db) at /subscriptions/s to the caller requires @Request[a/b:c] StringEquals 'x', but the request has no @Request[a/b:c]; "Azure Kubernetes Service RBAC Reader" or "Azure Kubernetes Service RBAC Writer" at this scope would"#);
}
