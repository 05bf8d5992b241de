//! The Azure engine: facts, corpus, and properties beside a slow evaluator.

mod corpus;
mod everything;
mod folding;
mod listing;
mod matrix;
mod properties;
mod roles;
mod slow;
mod states;
mod wildcards;

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use proptest::prelude::ProptestConfig;
use uuid::Uuid;

use super::*;
use crate::{
    assignment::PrincipalKind,
    condition::Condition,
    decision::{self, Decision},
    id::SubscriptionId,
    name::ResourceName,
    role::{ActionPattern, Permission, RoleKind, Stamp},
    scope::Scope,
};

fn object(number: u128) -> ObjectId {
    ObjectId::new(Uuid::from_u128(number))
}

fn assignment_id(number: u128) -> AssignmentId {
    AssignmentId::new(Uuid::from_u128(number))
}

fn role_id(number: u128) -> RoleId {
    RoleId::new(Uuid::from_u128(number))
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn patterns(texts: &[&str]) -> Vec<ActionPattern> {
    texts.iter().map(|text| ActionPattern::parse(text).unwrap()).collect()
}

fn custom_role(number: u128, permissions: Vec<Permission>) -> RoleDefinition {
    RoleDefinition {
        id: role_id(number),
        name: format!("Role {number}").into(),
        description: String::new(),
        kind: RoleKind::Custom,
        assignable_scopes: vec![Scope::root()],
        permissions,
        created: Stamp::BUILT_IN,
        updated: Stamp::BUILT_IN,
    }
}

fn assignment(number: u128, principal: ObjectId, role: RoleId, scope: Scope) -> RoleAssignment {
    RoleAssignment {
        id: assignment_id(number),
        principal,
        principal_kind: PrincipalKind::User,
        role,
        scope,
        condition: None,
        description: None,
        created: Stamp::BUILT_IN,
        updated: Stamp::BUILT_IN,
    }
}

fn deny(number: u128, principals: &[ObjectId], scope: Scope, data_actions: &[&str]) -> DenyAssignment {
    DenyAssignment {
        id: assignment_id(number),
        name: format!("Denial {number}"),
        description: String::new(),
        principals: principals.to_vec(),
        exclude_principals: Vec::new(),
        everyone: false,
        scope,
        permissions: vec![Permission { data_actions: patterns(data_actions), ..Permission::default() }],
        does_not_apply_to_children: false,
        created: Stamp::BUILT_IN,
        updated: Stamp::BUILT_IN,
    }
}

/// Reading them takes milliseconds, and some properties begin anew thousands of times.
static BUILT_IN: LazyLock<BuiltIn> = LazyLock::new(|| BuiltIn::load().unwrap());

fn empty_policy() -> Policy {
    Policy::new(&BUILT_IN, &Operations::published().unwrap())
}

fn caller(object_id: ObjectId, groups: &[ObjectId]) -> Caller {
    Caller::new(object_id, Arc::from(groups))
}

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn may(policy: &Policy, who: u128, scope: &Scope, action: &str) -> bool {
    let access = Access::data_plane(scope.clone(), action);
    policy.decide(&caller(object(who), &[]), &access, now()).is_allowed()
}

/// Few cases while developing; `PROPTEST_CASES` sets how many a long run does.
fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(48);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

const READER: &str = "Azure Kubernetes Service RBAC Reader";
const PODS_READ: &str = "Microsoft.ContainerService/managedClusters/pods/read";
const CLUSTER: &str = "/subscriptions/11111111-0000-0000-0000-000000000001/resourceGroups/rg/providers/\
                       Microsoft.ContainerService/managedClusters/c1";
