//! One cluster's roles and bindings, indexed by subject, and the decision over them. Copying it costs a few
//! pointers.

use std::{collections::BTreeSet, sync::Arc};

use imbl::{HashMap, OrdMap};

use super::{
    aggregation::aggregate,
    attributes::{Attributes, Target, User},
    index::Tier,
    object::{Binding, ClusterRole, Object, Role, RoleKind, RoleRef, Subject, SubjectKind},
    reason::{Grant, Reason, Unresolved},
    rule::PolicyRule,
};
use crate::decision::{self, Decision};

#[derive(Clone, Debug, Default)]
pub struct Policy {
    cluster_roles: OrdMap<Arc<str>, Arc<ClusterRole>>,
    /// Rules of aggregated roles, which count in place of their own.
    aggregated: OrdMap<Arc<str>, Arc<[PolicyRule]>>,
    /// By namespace and name.
    roles: HashMap<(Arc<str>, Arc<str>), Arc<Role>>,
    cluster: Tier,
    namespaces: HashMap<Arc<str>, Tier>,
}

/// Which object is meant, of the four kinds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKey {
    Role { namespace: Arc<str>, name: Arc<str> },
    ClusterRole { name: Arc<str> },
    RoleBinding { namespace: Arc<str>, name: Arc<str> },
    ClusterRoleBinding { name: Arc<str> },
}

/// What a caller holds in a namespace, and which roles could not be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub rules: Vec<PolicyRule>,
    pub missing: Unresolved,
}

impl ObjectKey {
    /// From the plural name of the resource; none for one that is not of RBAC.
    pub fn of(resource: &str, namespace: &str, name: &str) -> Option<Self> {
        let (namespace, name) = (namespace.into(), name.into());
        Some(match resource {
            "roles" => Self::Role { namespace, name },
            "clusterroles" => Self::ClusterRole { name },
            "rolebindings" => Self::RoleBinding { namespace, name },
            "clusterrolebindings" => Self::ClusterRoleBinding { name },
            _ => return None,
        })
    }
}

impl Policy {
    /// Takes in an object, in place of the one with the same kind, namespace and name.
    pub fn put(&mut self, object: Object) {
        match object {
            Object::Role(role) => {
                self.roles.insert((role.namespace.clone(), role.name.clone()), Arc::new(role));
            }
            Object::ClusterRole(role) => {
                self.cluster_roles.insert(role.name.clone(), Arc::new(role));
                self.aggregate();
            }
            Object::Binding(binding) => match binding.namespace.clone() {
                None => self.cluster.put(binding),
                Some(namespace) => self.namespaces.entry(namespace).or_default().put(binding),
            },
        }
    }

    pub fn remove(&mut self, key: &ObjectKey) {
        match key {
            ObjectKey::Role { namespace, name } => {
                self.roles.remove(&(namespace.clone(), name.clone()));
            }
            ObjectKey::ClusterRole { name } => {
                self.cluster_roles.remove(name);
                self.aggregate();
            }
            ObjectKey::RoleBinding { namespace, name } => {
                if let Some(tier) = self.namespaces.get_mut(namespace) {
                    tier.remove(name);
                    if tier.is_empty() {
                        self.namespaces.remove(namespace);
                    }
                }
            }
            ObjectKey::ClusterRoleBinding { name } => self.cluster.remove(name),
        }
    }

    /// The rules that count for a ClusterRole: of an aggregated one those that it was given.
    pub fn cluster_role_rules(&self, name: &str) -> Option<&Arc<[PolicyRule]>> {
        self.aggregated.get(name).or_else(|| self.cluster_roles.get(name).map(|role| &role.rules))
    }

    /// The rules of a role that a binding in `namespace` (none: cluster-wide) names.
    pub fn rules_of(&self, role: &RoleRef, namespace: Option<&str>) -> Option<&Arc<[PolicyRule]>> {
        match (role.kind, namespace) {
            (RoleKind::ClusterRole, _) => self.cluster_role_rules(&role.name),
            (RoleKind::Role, Some(namespace)) => {
                self.roles.get(&(namespace.into(), role.name.clone())).map(|role| &role.rules)
            }
            (RoleKind::Role, None) => None,
        }
    }

    /// Aggregated ClusterRoles with the rules that they were given, by name.
    pub fn aggregated(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<[PolicyRule]>)> {
        self.aggregated.iter()
    }

    /// Whether some rule that is bound to the caller allows the request. It never denies.
    pub fn decide(&self, attributes: &Attributes) -> Decision {
        let mut missing = Vec::new();
        let allowed = self.visit(&attributes.user, attributes.namespace(), |found| match found {
            Found::Rules { binding, subject, rules } => {
                let rule = rules.iter().position(|rule| rule.allows(attributes))?;
                Some(Grant { binding: binding.clone(), subject: subject.clone(), rule })
            }
            Found::Missing(role) => {
                missing.push(role.clone());
                None
            }
        });
        match allowed {
            Some(grant) => Decision::Allow(decision::Reason::Kube(Reason::Allowed(grant))),
            None => {
                let missing = Unresolved(distinct(missing));
                Decision::NoOpinion(decision::Reason::Kube(Reason::NotBound { missing }))
            }
        }
    }

    /// Every rule that counts for the caller in a namespace; cluster-wide ones alone where it is empty.
    pub fn held(&self, user: &User, namespace: &str) -> Held {
        let mut rules = Vec::new();
        let mut missing = Vec::new();
        let _: Option<()> = self.visit(user, namespace, |found| {
            match found {
                Found::Rules { rules: more, .. } => rules.extend_from_slice(more),
                Found::Missing(role) => missing.push(role.clone()),
            }
            None
        });
        Held { rules, missing: Unresolved(distinct(missing)) }
    }

    /// Up to `most` ClusterRoles whose rules allow the request, the least powerful of the usual four first,
    /// then by name: what could be bound to a person who was refused.
    pub fn roles_that_allow(&self, attributes: &Attributes, most: usize) -> Vec<Arc<str>> {
        let usual = ["view", "edit", "admin", "cluster-admin"];
        let allows = |name: &str| {
            let rules = self.cluster_role_rules(name)?;
            rules.iter().any(|rule| rule.allows(attributes)).then(|| Arc::from(name))
        };
        let others = self
            .cluster_roles
            .keys()
            .filter(|name| !name.starts_with("system:") && !usual.contains(&name.as_ref()))
            .filter_map(|name| allows(name));
        usual.iter().filter_map(|name| allows(name)).chain(others).take(most).collect()
    }

    /// Walks the caller's bindings: those of the cluster first, by user and then by group, each in order of
    /// name. Ends with the first result that `each` gives.
    fn visit<'a, T>(
        &'a self,
        user: &User,
        namespace: &str,
        mut each: impl FnMut(Found<'a>) -> Option<T>,
    ) -> Option<T> {
        let namespaced = if namespace.is_empty() { None } else { self.namespaces.get(namespace) };
        for tier in [Some(&self.cluster), namespaced].into_iter().flatten() {
            for binding in tier.bindings_of(user) {
                let Some(subject) = binding.subjects.iter().find(|subject| applies(subject, binding, user)) else {
                    continue;
                };
                let found = match self.rules_of(&binding.role, binding.namespace.as_deref()) {
                    Some(rules) => Found::Rules { binding, subject, rules },
                    None => Found::Missing(&binding.role),
                };
                if let Some(result) = each(found) {
                    return Some(result);
                }
            }
        }
        None
    }

    fn aggregate(&mut self) {
        let aggregates = self.cluster_roles.values().any(|role| role.aggregation_rule.is_some());
        if aggregates {
            self.aggregated = aggregate(self.cluster_roles.values()).into_iter().collect();
        } else {
            self.aggregated.clear();
        }
    }
}

impl Attributes {
    /// The namespace of the request; empty for the cluster's scope and for paths.
    pub fn namespace(&self) -> &str {
        match &self.target {
            Target::Resource { namespace, .. } => namespace,
            Target::Path(_) => "",
        }
    }
}

enum Found<'a> {
    Rules { binding: &'a Arc<Binding>, subject: &'a Subject, rules: &'a [PolicyRule] },
    Missing(&'a RoleRef),
}

fn applies(subject: &Subject, binding: &Binding, user: &User) -> bool {
    match subject.kind {
        SubjectKind::User => *subject.name == user.name,
        SubjectKind::Group => user.in_group(&subject.name),
        SubjectKind::ServiceAccount => binding.service_account_user(subject).is_some_and(|name| name == user.name),
    }
}

fn distinct(roles: Vec<RoleRef>) -> Vec<RoleRef> {
    let mut seen = BTreeSet::new();
    roles.into_iter().filter(|role| seen.insert(role.clone())).collect()
}
