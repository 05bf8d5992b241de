//! Both engines together, case by case, for both ways of serving a cluster.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::*;
use crate::{
    assignment::{DenyAssignment, PrincipalKind, RoleAssignment},
    azure::BuiltIn,
    id::AssignmentId,
    kube::{Object, Target},
    role::Stamp,
    scope::Scope,
};

const USER: &str = "6f1e2b7a-0000-4000-8000-00000000000a";
const GROUP: &str = "6f1e2b7a-0000-4000-8000-00000000000b";
const OTHER: &str = "6f1e2b7a-0000-4000-8000-00000000000c";
const CLUSTER: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/rg/providers/\
                       Microsoft.ContainerService/managedClusters/c1";
const WRITER: &str = "Azure Kubernetes Service RBAC Writer";

struct Fixture {
    access: ClusterAccess,
    kube: kube::Policy,
    azure: azure::Policy,
    operations: Operations,
    built_in: BuiltIn,
}

fn id(text: &str) -> ObjectId {
    ObjectId::parse(text).unwrap()
}

impl Fixture {
    fn new(azure_rbac: bool) -> Self {
        let operations = Operations::published().unwrap();
        let built_in = BuiltIn::load().unwrap();
        Self {
            access: ClusterAccess {
                kubernetes_rbac: true,
                azure_rbac,
                admin_groups: Vec::new(),
                settings: Settings::new(Scope::parse(CLUSTER).unwrap()),
            },
            kube: kube::Policy::default(),
            azure: azure::Policy::new(&built_in, &operations),
            operations,
            built_in,
        }
    }

    /// Binds a role that reads pods everywhere.
    fn bind(mut self, subject: Value) -> Self {
        let objects = [
            json!({"kind": "ClusterRole", "metadata": {"name": "pods"},
                "rules": [{"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}]}),
            json!({"kind": "ClusterRoleBinding", "metadata": {"name": "b"},
                "roleRef": {"kind": "ClusterRole", "name": "pods"}, "subjects": [subject]}),
        ];
        for mut object in objects {
            object["apiVersion"] = "rbac.authorization.k8s.io/v1".into();
            self.kube.put(Object::parse(&object).unwrap());
        }
        self
    }

    fn assign(mut self, principal: &str, role: &str) -> Self {
        self.azure.put_assignment(RoleAssignment {
            id: AssignmentId::parse("6f1e2b7a-0000-4000-8000-0000000000aa").unwrap(),
            principal: id(principal),
            principal_kind: PrincipalKind::User,
            role: self.built_in.role_named(role).unwrap().id,
            scope: Scope::parse(CLUSTER).unwrap(),
            condition: None,
            description: None,
            created: Stamp::BUILT_IN,
            updated: Stamp::BUILT_IN,
        });
        self
    }

    fn deny(mut self, principal: &str) -> Self {
        let permissions = serde_json::from_value(json!([{"actions": [], "notActions": [],
            "dataActions": ["*"], "notDataActions": []}]));
        self.azure.put_deny(DenyAssignment {
            id: AssignmentId::parse("6f1e2b7a-0000-4000-8000-0000000000dd").unwrap(),
            name: "no".into(),
            description: String::new(),
            principals: vec![id(principal)],
            exclude_principals: Vec::new(),
            everyone: false,
            scope: Scope::parse(CLUSTER).unwrap(),
            permissions: permissions.unwrap(),
            does_not_apply_to_children: false,
            created: Stamp::BUILT_IN,
            updated: Stamp::BUILT_IN,
        });
        self
    }

    fn admin_groups(mut self, groups: &[&str]) -> Self {
        self.access.admin_groups = groups.iter().map(|group| id(group)).collect();
        self
    }

    fn engines(&self) -> Engines<'_> {
        let Self { access, kube, azure, operations, .. } = self;
        Engines { access, kube, azure, operations, now: jiff::Timestamp::UNIX_EPOCH }
    }

    fn review(&self, attributes: &Attributes, groups: &[&str]) -> Review {
        let groups: Vec<ObjectId> = groups.iter().map(|group| id(group)).collect();
        self.engines().review(attributes, Membership::Named(&groups), Depth::Explain)
    }
}

/// A directory user lists pods.
fn list_pods(groups: &[&str]) -> Attributes {
    let target = Target::Resource {
        group: String::new(),
        version: "v1".into(),
        resource: "pods".into(),
        subresource: String::new(),
        namespace: "web".into(),
        name: String::new(),
    };
    let user = User {
        name: "ann@example.com".into(),
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        extra: BTreeMap::from([("oid".to_owned(), vec![USER.to_owned()])]),
        ..User::default()
    };
    Attributes { user, verb: "list".into(), target }
}

fn without_object_id(name: &str, groups: &[&str]) -> Attributes {
    let mut attributes = list_pods(groups);
    attributes.user.name = name.into();
    attributes.user.extra.clear();
    attributes
}

fn caller(groups: &[&str]) -> azure::Caller {
    let groups: Arc<[ObjectId]> = groups.iter().map(|group| id(group)).collect();
    azure::Caller::new(id(USER), groups)
}

fn active(caller: &azure::Caller) -> IdentityState<'_> {
    IdentityState::Active { caller, name: Some("ann@example.com") }
}

fn word(decision: &Result<Decision, UnanswerableError>) -> &'static str {
    match decision {
        Ok(Decision::Allow(_)) => "allowed",
        Ok(Decision::Deny(_)) => "denied",
        Ok(Decision::NoOpinion(_)) => "noOpinion",
        Err(_) => "error",
    }
}

fn reason(review: &Review) -> String {
    review.decision.as_ref().unwrap().reason().to_string()
}

#[test]
fn masters_are_allowed_before_any_engine() {
    let review = Fixture::new(true).deny(USER).review(&list_pods(&["system:masters"]), &[]);
    assert_eq!((word(&review.decision), reason(&review).as_str()), ("allowed", "system:masters"));
    assert_eq!(review.azure, None);
}

#[test]
fn kubernetes_rbac_allows_first_even_against_a_deny_assignment() {
    let fixture = Fixture::new(true).bind(json!({"kind": "User", "name": "ann@example.com"})).deny(USER);
    let review = fixture.review(&list_pods(&[]), &[]);
    assert_eq!(word(&review.decision), "allowed");
    assert_eq!(word(&review.azure.unwrap().decision), "denied");
    let review = fixture.engines().review(&list_pods(&[]), Membership::Named(&[]), Depth::Decide);
    assert_eq!(review.azure, None);
}

#[test]
fn azure_rbac_allows_or_denies_what_kubernetes_rbac_leaves() {
    let check = |fixture: Fixture, expected: &str| {
        let review = fixture.review(&list_pods(&[]), &[GROUP]);
        assert_eq!(word(&review.decision), expected, "{}", reason(&review));
        assert_eq!(word(&review.azure.unwrap().decision), expected);
    };
    check(Fixture::new(true), "denied");
    check(Fixture::new(true).assign(USER, WRITER), "allowed");
    check(Fixture::new(true).assign(GROUP, WRITER), "allowed");
    check(Fixture::new(true).assign(OTHER, WRITER), "denied");
    check(Fixture::new(true).assign(USER, WRITER).deny(GROUP), "denied");
}

#[test]
fn without_azure_rbac_nothing_is_denied() {
    let review = Fixture::new(false).assign(USER, WRITER).deny(USER).review(&list_pods(&[]), &[]);
    assert_eq!((word(&review.decision), reason(&review).as_str()), ("noOpinion", ""));
    assert_eq!(review.azure, None);
}

#[test]
fn callers_of_the_cluster_are_left_to_kubernetes_rbac() {
    let account = without_object_id("system:serviceaccount:web:robot", &[]);
    let fixture = Fixture::new(true).assign(USER, WRITER);
    assert_eq!(word(&fixture.review(&account, &[]).decision), "noOpinion");
    let bound = fixture.bind(json!({"kind": "ServiceAccount", "name": "robot", "namespace": "web"}));
    assert_eq!(word(&bound.review(&account, &[]).decision), "allowed");
}

#[test]
fn an_unanswerable_question_is_an_error_and_no_allowance() {
    let mut fixture = Fixture::new(true).assign(USER, "Azure Kubernetes Service RBAC Cluster Admin");
    fixture.access.settings.operations = azure::kubernetes::KnownOperations::None;
    let mut attributes = list_pods(&[]);
    attributes.verb = "*".into();
    assert_eq!(word(&fixture.review(&attributes, &[]).decision), "error");
}

#[test]
fn kubernetes_rbac_that_is_off_says_so() {
    let mut fixture = Fixture::new(false).bind(json!({"kind": "User", "name": "ann@example.com"}));
    fixture.access.kubernetes_rbac = false;
    let review = fixture.admin_groups(&[GROUP]).review(&list_pods(&[]), &[GROUP]);
    assert_eq!(
        (word(&review.decision), reason(&review).as_str()),
        ("noOpinion", "Kubernetes RBAC is off for this cluster")
    );
}

#[test]
fn admin_groups_count_only_while_azure_rbac_is_off() {
    let by_directory = |azure_rbac| {
        let review = Fixture::new(azure_rbac).admin_groups(&[OTHER, GROUP]).review(&list_pods(&[]), &[GROUP]);
        (word(&review.decision), reason(&review))
    };
    assert_eq!(
        by_directory(false),
        (
            "allowed",
            format!(
                "RBAC: allowed by ClusterRoleBinding \"aks-cluster-admin-binding-aad\" of ClusterRole \
                 \"cluster-admin\" to Group \"{GROUP}\", an admin group of the cluster"
            )
        )
    );
    assert_eq!(by_directory(true).0, "denied");
    let fixture = Fixture::new(false).admin_groups(&[GROUP]);
    assert_eq!(word(&fixture.review(&list_pods(&[GROUP]), &[]).decision), "allowed");
    assert_eq!(word(&fixture.review(&list_pods(&[OTHER]), &[]).decision), "noOpinion");
}

#[test]
fn live_groups_replace_those_that_the_request_names() {
    let bound = Fixture::new(false).bind(json!({"kind": "Group", "name": GROUP}));
    let assigned = Fixture::new(true).assign(GROUP, WRITER);
    let admins = Fixture::new(false).admin_groups(&[GROUP]);
    for fixture in [bound, assigned, admins] {
        let decide = |live: &[&str]| {
            let caller = caller(live);
            let review =
                fixture.engines().review(&list_pods(&[GROUP]), Membership::Live(&caller), Depth::Decide);
            review.decision.unwrap().is_allowed()
        };
        assert!(decide(&[GROUP]));
        assert!(!decide(&[OTHER]));
    }
}

#[test]
fn the_advice_names_roles_that_could_be_bound() {
    let fixture = Fixture::new(false).bind(json!({"kind": "User", "name": "somebody"}));
    assert_eq!(
        fixture.engines().advice(&list_pods(&[])).unwrap(),
        "ClusterRole \"pods\" would allow it if it were bound to the caller"
    );
}

fn attached(fixture: &Fixture, attributes: &Attributes, state: IdentityState<'_>) -> (&'static str, String) {
    let review = fixture.engines().attached(attributes, state, WebhookPlace::BeforeRbac);
    (word(&review.decision), reason(&review))
}

#[test]
fn an_identity_that_is_no_longer_good_is_denied_on_attached_clusters() {
    let fixture = Fixture::new(true).assign(USER, WRITER);
    for (state, text) in [
        (IdentityState::Disabled, format!("account {USER} is disabled")),
        (IdentityState::Deleted, format!("account {USER} has been deleted")),
        (IdentityState::Revoked, format!("the sessions of account {USER} have been revoked: sign in again")),
        (IdentityState::Unknown, format!("the directory has no account {USER}")),
    ] {
        assert_eq!(attached(&fixture, &list_pods(&[]), state), ("denied", text));
    }
    let mut without_azure = fixture;
    without_azure.access.azure_rbac = false;
    assert_eq!(attached(&without_azure, &list_pods(&[]), IdentityState::Disabled).0, "denied");
}

#[test]
fn what_would_fall_to_rbac_by_a_group_that_is_gone_is_denied_on_attached_clusters() {
    let changed = || {
        format!(
            "the membership of the caller has changed (no longer in {OTHER}): the next sign-in check, within 10 \
             seconds, settles it"
        )
    };
    let now = caller(&[GROUP]);
    let state = active(&now);
    let named = list_pods(&[GROUP, OTHER, "system:authenticated"]);
    for fixture in [Fixture::new(true), Fixture::new(true).assign(OTHER, WRITER), Fixture::new(false)] {
        assert_eq!(attached(&fixture, &list_pods(&[GROUP, "system:authenticated"]), state).0, "noOpinion");
        assert_eq!(attached(&fixture, &named, state), ("denied", changed()));
    }
    // A group that administers the cluster no longer lets in whoever has left it.
    let admins = Fixture::new(false).admin_groups(&[OTHER]);
    assert_eq!(attached(&admins, &named, state), ("denied", changed()));
    // Nor is a question that Azure RBAC cannot be asked left to those groups.
    let mut unanswerable = Fixture::new(true).assign(USER, "Azure Kubernetes Service RBAC Cluster Admin");
    unanswerable.access.settings.operations = azure::kubernetes::KnownOperations::None;
    let mut any_verb = named;
    any_verb.verb = "*".into();
    assert_eq!(attached(&unanswerable, &any_verb, state), ("denied", changed()));
    // New memberships are no reason to refuse.
    assert_eq!(attached(&Fixture::new(true), &list_pods(&[]), state).0, "noOpinion");
}

#[test]
fn what_would_fall_to_rbac_by_a_name_that_is_gone_is_denied_on_attached_clusters() {
    let now = caller(&[GROUP]);
    let answer = |fixture: &Fixture, asked: &str, name: Option<&str>| {
        let mut attributes = list_pods(&[GROUP]);
        attributes.user.name = asked.to_owned();
        attached(fixture, &attributes, IdentityState::Active { caller: &now, name })
    };
    let changed = "the name of the caller has changed (no longer ann@example.com): the next sign-in check, within 10 \
                   seconds, settles it";
    let (old, new) = ("ann@example.com", Some("beth@example.com"));
    for lacking in [Fixture::new(true), Fixture::new(false), Fixture::new(true).assign(OTHER, WRITER)] {
        assert_eq!(answer(&lacking, old, new), ("denied", changed.to_owned()));
        assert_eq!(answer(&lacking, "beth@example.com", new).0, "noOpinion");
        assert_eq!(answer(&lacking, "Beth@Example.com", new).0, "noOpinion", "another case is the same name");
        // An application's name is its object id.
        assert_eq!(answer(&lacking, old, None).0, "denied");
        assert_eq!(answer(&lacking, USER, None).0, "noOpinion");
        assert_eq!(answer(&lacking, OTHER, None).0, "denied");
    }
    // What is given to the object id, or to a group that the caller is in, needs no name.
    for granted in [
        Fixture::new(true).assign(USER, WRITER),
        Fixture::new(true).assign(GROUP, WRITER),
        Fixture::new(false).admin_groups(&[GROUP]),
    ] {
        assert_eq!(answer(&granted, old, new).0, "allowed");
    }
}

/// Word by word, beside the decision: what is left to the cluster's RBAC names nothing that is gone.
#[test]
fn every_case_of_an_attached_cluster_is_as_a_plain_reading_has_it() {
    for case in 0..256_u32 {
        let [azure_rbac, assigned, denied, renamed, named_gone, is_member, admins] =
            [1, 2, 4, 8, 16, 32, 64].map(|bit| case & bit > 0);
        let mut fixture = Fixture::new(azure_rbac);
        if assigned {
            fixture = fixture.assign(GROUP, WRITER);
        }
        if denied {
            fixture = fixture.deny(USER);
        }
        if admins {
            fixture = fixture.admin_groups(&[GROUP]);
        }
        let now = caller(if is_member { &[GROUP] } else { &[] });
        let named: &[&str] = if named_gone { &[OTHER] } else { &[] };
        let name = Some(if renamed { "beth@example.com" } else { "ann@example.com" });
        let found = attached(&fixture, &list_pods(named), IdentityState::Active { caller: &now, name }).0;
        let expected = if admins && is_member && !azure_rbac {
            "allowed"
        } else if azure_rbac && denied {
            "denied"
        } else if azure_rbac && assigned && is_member {
            "allowed"
        } else if renamed || named_gone {
            "denied"
        } else {
            "noOpinion"
        };
        assert_eq!(found, expected, "{case}");
    }
}

#[test]
fn what_the_live_directory_grants_is_allowed_though_a_group_is_gone() {
    let now = caller(&[GROUP]);
    let state = active(&now);
    let named = list_pods(&[GROUP, OTHER]);
    for granted in [
        Fixture::new(true).assign(USER, WRITER),
        Fixture::new(true).assign(GROUP, WRITER),
        Fixture::new(false).admin_groups(&[OTHER, GROUP]),
    ] {
        assert_eq!(attached(&granted, &named, state).0, "allowed");
    }
    let (word, reason) = attached(&Fixture::new(true).assign(USER, WRITER).deny(USER), &named, state);
    assert_eq!(word, "denied");
    assert!(!reason.contains("membership"), "a deny assignment says so itself: {reason}");
}

#[test]
fn an_attached_cluster_leaves_a_plain_lack_to_kubernetes_rbac_unless_that_was_asked_first() {
    let now = caller(&[GROUP]);
    let answer = |fixture: &Fixture, place| {
        word(&fixture.engines().attached(&list_pods(&[]), active(&now), place).decision)
    };
    let lacking = Fixture::new(true);
    assert_eq!(answer(&lacking, WebhookPlace::BeforeRbac), "noOpinion");
    assert_eq!(answer(&lacking, WebhookPlace::AfterRbac), "denied");
    let denied = Fixture::new(true).assign(USER, WRITER).deny(USER);
    assert_eq!(answer(&denied, WebhookPlace::BeforeRbac), "denied");
    let granted = Fixture::new(true).assign(GROUP, WRITER);
    assert_eq!(answer(&granted, WebhookPlace::BeforeRbac), "allowed");
    let off = Fixture::new(false).assign(GROUP, WRITER);
    assert_eq!(answer(&off, WebhookPlace::AfterRbac), "noOpinion");
    let admins = Fixture::new(false).admin_groups(&[GROUP]);
    assert_eq!(answer(&admins, WebhookPlace::BeforeRbac), "allowed");
}

#[test]
fn an_attached_cluster_does_not_consult_kubernetes_rbac() {
    let fixture = Fixture::new(true).bind(json!({"kind": "User", "name": "ann@example.com"}));
    let now = caller(&[]);
    assert_eq!(attached(&fixture, &list_pods(&[]), active(&now)).0, "noOpinion");
}

#[test]
fn who_is_not_of_the_directory_is_left_alone_on_attached_clusters() {
    let mut fixture = Fixture::new(true);
    let robot = without_object_id("system:serviceaccount:web:robot", &[]);
    let local = without_object_id("local", &[GROUP]);
    for attributes in [&robot, &local] {
        assert_eq!(attached(&fixture, attributes, IdentityState::Unknown).0, "noOpinion");
    }
    fixture.access.settings.skip_users_without_object_id = false;
    assert_eq!(attached(&fixture, &local, IdentityState::Unknown).0, "denied");
    assert_eq!(attached(&fixture, &robot, IdentityState::Unknown).0, "noOpinion");
    let mut two = list_pods(&[]);
    two.user.extra.insert("oid".into(), vec![USER.into(), OTHER.into()]);
    assert_eq!(attached(&fixture, &two, IdentityState::Unknown).0, "denied");
}

#[test]
fn the_state_of_another_identity_does_not_count() {
    let fixture = Fixture::new(true).assign(OTHER, WRITER);
    let other = azure::Caller::new(id(OTHER), Arc::from([]));
    assert_eq!(attached(&fixture, &list_pods(&[]), active(&other)).0, "denied");
}

/// A grant never turns an allowance into a refusal, and a deny assignment never allows.
#[test]
fn grants_add_and_denials_take_away() {
    for case in 0..64_u32 {
        let [azure_rbac, bound, in_group, denied] = [1, 2, 4, 8].map(|bit| case & bit > 0);
        let assigned = [None, Some(USER), Some(GROUP), Some(OTHER)][(case >> 4) as usize];
        let groups: &[&str] = if in_group { &[GROUP] } else { &[] };
        let allowed =
            |fixture: &Fixture| fixture.review(&list_pods(&[]), groups).decision.unwrap().is_allowed();
        let mut fixture = Fixture::new(azure_rbac);
        assert!(!allowed(&fixture));
        if bound {
            fixture = fixture.bind(json!({"kind": "Group", "name": GROUP}));
        }
        if let Some(principal) = assigned {
            fixture = fixture.assign(principal, WRITER);
        }
        let by_azure = azure_rbac && (assigned == Some(USER) || in_group && assigned == Some(GROUP));
        let by_kube = bound && in_group;
        assert_eq!(allowed(&fixture), by_kube || by_azure, "{case}");
        if denied {
            assert_eq!(allowed(&fixture.deny(USER)), by_kube, "{case}");
        }
    }
}
