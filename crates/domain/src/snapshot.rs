//! Everything that decisions read, as it was at one revision. Copying costs a few pointers: each write makes
//! a new snapshot, and readers keep the one that they took.
//!
//! Invariant: once read, a snapshot is changed by [`Snapshot::apply`] alone, so two replicas that applied the same
//! changes hold the same state.

mod unfinished;

use std::{ops::Bound, sync::Arc};

use imbl::{HashMap, OrdMap};

use crate::{
    assignment::RoleAssignment,
    azure,
    change::{Change, Record, RecordKey},
    cluster::{AdminCertificate, Cluster},
    directory::Directory,
    id::{ClusterId, SubscriptionId},
    key::SigningKey,
    kube,
    lock::Lock,
    management_group::ManagementGroup,
    object::{Object, ObjectKey, RBAC_GROUP},
    resource::Resource,
    review::ClusterAccess,
    scope::Scope,
    subscription::{ResourceGroup, Subscription},
    unfinished::Unfinished,
    unreadable::{Effect, UndecidedByDamage, Unreadable},
};

#[derive(Clone, Debug)]
pub struct Snapshot {
    revision: u64,
    directory: Directory,
    azure: azure::Policy,
    management_groups: HashMap<String, Arc<ManagementGroup>>,
    subscriptions: OrdMap<SubscriptionId, Arc<Subscription>>,
    resource_groups: OrdMap<(SubscriptionId, String), Arc<ResourceGroup>>,
    resources: OrdMap<String, Arc<Resource>>,
    locks: OrdMap<String, Arc<Lock>>,
    clusters: HashMap<ClusterId, Arc<Cluster>>,
    /// Those that are being made or deleted; none of them is in `clusters`.
    unfinished_clusters: HashMap<ClusterId, Arc<Cluster>>,
    unfinished: OrdMap<String, Arc<Unfinished>>,
    /// How each of them decides, worked out once.
    cluster_access: HashMap<ClusterId, Arc<ClusterAccess>>,
    admin_certificates: OrdMap<(ClusterId, String), Arc<AdminCertificate>>,
    signing_keys: OrdMap<String, Arc<SigningKey>>,
    rbac: HashMap<ClusterId, kube::Policy>,
    objects: OrdMap<ObjectKey, Arc<Object>>,
    /// By the place where they are stored.
    unreadable: OrdMap<Arc<str>, Arc<Unreadable>>,
}

impl Snapshot {
    /// An empty installation at revision 0, with the built-in roles in `azure`.
    pub fn new(azure: azure::Policy) -> Self {
        Self {
            revision: 0,
            directory: Directory::default(),
            azure,
            management_groups: HashMap::new(),
            subscriptions: OrdMap::new(),
            resource_groups: OrdMap::new(),
            resources: OrdMap::new(),
            locks: OrdMap::new(),
            clusters: HashMap::new(),
            unfinished_clusters: HashMap::new(),
            unfinished: OrdMap::new(),
            cluster_access: HashMap::new(),
            admin_certificates: OrdMap::new(),
            signing_keys: OrdMap::new(),
            rbac: HashMap::new(),
            objects: OrdMap::new(),
            unreadable: OrdMap::new(),
        }
    }

    /// The revision whose state this is.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Roles, assignments and the decision over them.
    pub fn azure(&self) -> &azure::Policy {
        &self.azure
    }

    /// Compared without regard to case.
    pub fn management_group(&self, name: &str) -> Option<&Arc<ManagementGroup>> {
        self.management_groups.get(&name.to_ascii_lowercase())
    }

    pub fn management_groups(&self) -> impl Iterator<Item = &Arc<ManagementGroup>> {
        self.management_groups.values()
    }

    pub fn subscription(&self, id: SubscriptionId) -> Option<&Arc<Subscription>> {
        self.subscriptions.get(&id)
    }

    pub fn subscriptions(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        self.subscriptions.values()
    }

    /// Compared without regard to case.
    pub fn resource_group(&self, subscription: SubscriptionId, name: &str) -> Option<&Arc<ResourceGroup>> {
        self.resource_groups.get(&(subscription, name.to_ascii_lowercase()))
    }

    pub fn resource_groups(&self, subscription: SubscriptionId) -> impl Iterator<Item = &Arc<ResourceGroup>> {
        let groups = self.resource_groups.range((subscription, String::new())..);
        groups.take_while(move |((each, _), _)| *each == subscription).map(|(_, group)| group)
    }

    /// A resource that is neither a cluster nor a resource group.
    pub fn resource(&self, id: &Scope) -> Option<&Arc<Resource>> {
        self.resources.get(id.folded())
    }

    /// Those at and below a resource group or subscription, in the order of their ids.
    pub fn resources_below(&self, scope: &Scope) -> impl Iterator<Item = &Arc<Resource>> {
        let scope = scope.clone();
        let start = scope.folded().to_owned();
        self.resources
            .range(start..)
            .map(|(_, resource)| resource)
            .take_while({
                let scope = scope.clone();
                move |resource| resource.id.folded().starts_with(scope.folded())
            })
            .filter(move |resource| scope.contains(&resource.id))
    }

    /// Compared without regard to case.
    pub fn lock(&self, scope: &Scope, name: &str) -> Option<&Arc<Lock>> {
        self.locks.get(&Lock::key(scope, name))
    }

    /// In the order of their scopes.
    pub fn locks(&self) -> impl Iterator<Item = &Arc<Lock>> {
        self.locks.values()
    }

    pub fn cluster(&self, id: ClusterId) -> Option<&Arc<Cluster>> {
        self.clusters.get(&id)
    }

    /// The cluster of a resource group; names compared without regard to case.
    pub fn cluster_by_name(
        &self,
        subscription: SubscriptionId,
        group: &str,
        name: &str,
    ) -> Option<&Arc<Cluster>> {
        self.clusters.values().find(|cluster| {
            cluster.subscription == subscription
                && cluster.resource_group.matches(group)
                && cluster.name.matches(name)
        })
    }

    pub fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.clusters.values()
    }

    /// How the cluster decides. None where there is no such cluster, or its names make no resource id.
    pub fn cluster_access(&self, id: ClusterId) -> Option<&Arc<ClusterAccess>> {
        self.cluster_access.get(&id)
    }

    /// `serial` in lower-case hexadecimal.
    pub fn admin_certificate(&self, cluster: ClusterId, serial: &str) -> Option<&Arc<AdminCertificate>> {
        self.admin_certificates.get(&(cluster, serial.to_owned()))
    }

    pub fn admin_certificates(&self, cluster: ClusterId) -> impl Iterator<Item = &Arc<AdminCertificate>> {
        let certificates = self.admin_certificates.range((cluster, String::new())..);
        certificates.take_while(move |((each, _), _)| *each == cluster).map(|(_, certificate)| certificate)
    }

    pub fn signing_key(&self, kid: &str) -> Option<&Arc<SigningKey>> {
        self.signing_keys.get(kid)
    }

    pub fn signing_keys(&self) -> impl Iterator<Item = &Arc<SigningKey>> {
        self.signing_keys.values()
    }

    /// Roles and bindings of a cluster; none for a cluster that has no objects here.
    pub fn rbac(&self, cluster: ClusterId) -> Option<&kube::Policy> {
        self.rbac.get(&cluster)
    }

    pub fn object(&self, key: &ObjectKey) -> Option<&Arc<Object>> {
        self.objects.get(key)
    }

    /// Objects of one resource in order of namespace and name; an empty namespace means all of them.
    pub fn objects(
        &self,
        cluster: ClusterId,
        group: &str,
        resource: &str,
        namespace: &str,
    ) -> impl Iterator<Item = &Arc<Object>> {
        let start = ObjectKey::new(cluster, group, resource, namespace, "");
        self.objects_from(start)
    }

    /// Objects of the place of a key (its resource and, unless that is empty, its namespace) that come after `last`,
    /// which need not exist.
    pub fn objects_after<'a>(
        &'a self,
        place: &'a ObjectKey,
        last: &ObjectKey,
    ) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
        self.objects
            .range((Bound::Excluded(last.clone()), Bound::Unbounded))
            .take_while(move |(key, _)| {
                key.cluster == place.cluster
                    && key.group == place.group
                    && key.resource == place.resource
                    && (place.namespace.is_empty() || key.namespace == place.namespace)
            })
            .map(|(_, object)| object)
    }

    /// Objects from `start` on, which belong to its resource and, unless that is empty, to its namespace.
    pub fn objects_from(&self, start: ObjectKey) -> impl Iterator<Item = &Arc<Object>> {
        let within = start.clone();
        self.objects
            .range(start..)
            .take_while(move |(key, _)| {
                key.cluster == within.cluster
                    && key.group == within.group
                    && key.resource == within.resource
                    && (within.namespace.is_empty() || key.namespace == within.namespace)
            })
            .map(|(_, object)| object)
    }

    /// Every object of a cluster.
    pub fn cluster_objects(&self, cluster: ClusterId) -> impl Iterator<Item = &Arc<Object>> {
        self.cluster_objects_from(cluster, ObjectKey::new(cluster, "", "", "", ""))
    }

    /// Every object of a cluster from `start` on.
    pub fn cluster_objects_from(
        &self,
        cluster: ClusterId,
        start: ObjectKey,
    ) -> impl Iterator<Item = &Arc<Object>> {
        self.objects
            .range(start..)
            .take_while(move |(key, _)| key.cluster == cluster)
            .map(|(_, object)| object)
    }

    /// For a change of an object: what was there before it.
    pub fn previous_object(&self, change: &Change) -> Option<Option<Arc<Object>>> {
        match change {
            Change::Put(Record::Object(object)) => Some(self.objects.get(&object.key).cloned()),
            Change::Delete(RecordKey::Object(key)) => Some(self.objects.get(key).cloned()),
            Change::Put(_) | Change::Delete(_) => None,
        }
    }

    /// Brings the snapshot to `revision`, by all changes since the revision that it had.
    pub fn apply(&mut self, revision: u64, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            match change {
                Change::Put(record) => self.put(record),
                Change::Delete(key) => self.delete(&key),
            }
        }
        self.revision = revision;
        if !self.unreadable.is_empty() {
            self.renew_doubt();
        }
    }

    /// Stored records that cannot be read, in the order of their places.
    pub fn unreadable(&self) -> impl Iterator<Item = &Arc<Unreadable>> {
        self.unreadable.values()
    }

    /// The record at a place, if it is one that cannot be read.
    pub fn unreadable_at(&self, place: &str) -> Option<&Arc<Unreadable>> {
        self.unreadable.get(place)
    }

    /// Sets a record aside that cannot be read: what stood in its place is gone, and what it may refuse is refused.
    pub fn set_aside(&mut self, unreadable: Unreadable) {
        if let Some(record) = &unreadable.record {
            self.delete(record);
        }
        let is_work = unreadable.is_work();
        self.unreadable.insert(unreadable.place.clone(), Arc::new(unreadable));
        if is_work {
            self.place_clusters();
        }
        self.renew_doubt();
    }

    /// For a place of which there is news: whatever is there now can be read, or is gone.
    pub fn forget_unreadable(&mut self, place: &str) {
        if let Some(unreadable) = self.unreadable.remove(place) {
            if unreadable.is_work() {
                self.place_clusters();
            }
            self.renew_doubt();
        }
    }

    fn renew_doubt(&mut self) {
        let mut doubt = UndecidedByDamage::default();
        for unreadable in self.unreadable.values() {
            match &unreadable.effect {
                Effect::Itself | Effect::Changes(_) => {}
                Effect::Scope(scope) => doubt.scopes.push(scope.clone()),
                Effect::Principal(id) => {
                    doubt.principals.insert(*id);
                }
                Effect::Members(group) => doubt.principals.extend(self.directory.members(*group)),
            }
        }
        self.azure.set_doubt(doubt);
    }

    /// The role assignments of a whole state that is being read, beside what [`Snapshot::apply`] has taken over of it.
    pub fn put_assignments(&mut self, assignments: Vec<RoleAssignment>) {
        self.azure.put_assignments(assignments);
    }

    /// Whether recent changes have piled up so that [`Snapshot::prepare_fold`] makes decisions faster.
    pub fn needs_fold(&self) -> bool {
        self.azure.needs_fold()
    }

    /// Rebuilds indexes without changing what they say, which takes time in proportion to their size: for a thread of
    /// its own. A later snapshot adopts the outcome.
    pub fn prepare_fold(&self) -> azure::Folded {
        self.azure.prepare_fold()
    }

    /// Takes what was folded; false if too much has changed since.
    pub fn adopt_fold(&mut self, folded: &azure::Folded) -> bool {
        self.azure.adopt(folded)
    }

    fn put(&mut self, record: Record) {
        match record {
            Record::Tenant(record) => {
                self.azure.put_management_group(ManagementGroup::root_of(record.id));
                self.directory.put_tenant(record);
            }
            Record::User(record) => self.directory.put_user(record),
            Record::Group(record) => self.directory.put_group(record),
            Record::Membership(record) => self.directory.put_membership(record),
            Record::Application(record) => self.directory.put_application(record),
            Record::ServicePrincipal(record) => {
                let record = self.with_standing(record);
                self.directory.put_service_principal(record);
            }
            Record::ManagementGroup(record) => {
                self.azure.put_management_group((&record).into());
                self.management_groups.insert(record.name.folded(), Arc::new(record));
            }
            Record::Subscription(record) => {
                self.azure.put_subscription(record.id, &ManagementGroup::root_name(record.tenant));
                self.subscriptions.insert(record.id, Arc::new(record));
            }
            Record::ResourceGroup(record) => {
                let record = self.with_manager(record);
                self.resource_groups.insert((record.subscription, record.name.folded()), Arc::new(record));
            }
            Record::Resource(record) => {
                self.resources.insert(record.id.folded().to_owned(), Arc::new(record));
            }
            Record::Role(record) => self.azure.put_role(record),
            Record::Assignment(record) => self.azure.put_assignment(record),
            Record::DenyAssignment(record) => self.azure.put_deny(record),
            Record::Lock(record) => {
                self.locks.insert(Lock::key(&record.scope, record.name.as_str()), Arc::new(record));
            }
            Record::Cluster(record) => self.place_cluster(Arc::from(record)),
            Record::Unfinished(record) => self.put_unfinished(record),
            Record::AdminCertificate(record) => {
                self.admin_certificates.insert((record.cluster, record.serial.clone()), Arc::new(record));
            }
            Record::SigningKey(record) => {
                self.signing_keys.insert(record.key.kid.clone(), Arc::new(record));
            }
            Record::Object(object) => {
                if &*object.key.group == RBAC_GROUP {
                    self.put_rbac(&object);
                }
                self.objects.insert(object.key.clone(), Arc::new(object));
            }
        }
    }

    /// An object that cannot be read grants nothing, nor does what stood in its place.
    fn put_rbac(&mut self, object: &Object) {
        let policy = self.rbac.entry(object.key.cluster).or_default();
        let ObjectKey { resource, namespace, name, .. } = &object.key;
        match (kube::Object::parse(&object.value), kube::ObjectKey::of(resource, namespace, name)) {
            (Ok(parsed), _) => policy.put(parsed),
            (Err(_), Some(key)) => policy.remove(&key),
            (Err(_), None) => {}
        }
    }

    fn delete(&mut self, key: &RecordKey) {
        match key {
            RecordKey::Tenant(id) => {
                self.azure.remove_management_group(ManagementGroup::root_name(*id).as_str());
                self.directory.remove_tenant(*id);
            }
            RecordKey::User(id) => self.directory.remove_user(*id),
            RecordKey::Group(id) => self.directory.remove_group(*id),
            RecordKey::Membership(membership) => self.directory.remove_membership(*membership),
            RecordKey::Application(id) => self.directory.remove_application(*id),
            RecordKey::ServicePrincipal(id) => self.directory.remove_service_principal(*id),
            RecordKey::ManagementGroup(name) => {
                self.azure.remove_management_group(name);
                self.management_groups.remove(name);
            }
            RecordKey::Subscription(id) => {
                self.azure.remove_subscription(*id);
                self.subscriptions.remove(id);
            }
            RecordKey::ResourceGroup(subscription, name) => {
                self.resource_groups.remove(&(*subscription, name.clone()));
            }
            RecordKey::Resource(id) => {
                self.resources.remove(id);
            }
            RecordKey::Role(id) => self.azure.remove_role(*id),
            RecordKey::Assignment(id) => self.azure.remove_assignment(*id),
            RecordKey::DenyAssignment(id) => self.azure.remove_deny(*id),
            RecordKey::Lock(key) => {
                self.locks.remove(key);
            }
            RecordKey::Cluster(id) => {
                self.clusters.remove(id);
                self.unfinished_clusters.remove(id);
                self.cluster_access.remove(id);
                self.rbac.remove(id);
            }
            RecordKey::Unfinished(key) => self.remove_unfinished(key),
            RecordKey::AdminCertificate(cluster, serial) => {
                self.admin_certificates.remove(&(*cluster, serial.clone()));
            }
            RecordKey::SigningKey(kid) => {
                self.signing_keys.remove(kid);
            }
            RecordKey::Object(key) => {
                if &*key.group == RBAC_GROUP
                    && let Some(policy) = self.rbac.get_mut(&key.cluster)
                    && let Some(rbac_key) = kube::ObjectKey::of(&key.resource, &key.namespace, &key.name)
                {
                    policy.remove(&rbac_key);
                }
                self.objects.remove(key);
            }
        }
    }
}
