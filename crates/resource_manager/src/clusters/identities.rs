//! Who acts for a cluster (P2, P3): the node resource group, the control plane's identity with its role there, the
//! kubelet's, and those of add-ons while they are on.

use domain::{
    assignment::{DenyAssignment, PrincipalKind, RoleAssignment},
    change::{Record, RecordKey},
    cluster::{Cluster, IdentityUse},
    id::{AssignmentId, RoleId},
    name::ResourceName,
    resource::{ManagedIdentity, USER_ASSIGNED_IDENTITY},
    role::{ActionPattern, Permission, Stamp},
    scope::Scope,
    subscription::ResourceGroup,
    unfinished::Work,
};
use state::Kind;
use uuid::{Uuid, uuid};

use super::{NewCluster, RequestedIdentity};
use crate::{
    assignments,
    identities::{self, PreparedIds},
    locks,
    scope_rules::{clusters_in, group_scope},
};
use directory::owners::protect_administrator;
use state::{Caller, Error, Rule, Tx, restrictions, unfinished};

/// How many ids [`keep`] may need.
pub(super) const MOST_IDS: usize = 16;

/// The resource group of a cluster's nodes, as its scope.
pub(crate) fn node_group(cluster: &Cluster) -> Result<Scope, Error> {
    let name = cluster.node_resource_group.clone();
    let name = name.map_or_else(|| default_node_group(cluster), Ok)?;
    group_scope(cluster.subscription, name.as_str())
}

/// Brings group, identities and their roles to what the cluster's configuration says. `cluster` has the new
/// configuration and still the old identities.
pub(super) fn keep(
    tx: &mut Tx,
    caller: &Caller,
    cluster: &mut Cluster,
    new: &NewCluster,
    fresh: &mut PreparedIds,
) -> Result<(), Error> {
    keep_node_group(tx, cluster, new.node_resource_group.as_ref())?;
    let group = node_group(cluster)?;
    keep_control_plane(tx, caller, cluster, new.identity.as_ref(), &group, fresh)?;
    keep_kubelet(tx, caller, cluster, new.kubelet_identity.as_ref(), &group, fresh)?;
    for addon in ADDONS {
        keep_addon(tx, caller, cluster, addon, &group, fresh)?;
    }
    keep_lockdown(tx, cluster, &group)
}

/// Takes away what [`keep`] made, as far as the transaction has room. Whether that was all; then it holds the end of
/// the group, and the cluster must end with it. A group that holds things of others stays with them, as one like any
/// other, and the cluster's identities have nothing in it any more.
pub(super) fn remove(tx: &mut Tx, cluster: &Cluster) -> Result<bool, Error> {
    let base = tx.base();
    let own = Scope::parse(&cluster.resource_id()).map_err(Error::internal)?;
    for identity in cluster.identities.values().filter(|identity| identity.resource == own) {
        if base.directory().service_principal(identity.object_id).is_some() {
            if tx.is_full() {
                return Ok(false);
            }
            identities::delete_principal(tx, identity.object_id)?;
        }
    }
    let Some(name) = &cluster.node_resource_group else { return Ok(!tx.is_full()) };
    let group = group_scope(cluster.subscription, name.as_str())?;
    let mut foreign = clusters_in(&base, cluster.subscription, name.as_str()).next().is_some();
    for resource in base.resources_below(&group) {
        if !restrictions::is_own(cluster, resource) {
            foreign = true;
        } else if !identities::delete(tx, resource)? {
            return Ok(false);
        }
    }
    // What somebody gave to an identity of theirs beside stays as well.
    let own_grant = |each: &RoleAssignment| {
        each.created.by.is_none()
            && cluster.identities.values().any(|identity| identity.object_id == each.principal)
    };
    let assignments = base.azure().assignments_at_or_below(&group);
    let going = assignments.iter().filter(|each| !foreign || own_grant(each));
    if !tx.delete_all(going.map(|each| RecordKey::Assignment(each.id))) || tx.is_full() {
        return Ok(false);
    }
    let lockdown = lockdown_id(cluster);
    if base.azure().deny(lockdown).is_some() {
        tx.delete(&RecordKey::DenyAssignment(lockdown));
    }
    match base.resource_group(cluster.subscription, name.as_str()).filter(|_| foreign) {
        Some(group) => {
            let group = ResourceGroup { managed_by: None, ..ResourceGroup::clone(group) };
            tx.put(&Record::ResourceGroup(group))?;
        }
        None => tx.delete(&RecordKey::ResourceGroup(cluster.subscription, name.folded())),
    }
    Ok(true)
}

fn keep_node_group(tx: &mut Tx, cluster: &mut Cluster, wanted: Option<&ResourceName>) -> Result<(), Error> {
    if let Some(name) = &cluster.node_resource_group {
        return match wanted {
            Some(wanted) if !name.matches(wanted.as_str()) => Err(Error::invalid(
                "properties.nodeResourceGroup",
                format!("the node resource group is \"{name}\" and cannot be changed to \"{wanted}\""),
            )),
            _ => Ok(()),
        };
    }
    let name = wanted.cloned().map_or_else(|| default_node_group(cluster), Ok)?;
    if let Some(taken) = tx.snapshot().resource_group(cluster.subscription, name.as_str()) {
        let text = format!(
            "Node resource group '{}' under subscription '{}' already exists, please provide a new one: a cluster makes its own.",
            taken.name, cluster.subscription
        );
        return Err(Error::Rule(Rule::NodeGroupTaken, text));
    }
    tx.create(&Record::ResourceGroup(ResourceGroup {
        subscription: cluster.subscription,
        name: name.clone(),
        location: cluster.location.clone(),
        tags: cluster.tags.clone(),
        managed_by: Some(cluster.resource_id()),
        created: tx.now(),
    }))?;
    cluster.node_resource_group = Some(name);
    Ok(())
}

/// `MC_GROUP_NAME_LOCATION`, cut where that is too long.
fn default_node_group(cluster: &Cluster) -> Result<ResourceName, Error> {
    let Cluster { resource_group, name, location, .. } = cluster;
    let word: String = location.chars().filter(char::is_ascii_alphanumeric).collect();
    let text: String = format!("MC_{resource_group}_{name}_{word}").chars().take(80).collect();
    Ok(ResourceName::parse(text.trim_end_matches('.'))?)
}

fn keep_control_plane(
    tx: &mut Tx,
    caller: &Caller,
    cluster: &mut Cluster,
    wanted: Option<&RequestedIdentity>,
    group: &Scope,
    fresh: &mut PreparedIds,
) -> Result<(), Error> {
    let own = Scope::parse(&cluster.resource_id()).map_err(Error::internal)?;
    let old = cluster.identities.get(&IdentityUse::Cluster).cloned();
    let wanted = match (wanted, &old) {
        (Some(wanted), _) => wanted,
        (None, Some(_)) => return Ok(()),
        (None, None) => &RequestedIdentity::System,
    };
    let target = match wanted {
        RequestedIdentity::System => &own,
        RequestedIdentity::User(id) => id,
    };
    // An identity that was deleted and made again is another one.
    let made_again = |old: &ManagedIdentity| {
        let now = tx.snapshot().resource(target).and_then(|resource| resource.identity.as_ref());
        now.is_some_and(|now| now.object_id != old.object_id)
    };
    if old.as_ref().is_some_and(|old| old.resource == *target && !made_again(old)) {
        return Ok(());
    }
    if let Some(old) = old {
        withdraw(tx, &old, CONTRIBUTOR, group);
        if old.resource == own {
            protect_administrator(tx, caller, Some(old.object_id), super::WRITE)?;
            identities::delete_principal(tx, old.object_id)?;
        }
    }
    let identity = match wanted {
        RequestedIdentity::System => {
            identities::create_principal(tx, cluster.tenant, &own, cluster.name.as_str(), fresh)?
        }
        RequestedIdentity::User(id) => assignable(tx, caller, id)?,
    };
    grant(tx, &identity, CONTRIBUTOR, group, "The cluster's control plane works on its nodes", fresh)?;
    cluster.identities.insert(IdentityUse::Cluster, identity);
    Ok(())
}

fn keep_kubelet(
    tx: &mut Tx,
    caller: &Caller,
    cluster: &mut Cluster,
    wanted: Option<&Scope>,
    group: &Scope,
    fresh: &mut PreparedIds,
) -> Result<(), Error> {
    let old = cluster.identities.get(&IdentityUse::Kubelet);
    let identity = match (wanted, old) {
        (None, Some(_)) => return Ok(()),
        (Some(wanted), Some(old)) if old.resource == *wanted => return Ok(()),
        (Some(_), Some(old)) => {
            return Err(Error::invalid(
                "properties.identityProfile.kubeletidentity.resourceId",
                format!("the kubelet identity is {} and cannot be changed", old.resource),
            ));
        }
        (Some(wanted), None) => assignable(tx, caller, wanted)?,
        (None, None) => make(tx, cluster, group, &format!("{}-agentpool", cluster.name), fresh)?,
    };
    cluster.identities.insert(IdentityUse::Kubelet, identity);
    Ok(())
}

/// An add-on that acts as an identity of its own.
struct Addon {
    used_for: IdentityUse,
    /// Its member of `addonProfiles`.
    profile: &'static str,
    prefix: &'static str,
    role: RoleId,
    /// Where its settings name what it works on; else that is in the node resource group.
    resource: Option<&'static str>,
}

fn keep_addon(
    tx: &mut Tx,
    caller: &Caller,
    cluster: &mut Cluster,
    addon: &Addon,
    group: &Scope,
    fresh: &mut PreparedIds,
) -> Result<(), Error> {
    let profile = cluster.properties.get("addonProfiles").and_then(|profiles| profiles.get(addon.profile));
    let on = profile.and_then(|profile| profile.get("enabled")).and_then(serde_json::Value::as_bool);
    let resource = addon.resource.and_then(|path| profile?.pointer(path)?.as_str());
    let resource = resource.and_then(|text| Scope::parse(text).ok());
    let old = cluster.identities.get(&addon.used_for).cloned();
    match (on.unwrap_or(false), old) {
        (true, Some(_)) | (false, None) => {}
        (false, Some(old)) => {
            if tx.snapshot().resource(&old.resource).is_some() {
                protect_administrator(tx, caller, Some(old.object_id), super::WRITE)?;
                // The identity is the cluster's, so that what keeps the cluster from deletion keeps it too.
                let own = Scope::parse(&cluster.resource_id()).map_err(Error::internal)?;
                let addon = own.child("addonProfiles", addon.profile).map_err(Error::internal)?;
                locks::check(tx.snapshot(), &addon, locks::Operation::Delete)?;
                locks::check(tx.snapshot(), &old.resource, locks::Operation::Delete)?;
                unfinished::begin(tx, Work::DeleteResource(old.resource.clone()))?;
            }
            cluster.identities.remove(&addon.used_for);
        }
        (true, None) => {
            let name = format!("{}-{}", addon.prefix, cluster.name);
            let identity = make(tx, cluster, group, &name, fresh)?;
            let at = match (addon.resource, resource) {
                (None, _) => Some(group.clone()),
                (Some(_), resource) => resource,
            };
            // Outbound the cluster's own group the caller's right to give access counts; whoever has none is told by
            // the preflight report what is missing.
            let allowed = at.filter(|at| {
                at == group || assignments::may_assign(tx, caller, at, addon.role, identity.object_id)
            });
            if let Some(at) = allowed {
                grant(tx, &identity, addon.role, &at, "An add-on of the cluster", fresh)?;
            }
            cluster.identities.insert(addon.used_for, identity);
        }
    }
    Ok(())
}

/// `nodeResourceGroupProfile.restrictionLevel`: nobody but the cluster changes what is in its group.
fn keep_lockdown(tx: &mut Tx, cluster: &Cluster, group: &Scope) -> Result<(), Error> {
    let level = cluster
        .properties
        .get("nodeResourceGroupProfile")
        .and_then(|profile| profile.get("restrictionLevel"));
    let locked =
        level.and_then(serde_json::Value::as_str).is_some_and(|level| level.eq_ignore_ascii_case("ReadOnly"));
    let id = lockdown_id(cluster);
    let known = tx.snapshot().azure().deny(id).is_some();
    if !locked {
        if known {
            tx.delete(&RecordKey::DenyAssignment(id));
        }
        return Ok(());
    }
    let pattern = |text: &str| ActionPattern::parse(text).map_err(Error::internal);
    let stamp = Stamp { by: None, at: tx.now() };
    let deny = DenyAssignment {
        id,
        name: format!("The node resource group of {} is read-only", cluster.name),
        description: "Made by the cluster's nodeResourceGroupProfile".into(),
        principals: Vec::new(),
        exclude_principals: cluster.identities.values().map(|identity| identity.object_id).collect(),
        everyone: true,
        scope: group.clone(),
        permissions: vec![Permission {
            actions: vec![pattern("*")?],
            not_actions: vec![pattern("*/read")?],
            ..Permission::default()
        }],
        does_not_apply_to_children: false,
        created: stamp,
        updated: stamp,
    };
    deny.check().map_err(|error| Error::invalid("properties.nodeResourceGroupProfile", error))?;
    tx.put(&Record::DenyAssignment(deny))
}

fn lockdown_id(cluster: &Cluster) -> AssignmentId {
    AssignmentId::new(Uuid::new_v5(&cluster.id.uuid(), b"node resource group lockdown"))
}

fn make(
    tx: &mut Tx,
    cluster: &Cluster,
    group: &Scope,
    name: &str,
    fresh: &mut PreparedIds,
) -> Result<ManagedIdentity, Error> {
    let id = Scope::parse(&format!("{group}/providers/{USER_ASSIGNED_IDENTITY}/{name}"))
        .map_err(|error| Error::invalid("name", error))?;
    let place = (cluster.location.clone(), cluster.tags.clone());
    let owner = Some(cluster.resource_id());
    let resource = identities::create(tx, cluster.tenant, &id, place, owner, fresh)?;
    resource.identity.ok_or_else(|| Error::internal("an identity without a principal"))
}

/// An identity that somebody else made, which the caller may let a cluster act as.
fn assignable(tx: &Tx, caller: &Caller, id: &Scope) -> Result<ManagedIdentity, Error> {
    tx.authorize(caller, identities::ASSIGN, id)?;
    let resource = identities::require(tx.snapshot(), id)?;
    let principal = resource.identity.as_ref().map(|identity| identity.object_id);
    protect_administrator(tx, caller, principal, identities::ASSIGN)?;
    resource.identity.clone().ok_or_else(|| Error::not_found(Kind::Resource, id))
}

fn grant(
    tx: &mut Tx,
    identity: &ManagedIdentity,
    role: RoleId,
    scope: &Scope,
    description: &str,
    fresh: &mut PreparedIds,
) -> Result<(), Error> {
    let stamp = Stamp { by: None, at: tx.now() };
    let assignment = RoleAssignment {
        id: AssignmentId::new(fresh.next()?),
        principal: identity.object_id,
        principal_kind: PrincipalKind::ServicePrincipal,
        role,
        scope: scope.clone(),
        condition: None,
        description: Some(description.to_owned()),
        created: stamp,
        updated: stamp,
    };
    let known = tx.snapshot().azure().assignments_at(scope);
    if known.iter().any(|each| each.is_same_grant(&assignment) && each.condition.is_none()) {
        return Ok(());
    }
    tx.create(&Record::Assignment(assignment))
}

fn withdraw(tx: &mut Tx, identity: &ManagedIdentity, role: RoleId, scope: &Scope) {
    let known = tx.snapshot().azure().assignments_at(scope);
    for each in known.iter().filter(|each| each.principal == identity.object_id && each.role == role) {
        tx.delete(&RecordKey::Assignment(each.id));
    }
}

const CONTRIBUTOR: RoleId = RoleId::new(uuid!("b24988ac-6180-42a0-ab88-20f7382dd24c"));
const DNS_ZONE_CONTRIBUTOR: RoleId = RoleId::new(uuid!("befefa01-2a29-4197-83a8-272ff33ce314"));
const LOG_ANALYTICS_CONTRIBUTOR: RoleId = RoleId::new(uuid!("92aaf0da-9dab-42b6-94a3-d43ce8d16293"));

const ADDONS: &[Addon] = &[
    Addon {
        used_for: IdentityUse::HttpApplicationRouting,
        profile: "httpApplicationRouting",
        prefix: "httpapplicationrouting",
        role: DNS_ZONE_CONTRIBUTOR,
        resource: None,
    },
    Addon {
        used_for: IdentityUse::ContainerInsights,
        profile: "omsagent",
        prefix: "omsagent",
        role: LOG_ANALYTICS_CONTRIBUTOR,
        resource: Some("/config/logAnalyticsWorkspaceResourceID"),
    },
];
