//! A busy cluster, made up from a fixed seed: the same in every run. Half of the bindings are for the whole
//! cluster, half in namespaces, a hundred in each.

use std::sync::Arc;

use domain::kube::{
    Attributes, Binding, ClusterRole, Object, Policy, PolicyRule, RoleKind, RoleRef, Subject, SubjectKind,
    Target, User, bootstrap_objects,
};
use uuid::Uuid;

use super::scan::Lists;

pub(super) struct Cluster {
    pub(super) policy: Policy,
    pub(super) lists: Lists,
    random: Random,
    users: Vec<Arc<str>>,
    groups: Vec<Arc<str>>,
    namespaces: Vec<Arc<str>>,
    roles: Vec<Arc<str>>,
    made: usize,
}

impl Cluster {
    pub(super) fn generate(bindings: usize) -> Self {
        let mut random = Random(0x5eed);
        let ids = |count: usize, random: &mut Random| -> Vec<Arc<str>> {
            (0..count).map(|_| Uuid::from_u128(random.next128()).to_string().into()).collect()
        };
        let users = (0..bindings / 2).map(|each| format!("user{each}@example.org").into()).collect();
        let groups = ids(bindings / 5, &mut random);
        let namespaces = (0..(bindings / 200).max(1)).map(|each| format!("team-{each}").into()).collect();
        let bootstrap = bootstrap_objects();
        let bootstrap = bootstrap.iter().filter(|object| object["kind"] == "ClusterRole");
        let mut objects: Vec<Object> =
            bootstrap.map(|object| Object::parse(object).expect("a test reads each of them")).collect();
        let roles: Vec<Arc<str>> = (0..200).map(|each| format!("role-{each}").into()).collect();
        for (position, name) in roles.iter().enumerate() {
            objects.push(Object::ClusterRole(role(name, position)));
        }
        let mut cluster = Self {
            policy: Policy::default(),
            lists: Lists::default(),
            random,
            users,
            groups,
            namespaces,
            roles,
            made: 0,
        };
        objects.extend((0..bindings).map(|_| cluster.binding()));
        cluster.lists = Lists::build(&objects);
        cluster.policy.extend(objects);
        cluster
    }

    /// A new binding of one to three subjects: groups, users and service accounts.
    pub(super) fn binding(&mut self) -> Object {
        self.made += 1;
        let random = &mut self.random;
        let namespace = (random.below(2) == 0).then(|| random.pick(&self.namespaces));
        let subjects = (0..=random.below(3)).map(|_| {
            let (kind, name, namespace) = match random.below(10) {
                0..5 => (SubjectKind::Group, random.pick(&self.groups), None),
                5..8 => (SubjectKind::User, random.pick(&self.users), None),
                _ => (SubjectKind::ServiceAccount, Arc::from("default"), Some(random.pick(&self.namespaces))),
            };
            Subject { kind, name, namespace }
        });
        let subjects = subjects.collect();
        Object::Binding(Binding {
            namespace,
            name: format!("binding-{}", self.made).into(),
            role: RoleRef { kind: RoleKind::ClusterRole, name: random.pick(&self.roles) },
            subjects,
        })
    }

    /// Requests of people in twenty groups, for one of many resources, in some namespace.
    pub(super) fn questions(&mut self, count: usize) -> Vec<Attributes> {
        let random = &mut self.random;
        let question = |_| {
            let mut groups: Vec<String> =
                (1..GROUPS_OF_CALLER).map(|_| random.pick(&self.groups).to_string()).collect();
            groups.push(User::AUTHENTICATED.to_owned());
            let user =
                User { name: random.pick(&self.users).to_string(), groups: groups.into(), ..User::default() };
            let target = Target::Resource {
                group: "apps".into(),
                version: "v1".into(),
                resource: format!("resource-{}", random.below(40)),
                subresource: String::new(),
                namespace: random.pick(&self.namespaces).to_string(),
                name: String::new(),
            };
            Attributes { user, verb: "list".into(), target }
        };
        (0..count).map(question).collect()
    }
}

/// Ten rules about one resource each.
fn role(name: &Arc<str>, position: usize) -> ClusterRole {
    let rule = |each: usize| PolicyRule {
        verbs: ["get", "list", "watch"].map(str::to_owned).to_vec(),
        api_groups: vec!["apps".to_owned()],
        resources: vec![format!("resource-{}", position * 7 + each)],
        ..PolicyRule::default()
    };
    ClusterRole {
        name: name.clone(),
        labels: Default::default(),
        rules: (0..10).map(rule).collect(),
        aggregation_rule: None,
    }
}

/// xorshift64*: good enough to spread, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn next128(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or_default() % limit.max(1)
    }

    fn pick(&mut self, list: &[Arc<str>]) -> Arc<str> {
        let place = self.below(list.len());
        list.get(place).cloned().unwrap_or_default()
    }
}

const GROUPS_OF_CALLER: usize = 20;
