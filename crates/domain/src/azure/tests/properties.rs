//! Random worlds, changed step by step, asked after each step, and compared with the slow evaluator.

use std::collections::BTreeMap;

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{
    slow::{CONDITIONS, SlowWorld, Verdict},
    *,
};
use crate::comparisons::compare;

#[derive(Clone, Debug)]
enum Step {
    PutAssignment(RoleAssignment),
    RemoveAssignment(AssignmentId),
    PutDeny(DenyAssignment),
    RemoveDeny(AssignmentId),
    PutRole(RoleDefinition),
    RemoveRole(RoleId),
    PutGroup(ManagementGroup),
    RemoveGroup(ResourceName),
    /// Keeps a copy, which later questions go to as well.
    Keep,
    Fold,
    PrepareFold,
    AdoptFold,
    Ask(Caller, Access),
}

/// The engine under test beside the lists that it must agree with.
#[derive(Clone)]
struct Both {
    policy: Policy,
    world: SlowWorld,
}

impl Both {
    fn new() -> Self {
        static EMPTY: LazyLock<Policy> = LazyLock::new(empty_policy);
        let roles = BUILT_IN.roles().to_vec();
        Self { policy: EMPTY.clone(), world: SlowWorld { roles, ..SlowWorld::default() } }
    }

    fn take(&mut self, step: Step) {
        let Self { policy, world } = self;
        match step {
            Step::PutAssignment(each) => {
                world.assignments.retain(|known| known.id != each.id);
                world.assignments.push(each.clone());
                policy.put_assignment(each);
            }
            Step::RemoveAssignment(id) => {
                world.assignments.retain(|known| known.id != id);
                policy.remove_assignment(id);
            }
            Step::PutDeny(each) => {
                world.denies.retain(|known| known.id != each.id);
                world.denies.push(each.clone());
                policy.put_deny(each);
            }
            Step::RemoveDeny(id) => {
                world.denies.retain(|known| known.id != id);
                policy.remove_deny(id);
            }
            Step::PutRole(each) => {
                world.roles.retain(|known| known.id != each.id);
                world.roles.push(Arc::new(each.clone()));
                policy.put_role(each);
            }
            Step::RemoveRole(id) => {
                world.roles.retain(|known| known.id != id);
                policy.remove_role(id);
            }
            Step::PutGroup(each) => {
                world.groups.retain(|known| known.name != each.name);
                world.groups.push(each.clone());
                policy.put_management_group(each);
            }
            Step::RemoveGroup(name) => {
                world.groups.retain(|known| known.name != name);
                policy.remove_management_group(name.as_str());
            }
            Step::Fold => policy.fold(),
            Step::Keep | Step::PrepareFold | Step::AdoptFold | Step::Ask(..) => {}
        }
    }

    /// Asks twice, since the second answer comes from memory; that makes one comparison.
    fn check(&self, caller: &Caller, access: &Access) -> Result<u64, TestCaseError> {
        let expected = self.world.decide(caller, access);
        for _ in 0..2 {
            let decision = self.policy.decide(caller, access, now());
            prop_assert_eq!(verdict(&decision), expected, "{}", decision.reason());
            self.check_reason(&decision, caller, access)?;
        }
        Ok(1)
    }

    /// What is named as the cause must be one.
    fn check_reason(
        &self,
        decision: &Decision,
        caller: &Caller,
        access: &Access,
    ) -> Result<(), TestCaseError> {
        match decision.reason() {
            decision::Reason::Azure(Reason::Granted { grant, others }) => {
                for grant in std::iter::once(grant).chain(others) {
                    let by_id = |each: &&RoleAssignment| each.id == grant.assignment;
                    let assignment = self.world.assignments.iter().find(by_id).unwrap();
                    prop_assert_eq!(assignment.principal, grant.through.unwrap_or(caller.object_id));
                    prop_assert_eq!(&assignment.scope, &grant.scope);
                    let used = access.actions.iter().any(|each| self.world.grants(assignment, each, access));
                    prop_assert!(used);
                }
            }
            decision::Reason::Azure(Reason::NotGranted(lack)) => {
                for name in &lack.helpful_roles {
                    let role = self.policy.role_named(name).unwrap().id;
                    let mut helped = self.clone();
                    let new = assignment(999, caller.object_id, role, access.scope.clone());
                    helped.take(Step::PutAssignment(new));
                    prop_assert_eq!(helped.world.decide(caller, access), Verdict::Allowed, "{}", name);
                }
            }
            decision::Reason::Azure(Reason::Denied(refusal)) => {
                let known = self.world.denies.iter().any(|deny| deny.id == refusal.assignment);
                prop_assert!(known && access.actions.contains(&refusal.action));
            }
            other => prop_assert!(access.actions.is_empty(), "{}", other),
        }
        Ok(())
    }
}

fn verdict(decision: &Decision) -> Verdict {
    match decision {
        Decision::Allow(_) => Verdict::Allowed,
        Decision::Deny(_) => Verdict::Denied,
        Decision::NoOpinion(_) => Verdict::Lacking,
    }
}

#[test]
fn the_engine_agrees_with_the_slow_evaluator_through_every_change() {
    compare("azure decisions", 48, &vec(any_step(), 1..80), |steps| {
        let mut both = Both::new();
        let mut kept = both.clone();
        let mut prepared = both.policy.prepare_fold();
        let mut compared = 0;
        for step in steps {
            match step {
                Step::Keep => kept = both.clone(),
                Step::PrepareFold => prepared = both.policy.prepare_fold(),
                Step::AdoptFold => {
                    both.policy.adopt(&prepared);
                }
                Step::Ask(caller, access) => {
                    compared += both.check(&caller, &access)? + kept.check(&caller, &access)?;
                }
                step => both.take(step),
            }
        }
        Ok(compared)
    });
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn an_assignment_never_takes_access_away(
        steps in vec(any_step(), 0..40), new in any_assignment(), (caller, access) in any_question(),
    ) {
        let mut both = Both::new();
        steps.into_iter().for_each(|step| both.take(step));
        // One with an id of its own: another one under an id that is taken would replace that.
        let new = RoleAssignment { id: assignment_id(1000), ..new };
        let before = verdict(&both.policy.decide(&caller, &access, now()));
        both.take(Step::PutAssignment(new));
        let after = verdict(&both.policy.decide(&caller, &access, now()));
        prop_assert!(before == after || after == Verdict::Allowed);
        prop_assert!(before != Verdict::Denied || after == Verdict::Denied);
    }

    #[test]
    fn a_deny_assignment_never_grants(
        steps in vec(any_step(), 0..40), new in any_deny(), (caller, access) in any_question(),
    ) {
        let mut both = Both::new();
        steps.into_iter().for_each(|step| both.take(step));
        let new = DenyAssignment { id: assignment_id(1000), ..new };
        let before = verdict(&both.policy.decide(&caller, &access, now()));
        both.take(Step::PutDeny(new));
        let after = verdict(&both.policy.decide(&caller, &access, now()));
        prop_assert!(before == after || after == Verdict::Denied);
    }

    /// Scopes with many assignments are looked through in another way than those with few.
    #[test]
    fn crowded_scopes_agree_with_the_slow_evaluator(
        crowd in vec((0..400_u128, 0..3_usize), 60..700), late in vec((0..400_u128, 0..3_usize), 0..40),
        questions in vec((0..500_u128, vec(0..500_u128, 0..60), 0..3_usize), 1..12),
    ) {
        let mut both = Both::new();
        let reader = both.policy.role_named(READER).unwrap().id;
        let places = [Scope::root(), scope(SCOPES[5]), scope(SCOPES[7])];
        let new = |(number, (principal, place)): (u128, &(u128, usize))| {
            assignment(number, object(*principal), reader, places[*place].clone())
        };
        let first: Vec<_> = (0..).zip(&crowd).map(new).collect();
        both.world.assignments.clone_from(&first);
        both.policy.put_assignments(first);
        for (number, each) in (1000..).zip(&late) {
            both.take(Step::PutAssignment(new((number, each))));
            both.take(Step::RemoveAssignment(assignment_id(number - 1000)));
        }
        for (who, groups, place) in questions {
            let groups: Vec<_> = groups.into_iter().map(object).collect();
            let access = Access::data_plane(places[place].clone(), PODS_READ);
            both.check(&caller(object(who), &groups), &access)?;
        }
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any_assignment().prop_map(Step::PutAssignment),
        2 => any_assignment_id().prop_map(Step::RemoveAssignment),
        2 => any_deny().prop_map(Step::PutDeny),
        1 => any_assignment_id().prop_map(Step::RemoveDeny),
        2 => any_custom_role().prop_map(Step::PutRole),
        1 => (1..4_u128).prop_map(|number| Step::RemoveRole(role_id(number))),
        2 => any_group().prop_map(Step::PutGroup),
        1 => any_group_name().prop_map(Step::RemoveGroup),
        1 => Just(Step::Keep),
        1 => Just(Step::Fold),
        1 => Just(Step::PrepareFold),
        1 => Just(Step::AdoptFold),
        8 => any_question().prop_map(|(caller, access)| Step::Ask(caller, access)),
    ]
}

fn any_question() -> impl Strategy<Value = (Caller, Access)> {
    let caller = (1..6_u128, vec(4..9_u128, 0..4))
        .prop_map(|(who, groups)| caller(object(who), &groups.into_iter().map(object).collect::<Vec<_>>()));
    let actions = prop_oneof![9 => vec(any_action(), 1..2), 1 => vec(any_action(), 0..4)];
    let access = (any_scope(), actions, option::of(select(vec!["red", "BLUE", "green"])));
    let access = access.prop_map(|(scope, actions, team)| {
        let request: BTreeMap<_, _> =
            team.map(|team| ("example/THINGS:team".to_owned(), team.to_owned())).into_iter().collect();
        let request = request.into_values().map(|team| ("Example/things:team".to_owned(), team)).collect();
        Access { scope, actions, attributes: Attributes { request, ..Attributes::default() } }
    });
    (caller, access)
}

fn any_assignment() -> impl Strategy<Value = RoleAssignment> {
    let condition = prop_oneof![4 => Just(None), 1 => select(&CONDITIONS[..]).prop_map(Some)];
    (any_assignment_id(), 1..9_u128, any_role_id(), any_scope(), condition).prop_map(
        |(id, principal, role, scope, condition)| RoleAssignment {
            id,
            condition: condition.map(|text| Condition::parse(text).unwrap()),
            ..assignment(0, object(principal), role, scope)
        },
    )
}

fn any_deny() -> impl Strategy<Value = DenyAssignment> {
    let block = vec(select(&PATTERNS[..]), 1..3);
    let excluded = vec(1..9_u128, 0..2);
    let parts = (any_assignment_id(), vec(1..9_u128, 0..3), excluded, any_scope(), block);
    (parts, prop::bool::weighted(0.15), prop::bool::weighted(0.2)).prop_map(
        |((id, principals, excluded, scope, block), everyone, does_not_apply_to_children)| DenyAssignment {
            id,
            principals: principals.into_iter().map(object).collect(),
            exclude_principals: excluded.into_iter().map(object).collect(),
            everyone,
            does_not_apply_to_children,
            ..deny(0, &[], scope, &block)
        },
    )
}

fn any_custom_role() -> impl Strategy<Value = RoleDefinition> {
    let list = || vec(select(&PATTERNS[..]), 0..3).prop_map(|texts| patterns(&texts));
    let block = (list(), list(), list(), list()).prop_map(
        |(actions, not_actions, data_actions, not_data_actions)| Permission {
            actions,
            not_actions,
            data_actions,
            not_data_actions,
        },
    );
    (1..4_u128, vec(block, 1..3)).prop_map(|(number, blocks)| custom_role(number, blocks))
}

fn any_group() -> impl Strategy<Value = ManagementGroup> {
    let subscriptions = vec(select(&SUBSCRIPTIONS[..]), 0..3);
    (any_group_name(), option::of(any_group_name()), subscriptions).prop_map(
        |(name, parent, subscriptions)| {
            let subscriptions = subscriptions.iter().map(|id| SubscriptionId::parse(id).unwrap()).collect();
            ManagementGroup { name, parent, subscriptions }
        },
    )
}

fn any_group_name() -> impl Strategy<Value = ResourceName> {
    select(&["top", "Left", "right", "TOP"][..]).prop_map(|name| ResourceName::parse(name).unwrap())
}

fn any_assignment_id() -> impl Strategy<Value = AssignmentId> {
    (1..12_u128).prop_map(assignment_id)
}

fn any_role_id() -> impl Strategy<Value = RoleId> {
    let reader = RoleId::parse("7f6c6a51-bcf8-42ba-9220-52d62157d7db").unwrap();
    let admin = RoleId::parse("3498e952-d568-435e-9b2c-8d77e338d7f7").unwrap();
    prop_oneof![4 => Just(reader), 1 => Just(admin), 4 => (1..5_u128).prop_map(role_id)]
}

fn any_action() -> impl Strategy<Value = Action> {
    (select(&ACTIONS[..]), prop::bool::weighted(0.15), prop::bool::weighted(0.2)).prop_map(
        |(name, control, capitals)| {
            let name = if capitals { name.to_uppercase() } else { name.to_owned() };
            if control { Action::control(&name) } else { Action::data(&name) }
        },
    )
}

fn any_scope() -> impl Strategy<Value = Scope> {
    (select(&SCOPES[..]), prop::bool::weighted(0.2))
        .prop_map(|(text, capitals)| if capitals { scope(&text.to_uppercase()) } else { scope(text) })
}

const SUBSCRIPTIONS: [&str; 2] =
    ["11111111-0000-0000-0000-000000000001", "11111111-0000-0000-0000-000000000002"];

const SCOPES: [&str; 13] = [
    "/",
    "/providers/Microsoft.Management/managementGroups/top",
    "/providers/Microsoft.Management/managementGroups/left",
    "/providers/Microsoft.Management/managementGroups/right",
    "/subscriptions/11111111-0000-0000-0000-000000000001",
    "/subscriptions/11111111-0000-0000-0000-000000000001/resourceGroups/rg",
    "/subscriptions/11111111-0000-0000-0000-000000000001/resourceGroups/rg2",
    CLUSTER,
    "/subscriptions/11111111-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c1/namespaces/web",
    "/subscriptions/11111111-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c1/providers/Microsoft.KubernetesConfiguration/namespaces/web",
    "/subscriptions/11111111-0000-0000-0000-000000000002",
    "/subscriptions/11111111-0000-0000-0000-000000000002/providers/Microsoft.X/things/t",
    "/providers/Microsoft.Management/managementGroups/left/providers/Microsoft.X/things/t",
];

const ACTIONS: [&str; 8] = [
    PODS_READ,
    "Microsoft.ContainerService/managedClusters/pods/exec/action",
    "Microsoft.ContainerService/managedClusters/secrets/read",
    "Microsoft.ContainerService/managedClusters/namespaces/write",
    "Microsoft.ContainerService/managedClusters/cert-manager.io/certificates/read",
    "Microsoft.ContainerService/managedClusters/certificates.k8s.io/signers:approve",
    "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
    "Microsoft.Authorization/roleAssignments/write",
];

const PATTERNS: [&str; 11] = [
    "*",
    "*/read",
    "*/ACTION",
    "Microsoft.ContainerService/managedClusters/*",
    "Microsoft.ContainerService/managedClusters/pods/*",
    "microsoft.containerservice/managedclusters/pods/read",
    "Microsoft.ContainerService/managedClusters/*/read",
    "Microsoft.ContainerService/managedClusters/secrets/*",
    "Microsoft.*/managedClusters/*cert*/read",
    "Microsoft.Authorization/*",
    "Microsoft.ContainerService/managedClusters/certificates.k8s.io/signers/*",
];
