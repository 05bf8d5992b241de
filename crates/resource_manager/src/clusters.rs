//! Clusters as resources: making, changing and deleting them, and who may do so.
//!
//! Every write is itself decided by the Azure engine at the cluster's scope. What runs inside an embedded
//! cluster is the business of `objects`.

pub mod agent_pools;
pub(crate) mod identities;
mod power;
pub mod preflight;
pub mod trusted_access;

use state::{Kind, UniqueName};
use std::{collections::BTreeMap, sync::Arc};

use domain::{
    change::{Record, RecordKey},
    cluster::{Authority, Cluster, ObjectsForm, Serving},
    id::{ObjectId, SubscriptionId},
    name::ResourceName,
    scope::Scope,
    snapshot::Snapshot,
    unfinished::Work,
    webhook_certificate::WebhookCertificates,
    write_only,
};
use serde_json::Value;

use crate::{
    ResourceManager,
    identities::PreparedIds,
    locks,
    scope_rules::{CreatedOrUpdated, delete_assignments_below},
};
use directory::owners::protect_administrators_below;
use kubernetes::objects;
use state::{
    Caller, Error, Rule, Tx, authorize,
    precondition::Precondition,
    restrictions,
    unfinished::{self, WorkReference},
};

/// Which cluster is meant: as in a resource id, compared without regard to case.
#[derive(Clone, Debug)]
pub struct ClusterName {
    pub subscription: SubscriptionId,
    pub resource_group: ResourceName,
    pub name: ResourceName,
}

/// A cluster to be made, or the new state of one.
#[derive(Clone, Debug)]
pub struct NewCluster {
    pub serving: Serving,
    pub location: String,
    pub tags: BTreeMap<String, String>,
    /// How people of the directory get in; `None`: as it is, in a new cluster not at all.
    pub directory: Option<DirectoryAccess>,
    pub local_accounts_disabled: bool,
    /// What the control plane acts as; `None`: as it is, in a new cluster one of its own.
    pub identity: Option<RequestedIdentity>,
    /// A user-assigned identity for the nodes in place of one of the cluster's own.
    pub kubelet_identity: Option<Scope>,
    /// Else the cluster names it.
    pub node_resource_group: Option<ResourceName>,
    pub properties: serde_json::Map<String, serde_json::Value>,
    /// Members beside `properties`.
    pub other: serde_json::Map<String, serde_json::Value>,
    /// What must be there before.
    pub precondition: Precondition,
}

/// How people and programs of the directory get into a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryAccess {
    pub azure_rbac: bool,
    pub admin_groups: Vec<ObjectId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestedIdentity {
    /// One of the cluster's own, which comes and goes with it.
    System,
    /// A user-assigned one.
    User(Scope),
}

impl NewCluster {
    /// One for which nothing further is said, open to the directory.
    pub fn new(serving: Serving, location: &str) -> Self {
        Self {
            serving,
            location: location.to_owned(),
            tags: BTreeMap::new(),
            directory: Some(DirectoryAccess::default()),
            local_accounts_disabled: false,
            identity: None,
            kubelet_identity: None,
            node_resource_group: None,
            properties: serde_json::Map::new(),
            other: serde_json::Map::new(),
            precondition: Precondition::default(),
        }
    }
}

impl ClusterName {
    pub fn scope(&self) -> Result<Scope, Error> {
        let Self { subscription, resource_group, name } = self;
        let text = format!(
            "/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/\
             Microsoft.ContainerService/managedClusters/{name}"
        );
        Scope::parse(&text).map_err(|error| Error::invalid("id", error))
    }

    pub(crate) fn find<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a Arc<Cluster>> {
        snapshot.cluster_by_name(self.subscription, self.resource_group.as_str(), self.name.as_str())
    }

    /// As [`ClusterName::find`], also one that is being made or deleted.
    pub(crate) fn find_on_record<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a Arc<Cluster>> {
        let named = |cluster: &&Arc<Cluster>| {
            cluster.subscription == self.subscription
                && cluster.resource_group == self.resource_group
                && cluster.name == self.name
        };
        self.find(snapshot).or_else(|| snapshot.unfinished_clusters().find(named))
    }

    /// One that is in use.
    pub(crate) fn require<'a>(&self, snapshot: &'a Snapshot) -> Result<&'a Arc<Cluster>, Error> {
        let found = self.find_on_record(snapshot);
        let found = found.ok_or_else(|| Error::not_found(Kind::ManagedCluster, &self.name))?;
        restrictions::check_in_use(snapshot, found)?;
        Ok(found)
    }
}

impl ResourceManager {
    /// Makes the cluster, or brings an existing one to the given state; one that somebody is just making when it is
    /// made.
    pub async fn put_cluster(
        &self,
        caller: &Caller,
        name: &ClusterName,
        mut new: NewCluster,
    ) -> Result<(Arc<Cluster>, CreatedOrUpdated), Error> {
        let scope = name.scope()?;
        write_only::leave_out(&mut new.properties);
        write_only::leave_out(&mut new.other);
        authorize::control_plane(&self.state.snapshot(), caller, WRITE, &scope, self.state.now())?;
        check_serving(&new.serving)?;
        loop {
            let (put, making) = self.try_put_cluster(caller, name, &scope, &new).await?;
            self.state.finish(making).await?;
            if let Some(put) = put {
                return Ok(put);
            }
        }
    }

    /// Gives what is being made and must be waited for; no cluster, where it must be before the write.
    async fn try_put_cluster(
        &self,
        caller: &Caller,
        name: &ClusterName,
        scope: &Scope,
        new: &NewCluster,
    ) -> Result<(Option<(Arc<Cluster>, CreatedOrUpdated)>, Option<WorkReference>), Error> {
        // Keys take a tenth of a second to make, so they are made before the transaction, and only if needed.
        let keys = match name.find(&self.state.snapshot()) {
            Some(_) => None,
            None => Some(self.make_cluster_keys(&name.name).await?),
        };
        let ids = self.prepare_ids(identities::MOST_IDS)?;
        self.state
            .transact(|tx| {
                tx.authorize(caller, WRITE, scope)?;
                locks::check(tx.snapshot(), scope, locks::Operation::Write)?;
                let snapshot = tx.snapshot();
                let group = snapshot.resource_group(name.subscription, name.resource_group.as_str());
                let group =
                    group.ok_or_else(|| Error::not_found(Kind::ResourceGroup, &name.resource_group))?;
                let old = name.find_on_record(snapshot).cloned();
                if let Some(old) = &old {
                    if let Some(making) = unfinished::find(snapshot, &Work::MakeCluster(old.id)) {
                        return Ok((None, Some(making)));
                    }
                    restrictions::check_in_use(snapshot, old)?;
                }
                new.precondition.check(old.as_deref())?;
                let directory = directory_access(old.as_deref(), new)?;
                let DirectoryAccess { azure_rbac, admin_groups } = directory.clone().unwrap_or_default();
                check_admin_groups(snapshot, &admin_groups)?;
                let mut cluster = match (&old, &keys) {
                    (Some(old), _) => {
                        let changed = changed(old, new, tx.now())?;
                        Cluster { directory: directory.is_some(), azure_rbac, admin_groups, ..changed }
                    }
                    (None, Some(keys)) => Cluster {
                        id: keys.id,
                        tenant: caller.tenant,
                        subscription: name.subscription,
                        resource_group: group.name.clone(),
                        name: name.name.clone(),
                        serving: new.serving.clone(),
                        location: new.location.clone(),
                        tags: new.tags.clone(),
                        directory: directory.is_some(),
                        azure_rbac,
                        admin_groups,
                        local_accounts_disabled: new.local_accounts_disabled,
                        properties: new.properties.clone(),
                        other: new.other.clone(),
                        identities: BTreeMap::new(),
                        node_resource_group: None,
                        stopped: false,
                        trusted_access: BTreeMap::new(),
                        objects_form: ObjectsForm::CURRENT,
                        authority: keys.authority.clone(),
                        service_account_key: keys.service_account_key.clone(),
                        webhook_certificates: WebhookCertificates::default(),
                        created: tx.now(),
                        updated: tx.now(),
                    },
                    (None, None) => {
                        return Err(Error::Conflict("the cluster was deleted meanwhile: try again".into()));
                    }
                };
                agent_pools::check(&agent_pools::pools(&cluster))?;
                if let Some(old) = &old {
                    agent_pools::forget_removed(tx, name, old, &cluster)?;
                }
                self.check_creator(tx, caller, &cluster, old.as_deref())?;
                identities::keep(tx, caller, &mut cluster, new, &mut PreparedIds::new(&ids))?;
                let written =
                    if old.is_some() { CreatedOrUpdated::Updated } else { CreatedOrUpdated::Created };
                tx.put(&Record::Cluster(Box::new(cluster.clone())))?;
                let mut making = None;
                if written == CreatedOrUpdated::Created {
                    let folded = scope.folded().to_owned();
                    tx.take_name(UniqueName::Cluster, &folded);
                    // Its objects are too many for this transaction: until they are there it is out of use.
                    if cluster.is_embedded() && !objects::write_bootstrap(tx, &cluster)? {
                        making = Some(unfinished::record(tx, Work::MakeCluster(cluster.id))?);
                    }
                } else if cluster.is_embedded() {
                    objects::keep_admin_group_binding(tx, &cluster)?;
                }
                Ok((Some((Arc::new(cluster), written)), making))
            })
            .await
    }

    pub async fn set_cluster_tags(
        &self,
        caller: &Caller,
        name: &ClusterName,
        tags: BTreeMap<String, String>,
        precondition: &Precondition,
    ) -> Result<Arc<Cluster>, Error> {
        let scope = name.scope()?;
        self.state
            .transact(|tx| {
                tx.authorize(caller, WRITE, &scope)?;
                locks::check(tx.snapshot(), &scope, locks::Operation::Write)?;
                let mut cluster = Cluster::clone(name.require(tx.snapshot())?);
                precondition.check(Some(&cluster))?;
                cluster.tags = tags.clone();
                cluster.updated = tx.now();
                tx.put(&Record::Cluster(Box::new(cluster.clone())))?;
                Ok(Arc::new(cluster))
            })
            .await
    }

    pub fn find_cluster(&self, caller: &Caller, name: &ClusterName) -> Result<Arc<Cluster>, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, READ, &name.scope()?, self.state.now())?;
        let found = name.find_on_record(&snapshot).cloned();
        found.ok_or_else(|| Error::not_found(Kind::ManagedCluster, &name.name))
    }

    /// Clusters of a subscription, or of one resource group in it, that the caller may read, by name.
    pub fn list_clusters(
        &self,
        caller: &Caller,
        subscription: SubscriptionId,
        group: Option<&str>,
    ) -> Result<Vec<Arc<Cluster>>, Error> {
        match group {
            Some(group) => drop(self.find_resource_group(caller, subscription, group)?),
            None => drop(self.find_subscription(caller, subscription)?),
        }
        let snapshot = self.state.snapshot();
        let shown = |cluster: &&Arc<Cluster>| {
            let here = cluster.subscription == subscription
                && group.is_none_or(|group| cluster.resource_group.matches(group));
            let scope = Scope::parse(&cluster.resource_id());
            here && scope.is_ok_and(|scope| authorize::may(&snapshot, caller, READ, &scope, self.state.now()))
        };
        let all = snapshot.clusters().chain(snapshot.unfinished_clusters());
        let mut clusters: Vec<Arc<Cluster>> = all.filter(shown).cloned().collect();
        clusters.sort_by_cached_key(|cluster| cluster.resource_id().to_lowercase());
        Ok(clusters)
    }

    /// Deletes a cluster with everything in it: objects, certificates, role assignments at and below it. Nobody gets
    /// into it any more when this returns. Gives what is left to wait for.
    pub async fn delete_cluster(
        &self,
        caller: &Caller,
        name: &ClusterName,
        precondition: &Precondition,
    ) -> Result<Option<WorkReference>, Error> {
        let scope = name.scope()?;
        let deleting = self.state.transact(|tx| {
            tx.authorize(caller, DELETE, &scope)?;
            let found = name.find_on_record(tx.snapshot()).cloned();
            precondition.check(found.as_deref())?;
            let cluster = found.ok_or_else(|| Error::not_found(Kind::ManagedCluster, &name.name))?;
            locks::check(tx.snapshot(), &scope, locks::Operation::Delete)?;
            check_removable(tx, caller, &cluster)?;
            unfinished::begin(tx, Work::DeleteCluster(cluster.id))
        });
        self.state.go_on(deleting.await?).await
    }

    /// Makes a new authority for an embedded cluster: every administrator certificate that the old one signed is
    /// refused from now on. What an attached cluster has of it are the certificates of its API server, which would be
    /// shut out: those are [replaced one by one](ResourceManager::issue_webhook_certificate).
    pub async fn rotate_cluster_certificates(
        &self,
        caller: &Caller,
        name: &ClusterName,
    ) -> Result<(), Error> {
        let scope = name.scope()?;
        authorize::control_plane(&self.state.snapshot(), caller, ROTATE, &scope, self.state.now())?;
        let fresh = self.make_authority(&name.name)?;
        self.state.transact(|tx| {
            tx.authorize(caller, ROTATE, &scope)?;
            locks::check(tx.snapshot(), &scope, locks::Operation::Write)?;
            let mut cluster = Cluster::clone(name.require(tx.snapshot())?);
            if !cluster.is_embedded() {
                return Err(Error::Conflict(format!(
                    "the cluster \"{0}\" is attached: it has no administrator certificates, and its API server would be \
                     shut out. Replace the certificate of its API server with `portcullis cluster certificate rotate {0}`, \
                     and end one that others may have with `portcullis cluster certificate end {0}`",
                    cluster.name
                )));
            }
            let generation = cluster.authority.generation.saturating_add(1);
            cluster.authority = Authority { generation, ..fresh.clone() };
            cluster.updated = tx.now();
            tx.put(&Record::Cluster(Box::new(cluster)))
        })
        .await
    }
}

fn changed(old: &Cluster, new: &NewCluster, now: jiff::Timestamp) -> Result<Cluster, Error> {
    if std::mem::discriminant(&old.serving) != std::mem::discriminant(&new.serving) {
        return Err(Error::Conflict(
            "an embedded cluster cannot become an attached one, nor the reverse: delete it and make it anew"
                .into(),
        ));
    }
    if !old.location.eq_ignore_ascii_case(&new.location) {
        return Err(Error::Conflict(format!(
            "the cluster is in location \"{}\", which cannot be changed to \"{}\"",
            old.location, new.location
        )));
    }
    let mut properties = new.properties.clone();
    for kept in KEPT {
        let said = properties.get(kept).is_some_and(|value| !value.is_null());
        if let Some(value) = old.properties.get(kept).filter(|_| !said) {
            properties.insert(kept.to_owned(), value.clone());
        }
    }
    if let Some(Value::Object(issuer)) =
        properties.get_mut("oidcIssuerProfile").filter(|_| old.publishes_issuer())
        && issuer.get("enabled").is_none_or(Value::is_null)
    {
        issuer.insert("enabled".into(), true.into());
    }
    let changed = Cluster {
        serving: new.serving.clone(),
        tags: new.tags.clone(),
        local_accounts_disabled: new.local_accounts_disabled,
        properties,
        other: new.other.clone(),
        updated: now,
        ..old.clone()
    };
    if old.publishes_issuer() && !changed.publishes_issuer() {
        return Err(Error::Rule(Rule::IssuerStays, "OIDC issuer feature cannot be disabled.".into()));
    }
    agent_pools::keep_a_system_pool(&agent_pools::pools(old), &agent_pools::pools(&changed))?;
    Ok(changed)
}

/// What holds after the write: what is not said stays as it was. An attached cluster has no other accounts.
fn directory_access(old: Option<&Cluster>, new: &NewCluster) -> Result<Option<DirectoryAccess>, Error> {
    let kept = old
        .filter(|old| old.directory)
        .map(|old| DirectoryAccess { azure_rbac: old.azure_rbac, admin_groups: old.admin_groups.clone() });
    let attached = (new.serving != Serving::Embedded).then(DirectoryAccess::default);
    let wanted = new.directory.clone().or(kept).or(attached);
    if wanted.is_none() && new.local_accounts_disabled {
        return Err(Error::invalid(
            "properties.disableLocalAccounts",
            "local accounts can be disabled only where the directory is enabled (--enable-aad): nobody could get in",
        ));
    }
    Ok(wanted)
}

fn check_serving(serving: &Serving) -> Result<(), Error> {
    let Serving::Attached { server, certificate_authority } = serving else { return Ok(()) };
    if !server.starts_with("https://") || server.contains([' ', '\n', '"']) {
        return Err(Error::invalid(
            "properties.attached.server",
            format!("\"{server}\": expected an https address"),
        ));
    }
    crypto::cert::Certificate::from_pem(certificate_authority)
        .map(drop)
        .map_err(|error| Error::invalid("properties.attached.certificateAuthorityData", error))
}

fn check_admin_groups(snapshot: &Snapshot, groups: &[ObjectId]) -> Result<(), Error> {
    match groups.iter().find(|group| snapshot.directory().group(**group).is_none()) {
        Some(unknown) => Err(Error::invalid(
            "properties.aadProfile.adminGroupObjectIDs",
            format!("{unknown}: expected the object id of a group of the directory"),
        )),
        None => Ok(()),
    }
}

/// Refuses where something keeps what goes with the cluster.
pub(crate) fn check_removable(tx: &Tx, caller: &Caller, cluster: &Cluster) -> Result<(), Error> {
    let own = Scope::parse(&cluster.resource_id()).map_err(Error::internal)?;
    protect_administrators_below(tx, caller, &own, DELETE)?;
    let Some(name) = &cluster.node_resource_group else { return Ok(()) };
    tx.check_deletable(&RecordKey::ResourceGroup(cluster.subscription, name.folded()))?;
    let nodes = identities::node_group(cluster)?;
    protect_administrators_below(tx, caller, &nodes, DELETE)?;
    locks::check(tx.snapshot(), &nodes, locks::Operation::Delete)
}

/// Deletes a cluster with everything in it and about it, as far as the transaction has room. Whether that was all.
pub fn delete(tx: &mut Tx, cluster: &Cluster) -> Result<bool, Error> {
    let scope = Scope::parse(&cluster.resource_id()).map_err(Error::internal)?;
    let base = tx.base();
    let objects = base.cluster_objects(cluster.id).map(|object| RecordKey::Object(object.key.clone()));
    let certificates = base.admin_certificates(cluster.id);
    let certificates = certificates.map(|each| RecordKey::AdminCertificate(cluster.id, each.serial.clone()));
    if !tx.delete_all(objects.chain(certificates))
        || !delete_assignments_below(tx, &scope)
        || !identities::remove(tx, cluster)?
    {
        return Ok(false);
    }
    tx.release_name(UniqueName::Cluster, scope.folded());
    tx.delete(&RecordKey::Unfinished(Work::DeleteCluster(cluster.id).key()));
    tx.delete(&RecordKey::Cluster(cluster.id));
    Ok(true)
}

/// What a write of a cluster leaves as it is where it does not say it, as AKS does.
const KEPT: [&str; 2] = ["agentPoolProfiles", "oidcIssuerProfile"];
/// The release of Kubernetes whose API embedded clusters serve.
pub const KUBERNETES_VERSION: &str = "1.36.2";
/// The same as API servers say it, with whose it is.
pub const KUBERNETES_GIT_VERSION: &str = "v1.36.2+portcullis";
const READ: &str = "Microsoft.ContainerService/managedClusters/read";
const WRITE: &str = "Microsoft.ContainerService/managedClusters/write";
const DELETE: &str = "Microsoft.ContainerService/managedClusters/delete";
const ROTATE: &str = "Microsoft.ContainerService/managedClusters/rotateClusterCertificates/action";
