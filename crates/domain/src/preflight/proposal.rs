//! Finding the one assignment that would grant an identity what it lacks.

use std::sync::Arc;

use super::{PermissionStatus, Proposal, ProposedRole, Row, Who};
use crate::{
    azure::{Policy, role_grants_whole},
    id::ObjectId,
    role::{ActionPattern, RoleDefinition, RoleKind},
    scope::Scope,
};

impl Proposal {
    /// For rows of one identity; `None` if nothing is missing. The scope is the nearest that holds every place
    /// where something is missing.
    pub fn for_rows(policy: &Policy, rows: &[Row]) -> Option<Self> {
        let lacking: Vec<&Row> = rows.iter().filter(|row| row.missing().next().is_some()).collect();
        let first = lacking.first()?;
        let scope = lacking.iter().map(|row| row.scope.clone()).reduce(|one, other| common(&one, &other))?;
        let mut actions: Vec<ActionPattern> = Vec::new();
        for action in lacking.iter().flat_map(|row| row.missing()) {
            if !actions.contains(action) {
                actions.push(action.clone());
            }
        }
        let fits = |role: &&Arc<RoleDefinition>| {
            role.kind == RoleKind::BuiltIn
                && policy.is_assignable(role, &scope)
                && is_about(role, &actions)
                && actions.iter().all(|action| role_grants_whole(role, action))
        };
        let role = match policy.roles().find(fits) {
            Some(role) => ProposedRole::Existing { id: role.id, name: role.name.clone() },
            None => ProposedRole::Custom {
                name: format!("What the {} of {} needs", first.need.who, scope.name()),
                actions,
            },
        };
        Some(Self { who: first.need.who, principal: first.principal, scope, role })
    }

    /// One proposal for each identity that lacks something, in the order of the rows.
    pub fn for_all(policy: &Policy, rows: &[Row]) -> Vec<Self> {
        let mut whose: Vec<(Who, Option<ObjectId>)> = Vec::new();
        for row in rows {
            if !whose.contains(&(row.need.who, row.principal)) {
                whose.push((row.need.who, row.principal));
            }
        }
        let own = |(who, principal): &(Who, Option<ObjectId>)| {
            let rows: Vec<Row> = rows
                .iter()
                .filter(|row| row.need.who == *who && row.principal == *principal)
                .cloned()
                .collect();
            Self::for_rows(policy, &rows)
        };
        whose.iter().filter_map(own).collect()
    }
}

impl PermissionStatus {
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }
}

/// Whether a role is about the providers of these actions only. Owner, Contributor and roles made for another
/// purpose are no answer to a question about a few actions, even where they grant them.
fn is_about(role: &RoleDefinition, actions: &[ActionPattern]) -> bool {
    let provider = |action: &ActionPattern| action.folded().split('/').next().unwrap_or_default().to_owned();
    let wanted: Vec<String> = actions.iter().map(provider).collect();
    let mut granted = role.permissions.iter().flat_map(|block| &block.actions).map(provider);
    granted.all(|own| wanted.contains(&own) || COMMON.contains(&own.as_str()))
}

/// Providers that nearly every built-in role names beside its own: reading of roles, alerts, deployments.
const COMMON: [&str; 5] = [
    "microsoft.authorization",
    "microsoft.insights",
    "microsoft.resourcehealth",
    "microsoft.resources",
    "microsoft.support",
];

/// The nearest scope that holds both, as far as their texts say.
fn common(one: &Scope, other: &Scope) -> Scope {
    let mut scope = one.clone();
    while !scope.contains(other) {
        scope = scope.parent().unwrap_or_else(Scope::root);
    }
    scope
}
