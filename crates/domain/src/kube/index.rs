//! Bindings found by subject. kube-apiserver walks all bindings for each request; here a caller's name and
//! groups are looked up, so that a decision costs the same with a thousand bindings and a hundred thousand.
//!
//! One index holds the bindings of one namespace, or the cluster's.

use std::{cmp::Ordering, sync::Arc};

use crate::id::ObjectId;

use super::{
    attributes::User,
    object::{Binding, Subject, SubjectKind},
};

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Users and service accounts, these by the user name that they sign in with.
    users: Postings,
    groups: Postings,
}

/// Sorted by the binding's name.
type Postings = imbl::HashMap<Arc<str>, Arc<Vec<Posting>>>;

/// One binding that names a subject.
#[derive(Clone, Debug)]
pub(super) struct Posting {
    pub(super) binding: Arc<Binding>,
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
}

impl Index {
    pub(super) fn insert(&mut self, binding: &Arc<Binding>) {
        for (position, subject) in binding.subjects.iter().enumerate() {
            let Some((postings, name)) = self.place(binding, subject) else { continue };
            let posting = Posting { binding: Arc::clone(binding), subject: position };
            match postings.get_mut(&name) {
                None => {
                    postings.insert(name, Arc::new(vec![posting]));
                }
                Some(list) => {
                    let list = Arc::make_mut(list);
                    // A subject named twice keeps its first position.
                    if let Err(place) = find(list, &binding.name) {
                        list.insert(place, posting);
                    }
                }
            }
        }
    }

    pub(super) fn remove(&mut self, binding: &Binding) {
        for subject in &binding.subjects {
            let Some((postings, name)) = self.place(binding, subject) else { continue };
            let Some(list) = postings.get_mut(&name) else { continue };
            let list = Arc::make_mut(list);
            if let Ok(place) = find(list, &binding.name) {
                list.remove(place);
            }
            if list.is_empty() {
                postings.remove(&name);
            }
        }
    }

    /// The bindings that name the caller, by name of binding, each with the first subject that applies.
    pub(super) fn of(&self, caller: Caller<'_>) -> Vec<&Posting> {
        let mut found: Vec<&Posting> = Vec::new();
        found.extend(self.users.get(&*caller.user.name).into_iter().flat_map(|list| list.iter()));
        if !self.groups.is_empty() {
            let mut add = |group: &str| {
                found.extend(self.groups.get(group).into_iter().flat_map(|list| list.iter()));
            };
            let (directory_groups, is_live) = match caller.membership {
                Membership::Named(groups) => (groups, false),
                Membership::Live(groups) => (groups, true),
            };
            for group in caller.user.groups.iter() {
                if !(is_live && ObjectId::parse(group).is_ok()) {
                    add(group);
                }
            }
            for group in directory_groups {
                let mut buffer = uuid::Uuid::encode_buffer();
                add(group.uuid().hyphenated().encode_lower(&mut buffer));
            }
        }
        if found.len() > 1 {
            found.sort_unstable_by(|one, other| one.order(other));
            found.dedup_by(|later, first| Arc::ptr_eq(&later.binding, &first.binding));
        }
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

impl Posting {
    fn order(&self, other: &Self) -> Ordering {
        self.binding.name.cmp(&other.binding.name).then(self.subject.cmp(&other.subject))
    }
}

fn find(list: &[Posting], name: &str) -> Result<usize, usize> {
    list.binary_search_by(|posting| (*posting.binding.name).cmp(name))
}
