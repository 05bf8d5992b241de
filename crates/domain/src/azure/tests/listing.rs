//! Look-ups for listings.

use super::*;

fn policy() -> Policy {
    let mut policy = empty_policy();
    let reader = policy.role_named(READER).unwrap().id;
    policy.put_management_group(ManagementGroup {
        name: ResourceName::parse("top").unwrap(),
        parent: None,
        subscriptions: vec![SubscriptionId::parse("11111111-0000-0000-0000-000000000001").unwrap()],
    });
    let places = [
        "/",
        "/providers/Microsoft.Management/managementGroups/top",
        "/subscriptions/11111111-0000-0000-0000-000000000001",
        "/subscriptions/11111111-0000-0000-0000-000000000002",
        CLUSTER,
    ];
    for (number, place) in (1..).zip(places) {
        policy.put_assignment(assignment(number, object(number % 2), reader, scope(place)));
    }
    policy
}

fn numbers(assignments: Vec<Arc<RoleAssignment>>) -> Vec<u128> {
    assignments.iter().map(|each| each.id.uuid().as_u128()).collect()
}

#[test]
fn listings_follow_the_tree_of_scopes_before_and_after_a_fold() {
    let mut policy = policy();
    for _ in 0..2 {
        let top = scope("/providers/microsoft.management/managementGroups/TOP");
        assert_eq!(numbers(policy.assignments_at(&scope(CLUSTER))), [5]);
        assert_eq!(numbers(policy.assignments_at_or_above(&scope(CLUSTER))), [5, 3, 2, 1]);
        assert_eq!(numbers(policy.assignments_at_or_below(&top)), [2, 3, 5]);
        assert_eq!(numbers(policy.assignments_at_or_below(&Scope::root())), [1, 2, 3, 5, 4]);
        assert_eq!(numbers(policy.assignments_at_or_below(&scope(CLUSTER))), [5]);
        let mut own = numbers(policy.assignments_of(object(0)));
        own.sort_unstable();
        assert_eq!(own, [2, 4]);
        policy.fold();
        assert!(!policy.needs_fold());
    }
    assert_eq!(policy.assignment(assignment_id(5)).unwrap().scope, scope(CLUSTER));
    policy.remove_assignment(assignment_id(5));
    assert!(policy.assignment(assignment_id(5)).is_none());
    assert!(policy.assignments_at(&scope(CLUSTER)).is_empty());
}

#[test]
fn held_roles_and_their_permissions_name_each_role_once() {
    let mut policy = policy();
    let owner = policy.role_named("owner").unwrap().id;
    policy.put_assignment(assignment(9, object(7), owner, scope(CLUSTER)));
    let caller = caller(object(1), &[object(7)]);
    let held = policy.held(&caller, &scope(CLUSTER));
    let through: Vec<_> = held.iter().map(|each| (each.assignment.id, each.through)).collect();
    let expected = [(5, None), (9, Some(object(7))), (3, None), (1, None)];
    assert_eq!(through, expected.map(|(number, group)| (assignment_id(number), group)));
    assert_eq!(policy.permissions(&caller, &scope(CLUSTER)).len(), 2);
    assert!(policy.permissions(&caller, &scope("/subscriptions/x")).len() == 1);
    let who =
        policy.who_can(&Action::control("Microsoft.Authorization/roleAssignments/write"), &scope(CLUSTER));
    assert_eq!(numbers(who), [9]);
}

#[test]
fn custom_roles_are_assignable_below_their_scopes_only() {
    let mut policy = policy();
    let mut role = custom_role(1, vec![Permission::default()]);
    role.assignable_scopes = vec![scope("/providers/Microsoft.Management/managementGroups/top")];
    policy.put_role(role);
    let role = policy.role_named("ROLE 1").unwrap();
    assert!(policy.is_assignable(role, &scope(CLUSTER)));
    assert!(!policy.is_assignable(role, &scope("/subscriptions/11111111-0000-0000-0000-000000000002")));
    assert!(!policy.is_assignable(role, &Scope::root()));
}
