//! The decision as kube-apiserver takes it: a walk over the cluster's bindings, then over those of the
//! namespace. A tight form of it, without the allocations of the original.

use std::{collections::HashMap, sync::Arc};

use domain::kube::{Attributes, Binding, Object, PolicyRule, Subject, SubjectKind, User};

#[derive(Default)]
pub(super) struct Lists {
    cluster: Vec<Binding>,
    namespaces: HashMap<Arc<str>, Vec<Binding>>,
    cluster_roles: HashMap<Arc<str>, Arc<[PolicyRule]>>,
}

impl Lists {
    pub(super) fn build(objects: &[Object]) -> Self {
        let mut lists = Self::default();
        for object in objects {
            match object {
                Object::Binding(binding) => match &binding.namespace {
                    None => lists.cluster.push(binding.clone()),
                    Some(namespace) => {
                        lists.namespaces.entry(namespace.clone()).or_default().push(binding.clone());
                    }
                },
                Object::ClusterRole(role) => {
                    lists.cluster_roles.insert(role.name.clone(), role.rules.clone());
                }
                Object::Role(_) => {}
            }
        }
        lists
    }
}

pub(super) fn allows(lists: &Lists, attributes: &Attributes) -> bool {
    let local = lists.namespaces.get(attributes.namespace()).into_iter().flatten();
    lists.cluster.iter().chain(local).any(|binding| {
        binding.subjects.iter().any(|subject| is_caller(binding, subject, &attributes.user))
            && lists
                .cluster_roles
                .get(&binding.role.name)
                .is_some_and(|rules| rules.iter().any(|rule| rule.allows(attributes)))
    })
}

fn is_caller(binding: &Binding, subject: &Subject, user: &User) -> bool {
    match subject.kind {
        SubjectKind::User => *subject.name == user.name,
        SubjectKind::Group => user.groups.iter().any(|group| **group == *subject.name),
        SubjectKind::ServiceAccount => {
            let namespace = subject.namespace.as_deref().or(binding.namespace.as_deref()).unwrap_or_default();
            user.name
                .strip_prefix("system:serviceaccount:")
                .and_then(|rest| rest.strip_prefix(namespace))
                .and_then(|rest| rest.strip_prefix(':'))
                .is_some_and(|name| *name == *subject.name)
        }
    }
}
