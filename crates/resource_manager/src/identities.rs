//! User-assigned managed identities (`Microsoft.ManagedIdentity/userAssignedIdentities`): a resource, and the
//! service principal that it is. Nobody holds a secret of one; workloads speak for it by federated credentials.

use state::Kind;
use std::{collections::BTreeMap, sync::Arc};

use domain::{
    application::{ServicePrincipal, ServicePrincipalKind},
    change::{Record, RecordKey},
    credential::FederatedCredential,
    id::{AppId, ObjectId, TenantId},
    name::DisplayName,
    resource::{ManagedIdentity, Resource, USER_ASSIGNED_IDENTITY},
    scope::Scope,
    snapshot::Snapshot,
    unfinished::Work,
};
use uuid::Uuid;

use crate::{
    ResourceManager, locks,
    scope_rules::{CreatedOrUpdated, delete_assignments_below, require_scope},
};
use directory::{
    federated::{self, NewFederatedCredential, Write},
    owners::{protect_administrator, protect_administrators_below},
    users::forget_memberships,
};
use state::{Caller, Error, Tx, authorize, restrictions, unfinished};

/// Ids for what a transaction makes, drawn before it, because its body may run again.
pub(crate) struct PreparedIds {
    ids: Vec<Uuid>,
    used: usize,
}

impl ResourceManager {
    /// Makes the identity, or changes its tags. Whoever it is stays the same.
    pub async fn put_identity(
        &self,
        caller: &Caller,
        id: &Scope,
        location: String,
        tags: BTreeMap<String, String>,
    ) -> Result<(Arc<Resource>, CreatedOrUpdated), Error> {
        let ids = self.prepare_ids(2)?;
        self.state
            .transact(|tx| {
                tx.authorize(caller, WRITE, id)?;
                require_scope(tx.snapshot(), caller.tenant, id)?;
                locks::check(tx.snapshot(), id, locks::Operation::Write)?;
                if let Some(old) = tx.snapshot().resource(id) {
                    let resource = Resource { tags: tags.clone(), updated: tx.now(), ..Resource::clone(old) };
                    tx.put(&Record::Resource(resource.clone()))?;
                    return Ok((Arc::new(resource), CreatedOrUpdated::Updated));
                }
                let mut fresh = PreparedIds::new(&ids);
                let place = (location.clone(), tags.clone());
                let maker = restrictions::maker(tx.snapshot(), caller, id);
                let resource = create(tx, caller.tenant, id, place, maker, &mut fresh)?;
                Ok((Arc::new(resource), CreatedOrUpdated::Created))
            })
            .await
    }

    pub fn find_identity(&self, caller: &Caller, id: &Scope) -> Result<Arc<Resource>, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, READ, id, self.state.now())?;
        require(&snapshot, id).cloned()
    }

    /// Identities at and below a subscription or resource group that the caller may read.
    pub fn list_identities(&self, caller: &Caller, below: &Scope) -> Result<Vec<Arc<Resource>>, Error> {
        self.require_visible(caller, below)?;
        let snapshot = self.state.snapshot();
        let now = self.state.now();
        let shown = |resource: &&Arc<Resource>| {
            resource.is_of_type(USER_ASSIGNED_IDENTITY)
                && authorize::may(&snapshot, caller, READ, &resource.id, now)
        };
        Ok(snapshot.resources_below(below).filter(shown).cloned().collect())
    }

    /// Deletes an identity, used or not: whatever acts as it can do so no longer. `false`: there was none.
    pub async fn delete_identity(&self, caller: &Caller, id: &Scope) -> Result<bool, Error> {
        let (existed, awaited) = self
            .state
            .transact(|tx| -> Result<_, Error> {
                tx.authorize(caller, DELETE, id)?;
                locks::check(tx.snapshot(), id, locks::Operation::Delete)?;
                let Some(resource) = tx.snapshot().resource(id).cloned() else { return Ok((false, None)) };
                protect_administrators_below(tx, caller, id, DELETE)?;
                Ok((true, unfinished::begin(tx, Work::DeleteResource(resource.id.clone()))?))
            })
            .await?;
        self.state.finish(awaited).await?;
        Ok(existed)
    }

    pub fn identity_credentials(
        &self,
        caller: &Caller,
        id: &Scope,
    ) -> Result<Vec<FederatedCredential>, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, CREDENTIAL_READ, id, self.state.now())?;
        Ok(principal(&snapshot, id)?.federated.clone())
    }

    pub async fn put_identity_credential(
        &self,
        caller: &Caller,
        id: &Scope,
        new: NewFederatedCredential,
    ) -> Result<(FederatedCredential, CreatedOrUpdated), Error> {
        let ids = self.prepare_ids(1)?;
        let scope = credential_scope(id, &new.name)?;
        self.state
            .transact(|tx| {
                tx.authorize(caller, CREDENTIAL_WRITE, &scope)?;
                locks::check(tx.snapshot(), &scope, locks::Operation::Write)?;
                let mut principal = principal(tx.snapshot(), id)?;
                protect_administrator(tx, caller, Some(principal.id), CREDENTIAL_WRITE)?;
                let known = principal.federated.iter().find(|each| each.name.eq_ignore_ascii_case(&new.name));
                let (write, written) = match known {
                    Some(_) => (Write::Update, CreatedOrUpdated::Updated),
                    None => (Write::Create, CreatedOrUpdated::Created),
                };
                let name = known.map_or_else(|| new.name.clone(), |known| known.name.clone());
                let new = NewFederatedCredential { name, ..new.clone() };
                let fresh = PreparedIds::new(&ids).next()?;
                let made = federated::put(&mut principal.federated, &new, fresh, write)?;
                tx.put(&Record::ServicePrincipal(principal))?;
                Ok((made, written))
            })
            .await
    }

    /// `false`: there was none.
    pub async fn delete_identity_credential(
        &self,
        caller: &Caller,
        id: &Scope,
        named: &str,
    ) -> Result<bool, Error> {
        let scope = credential_scope(id, named)?;
        self.state
            .transact(|tx| {
                tx.authorize(caller, CREDENTIAL_DELETE, &scope)?;
                locks::check(tx.snapshot(), &scope, locks::Operation::Delete)?;
                let mut principal = principal(tx.snapshot(), id)?;
                protect_administrator(tx, caller, Some(principal.id), CREDENTIAL_DELETE)?;
                let before = principal.federated.len();
                // Not by its id, which is none of the scope that was decided on.
                principal.federated.retain(|each| !each.name.eq_ignore_ascii_case(named));
                if principal.federated.len() == before {
                    return Ok(false);
                }
                tx.put(&Record::ServicePrincipal(principal))?;
                // What was given at it is not given at the next one of its name.
                unfinished::begin(tx, Work::DeleteResource(scope.clone()))?;
                Ok(true)
            })
            .await
    }

    pub(crate) fn prepare_ids(&self, count: usize) -> Result<Vec<Uuid>, Error> {
        (0..count).map(|_| Ok(self.state.new_id::<domain::id::kind::Object>()?.uuid())).collect()
    }
}

impl PreparedIds {
    pub(crate) fn new(ids: &[Uuid]) -> Self {
        Self { ids: ids.to_vec(), used: 0 }
    }

    pub(crate) fn next(&mut self) -> Result<Uuid, Error> {
        let id = self.ids.get(self.used).copied();
        self.used += 1;
        id.ok_or_else(|| Error::internal("a transaction makes more than it has ids for"))
    }
}

/// Writes a user-assigned identity with its service principal. `place`: location and tags; `managed_by`: the cluster
/// that it goes with.
pub(crate) fn create(
    tx: &mut Tx,
    tenant: TenantId,
    id: &Scope,
    place: (String, BTreeMap<String, String>),
    managed_by: Option<String>,
    fresh: &mut PreparedIds,
) -> Result<Resource, Error> {
    let identity = create_principal(tx, tenant, id, id.name(), fresh)?;
    let (location, tags) = place;
    let resource = Resource {
        id: id.clone(),
        location: Some(location),
        tags,
        identity: Some(identity),
        other: serde_json::Map::new(),
        managed_by,
        created: tx.now(),
        updated: tx.now(),
    };
    tx.create(&Record::Resource(resource.clone()))?;
    Ok(resource)
}

/// Writes the service principal of a managed identity.
pub(crate) fn create_principal(
    tx: &mut Tx,
    tenant: TenantId,
    resource: &Scope,
    name: &str,
    fresh: &mut PreparedIds,
) -> Result<ManagedIdentity, Error> {
    let identity = ManagedIdentity {
        resource: resource.clone(),
        object_id: ObjectId::new(fresh.next()?),
        client_id: AppId::new(fresh.next()?),
    };
    tx.create(&Record::ServicePrincipal(ServicePrincipal {
        id: identity.object_id,
        tenant,
        app_id: identity.client_id,
        display_name: DisplayName::parse(name)?,
        kind: ServicePrincipalKind::ManagedIdentity(resource.to_string()),
        enabled: true,
        secrets: Vec::new(),
        certificates: Vec::new(),
        federated: Vec::new(),
        owners: [].into(),
        tokens_valid_after: tx.now(),
        created: tx.now(),
    }))?;
    Ok(identity)
}

/// Deletes a resource with the service principal that is its own, and the role assignments at it: as much of it as
/// fits into the transaction, the resource last. Whether that was all.
pub(crate) fn delete(tx: &mut Tx, resource: &Resource) -> Result<bool, Error> {
    if !delete_assignments_below(tx, &resource.id) || tx.is_full() {
        return Ok(false);
    }
    if let Some(identity) = resource.identity.as_ref().filter(|identity| identity.resource == resource.id) {
        delete_principal(tx, identity.object_id)?;
    }
    tx.delete(&RecordKey::Resource(resource.id.folded().to_owned()));
    Ok(true)
}

/// Deletes a managed identity's service principal and what it was given: no other bears its id, but whoever reads
/// a list of assignments shall not find nobody in it. What does not fit into the transaction follows.
pub(crate) fn delete_principal(tx: &mut Tx, id: ObjectId) -> Result<(), Error> {
    tx.delete(&RecordKey::ServicePrincipal(id));
    if !forget(tx, id) {
        unfinished::record(tx, Work::ForgetIdentity(id))?;
    }
    Ok(())
}

/// Deletes the memberships and role assignments of an identity that is gone. Whether that were all.
pub fn forget(tx: &mut Tx, id: ObjectId) -> bool {
    let base = tx.base();
    let held = base.azure().assignments_of(id);
    forget_memberships(tx, id) && tx.delete_all(held.iter().map(|each| RecordKey::Assignment(each.id)))
}

/// The identity that a resource id names, which must be there.
pub(crate) fn require<'a>(snapshot: &'a Snapshot, id: &Scope) -> Result<&'a Arc<Resource>, Error> {
    let found = snapshot.resource(id).filter(|resource| resource.is_of_type(USER_ASSIGNED_IDENTITY));
    found.ok_or_else(|| Error::not_found(Kind::Resource, id))
}

fn credential_scope(id: &Scope, name: &str) -> Result<Scope, Error> {
    id.child("federatedIdentityCredentials", name).map_err(|error| Error::invalid("name", error))
}

fn principal(snapshot: &Snapshot, id: &Scope) -> Result<ServicePrincipal, Error> {
    let resource = require(snapshot, id)?;
    let principal = resource
        .identity
        .as_ref()
        .and_then(|identity| snapshot.directory().service_principal(identity.object_id));
    principal.map(|found| ServicePrincipal::clone(found)).ok_or_else(|| Error::not_found(Kind::Resource, id))
}

const READ: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/read";
const WRITE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/write";
/// What lets somebody make a resource act as an identity.
pub(crate) const ASSIGN: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";
const DELETE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/delete";
const CREDENTIAL_READ: &str =
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read";
const CREDENTIAL_WRITE: &str =
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write";
const CREDENTIAL_DELETE: &str =
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete";
