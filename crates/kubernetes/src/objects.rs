//! Objects of embedded clusters: reading, writing and watching them, as the Kubernetes API means it.
//!
//! ```text
//!   identity ─► who calls     access ─► may they      this file, write ─► read and write
//!                                                        │ within the write's transaction
//!                    namespaces (lifecycle)   grants (escalation, aggregation)   service_accounts
//! ```
//!
//! What a kind's fields mean is not known here: the surface hands in objects that it has checked, and closures
//! that make the new object from the old one. What holds for every object is here: names are unique, a write
//! builds on the newest state, nothing is made in a namespace that ends, nobody grants more than they hold.

use std::sync::Arc;

use domain::{
    cluster::Cluster,
    id::{ClusterId, Id},
    object::{Object, ObjectKey},
};

use crate::Kubernetes;
use state::Error;

mod access;
mod bootstrap;
mod caller;
mod deletion;
mod error;
mod grants;
mod identity;
mod listing;
mod mend;
mod namespaces;
mod service_accounts;
mod values;
mod watch;
mod watch_limit;
mod write;

pub use access::{HeldRules, RequestedAccess, Target};
pub use bootstrap::{keep_admin_group_binding, write_bootstrap};
pub use caller::{Impersonation, KubeCaller, Presented, Token};
pub use error::{Denied, ObjectError};
pub use grants::keep_all_aggregated;
pub use identity::Identity;
pub use listing::Listing;
pub use service_accounts::delete_token_secrets;
pub use service_accounts::{BoundTo, IssuedServiceAccountToken, ServiceAccountTokenRequest};
pub use values::{set, stamp};
pub use watch::{Event, EventKind, ObjectWatch};
pub(crate) use watch_limit::WatchLimit;
pub use write::{ObjectChange, Outcome, Preconditions};

/// What the use cases need to know of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    pub group: &'static str,
    pub plural: &'static str,
    pub kind: &'static str,
    pub namespaced: bool,
}

/// One resource in one place, as a request names it. Empty namespace: cluster scope, or all of them in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectReference<'a> {
    pub resource: Resource,
    pub namespace: &'a str,
    pub name: &'a str,
}

/// Objects that a write has picked, and its revision.
#[derive(Clone, Debug)]
pub struct SelectedObjects {
    pub objects: Vec<Arc<Object>>,
    pub revision: u64,
}

impl Kubernetes {
    pub fn get_object(
        &self,
        caller: &KubeCaller,
        access: &RequestedAccess,
        reference: &ObjectReference<'_>,
    ) -> Result<Arc<Object>, ObjectError> {
        self.allow(caller, access)?;
        let snapshot = self.state.snapshot();
        snapshot.object(&reference.key(caller.cluster)).cloned().ok_or_else(|| reference.not_found())
    }

    /// The embedded cluster of an id, or of a name that only one has: whoever asks a cluster may know that it is there.
    pub fn find_embedded(&self, name: &str) -> Option<Arc<Cluster>> {
        let snapshot = self.state.snapshot();
        if let Ok(id) = ClusterId::parse(name) {
            return snapshot.cluster(id).filter(|cluster| cluster.is_embedded()).cloned();
        }
        let mut found = snapshot.clusters().filter(|each| each.is_embedded() && each.name.matches(name));
        match (found.next(), found.next()) {
            (Some(cluster), None) => Some(cluster.clone()),
            _ => None,
        }
    }

    /// Whether `test` holds for the object that is stored, if there is one. Nothing else is told of it: this makes
    /// room before a write that was allowed.
    pub fn is_stored(
        &self,
        caller: &KubeCaller,
        reference: &ObjectReference<'_>,
        test: impl FnOnce(&serde_json::Value) -> bool,
    ) -> bool {
        let snapshot = self.state.snapshot();
        snapshot.object(&reference.key(caller.cluster)).is_some_and(|object| test(&object.value))
    }

    /// All objects of a place, in order of namespace and name.
    pub fn list_objects(
        &self,
        caller: &KubeCaller,
        access: &RequestedAccess,
        reference: &ObjectReference<'_>,
    ) -> Result<Listing, ObjectError> {
        self.allow(caller, access)?;
        let reference = ObjectReference { name: "", ..reference.clone() }.key(caller.cluster);
        Ok(Listing::new(self.state.snapshot(), reference))
    }

    /// As [`Kubernetes::list_objects`], as it was at an earlier revision: an error where that is forgotten.
    pub async fn list_objects_at(
        &self,
        caller: &KubeCaller,
        access: &RequestedAccess,
        reference: &ObjectReference<'_>,
        revision: u64,
    ) -> Result<Listing, ObjectError> {
        self.allow(caller, access)?;
        let reference = ObjectReference { name: "", ..reference.clone() }.key(caller.cluster);
        let snapshot = self.state.snapshot();
        let newest = snapshot.revision();
        // Changes are remembered when the snapshot has them already.
        self.state.reached(newest).await?;
        let later = self.state.changes_since(revision);
        let mut later = later.map_err(|_| ObjectError::Expired { requested: revision, oldest: newest })?;
        later.retain(|batch| batch.revision <= newest);
        let listing = move || Listing::past(snapshot, reference, revision, &later);
        // Much to look through keeps nobody on this thread waiting.
        let listing = tokio::task::spawn_blocking(listing).await;
        Ok(listing.map_err(Error::internal)?)
    }

    /// A new unique id, as objects carry in `metadata.uid`.
    pub fn new_object_uid(&self) -> Result<String, Error> {
        let id: Id<Object> = self.state.new_id()?;
        Ok(id.to_string())
    }
}

impl Resource {
    pub fn is_namespace(&self) -> bool {
        self.group.is_empty() && self.plural == "namespaces"
    }
}

impl ObjectReference<'_> {
    /// The key in a cluster. A namespace object is in no namespace, whatever the request's attributes say.
    pub fn key(&self, cluster: ClusterId) -> ObjectKey {
        let Resource { group, plural, namespaced, .. } = self.resource;
        ObjectKey::new(cluster, group, plural, if namespaced { self.namespace } else { "" }, self.name)
    }

    pub fn not_found(&self) -> ObjectError {
        ObjectError::not_found(self.resource.group, self.resource.plural, self.name)
    }

    fn already_exists(&self) -> ObjectError {
        let Resource { group, plural, .. } = self.resource;
        ObjectError::AlreadyExists { group: group.into(), resource: plural.into(), name: self.name.into() }
    }

    fn conflict(&self, resource: &str, because: String) -> ObjectError {
        let group = self.resource.group.to_owned();
        ObjectError::Conflict { group, resource: resource.to_owned(), name: self.name.into(), because }
    }

    fn forbidden(&self, because: impl Into<String>) -> ObjectError {
        let Resource { group, plural, .. } = self.resource;
        ObjectError::Forbidden {
            group: group.into(),
            resource: plural.into(),
            name: self.name.into(),
            because: because.into(),
        }
    }
}
