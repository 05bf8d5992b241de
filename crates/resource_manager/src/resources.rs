//! Resources that permissions are about and that have no behaviour of their own here: networks, registries,
//! workspaces. They are stored as clients write them, so that what names them can be checked.

use state::Kind;
use std::{collections::BTreeMap, sync::Arc};

use domain::{
    change::Record,
    name::ResourceName,
    resource::{Resource, USER_ASSIGNED_IDENTITY},
    scope::Scope,
    unfinished::Work,
    write_only,
};
use serde_json::{Map, Value};

use crate::{
    ResourceManager,
    identities::{self, PreparedIds},
    locks,
    scope_rules::{CreatedOrUpdated, delete_assignments_below, require_scope},
};
use directory::owners::{protect_administrator, protect_administrators_below};
use state::{Caller, Error, Tx, authorize, precondition::Precondition, restrictions, unfinished};

/// A resource as a client writes it.
#[derive(Clone, Debug, Default)]
pub struct NewResource {
    pub location: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// Whether the system gives it an identity of its own.
    pub system_identity: bool,
    /// All other members.
    pub other: Map<String, Value>,
    /// What must be there before.
    pub precondition: Precondition,
}

impl ResourceManager {
    /// Makes a resource of one of the [`TYPES`], or brings it to the given state.
    pub async fn put_resource(
        &self,
        caller: &Caller,
        id: &Scope,
        mut new: NewResource,
    ) -> Result<(Arc<Resource>, CreatedOrUpdated), Error> {
        write_only::leave_out(&mut new.other);
        let resource_type = known_type(id)?;
        for segment in id.as_str().rsplit('/').take(1) {
            ResourceName::parse(segment)?;
        }
        let action = format!("{resource_type}/write");
        let ids = self.prepare_ids(2)?;
        self.state
            .transact(|tx| {
                tx.authorize(caller, &action, id)?;
                require_scope(tx.snapshot(), caller.tenant, id)?;
                locks::check(tx.snapshot(), id, locks::Operation::Write)?;
                require_parent(tx.snapshot(), id)?;
                let old = tx.snapshot().resource(id).cloned();
                new.precondition.check(old.as_deref())?;
                let known = old.as_ref().and_then(|old| old.identity.clone());
                let identity = match (known, new.system_identity) {
                    (Some(known), true) => Some(known),
                    (Some(known), false) => {
                        protect_administrator(tx, caller, Some(known.object_id), &action)?;
                        identities::delete_principal(tx, known.object_id)?;
                        None
                    }
                    (None, true) => {
                        let mut fresh = PreparedIds::new(&ids);
                        Some(identities::create_principal(tx, caller.tenant, id, id.name(), &mut fresh)?)
                    }
                    (None, false) => None,
                };
                let resource = Resource {
                    id: old.as_ref().map_or_else(|| id.clone(), |old| old.id.clone()),
                    location: new.location.clone(),
                    tags: new.tags.clone(),
                    identity,
                    other: new.other.clone(),
                    managed_by: match &old {
                        Some(old) => old.managed_by.clone(),
                        None => restrictions::maker(tx.snapshot(), caller, id),
                    },
                    created: old.as_ref().map_or(tx.now(), |old| old.created),
                    updated: tx.now(),
                };
                tx.put(&Record::Resource(resource.clone()))?;
                let written =
                    if old.is_some() { CreatedOrUpdated::Updated } else { CreatedOrUpdated::Created };
                Ok((Arc::new(resource), written))
            })
            .await
    }

    pub fn find_resource(&self, caller: &Caller, id: &Scope) -> Result<Arc<Resource>, Error> {
        let action = format!("{}/read", known_type(id)?);
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, &action, id, self.state.now())?;
        snapshot.resource(id).cloned().ok_or_else(|| Error::not_found(Kind::Resource, id))
    }

    /// Everything below a subscription or resource group that the caller may read, clusters excepted.
    pub fn list_resources(&self, caller: &Caller, below: &Scope) -> Result<Vec<Arc<Resource>>, Error> {
        self.require_visible(caller, below)?;
        let snapshot = self.state.snapshot();
        let now = self.state.now();
        let shown = |resource: &&Arc<Resource>| {
            resource.id.resource_type().is_some_and(|resource_type| {
                authorize::may(&snapshot, caller, &format!("{resource_type}/read"), &resource.id, now)
            })
        };
        Ok(snapshot.resources_below(below).filter(shown).cloned().collect())
    }

    /// Deletes a resource with what lies below it; `false`: there was none.
    pub async fn delete_resource(
        &self,
        caller: &Caller,
        id: &Scope,
        precondition: &Precondition,
    ) -> Result<bool, Error> {
        let action = format!("{}/delete", known_type(id)?);
        let (existed, awaited) = self
            .state
            .transact(|tx| -> Result<_, Error> {
                tx.authorize(caller, &action, id)?;
                locks::check(tx.snapshot(), id, locks::Operation::Delete)?;
                precondition.check(tx.snapshot().resource(id).map(|resource| &**resource))?;
                protect_administrators_below(tx, caller, id, &action)?;
                let existed = tx.snapshot().resources_below(id).next().is_some();
                let awaited = match existed {
                    true => unfinished::begin(tx, Work::DeleteResource(id.clone()))?,
                    false => None,
                };
                Ok((existed, awaited))
            })
            .await?;
        self.state.finish(awaited).await?;
        Ok(existed)
    }
}

/// Deletes a resource with what is below it and the role assignments there, as far as the transaction has room.
/// Whether that was all.
pub fn delete_below(tx: &mut Tx, id: &Scope) -> Result<bool, Error> {
    let base = tx.base();
    for resource in base.resources_below(id) {
        if !identities::delete(tx, resource)? {
            return Ok(false);
        }
    }
    Ok(delete_assignments_below(tx, id))
}

/// A child needs its parent: a subnet its network.
fn require_parent(snapshot: &domain::snapshot::Snapshot, id: &Scope) -> Result<(), Error> {
    let Some(parent) = id.parent().filter(|parent| parent.resource_type().is_some()) else { return Ok(()) };
    snapshot.resource(&parent).map(drop).ok_or_else(|| Error::not_found(Kind::Resource, &parent))
}

fn known_type(id: &Scope) -> Result<String, Error> {
    let own = id.resource_type().unwrap_or_default();
    let known = TYPES.iter().find(|each| each.eq_ignore_ascii_case(&own));
    let identity = own.eq_ignore_ascii_case(USER_ASSIGNED_IDENTITY);
    match known.filter(|_| !identity) {
        Some(known) => Ok((*known).to_owned()),
        None => Err(Error::not_found(Kind::ResourceType, own)),
    }
}

/// The types that the needs of clusters, and the features that bring them, are about.
pub const TYPES: &[&str] = &[
    "Microsoft.Compute/diskEncryptionSets",
    "Microsoft.Compute/proximityPlacementGroups",
    "Microsoft.ContainerRegistry/registries",
    "Microsoft.DataProtection/backupVaults",
    "Microsoft.MachineLearningServices/workspaces",
    "Microsoft.Network/applicationGateways",
    "Microsoft.Network/dnszones",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/privateDnsZones",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/publicIPPrefixes",
    "Microsoft.Network/routeTables",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/virtualNetworks/subnets",
    "Microsoft.OperationalInsights/workspaces",
];
