//! Management groups: the tree above the subscriptions, and where each subscription is in it.
//!
//! Every tenant has a root group, named by the tenant's id. It has no record: it is shown, roles are assigned at it,
//! and it is neither changed nor deleted.
//!
//! Moving something changes who has access to it. So it takes the right to write at the old and at the new parent,
//! and that of giving anybody any role on what moves. Azure asks for no right at a parent that is the root; here the
//! root is no exception. What a deny assignment above refuses, a move does not free.

use state::Kind;
use std::{collections::BTreeSet, sync::Arc};

use domain::{
    assignment::{PrincipalKind, RoleAssignment},
    azure::Access,
    change::{Record, RecordKey},
    id::{AssignmentId, ObjectId, RoleId},
    management_group::ManagementGroup,
    name::{DisplayName, ResourceName},
    role::Stamp,
    scope::Scope,
    snapshot::Snapshot,
    subscription::Subscription,
    unfinished::Work,
};

use crate::{
    ResourceManager, assignments,
    management_group_tree::{Group, management_group_of},
    scope_rules::{CreatedOrUpdated, delete_assignments_below},
};
use state::well_known::OWNER;
use state::{Caller, CallerKind, Error, Rule, Tx, authorize, unfinished};

/// A group to be made, or what is changed of one; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct NewGroup {
    pub display_name: Option<DisplayName>,
    pub parent: Option<ResourceName>,
}

impl ResourceManager {
    pub fn find_management_group(&self, caller: &Caller, name: &ResourceName) -> Result<Group, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, READ, &Scope::management_group(name), self.state.now())?;
        require(&snapshot, caller, name)
    }

    /// The groups that the caller may read, the root group first, then by name.
    pub fn list_management_groups(&self, caller: &Caller) -> Vec<Group> {
        let snapshot = self.state.snapshot();
        let root = ManagementGroup::root_name(caller.tenant);
        let names = snapshot.management_groups().map(|group| group.name.clone());
        let mut groups: Vec<Group> = names
            .chain([root])
            .filter_map(|name| Group::find(&snapshot, caller.tenant, name.as_str()))
            .filter(|group| authorize::may(&snapshot, caller, READ, &group.scope(), self.state.now()))
            .collect();
        groups.sort_by_cached_key(|group| (group.parent.is_some(), group.name.folded()));
        groups
    }

    /// Whether no group has this name yet. Any caller may ask, since making one tells as well.
    pub fn is_management_group_name_free(&self, caller: &Caller, name: &ResourceName) -> bool {
        let snapshot = self.state.snapshot();
        snapshot.management_group(name.as_str()).is_none()
            && !ManagementGroup::root_name(caller.tenant).matches(name.as_str())
    }

    /// Makes the group, with its maker as its owner, or changes and moves one that has this name.
    pub async fn put_management_group(
        &self,
        caller: &Caller,
        name: &ResourceName,
        new: NewGroup,
    ) -> Result<(Group, CreatedOrUpdated), Error> {
        let assignment = self.state.new_id()?;
        self.state
            .transact(|tx| {
                if Group::find(tx.snapshot(), caller.tenant, name.as_str()).is_some() {
                    return Ok((change(tx, caller, name, &new)?, CreatedOrUpdated::Updated));
                }
                Ok((create(tx, caller, name, &new, assignment)?, CreatedOrUpdated::Created))
            })
            .await
    }

    /// Changes and moves a group that exists.
    pub async fn update_management_group(
        &self,
        caller: &Caller,
        name: &ResourceName,
        new: NewGroup,
    ) -> Result<Group, Error> {
        self.state.transact(|tx| change(tx, caller, name, &new)).await
    }

    /// Deletes an empty group with the role assignments at it. Whether there was one.
    pub async fn delete_management_group(&self, caller: &Caller, name: &ResourceName) -> Result<bool, Error> {
        let scope = Scope::management_group(name);
        let deleting = self.state.transact(|tx| {
            tx.authorize(caller, "Microsoft.Management/managementGroups/delete", &scope)?;
            let snapshot = tx.snapshot();
            let Some(group) = Group::find(snapshot, caller.tenant, name.as_str()) else { return Ok((false, None)) };
            if group.parent.is_none() {
                return Err(root_stays());
            }
            let groups = group.groups_below(snapshot).len();
            let subscriptions = group.subscriptions_below(snapshot).len();
            if groups + subscriptions > 0 {
                return Err(Error::Rule(
                    Rule::GroupStays,
                    format!(
                        "The management group '{}' holds {groups} management groups and {subscriptions} subscriptions: move them elsewhere first.",
                        group.name
                    ),
                ));
            }
            Ok((true, unfinished::begin(tx, Work::DeleteManagementGroup(group.name))?))
        });
        let (existed, awaited) = deleting.await?;
        self.state.finish(awaited).await?;
        Ok(existed)
    }

    /// The subscription, if it is directly in the group.
    pub fn find_placed_subscription(
        &self,
        caller: &Caller,
        group: &ResourceName,
        subscription: &Subscription,
    ) -> Result<Group, Error> {
        let found = self.find_management_group(caller, group)?;
        if management_group_of(&self.state.snapshot(), subscription) == found.name {
            return Ok(found);
        }
        Err(Error::not_found(Kind::Subscription, subscription.id))
    }

    /// Moves a subscription into a group.
    pub async fn place_subscription(
        &self,
        caller: &Caller,
        group: &ResourceName,
        subscription: domain::id::SubscriptionId,
    ) -> Result<Arc<Subscription>, Error> {
        let scope = Scope::management_group(group);
        self.state
            .transact(|tx| {
                tx.authorize(caller, PLACE, &scope)?;
                let group = require(tx.snapshot(), caller, group)?;
                let found =
                    tx.snapshot().subscription(subscription).filter(|found| found.tenant == caller.tenant);
                let found =
                    found.cloned().ok_or_else(|| Error::not_found(Kind::Subscription, subscription))?;
                move_subscription(tx, caller, &found, &group)?;
                Ok(found)
            })
            .await
    }

    /// Takes a subscription out of a group: it is in the root group from then on. Whether it was in the group.
    pub async fn unplace_subscription(
        &self,
        caller: &Caller,
        group: &ResourceName,
        subscription: domain::id::SubscriptionId,
    ) -> Result<bool, Error> {
        let scope = Scope::management_group(group);
        self.state
            .transact(|tx| {
                tx.authorize(caller, UNPLACE, &scope)?;
                let group = require(tx.snapshot(), caller, group)?;
                if group.parent.is_none() {
                    return Err(root_stays());
                }
                let found =
                    tx.snapshot().subscription(subscription).filter(|found| found.tenant == caller.tenant);
                let Some(found) =
                    found.filter(|found| management_group_of(tx.snapshot(), found) == group.name).cloned()
                else {
                    return Ok(false);
                };
                let root = require(tx.snapshot(), caller, &ManagementGroup::root_name(caller.tenant))?;
                move_subscription(tx, caller, &found, &root)?;
                Ok(true)
            })
            .await
    }
}

/// Deletes the role assignments at an empty group, and it last, as far as the transaction has room. Whether that was all.
pub fn delete(tx: &mut Tx, name: &ResourceName) -> bool {
    if !delete_assignments_below(tx, &Scope::management_group(name)) || tx.is_full() {
        return false;
    }
    tx.delete(&RecordKey::ManagementGroup(name.folded()));
    true
}

/// Puts a subscription that is just being made into a group.
pub(crate) fn put_into(
    tx: &mut Tx,
    group: &Group,
    subscription: domain::id::SubscriptionId,
) -> Result<(), Error> {
    // The root group holds what no other does, without a record.
    let Some(found) = tx.snapshot().management_group(group.name.as_str()) else { return Ok(()) };
    let mut record = ManagementGroup::clone(found);
    record.subscriptions.push(subscription);
    tx.put(&Record::ManagementGroup(record))
}

/// The role assignment by which whoever makes a place owns it.
pub(crate) fn ownership(
    tx: &Tx,
    id: AssignmentId,
    principal: ObjectId,
    principal_kind: PrincipalKind,
    scope: Scope,
    by: &Caller,
) -> Result<Record, Error> {
    let stamp = Stamp { by: Some(by.object_id), at: tx.now() };
    Ok(Record::Assignment(RoleAssignment {
        id,
        principal,
        principal_kind,
        role: owner()?,
        scope,
        condition: None,
        description: Some("Whoever made this owns it".into()),
        created: stamp,
        updated: stamp,
    }))
}

pub(crate) fn kind_of(caller: &Caller) -> PrincipalKind {
    match caller.kind {
        CallerKind::User => PrincipalKind::User,
        CallerKind::ServicePrincipal => PrincipalKind::ServicePrincipal,
    }
}

pub(crate) fn require(snapshot: &Snapshot, caller: &Caller, name: &ResourceName) -> Result<Group, Error> {
    let found = Group::find(snapshot, caller.tenant, name.as_str());
    found.ok_or_else(|| Error::not_found(Kind::ManagementGroup, name))
}

fn create(
    tx: &mut Tx,
    caller: &Caller,
    name: &ResourceName,
    new: &NewGroup,
    assignment: AssignmentId,
) -> Result<Group, Error> {
    let parent = new.parent.clone().unwrap_or_else(|| ManagementGroup::root_name(caller.tenant));
    tx.authorize(caller, WRITE, &Scope::management_group(&parent))?;
    let snapshot = tx.snapshot();
    let parent = require(snapshot, caller, &parent)?;
    if snapshot.management_group(name.as_str()).is_some() {
        return Err(Error::already_exists(Kind::ManagementGroup, name));
    }
    check_depth(snapshot, &parent, 1)?;
    let display_name = match &new.display_name {
        Some(display_name) => display_name.clone(),
        None => DisplayName::parse(name.as_str())?,
    };
    let record = ManagementGroup {
        tenant: caller.tenant,
        name: name.clone(),
        display_name,
        parent: parent.parent.is_some().then(|| parent.name.clone()),
        subscriptions: Vec::new(),
        created: tx.now(),
    };
    let scope = Scope::management_group(name);
    // Nothing that was left at this name counts for the new group.
    if !delete_assignments_below(tx, &scope) {
        let text = format!(
            "too many role assignments are left of an earlier management group '{name}': delete them first"
        );
        return Err(Error::Conflict(text));
    }
    let owned = ownership(tx, assignment, caller.object_id, kind_of(caller), scope, caller)?;
    tx.create(&owned)?;
    tx.create(&Record::ManagementGroup(record.clone()))?;
    Ok(Group::from(&record))
}

fn change(tx: &mut Tx, caller: &Caller, name: &ResourceName, new: &NewGroup) -> Result<Group, Error> {
    let scope = Scope::management_group(name);
    tx.authorize(caller, WRITE, &scope)?;
    let snapshot = tx.snapshot();
    let group = require(snapshot, caller, name)?;
    let Some(old_parent) = &group.parent else { return Err(root_stays()) };
    let mut record = match snapshot.management_group(name.as_str()) {
        Some(record) => ManagementGroup::clone(record),
        None => return Err(root_stays()),
    };
    if let Some(display_name) = &new.display_name {
        record.display_name = display_name.clone();
    }
    if let Some(parent) = new.parent.as_ref().filter(|parent| *parent != old_parent) {
        tx.authorize(caller, WRITE, &Scope::management_group(old_parent))?;
        tx.authorize(caller, WRITE, &Scope::management_group(parent))?;
        let parent = require(snapshot, caller, parent)?;
        if snapshot.azure().is_below(&parent.scope(), &scope) {
            return Err(Error::Rule(
                Rule::GroupTree,
                format!(
                    "The management group '{}' is '{}' or below it, and cannot be above it.",
                    parent.name, group.name
                ),
            ));
        }
        check_depth(snapshot, &parent, height(snapshot, &group))?;
        authorize_move(tx, caller, &scope, &parent)?;
        record.parent = parent.parent.is_some().then(|| parent.name.clone());
    }
    tx.put(&Record::ManagementGroup(record.clone()))?;
    Ok(Group::from(&record))
}

fn move_subscription(
    tx: &mut Tx,
    caller: &Caller,
    subscription: &Subscription,
    to: &Group,
) -> Result<(), Error> {
    let from = management_group_of(tx.snapshot(), subscription);
    if from == to.name {
        return Ok(());
    }
    tx.authorize(caller, UNPLACE, &Scope::management_group(&from))?;
    tx.authorize(caller, PLACE, &to.scope())?;
    authorize_move(tx, caller, &Scope::subscription(subscription.id), to)?;
    let holding: Vec<ManagementGroup> = tx
        .snapshot()
        .management_groups()
        .filter(|group| group.subscriptions.contains(&subscription.id))
        .map(|group| ManagementGroup::clone(group))
        .collect();
    for mut group in holding {
        group.subscriptions.retain(|id| *id != subscription.id);
        tx.put(&Record::ManagementGroup(group))?;
    }
    put_into(tx, to, subscription.id)
}

/// Refuses unless the caller may give anybody any role on what moves, and where a deny assignment would be left
/// behind.
fn authorize_move(tx: &Tx, caller: &Caller, moving: &Scope, to: &Group) -> Result<(), Error> {
    let mut access = Access::control_plane(moving.clone(), assignments::WRITE);
    // A condition that keeps the caller from giving Owner to somebody keeps them from moving.
    access.attributes.request = assignments::attributes(tx.snapshot(), owner()?, caller.object_id);
    tx.authorize_access(caller, assignments::WRITE, &access)?;
    let azure = tx.snapshot().azure();
    let to = to.scope();
    let left_behind = azure.denies().find(|deny| {
        deny.scope != *moving
            && !deny.does_not_apply_to_children
            && azure.is_below(moving, &deny.scope)
            && !azure.is_below(&to, &deny.scope)
    });
    match left_behind {
        None => Ok(()),
        Some(deny) => Err(Error::Conflict(format!(
            "the deny assignment {} would no longer count for {moving}",
            deny.resource_id()
        ))),
    }
}

/// Refuses a place for `levels` of groups below `parent` that would be more than six below the root.
fn check_depth(snapshot: &Snapshot, parent: &Group, levels: usize) -> Result<(), Error> {
    let mut seen = BTreeSet::from([parent.name.folded()]);
    let mut above = parent.parent.clone();
    let mut depth = usize::from(parent.parent.is_some());
    while let Some(group) = above.and_then(|name| Group::find(snapshot, parent.tenant, name.as_str())) {
        if !seen.insert(group.name.folded()) {
            break;
        }
        depth += usize::from(group.parent.is_some());
        above = group.parent;
    }
    if depth + levels <= MOST_LEVELS {
        return Ok(());
    }
    Err(Error::Rule(
        Rule::GroupTree,
        format!("Management groups can be at most {MOST_LEVELS} levels below the root group."),
    ))
}

/// The levels of a group with all below it; 1 for a group that holds no other.
fn height(snapshot: &Snapshot, group: &Group) -> usize {
    let mut level = vec![group.clone()];
    let mut height = 0;
    // No tree is deeper; a loop, which cannot be made, ends here too.
    while !level.is_empty() && height <= MOST_LEVELS {
        height += 1;
        level = level.iter().flat_map(|group| group.groups_below(snapshot)).collect();
    }
    height
}

fn root_stays() -> Error {
    Error::Rule(
        Rule::GroupStays,
        "The root management group of the tenant can be neither changed nor deleted, and nothing is taken out of it."
            .into(),
    )
}

fn owner() -> Result<RoleId, Error> {
    RoleId::parse(OWNER).map_err(Error::internal)
}

const READ: &str = "Microsoft.Management/managementGroups/read";
const WRITE: &str = "Microsoft.Management/managementGroups/write";
const PLACE: &str = "Microsoft.Management/managementGroups/subscriptions/write";
const UNPLACE: &str = "Microsoft.Management/managementGroups/subscriptions/delete";
pub(crate) const MOST_LEVELS: usize = 6;
