//! Roles made ready for deciding: one bit for each known action, and patterns for all others.

use std::sync::Arc;

use super::actions::{Action, KnownActions, Plane};
use crate::{
    condition::folded_glob_matches,
    role::{ActionPattern, Permission, RoleDefinition},
};

/// What a list of permissions grants (or, for a deny assignment, refuses).
#[derive(Debug)]
pub(super) struct CompiledPermissions {
    control: CompiledPlane,
    data: CompiledPlane,
}

#[derive(Debug)]
pub(super) struct CompiledRole {
    pub(super) definition: Arc<RoleDefinition>,
    pub(super) permissions: CompiledPermissions,
    /// How many known actions it grants: the measure by which the narrowest role is proposed.
    pub(super) breadth: usize,
}

#[derive(Debug)]
struct CompiledPlane {
    known: Bits,
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    granted: Patterns,
    excepted: Patterns,
}

/// Patterns in lower case: those without a wildcard sorted, the others split at their wildcards.
#[derive(Debug, Default)]
struct Patterns {
    exact: Vec<Box<str>>,
    wildcard: Vec<Box<str>>,
}

#[derive(Debug)]
struct Bits(Box<[u64]>);

impl CompiledRole {
    pub(super) fn compile(definition: Arc<RoleDefinition>, known: &KnownActions) -> Self {
        let permissions = CompiledPermissions::compile(&definition.permissions, known);
        let breadth = permissions.control.known.count() + permissions.data.known.count();
        Self { definition, permissions, breadth }
    }
}

impl CompiledPermissions {
    pub(super) fn compile(permissions: &[Permission], known: &KnownActions) -> Self {
        let control = permissions.iter().map(|each| Block::new(&each.actions, &each.not_actions));
        let data = permissions.iter().map(|each| Block::new(&each.data_actions, &each.not_data_actions));
        Self {
            control: CompiledPlane::compile(control.collect(), known),
            data: CompiledPlane::compile(data.collect(), known),
        }
    }

    /// `number` is the action's in the table that these permissions were compiled with.
    pub(super) fn names(&self, action: &Action, number: Option<u32>) -> bool {
        let plane = match action.plane() {
            Plane::Control => &self.control,
            Plane::Data => &self.data,
        };
        match number {
            Some(number) => plane.known.holds(number),
            None => plane.blocks.iter().any(|block| block.names(action.folded())),
        }
    }
}

impl CompiledPlane {
    fn compile(mut blocks: Vec<Block>, known: &KnownActions) -> Self {
        blocks.retain(|block| !block.granted.is_empty());
        let mut bits = Bits::empty(known.len());
        for (number, name) in (0..).zip(known.names()) {
            if blocks.iter().any(|block| block.names(name)) {
                bits.set(number);
            }
        }
        Self { known: bits, blocks }
    }
}

impl Block {
    fn new(granted: &[ActionPattern], excepted: &[ActionPattern]) -> Self {
        Self { granted: Patterns::new(granted), excepted: Patterns::new(excepted) }
    }

    fn names(&self, folded: &str) -> bool {
        self.granted.match_any(folded) && !self.excepted.match_any(folded)
    }
}

impl Patterns {
    fn new(patterns: &[ActionPattern]) -> Self {
        let (wildcard, exact) = patterns.iter().partition::<Vec<_>, _>(|pattern| pattern.has_wildcard());
        let boxed = |each: &ActionPattern| Box::<str>::from(each.folded());
        let mut exact: Vec<_> = exact.into_iter().map(boxed).collect();
        exact.sort_unstable();
        Self { exact, wildcard: wildcard.into_iter().map(boxed).collect() }
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcard.is_empty()
    }

    fn match_any(&self, folded: &str) -> bool {
        self.exact.binary_search_by(|each| (**each).cmp(folded)).is_ok()
            || self.wildcard.iter().any(|pattern| folded_glob_matches(pattern, folded))
    }
}

impl Bits {
    fn empty(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)].into_boxed_slice())
    }

    fn set(&mut self, number: u32) {
        if let Some(word) = self.0.get_mut((number / 64) as usize) {
            *word |= 1 << (number % 64);
        }
    }

    fn holds(&self, number: u32) -> bool {
        self.0.get((number / 64) as usize).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}
