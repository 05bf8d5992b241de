//! A large organization, made up from a fixed seed: the same in every run.

use std::sync::Arc;

use domain::{
    assignment::{PrincipalKind, RoleAssignment},
    azure::{Access, BuiltIn, Caller, ManagementGroup, Operations, Policy},
    id::{AssignmentId, ObjectId, RoleId, SubscriptionId},
    name::ResourceName,
    role::Stamp,
    scope::Scope,
};
use uuid::Uuid;

use super::peer::{Hashed, Scanned};

pub(super) struct World {
    pub(super) policy: Policy,
    pub(super) by_hash: Hashed,
    pub(super) by_scan: Scanned,
    random: Random,
    groups: Vec<ObjectId>,
    roles: Vec<RoleId>,
    tree: Tree,
}

/// Scopes by depth: a management group, 50 subscriptions, 1,000 resource groups, 5,000 clusters, 100,000
/// namespaces; above them the root.
struct Tree {
    levels: [Vec<Scope>; 5],
}

impl World {
    pub(super) fn generate(assignments: usize) -> Self {
        let mut random = Random(0x5eed);
        let users: Vec<ObjectId> = (0..200_000).map(|_| random.object()).collect();
        let groups: Vec<ObjectId> = (0..20_000).map(|_| random.object()).collect();
        let built_in = BuiltIn::load().expect("a test proves that the list parses");
        let operations = Operations::published().expect("a test proves that the list parses");
        let mut policy = Policy::new(&built_in, &operations);
        let tree = Tree::generate(&mut random, &mut policy);
        let roles: Vec<RoleId> = built_in.roles().iter().map(|role| role.id).collect();
        let mut world = Self {
            policy,
            by_hash: Hashed::default(),
            by_scan: Scanned::default(),
            random,
            groups,
            roles,
            tree,
        };
        let list: Vec<RoleAssignment> = (0..assignments)
            .map(|_| {
                let to_group = world.random.below(10) < 6;
                let principals = if to_group { &world.groups } else { &users };
                let principal = world.random.pick(principals);
                let scope = world.tree.any(&mut world.random);
                world.assignment(principal, scope)
            })
            .collect();
        world.by_hash = Hashed::build(&list, built_in.roles());
        world.by_scan = Scanned::build(&list, built_in.roles());
        world.policy.put_assignments(list);
        world
    }

    /// Callers that nobody asked about before, each at a namespace.
    pub(super) fn questions(&mut self, count: usize) -> Vec<(Caller, Access)> {
        (0..count)
            .map(|_| {
                let groups: Arc<[ObjectId]> =
                    (0..GROUPS_OF_CALLER).map(|_| self.random.pick(&self.groups)).collect();
                let caller = Caller::new(self.random.object(), groups);
                let [.., namespaces] = &self.tree.levels;
                let namespace = self.random.pick(namespaces);
                (caller, Access::data_plane(namespace, ACTION))
            })
            .collect()
    }

    pub(super) fn new_assignment(&mut self, at_one_scope: bool) -> RoleAssignment {
        let principal = self.random.pick(&self.groups);
        let [_, subscriptions, ..] = &self.tree.levels;
        let scope = if at_one_scope {
            subscriptions.first().cloned().unwrap_or_else(Scope::root)
        } else {
            self.tree.any(&mut self.random)
        };
        self.assignment(principal, scope)
    }

    fn assignment(&mut self, principal: ObjectId, scope: Scope) -> RoleAssignment {
        RoleAssignment {
            id: AssignmentId::new(self.random.uuid()),
            principal,
            principal_kind: PrincipalKind::Group,
            role: self.random.pick(&self.roles),
            scope,
            condition: None,
            description: None,
            created: Stamp::BUILT_IN,
            updated: Stamp::BUILT_IN,
        }
    }
}

impl Tree {
    fn generate(random: &mut Random, policy: &mut Policy) -> Self {
        let name = ResourceName::parse("platform").expect("the name is well formed");
        let ids: Vec<SubscriptionId> = (0..50).map(|_| SubscriptionId::new(random.uuid())).collect();
        let top = Scope::management_group(&name);
        let subscriptions: Vec<Scope> = ids.iter().map(|id| Scope::subscription(*id)).collect();
        policy.put_management_group(ManagementGroup { name, parent: None, subscriptions: ids });
        let below = |above: &[Scope], count: usize, path: &str| -> Vec<Scope> {
            let names = above.iter().flat_map(|scope| (0..count).map(move |number| (scope, number)));
            let texts = names.map(|(scope, number)| format!("{scope}/{path}-{number}"));
            texts.map(|text| Scope::parse(&text).expect("the path is well formed")).collect()
        };
        let resource_groups = below(&subscriptions, 20, "resourceGroups/production-west");
        let clusters = "providers/Microsoft.ContainerService/managedClusters/cluster";
        let clusters = below(&resource_groups, 5, clusters);
        let namespaces = below(&clusters, 20, "namespaces/team");
        Self { levels: [vec![top], subscriptions, resource_groups, clusters, namespaces] }
    }

    /// Mostly namespaces, and a few thousand assignments at the narrow top.
    fn any(&self, random: &mut Random) -> Scope {
        let [tops, subscriptions, resource_groups, clusters, namespaces] = &self.levels;
        match random.below(1000) {
            0 => Scope::root(),
            1..4 => random.pick(tops),
            4..54 => random.pick(subscriptions),
            54..150 => random.pick(resource_groups),
            150..350 => random.pick(clusters),
            _ => random.pick(namespaces),
        }
    }
}

/// Xorshift: enough for made-up data, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let place = self.below(from.len());
        from.get(place).expect("the place is below the length").clone()
    }

    fn uuid(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }

    fn object(&mut self) -> ObjectId {
        ObjectId::new(self.uuid())
    }
}

pub(super) const GROUPS_OF_CALLER: usize = 100;
const ACTION: &str = "Microsoft.ContainerService/managedClusters/pods/read";
