//! The bindings of one namespace, or those of the cluster, found by the name of a user or group.

use std::{collections::BTreeSet, sync::Arc};

use imbl::{HashMap, OrdSet};

use super::{
    attributes::User,
    object::{Binding, SubjectKind},
};

#[derive(Clone, Debug, Default)]
pub(super) struct Tier {
    bindings: HashMap<Arc<str>, Arc<Binding>>,
    /// Service accounts stand here by the name that they sign in with.
    by_user: Names,
    by_group: Names,
}

/// Names of bindings by subject.
type Names = HashMap<Arc<str>, OrdSet<Arc<str>>>;

impl Tier {
    pub(super) fn put(&mut self, binding: Binding) {
        self.remove(&binding.name);
        self.for_each_entry(&binding, |names, subject| {
            names.entry(subject).or_default().insert(binding.name.clone());
        });
        self.bindings.insert(binding.name.clone(), Arc::new(binding));
    }

    pub(super) fn remove(&mut self, name: &str) {
        let Some(old) = self.bindings.remove(name) else { return };
        self.for_each_entry(&old, |names, subject| {
            if let Some(bindings) = names.get_mut(&subject) {
                bindings.remove(name);
                if bindings.is_empty() {
                    names.remove(&subject);
                }
            }
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Bindings that name the user, then those that name each of the groups. One may come twice.
    pub(super) fn bindings_of(&self, user: &User) -> impl Iterator<Item = &Arc<Binding>> {
        let of_user = self.by_user.get(user.name.as_str());
        let of_groups = user.groups.iter().filter_map(|group| self.by_group.get(group.as_str()));
        of_user.into_iter().chain(of_groups).flatten().filter_map(|name| self.bindings.get(name))
    }

    fn for_each_entry(&mut self, binding: &Binding, mut change: impl FnMut(&mut Names, Arc<str>)) {
        let mut users: BTreeSet<Arc<str>> = BTreeSet::new();
        let mut groups: BTreeSet<Arc<str>> = BTreeSet::new();
        for subject in &binding.subjects {
            match subject.kind {
                SubjectKind::User => drop(users.insert(subject.name.clone())),
                SubjectKind::Group => drop(groups.insert(subject.name.clone())),
                SubjectKind::ServiceAccount => users.extend(binding.service_account_user(subject).map(Arc::from)),
            }
        }
        for user in users {
            change(&mut self.by_user, user);
        }
        for group in groups {
            change(&mut self.by_group, group);
        }
    }
}
