//! The same decision in the two ways that come to mind first: a hash table probed for every principal at
//! every scope, and a scan of the list. Both get what the engine must find out for itself: numbers for
//! scopes, and roles boiled down to whether they grant the one action that is asked for.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use domain::{
    assignment::RoleAssignment,
    azure::{Access, Caller},
    condition::glob_matches,
    id::{ObjectId, RoleId},
    role::RoleDefinition,
    scope::Scope,
};

#[derive(Default)]
pub(super) struct Hashed {
    scopes: HashMap<String, u32>,
    granting: HashSet<RoleId>,
    by_pair: HashMap<(ObjectId, u32), Vec<RoleId>, BuildHasherDefault<Quick>>,
}

#[derive(Default)]
pub(super) struct Scanned {
    granting: HashSet<RoleId>,
    assignments: Vec<(ObjectId, Scope, RoleId)>,
}

impl Hashed {
    pub(super) fn build(assignments: &[RoleAssignment], roles: &[Arc<RoleDefinition>]) -> Self {
        let mut table = Self { granting: granting(roles), ..Self::default() };
        for assignment in assignments {
            let new = u32::try_from(table.scopes.len()).unwrap_or(u32::MAX);
            let number = *table.scopes.entry(assignment.scope.folded().to_owned()).or_insert(new);
            table.by_pair.entry((assignment.principal, number)).or_default().push(assignment.role);
        }
        table
    }

    pub(super) fn decide(&self, caller: &Caller, access: &Access) -> bool {
        let mut allowed = false;
        for scope in chain(&access.scope) {
            let Some(number) = self.scopes.get(scope) else { continue };
            for principal in std::iter::once(&caller.object_id).chain(&*caller.groups) {
                let roles = self.by_pair.get(&(*principal, *number)).into_iter().flatten();
                allowed |= roles.into_iter().any(|role| self.granting.contains(role));
            }
        }
        allowed
    }
}

impl Scanned {
    pub(super) fn build(assignments: &[RoleAssignment], roles: &[Arc<RoleDefinition>]) -> Self {
        let rows = assignments.iter().map(|each| (each.principal, each.scope.clone(), each.role));
        Self { granting: granting(roles), assignments: rows.collect() }
    }

    pub(super) fn decide(&self, caller: &Caller, access: &Access) -> bool {
        let principals: HashSet<ObjectId> =
            std::iter::once(caller.object_id).chain(caller.groups.iter().copied()).collect();
        let chain = chain(&access.scope);
        self.assignments.iter().any(|(principal, scope, role)| {
            principals.contains(principal) && chain.contains(&scope.folded()) && self.granting.contains(role)
        })
    }
}

/// The scopes above one in the made-up tree, which has a single management group.
fn chain(scope: &Scope) -> Vec<&str> {
    let text = scope.folded();
    let cuts = [usize::MAX, 10, 8, 4, 2];
    let mut chain: Vec<&str> = cuts
        .iter()
        .map(|segments| {
            let end = text.match_indices('/').nth(*segments).map_or(text.len(), |(place, _)| place);
            text.get(..end).unwrap_or(text)
        })
        .collect();
    chain.dedup();
    chain.extend([TOP, "/"]);
    chain
}

fn granting(roles: &[Arc<RoleDefinition>]) -> HashSet<RoleId> {
    let names = |pattern: &domain::role::ActionPattern| glob_matches(pattern.as_str(), ACTION);
    let grants = |role: &&Arc<RoleDefinition>| {
        role.permissions
            .iter()
            .any(|block| block.data_actions.iter().any(names) && !block.not_data_actions.iter().any(names))
    };
    roles.iter().filter(grants).map(|role| role.id).collect()
}

/// A hash as cheap as the engine's own.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        let product = u128::from(self.0 ^ value) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
        self.0 = (product ^ (product >> 64)) as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

const TOP: &str = "/providers/microsoft.management/managementgroups/platform";
const ACTION: &str = "Microsoft.ContainerService/managedClusters/pods/read";
