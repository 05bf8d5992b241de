//! Actions: what a request asks for, and the table that numbers the known ones, so that a role becomes a set
//! of bits.

use std::{collections::HashMap, fmt, sync::Arc};

use super::{hash::TableState, operations::Operations};
use crate::{azure::text::CaseFolded, role::RoleDefinition};

/// One action that a request needs, such as `Microsoft.ContainerService/managedClusters/pods/read`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Action {
    text: CaseFolded,
    plane: Plane,
}

/// Actions of one plane are never granted by the lists of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Plane {
    /// `actions`: the resource in Azure's own management.
    Control,
    /// `dataActions`: what is inside the resource, here the Kubernetes API.
    Data,
}

impl Action {
    /// A control-plane action. Characters that are not ASCII match nothing but a wildcard.
    pub fn control(name: &str) -> Self {
        Self { text: CaseFolded::new(name), plane: Plane::Control }
    }

    /// A data action.
    pub fn data(name: &str) -> Self {
        Self { text: CaseFolded::new(name), plane: Plane::Data }
    }

    /// As written.
    pub fn name(&self) -> &str {
        self.text.written()
    }

    pub fn plane(&self) -> Plane {
        self.plane
    }

    /// In lower case, for comparison.
    pub fn folded(&self) -> &str {
        self.text.folded()
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The known actions in lower case, each with its number: the published ones of the Kubernetes API under
/// every kind of cluster, and those that built-in roles name in full.
#[derive(Debug)]
pub(super) struct KnownActions {
    numbers: HashMap<Box<str>, u32, TableState>,
    names: Vec<Box<str>>,
}

impl KnownActions {
    pub(super) fn collect(operations: &Operations, roles: &[Arc<RoleDefinition>]) -> Self {
        let mut known = Self { numbers: HashMap::default(), names: Vec::new() };
        for prefix in super::operations::PREFIXES {
            for suffix in operations.suffixes() {
                known.add(&format!("{prefix}/{suffix}"));
            }
        }
        let blocks = roles.iter().flat_map(|role| &role.permissions);
        let patterns = blocks.flat_map(|block| block.actions.iter().chain(&block.data_actions));
        for pattern in patterns.filter(|pattern| !pattern.has_wildcard()) {
            known.add(pattern.as_str());
        }
        known
    }

    /// The number of an action, if it is known.
    pub(super) fn number(&self, action: &Action) -> Option<u32> {
        self.numbers.get(action.folded()).copied()
    }

    /// All names in lower case, in the order of their numbers.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    fn add(&mut self, name: &str) {
        let folded = name.to_ascii_lowercase().into_boxed_str();
        let Ok(number) = u32::try_from(self.names.len()) else { return };
        if !self.numbers.contains_key(&folded) {
            self.numbers.insert(folded.clone(), number);
            self.names.push(folded);
        }
    }
}
