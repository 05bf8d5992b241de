//! Writing roles and bindings: nobody grants more than they hold, and aggregated roles follow the roles that
//! they select.

use std::sync::Arc;

use domain::{
    change::Record,
    id::ClusterId,
    kube::{
        self, Object as RbacObject, PolicyRule, User,
        escalation::{Escalation, full_authority},
    },
    object::{Object, ObjectKey, RBAC_GROUP},
    snapshot::Snapshot,
    unfinished::Work,
};
use serde_json::Value;

use super::{ObjectError, ObjectReference, RequestedAccess};
use crate::Kubernetes;
use state::{Error, Tx, unfinished};

impl Kubernetes {
    /// Refuses a role or binding that gives away what `user` does not hold. Other objects pass.
    pub(super) fn check_grant(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        user: &User,
        reference: &ObjectReference<'_>,
        old: Option<&Value>,
        new: &Value,
    ) -> Result<(), ObjectError> {
        if reference.resource.group != RBAC_GROUP || user.in_group(User::MASTERS) {
            return Ok(());
        }
        let object = RbacObject::parse(new).map_err(|error| reference.forbidden(error.to_string()))?;
        let namespace = if reference.resource.namespaced { reference.namespace } else { "" };
        let confirm = |rules: &[PolicyRule]| -> Result<(), Escalation> {
            let nothing = kube::Policy::default();
            snapshot.rbac(cluster).unwrap_or(&nothing).confirm_no_escalation(user, &[], namespace, rules)
        };
        match object {
            RbacObject::Role(_) | RbacObject::ClusterRole(_) => {
                // A create has no name yet: `escalate` on one name does not help there.
                let name = if old.is_some() { reference.name } else { "" };
                let escalate = RequestedAccess::resource(
                    "escalate",
                    RBAC_GROUP,
                    reference.resource.plural,
                    namespace,
                    name,
                );
                if self.decide_on(snapshot, cluster, user, &escalate).is_allowed() {
                    return Ok(());
                }
                let rules = match &object {
                    RbacObject::Role(role) => &role.rules,
                    RbacObject::ClusterRole(role) => {
                        let aggregates = |value: &Value| value.get("aggregationRule").is_some();
                        if (role.aggregation_rule.is_some() || old.is_some_and(aggregates))
                            && confirm(&full_authority()).is_err()
                        {
                            return Err(reference
                                .forbidden("must have cluster-admin privileges to use the aggregationRule"));
                        }
                        &role.rules
                    }
                    RbacObject::Binding(_) => return Ok(()),
                };
                confirm(rules).map_err(|escalation| reference.forbidden(escalation.to_string()))
            }
            RbacObject::Binding(binding) => {
                let (plural, name) = match binding.role.kind {
                    kube::RoleKind::Role => ("roles", &*binding.role.name),
                    kube::RoleKind::ClusterRole => ("clusterroles", &*binding.role.name),
                };
                let bind = RequestedAccess::resource("bind", RBAC_GROUP, plural, namespace, name);
                if self.decide_on(snapshot, cluster, user, &bind).is_allowed() {
                    return Ok(());
                }
                let policy = snapshot.rbac(cluster);
                let rules = policy
                    .and_then(|policy| policy.rules_of(&binding.role, binding.namespace.as_deref()).ok());
                let rules = rules.ok_or_else(|| ObjectError::not_found(RBAC_GROUP, plural, name))?;
                confirm(rules).map_err(|escalation| reference.forbidden(escalation.to_string()))
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
pub(super) fn keep_aggregated(
    tx: &mut Tx,
    key: &ObjectKey,
    value: Option<&Value>,
) -> Result<(), ObjectError> {
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
        None => {
            if let Some(gone) = kube::ObjectKey::of(&key.resource, "", &key.name) {
                policy.remove(&gone);
            }
        }
    }
    let mut others = aggregated(tx.snapshot(), &policy, key.cluster);
    others.retain(|(other, _)| other != key);
    if value.is_some() {
        // Refused as a whole, whatever there is room for now.
        for other in &others {
            tx.check(&stored(other)).map_err(ObjectError::App)?;
        }
    }
    if !put_some(tx, others).map_err(ObjectError::App)? {
        unfinished::record(tx, Work::AggregateRoles(key.cluster)).map_err(ObjectError::App)?;
    }
    Ok(())
}

/// Brings every aggregated ClusterRole of a cluster up to date, as far as the transaction has room. Whether that were
/// all. Decisions do not wait for it: they take the rules from the roles that are selected.
pub fn keep_all_aggregated(tx: &mut Tx, cluster: ClusterId) -> Result<bool, Error> {
    let all = out_of_date(tx.snapshot(), cluster);
    put_some(tx, all)
}

/// Whether all had room. Of a role that would become too large the object stays as it is.
fn put_some(tx: &mut Tx, roles: Vec<(ObjectKey, Value)>) -> Result<bool, Error> {
    for role in roles {
        match tx.put_if_room(&stored(&role)) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error @ Error::TooLarge { .. }) => {
                tracing::warn!(cluster.id = %role.0.cluster, name = %role.0.name, %error, "an aggregated role does not show all its rules");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn stored((key, value): &(ObjectKey, Value)) -> Record {
    Record::Object(Object { key: key.clone(), revision: 0, value: Arc::new(value.clone()) })
}

/// Aggregated ClusterRoles whose rules are not those that the other roles give them, with these.
fn out_of_date(snapshot: &Snapshot, cluster: ClusterId) -> Vec<(ObjectKey, Value)> {
    let Some(policy) = snapshot.rbac(cluster) else { return Vec::new() };
    aggregated(snapshot, policy, cluster)
}

fn aggregated(snapshot: &Snapshot, policy: &kube::Policy, cluster: ClusterId) -> Vec<(ObjectKey, Value)> {
    snapshot
        .objects(cluster, RBAC_GROUP, "clusterroles", "")
        .filter(|object| object.value.get("aggregationRule").is_some())
        .filter_map(|object| {
            let updated = with_rules(&object.value, policy.cluster_role_rules(&object.key.name)?);
            (updated != *object.value).then(|| (object.key.clone(), updated))
        })
        .collect()
}

fn with_rules(value: &Value, rules: &[PolicyRule]) -> Value {
    let mut value = value.clone();
    super::values::set(&mut value, "rules", serde_json::to_value(rules).unwrap_or_default());
    value
}

fn is_cluster_role(key: &ObjectKey) -> bool {
    &*key.group == RBAC_GROUP && &*key.resource == "clusterroles"
}
