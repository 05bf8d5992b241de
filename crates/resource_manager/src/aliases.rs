//! Making subscriptions, by the names that clients ask for them (`Microsoft.Subscription/aliases`), and renaming them.
//!
//! A subscription is made in a management group, in the root group of the tenant where none is named. It takes
//! `Microsoft.Subscription/aliases/write` there, and, for a group that is named,
//! `Microsoft.Management/managementGroups/subscriptions/write` besides. Whoever makes it owns it.

use state::Kind;
use std::sync::Arc;

use domain::{
    assignment::PrincipalKind,
    change::Record,
    directory::Principal,
    id::{ObjectId, SubscriptionId},
    management_group::ManagementGroup,
    name::{DisplayName, ResourceName},
    scope::Scope,
    snapshot::Snapshot,
    subscription::Subscription,
};

use crate::{
    ResourceManager, locks,
    management_groups::{self, kind_of, ownership},
    scope_rules::CreatedOrUpdated,
};
use state::{Caller, Error, Tx, authorize};

/// What is asked for by an alias.
#[derive(Clone, Debug, Default)]
pub struct NewSubscription {
    pub display_name: Option<DisplayName>,
    /// One that exists gets a further name.
    pub existing: Option<SubscriptionId>,
    pub management_group: Option<ResourceName>,
    /// Owns it in the place of its maker.
    pub owner: Option<ObjectId>,
}

impl ResourceManager {
    /// Makes a subscription; where the alias exists, gives what it stands for.
    pub async fn put_alias(
        &self,
        caller: &Caller,
        alias: &ResourceName,
        new: NewSubscription,
    ) -> Result<(Arc<Subscription>, CreatedOrUpdated), Error> {
        let (id, assignment) = (self.state.new_id()?, self.state.new_id()?);
        self.state
            .transact(|tx| {
                let place = match new.existing {
                    Some(existing) => Scope::subscription(existing),
                    None => Scope::management_group(&target(caller, &new)),
                };
                tx.authorize(caller, WRITE, &place)?;
                if let Some(known) = find(tx.snapshot(), caller, alias.as_str()) {
                    if !self.shows_alias(tx.snapshot(), caller, &known) {
                        return Err(Error::already_exists(Kind::SubscriptionAlias, alias));
                    }
                    return same(&known, alias, &new).map(|()| (known, CreatedOrUpdated::Updated));
                }
                if let Some(existing) = new.existing {
                    let mut subscription = Subscription::clone(&*require(tx.snapshot(), caller, existing)?);
                    if subscription.aliases.len() >= MOST_ALIASES {
                        let problem =
                            format!("the subscription has {MOST_ALIASES} aliases: expected no more");
                        return Err(Error::Conflict(problem));
                    }
                    subscription.aliases.push(alias.clone());
                    tx.put(&Record::Subscription(subscription.clone()))?;
                    return Ok((Arc::new(subscription), CreatedOrUpdated::Created));
                }
                let group = management_groups::require(tx.snapshot(), caller, &target(caller, &new))?;
                if new.management_group.is_some() {
                    tx.authorize(caller, PLACE, &group.scope())?;
                }
                let display_name = match &new.display_name {
                    Some(display_name) => display_name.clone(),
                    None => DisplayName::parse(alias.as_str())?,
                };
                let (owner, kind) = owner(tx, caller, &new)?;
                let aliases = vec![alias.clone()];
                let subscription =
                    Subscription { id, tenant: caller.tenant, display_name, aliases, created: tx.now() };
                tx.create(&Record::Subscription(subscription.clone()))?;
                management_groups::put_into(tx, &group, id)?;
                let owned = ownership(tx, assignment, owner, kind, Scope::subscription(id), caller)?;
                tx.create(&owned)?;
                Ok((Arc::new(subscription), CreatedOrUpdated::Created))
            })
            .await
    }

    /// What an alias stands for. One that the caller may not see is not found.
    pub fn find_alias(&self, caller: &Caller, alias: &str) -> Result<Arc<Subscription>, Error> {
        let snapshot = self.state.snapshot();
        let found = find(&snapshot, caller, alias).filter(|found| self.shows_alias(&snapshot, caller, found));
        found.ok_or_else(|| Error::not_found(Kind::SubscriptionAlias, alias))
    }

    /// The subscriptions whose aliases the caller may see.
    pub fn list_aliases(&self, caller: &Caller) -> Vec<Arc<Subscription>> {
        let snapshot = self.state.snapshot();
        let own = snapshot.subscriptions().filter(|each| each.tenant == caller.tenant);
        own.filter(|each| self.shows_alias(&snapshot, caller, each)).cloned().collect()
    }

    /// Takes the name away; the subscription stays. Whether there was one that the caller may see.
    pub async fn delete_alias(&self, caller: &Caller, alias: &str) -> Result<bool, Error> {
        self.state
            .transact(|tx| {
                let found = find(tx.snapshot(), caller, alias);
                let Some(found) = found.filter(|found| self.shows_alias(tx.snapshot(), caller, found)) else {
                    return Ok(false);
                };
                tx.authorize(
                    caller,
                    "Microsoft.Subscription/aliases/delete",
                    &Scope::subscription(found.id),
                )?;
                let mut subscription = Subscription::clone(&found);
                subscription.aliases.retain(|each| !each.matches(alias));
                tx.put(&Record::Subscription(subscription))?;
                Ok(true)
            })
            .await
    }

    pub async fn rename_subscription(
        &self,
        caller: &Caller,
        id: SubscriptionId,
        display_name: DisplayName,
    ) -> Result<(), Error> {
        let scope = Scope::subscription(id);
        self.state
            .transact(|tx| {
                tx.authorize(caller, "Microsoft.Subscription/rename/action", &scope)?;
                let mut subscription = Subscription::clone(&*require(tx.snapshot(), caller, id)?);
                locks::check(tx.snapshot(), &scope, locks::Operation::Write)?;
                subscription.display_name = display_name.clone();
                tx.put(&Record::Subscription(subscription))
            })
            .await
    }

    fn shows_alias(&self, snapshot: &Snapshot, caller: &Caller, subscription: &Subscription) -> bool {
        authorize::may(snapshot, caller, READ, &Scope::subscription(subscription.id), self.state.now())
    }
}

fn target(caller: &Caller, new: &NewSubscription) -> ResourceName {
    new.management_group.clone().unwrap_or_else(|| ManagementGroup::root_name(caller.tenant))
}

fn find(snapshot: &Snapshot, caller: &Caller, alias: &str) -> Option<Arc<Subscription>> {
    let mut own = snapshot.subscriptions().filter(|each| each.tenant == caller.tenant);
    own.find(|each| each.aliases.iter().any(|name| name.matches(alias))).cloned()
}

fn require(snapshot: &Snapshot, caller: &Caller, id: SubscriptionId) -> Result<Arc<Subscription>, Error> {
    let found = snapshot.subscription(id).filter(|found| found.tenant == caller.tenant);
    found.cloned().ok_or_else(|| Error::not_found(Kind::Subscription, id))
}

/// A request that is repeated gets the same answer; another one for the same name is refused.
fn same(known: &Subscription, alias: &ResourceName, new: &NewSubscription) -> Result<(), Error> {
    let other_name = new.display_name.as_ref().is_some_and(|name| *name != known.display_name);
    if other_name || new.existing.is_some_and(|id| id != known.id) {
        return Err(Error::already_exists(Kind::SubscriptionAlias, alias));
    }
    Ok(())
}

fn owner(tx: &Tx, caller: &Caller, new: &NewSubscription) -> Result<(ObjectId, PrincipalKind), Error> {
    let Some(owner) = new.owner else { return Ok((caller.object_id, kind_of(caller))) };
    let found = tx.snapshot().directory().principal(owner);
    match found.filter(|found| found.tenant() == caller.tenant) {
        Some(Principal::User(_)) => Ok((owner, PrincipalKind::User)),
        Some(Principal::Group(_)) => Ok((owner, PrincipalKind::Group)),
        Some(Principal::ServicePrincipal(_)) => Ok((owner, PrincipalKind::ServicePrincipal)),
        None => Err(Error::not_found(Kind::Principal, owner)),
    }
}

const READ: &str = "Microsoft.Subscription/aliases/read";
const WRITE: &str = "Microsoft.Subscription/aliases/write";
const PLACE: &str = "Microsoft.Management/managementGroups/subscriptions/write";
const MOST_ALIASES: usize = 20;
