//! Grants, exceptions, denials and conditions name the same actions by the same pattern.

use proptest::prelude::*;

use super::*;

/// What one principal may do whose role, exception, denial or condition is this pattern.
struct Named {
    granted: bool,
    excepted: bool,
    denied: bool,
    guarded: bool,
    let_through: bool,
}

impl Named {
    fn new(pattern: &str, action: &Action) -> Self {
        let one = || patterns(&[pattern]);
        let all = || patterns(&["*"]);
        let in_both = |actions: Vec<ActionPattern>, not: Vec<ActionPattern>| Permission {
            actions: actions.clone(),
            not_actions: not.clone(),
            data_actions: actions,
            not_data_actions: not,
        };
        let allowed = |permission: Permission, denied: Option<Permission>, condition: Option<String>| {
            static EMPTY: LazyLock<Policy> = LazyLock::new(empty_policy);
            let mut policy = EMPTY.clone();
            policy.put_role(custom_role(1, vec![permission]));
            let condition = condition.map(|text| Condition::parse(&text).unwrap());
            let given = assignment(1, object(1), role_id(1), Scope::root());
            policy.put_assignment(RoleAssignment { condition, ..given });
            if let Some(permission) = denied {
                let denial = deny(2, &[object(1)], Scope::root(), &[]);
                policy.put_deny(DenyAssignment { permissions: vec![permission], ..denial });
            }
            let access = Access {
                scope: scope(CLUSTER),
                actions: vec![action.clone()],
                attributes: Attributes::default(),
            };
            policy.decide(&caller(object(1), &[]), &access, now()).is_allowed()
        };
        let everything = || in_both(all(), Vec::new());
        let guard = format!("!(ActionMatches{{'{pattern}'}}) OR @Request[a] StringEquals 'b'");
        Self {
            granted: allowed(in_both(one(), Vec::new()), None, None),
            excepted: !allowed(in_both(all(), one()), None, None),
            denied: !allowed(everything(), Some(in_both(one(), Vec::new())), None),
            guarded: !allowed(everything(), None, Some(guard)),
            let_through: allowed(everything(), None, Some(format!("ActionMatches{{'{pattern}'}}"))),
        }
    }

    fn agree(&self, expected: bool) -> bool {
        let Self { granted, excepted, denied, guarded, let_through } = *self;
        [granted, excepted, denied, guarded, let_through].iter().all(|each| *each == expected)
    }
}

#[test]
fn a_guard_applies_to_whatever_a_grant_of_the_same_pattern_covers() {
    let pattern = "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action";
    for (action, expected) in [
        ("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", true),
        ("Microsoft.ManagedIdentity/userAssignedIdentities/i/assign/action", true),
        ("MICROSOFT.ManagedIdentity/userAssignedIdentities/assign/ACTION", true),
        ("Microsoft.ManagedIdentity/userAssignedIdentities/read", false),
    ] {
        for action in [Action::control(action), Action::data(action)] {
            assert!(Named::new(pattern, &action).agree(expected), "{action:?}");
        }
    }
}

/// Patterns and actions that meet often.
fn path(letters: &'static str) -> impl Strategy<Value = String> {
    proptest::collection::vec(letters, 1..5).prop_map(|segments| segments.join("/"))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn grants_exceptions_denials_and_conditions_name_the_same_actions(
        pattern in path("[aB*]{1,2}"),
        action in path("[Ab]{1,2}"),
        of_published in any::<prop::sample::Index>(),
    ) {
        // A published action, which a table decides, and patterns of it.
        static PUBLISHED: LazyLock<Operations> = LazyLock::new(|| Operations::published().unwrap());
        let suffixes: Vec<&str> = PUBLISHED.suffixes().collect();
        let suffix = suffixes[of_published.index(suffixes.len())];
        let (front, last) = suffix.rsplit_once('/').unwrap_or(("", suffix));
        let known = format!("Microsoft.ContainerService/managedClusters/{suffix}");
        let missing = format!("Microsoft.ContainerService/*/managedClusters/{front}/*/{last}");
        let some = format!("*/{front}/*{last}");
        for (pattern, action) in [(&pattern, &action), (&missing, &known), (&some, &known)] {
            for action in [Action::control(action), Action::data(action)] {
                let named = Named::new(pattern, &action);
                prop_assert!(named.agree(named.granted), "{} {:?}", pattern, action);
            }
        }
    }
}
