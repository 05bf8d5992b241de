//! Bindings found by subject. kube-apiserver walks all bindings for each request; here a caller's name and
//! groups are looked up, so that a decision costs the same with a thousand bindings and a hundred thousand.
//!
//! One index holds the bindings of one namespace, or the cluster's.

use std::{cmp::Ordering, sync::Arc};

use crate::id::ObjectId;

use super::{
    attributes::User,
    object::{Binding, RoleRef, Subject, SubjectKind},
};

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Users and service accounts, these by the user name that they sign in with.
    users: Postings,
    groups: Postings,
}

/// Sorted by the binding's name.
type Postings = imbl::HashMap<Arc<str>, Arc<[Posting]>>;

/// One binding that names a subject.
#[derive(Clone, Debug)]
pub(super) struct Posting {
    pub(super) binding: Arc<Binding>,
    /// The binding's, repeated here because most decisions need no more of it.
    pub(super) role: RoleRef,
    /// Position of the first of the binding's subjects that is meant.
    subject: usize,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'a> {
    pub(super) user: &'a User,
    pub(super) membership: Membership<'a>,
}

/// Groups of the directory that the caller is in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Membership<'a> {
    /// Beside all that the request names.
    Named(&'a [ObjectId]),
    /// In place of all object ids that the request names.
    Live(&'a [ObjectId]),
}

impl Posting {
    pub(super) fn subject(&self) -> Option<&Subject> {
        self.binding.subjects.get(self.subject)
    }

    /// By name of binding; of one binding, by subject.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        self.binding.name.cmp(&other.binding.name).then(self.subject.cmp(&other.subject))
    }
}

impl Index {
    pub(super) fn insert(&mut self, binding: &Arc<Binding>) {
        for (position, subject) in binding.subjects.iter().enumerate() {
            let Some((postings, name)) = self.place(binding, subject) else { continue };
            let list = postings.get(&name).map(|list| &**list).unwrap_or_default();
            // A subject named twice keeps its first position.
            if let Err(place) = find(list, &binding.name) {
                let (before, after) = list.split_at(place);
                let role = binding.role.clone();
                let posting = Posting { binding: Arc::clone(binding), role, subject: position };
                let list = before.iter().cloned().chain([posting]).chain(after.iter().cloned()).collect();
                postings.insert(name, list);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    pub(super) fn remove(&mut self, binding: &Binding) {
        for subject in &binding.subjects {
            let Some((postings, name)) = self.place(binding, subject) else { continue };
            let list = postings.get(&name).map(|list| &**list).unwrap_or_default();
            if find(list, &binding.name).is_ok() {
                let kept = list.iter().filter(|posting| posting.binding.name != binding.name);
                let kept: Arc<[Posting]> = kept.cloned().collect();
                if kept.is_empty() {
                    postings.remove(&name);
                } else {
                    postings.insert(name, kept);
                }
            }
        }
    }

    /// Shows the bindings that name the caller, in no order; one that names them several times is shown as
    /// often.
    pub(super) fn for_each<'a>(&'a self, caller: Caller<'_>, mut see: impl FnMut(&'a Posting)) {
        self.users.get(&*caller.user.name).into_iter().flat_map(|list| list.iter()).for_each(&mut see);
        if self.groups.is_empty() {
            return;
        }
        let mut see_group = |group: &str| {
            self.groups.get(group).into_iter().flat_map(|list| list.iter()).for_each(&mut see);
        };
        let (directory_groups, is_live) = match caller.membership {
            Membership::Named(groups) => (groups, false),
            Membership::Live(groups) => (groups, true),
        };
        for group in caller.user.groups.iter() {
            if !(is_live && ObjectId::parse(group).is_ok()) {
                see_group(group);
            }
        }
        for group in directory_groups {
            let mut buffer = uuid::Uuid::encode_buffer();
            see_group(group.uuid().hyphenated().encode_lower(&mut buffer));
        }
    }

    /// The bindings that name the caller, by name of binding, each once, with the first subject that applies.
    pub(super) fn of(&self, caller: Caller<'_>) -> Vec<&Posting> {
        let mut found: Vec<&Posting> = Vec::new();
        self.for_each(caller, |posting| found.push(posting));
        sort(&mut found);
        found
    }

    fn place(&mut self, binding: &Binding, subject: &Subject) -> Option<(&mut Postings, Arc<str>)> {
        match subject.kind {
            SubjectKind::User => Some((&mut self.users, Arc::clone(&subject.name))),
            SubjectKind::Group => Some((&mut self.groups, Arc::clone(&subject.name))),
            SubjectKind::ServiceAccount => {
                binding.service_account_user(subject).map(|name| (&mut self.users, name.into()))
            }
        }
    }
}

/// By name of binding, each binding once.
pub(super) fn sort(postings: &mut Vec<&Posting>) {
    postings.sort_unstable_by(|one, other| one.order(other));
    postings.dedup_by(|later, first| Arc::ptr_eq(&later.binding, &first.binding));
}

fn find(list: &[Posting], name: &str) -> Result<usize, usize> {
    list.binary_search_by(|posting| (*posting.binding.name).cmp(name))
}
