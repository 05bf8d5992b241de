//! The Kubernetes RBAC of one cluster, and the decision over it.
//!
//! A `Policy` is a persistent structure: cloning it costs nothing worth counting, and a clone does not see
//! later changes. Deciding reads it only.

use std::sync::Arc;

use crate::{
    decision::{self, Decision},
    id::ObjectId,
};

use super::{
    aggregation::ClusterRoles,
    attributes::{Attributes, Target, User},
    index::{self, Caller, Index, Membership, Posting},
    manifest::Kind,
    object::{Binding, ClusterRole, Object, Role, RoleKind, RoleRef},
    reason::{Grant, Reason, Unresolved},
    rule::PolicyRule,
};

#[derive(Clone, Debug, Default)]
pub struct Policy {
    cluster_roles: ClusterRoles,
    cluster_bindings: Bindings,
    namespaces: imbl::HashMap<Arc<str>, Namespace>,
    /// Names of roles that bindings use, with how many do: one text for all of them, which then stays in
    /// the processor's cache.
    role_names: imbl::HashMap<Arc<str>, usize>,
}

/// Names one object of a [`Policy`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKey {
    Role { namespace: Arc<str>, name: Arc<str> },
    ClusterRole { name: Arc<str> },
    RoleBinding { namespace: Arc<str>, name: Arc<str> },
    ClusterRoleBinding { name: Arc<str> },
}

/// The rules that a caller holds in a namespace, and the roles that could not be read.
#[derive(Clone, Debug, Default)]
pub struct Held<'a> {
    pub rules: Vec<&'a PolicyRule>,
    pub errors: Vec<Unresolved>,
}

#[derive(Clone, Debug, Default)]
struct Namespace {
    roles: imbl::HashMap<Arc<str>, Role>,
    bindings: Bindings,
}

#[derive(Clone, Debug, Default)]
struct Bindings {
    by_name: imbl::OrdMap<Arc<str>, Arc<Binding>>,
    by_subject: Index,
}

impl Policy {
    pub fn put(&mut self, object: Object) {
        match object {
            Object::ClusterRole(role) => self.cluster_roles.put(role),
            Object::Role(role) => {
                self.namespace(&role.namespace).roles.insert(Arc::clone(&role.name), role);
            }
            Object::Binding(mut binding) => {
                binding.role.name = self.use_role_name(&binding.role.name);
                let old = match binding.namespace.clone() {
                    None => self.cluster_bindings.put(binding),
                    Some(namespace) => self.namespace(&namespace).bindings.put(binding),
                };
                self.release_role_name(old);
            }
        }
    }

    /// Puts many objects, and aggregates ClusterRoles once.
    pub fn extend(&mut self, objects: impl IntoIterator<Item = Object>) {
        let mut cluster_roles = Vec::new();
        for object in objects {
            match object {
                Object::ClusterRole(role) => cluster_roles.push(role),
                other => self.put(other),
            }
        }
        self.cluster_roles.extend(cluster_roles);
    }

    pub fn remove(&mut self, key: &ObjectKey) {
        match key {
            ObjectKey::ClusterRole { name } => self.cluster_roles.remove(name),
            ObjectKey::ClusterRoleBinding { name } => {
                let old = self.cluster_bindings.remove(name);
                self.release_role_name(old);
            }
            ObjectKey::Role { namespace, name } => {
                self.within(namespace, |objects| objects.roles.remove(name));
            }
            ObjectKey::RoleBinding { namespace, name } => {
                let old = self.within(namespace, |objects| objects.bindings.remove(name));
                self.release_role_name(old);
            }
        }
    }

    /// Whether nothing is left, neither objects nor what was kept beside them.
    pub fn is_empty(&self) -> bool {
        self.cluster_roles.is_empty()
            && self.cluster_bindings.is_empty()
            && self.namespaces.is_empty()
            && self.role_names.is_empty()
    }

    /// Whether the rules allow the request. Allow or no opinion: these rules grant, they never deny.
    pub fn decide(&self, attributes: &Attributes) -> Decision {
        self.decide_for(attributes, Caller { user: &attributes.user, membership: Membership::Named(&[]) })
    }

    /// The same for a caller who is also in `directory_groups`.
    pub fn decide_with(&self, attributes: &Attributes, directory_groups: &[ObjectId]) -> Decision {
        let membership = Membership::Named(directory_groups);
        self.decide_for(attributes, Caller { user: &attributes.user, membership })
    }

    /// The same for a caller whose groups the directory gives. Object ids among the groups that the request
    /// names do not count: they may be out of date.
    pub fn decide_within(&self, attributes: &Attributes, directory_groups: &[ObjectId]) -> Decision {
        let membership = Membership::Live(directory_groups);
        self.decide_for(attributes, Caller { user: &attributes.user, membership })
    }

    fn decide_for(&self, attributes: &Attributes, caller: Caller<'_>) -> Decision {
        let namespace = attributes.namespace();
        let local = self.namespaces.get(namespace).map(|objects| (&objects.bindings, Some(namespace)));
        let mut errors = Vec::new();
        for (bindings, namespace) in [Some((&self.cluster_bindings, None)), local].into_iter().flatten() {
            if let Some(grant) = self.grant(bindings, namespace, attributes, caller, &mut errors) {
                return Decision::Allow(decision::Reason::Kube(Reason::Grant(grant)));
            }
        }
        if errors.is_empty() {
            return Decision::NoOpinion(decision::Reason::Silent);
        }
        Decision::NoOpinion(decision::Reason::Kube(Reason::Unresolved(errors)))
    }

    /// The first binding, by name, that grants the request; where none does, roles that are not there are
    /// noted, in the same order.
    fn grant(
        &self,
        bindings: &Bindings,
        namespace: Option<&str>,
        attributes: &Attributes,
        caller: Caller<'_>,
        errors: &mut Vec<Unresolved>,
    ) -> Option<Grant> {
        let mut first: Option<(&Posting, usize)> = None;
        let mut unresolved: Vec<&Posting> = Vec::new();
        bindings.by_subject.for_each(caller, |posting| {
            // The rules are looked at only where the binding would come before what was found.
            if first.is_some_and(|(first, _)| first.order(posting).is_le()) {
                return;
            }
            match self.find_rules(&posting.role, namespace) {
                Some(rules) => {
                    let allowing = rules.iter().position(|rule| rule.allows(attributes));
                    first = allowing.map(|rule| (posting, rule)).or(first);
                }
                None => unresolved.push(posting),
            }
        });
        if first.is_none() && !unresolved.is_empty() {
            index::sort(&mut unresolved);
            errors.extend(unresolved.into_iter().map(|posting| Unresolved(posting.role.clone())));
        }
        let (posting, rule) = first?;
        let subject = posting.subject()?.clone();
        Some(Grant { binding: Arc::clone(&posting.binding), subject, rule })
    }

    /// Every rule that the caller holds in `namespace`, or, where that is empty, across the cluster. What
    /// SelfSubjectRulesReview lists and what bounds the rights that the caller may hand on.
    pub fn rules_for(&self, user: &User, directory_groups: &[ObjectId], namespace: &str) -> Held<'_> {
        let caller = Caller { user, membership: Membership::Named(directory_groups) };
        let local = self.namespaces.get(namespace).map(|objects| (&objects.bindings, Some(namespace)));
        let mut held = Held::default();
        for (bindings, namespace) in [Some((&self.cluster_bindings, None)), local].into_iter().flatten() {
            for posting in bindings.by_subject.of(caller) {
                match self.rules_of(&posting.role, namespace) {
                    Ok(rules) => held.rules.extend(rules.iter()),
                    Err(error) => held.errors.push(error),
                }
            }
        }
        held
    }

    /// Roles which, bound to the caller, would allow the request, those that grant least first, at most
    /// `limit`. Roles of the system's own components (`system:...`) are left out.
    pub fn roles_that_allow(&self, attributes: &Attributes, limit: usize) -> Vec<RoleRef> {
        let local = self.namespaces.get(attributes.namespace()).into_iter();
        let local = local.flat_map(|objects| objects.roles.values());
        let local = local.map(|role| (RoleKind::Role, &role.name, &role.rules));
        let cluster =
            self.cluster_roles.iter().map(|(role, rules)| (RoleKind::ClusterRole, &role.name, rules));
        let mut found: Vec<(u64, RoleRef)> = local
            .chain(cluster)
            .filter(|(_, name, _)| !name.starts_with("system:"))
            .filter(|(_, _, rules)| rules.iter().any(|rule| rule.allows(attributes)))
            .map(|(kind, name, rules)| (breadth(rules), RoleRef { kind, name: Arc::clone(name) }))
            .collect();
        found.sort();
        found.into_iter().map(|(_, role)| role).take(limit).collect()
    }

    /// What a ClusterRole grants, aggregated rules included: the `rules` that a client is shown.
    pub fn cluster_role_rules(&self, name: &str) -> Option<&Arc<[PolicyRule]>> {
        self.cluster_roles.rules(name)
    }

    pub fn cluster_role(&self, name: &str) -> Option<&ClusterRole> {
        self.cluster_roles.find(name)
    }

    /// The rules of the role that a binding in `namespace` names (none: a ClusterRoleBinding).
    pub fn rules_of(
        &self,
        role: &RoleRef,
        namespace: Option<&str>,
    ) -> Result<&Arc<[PolicyRule]>, Unresolved> {
        self.find_rules(role, namespace).ok_or_else(|| Unresolved(role.clone()))
    }

    fn find_rules(&self, role: &RoleRef, namespace: Option<&str>) -> Option<&Arc<[PolicyRule]>> {
        match role.kind {
            RoleKind::ClusterRole => self.cluster_roles.rules(&role.name),
            RoleKind::Role => {
                let objects = self.namespaces.get(namespace?)?;
                objects.roles.get(&role.name).map(|role| &role.rules)
            }
        }
    }

    fn namespace(&mut self, name: &Arc<str>) -> &mut Namespace {
        self.namespaces.entry(Arc::clone(name)).or_default()
    }

    /// Takes something out of a namespace, and forgets the namespace when nothing is left.
    fn within<T>(&mut self, name: &str, take: impl FnOnce(&mut Namespace) -> Option<T>) -> Option<T> {
        let objects = self.namespaces.get_mut(name)?;
        let taken = take(objects);
        if objects.roles.is_empty() && objects.bindings.is_empty() {
            self.namespaces.remove(name);
        }
        taken
    }

    fn use_role_name(&mut self, name: &Arc<str>) -> Arc<str> {
        let name = self.role_names.get_key_value(name).map_or(name, |(known, _)| known).clone();
        *self.role_names.entry(Arc::clone(&name)).or_insert(0) += 1;
        name
    }

    fn release_role_name(&mut self, binding: Option<Arc<Binding>>) {
        let Some(binding) = binding else { return };
        let Some(uses) = self.role_names.get_mut(&binding.role.name) else { return };
        *uses = uses.saturating_sub(1);
        if *uses == 0 {
            self.role_names.remove(&binding.role.name);
        }
    }
}

impl Bindings {
    fn is_empty(&self) -> bool {
        self.by_name.is_empty() && self.by_subject.is_empty()
    }

    /// Returns what stood in its place.
    fn put(&mut self, binding: Binding) -> Option<Arc<Binding>> {
        let binding = Arc::new(binding);
        let old = self.by_name.insert(Arc::clone(&binding.name), Arc::clone(&binding));
        if let Some(old) = &old {
            self.by_subject.remove(old);
        }
        self.by_subject.insert(&binding);
        old
    }

    fn remove(&mut self, name: &str) -> Option<Arc<Binding>> {
        let old = self.by_name.remove(name)?;
        self.by_subject.remove(&old);
        Some(old)
    }
}

impl Object {
    pub fn key(&self) -> ObjectKey {
        match self {
            Self::Role(role) => {
                ObjectKey::Role { namespace: Arc::clone(&role.namespace), name: Arc::clone(&role.name) }
            }
            Self::ClusterRole(role) => ObjectKey::ClusterRole { name: Arc::clone(&role.name) },
            Self::Binding(binding) => {
                let name = Arc::clone(&binding.name);
                match binding.namespace.clone() {
                    Some(namespace) => ObjectKey::RoleBinding { namespace, name },
                    None => ObjectKey::ClusterRoleBinding { name },
                }
            }
        }
    }
}

impl ObjectKey {
    /// By the plural name of the resource, as in a path; none for resources of other kinds.
    pub fn of(resource: &str, namespace: &str, name: &str) -> Option<Self> {
        let kind = match resource {
            "roles" => Kind::Role,
            "clusterroles" => Kind::ClusterRole,
            "rolebindings" => Kind::RoleBinding,
            "clusterrolebindings" => Kind::ClusterRoleBinding,
            _ => return None,
        };
        Some(Self::new(kind, namespace, name))
    }

    /// `namespace` is of no account for the kinds of the cluster.
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        let name = Arc::from(name);
        match kind {
            Kind::Role => Self::Role { namespace: namespace.into(), name },
            Kind::ClusterRole => Self::ClusterRole { name },
            Kind::RoleBinding => Self::RoleBinding { namespace: namespace.into(), name },
            Kind::ClusterRoleBinding => Self::ClusterRoleBinding { name },
        }
    }
}

impl Attributes {
    /// The namespace that the request is made in; empty for the cluster and for paths.
    pub fn namespace(&self) -> &str {
        match &self.target {
            Target::Resource { namespace, .. } => namespace,
            Target::Path(_) => "",
        }
    }
}

/// How much a role grants, roughly: the number of single rights, a wildcard counting as a thousand.
fn breadth(rules: &[PolicyRule]) -> u64 {
    let size = |list: &[String]| -> u64 { list.iter().map(|each| if each == "*" { 1000 } else { 1 }).sum() };
    rules.iter().fold(0, |sum: u64, rule| {
        let things = size(&rule.api_groups).saturating_mul(size(&rule.resources));
        let things = things.saturating_add(size(&rule.non_resource_urls));
        sum.saturating_add(size(&rule.verbs).saturating_mul(things))
    })
}
