//! Writing roles and bindings: nobody grants more than they hold, and aggregated roles follow the roles that
//! they select.

use domain::{
    id::ClusterId,
    kube::{
        self, Object as RbacObject, PolicyRule, User,
        escalation::{Escalation, confirm_no_escalation},
    },
    object::{ObjectKey, RBAC_GROUP},
    snapshot::Snapshot,
};
use serde_json::Value;

use super::{Asked, ObjectError, Place, write::put};
use crate::{App, Tx};

impl App {
    /// Refuses a role or binding that gives away what `user` does not hold. Other objects pass.
    pub(super) fn check_grant(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        user: &User,
        place: &Place<'_>,
        old: Option<&Value>,
        new: &Value,
    ) -> Result<(), ObjectError> {
        if place.resource.group != RBAC_GROUP || user.in_group(User::MASTERS) {
            return Ok(());
        }
        let object = RbacObject::parse(new).map_err(|error| place.forbidden(error.to_string()))?;
        let namespace = if place.resource.namespaced { place.namespace } else { "" };
        let confirm = |rules: &[PolicyRule]| -> Result<(), Escalation> {
            let held = snapshot.rbac(cluster).map(|policy| policy.held(user, namespace)).unwrap_or_default();
            confirm_no_escalation(user, &held, rules)
        };
        match object {
            RbacObject::Role(_) | RbacObject::ClusterRole(_) => {
                // A create has no name yet: `escalate` on one name does not help there.
                let name = if old.is_some() { place.name } else { "" };
                let escalate = Asked::resource("escalate", RBAC_GROUP, place.resource.plural, namespace, name);
                if self.decide_on(snapshot, cluster, user, &escalate).is_allowed() {
                    return Ok(());
                }
                let rules = match &object {
                    RbacObject::Role(role) => &role.rules,
                    RbacObject::ClusterRole(role) => {
                        let aggregates = |value: &Value| value.get("aggregationRule").is_some();
                        if (role.aggregation_rule.is_some() || old.is_some_and(aggregates))
                            && confirm(&everything()).is_err()
                        {
                            return Err(place.forbidden("must have cluster-admin privileges to use the aggregationRule"));
                        }
                        &role.rules
                    }
                    RbacObject::Binding(_) => return Ok(()),
                };
                confirm(rules).map_err(|escalation| place.forbidden(escalation.to_string()))
            }
            RbacObject::Binding(binding) => {
                let (plural, name) = match binding.role.kind {
                    kube::RoleKind::Role => ("roles", &*binding.role.name),
                    kube::RoleKind::ClusterRole => ("clusterroles", &*binding.role.name),
                };
                let bind = Asked::resource("bind", RBAC_GROUP, plural, namespace, name);
                if self.decide_on(snapshot, cluster, user, &bind).is_allowed() {
                    return Ok(());
                }
                let policy = snapshot.rbac(cluster);
                let rules = policy.and_then(|policy| policy.rules_of(&binding.role, binding.namespace.as_deref()));
                let rules = rules.ok_or_else(|| ObjectError::not_found(RBAC_GROUP, plural, name))?;
                confirm(rules).map_err(|escalation| place.forbidden(escalation.to_string()))
            }
        }
    }
}

/// A ClusterRole that is about to be written, with the rules that its aggregation gives it; any other object
/// as it is.
pub(super) fn with_aggregated_rules(snapshot: &Snapshot, key: &ObjectKey, value: Value) -> Value {
    if !is_cluster_role(key) || value.get("aggregationRule").is_none() {
        return value;
    }
    let mut policy = snapshot.rbac(key.cluster).cloned().unwrap_or_default();
    if let Ok(object) = RbacObject::parse(&value) {
        policy.put(object);
    }
    match policy.cluster_role_rules(&key.name) {
        Some(rules) => with_rules(&value, rules),
        None => value,
    }
}

/// Brings every other aggregated ClusterRole up to date with a role that is written, or removed.
pub(super) fn keep_aggregated(tx: &mut Tx, key: &ObjectKey, value: Option<&Value>) -> Result<(), ObjectError> {
    if !is_cluster_role(key) {
        return Ok(());
    }
    let Some(policy) = tx.snapshot().rbac(key.cluster) else { return Ok(()) };
    let mut policy = policy.clone();
    match value {
        Some(value) => {
            if let Ok(object) = RbacObject::parse(value) {
                policy.put(object);
            }
        }
        None => policy.remove(&kube::ObjectKey::ClusterRole { name: key.name.clone() }),
    }
    let mut changed = Vec::new();
    for (name, rules) in policy.aggregated().filter(|(name, _)| **name != key.name) {
        let other = ObjectKey { name: name.clone(), ..key.clone() };
        let Some(object) = tx.snapshot().object(&other) else { continue };
        let updated = with_rules(&object.value, rules);
        if updated != *object.value {
            changed.push((other, updated));
        }
    }
    for (other, updated) in changed {
        put(tx, &other, updated)?;
    }
    Ok(())
}

fn with_rules(value: &Value, rules: &[PolicyRule]) -> Value {
    let mut value = value.clone();
    value["rules"] = serde_json::to_value(rules).unwrap_or_default();
    value
}

fn is_cluster_role(key: &ObjectKey) -> bool {
    &*key.group == RBAC_GROUP && &*key.resource == "clusterroles"
}

/// What cluster-admin may do.
fn everything() -> [PolicyRule; 2] {
    let all = || vec!["*".to_owned()];
    [
        PolicyRule { verbs: all(), api_groups: all(), resources: all(), ..PolicyRule::default() },
        PolicyRule { verbs: all(), non_resource_urls: all(), ..PolicyRule::default() },
    ]
}
