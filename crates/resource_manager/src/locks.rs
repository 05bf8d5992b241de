//! Locks on subscriptions, resource groups and resources: writing them, and what they forbid.
//!
//! A lock is no right: it holds for everybody, and whoever may delete it lifts it. As in Azure, `ReadOnly` also
//! refuses what is asked for by POST, the kubeconfigs of a cluster among it. Taking a role assignment away is never
//! held up by a lock, which Azure does: access must be revocable at once.

use state::Kind;
use std::sync::Arc;

use domain::{
    change::{Record, RecordKey},
    lock::{Lock, LockLevel},
    name::ResourceName,
    role::Stamp,
    scope::{Scope, ScopeKind},
    snapshot::Snapshot,
    unreadable::Effect,
};

use crate::{
    ResourceManager,
    scope_rules::{CreatedOrUpdated, ScopeFilter, require_scope},
};
use state::{Caller, Error, Rule, authorize};

/// What is about to be done at a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Write,
    Delete,
}

/// A lock to be made, or the new state of one.
#[derive(Clone, Debug)]
pub struct NewLock {
    pub level: LockLevel,
    pub notes: Option<String>,
}

/// Refuses where a lock stands against it: one at the scope or above it, and against a deletion also one below.
pub fn check(snapshot: &Snapshot, scope: &Scope, operation: Operation) -> Result<(), Error> {
    let forbids = |lock: &&Arc<Lock>| match operation {
        Operation::Write => lock.level == LockLevel::ReadOnly && lock.scope.contains(scope),
        Operation::Delete => lock.scope.contains(scope) || scope.contains(&lock.scope),
    };
    // A lock that cannot be read forbids all that a lock can.
    let unread = snapshot.unreadable().filter_map(|each| match &each.effect {
        Effect::Changes(at)
            if at.contains(scope) || (operation == Operation::Delete && scope.contains(at)) =>
        {
            Some(at)
        }
        _ => None,
    });
    let readable = snapshot.locks().filter(forbids).map(|lock| &lock.scope);
    let mut locked: Vec<String> = readable.chain(unread).map(|scope| format!("'{scope}'")).collect();
    locked.dedup();
    if locked.is_empty() {
        return Ok(());
    }
    let operation = match operation {
        Operation::Write => "write",
        Operation::Delete => "delete",
    };
    Err(Error::Rule(
        Rule::ScopeLocked,
        format!(
            "The scope '{scope}' cannot perform {operation} operation because following scope(s) are locked: {}. Please remove the lock and try again.",
            locked.join(",")
        ),
    ))
}

impl ResourceManager {
    pub async fn put_lock(
        &self,
        caller: &Caller,
        scope: &Scope,
        name: &ResourceName,
        new: NewLock,
    ) -> Result<(Arc<Lock>, CreatedOrUpdated), Error> {
        self.state
            .transact(|tx| {
                tx.authorize(caller, WRITE, scope)?;
                let snapshot = tx.snapshot();
                require_lockable(snapshot, caller, scope)?;
                if let Some(length) = new.notes.as_deref().map(|notes| notes.chars().count())
                    && length > MOST_NOTES
                {
                    let problem = format!("{length} characters: expected at most {MOST_NOTES}");
                    return Err(Error::invalid("properties.notes", problem));
                }
                let stamp = Stamp { by: Some(caller.object_id), at: tx.now() };
                let old = snapshot.lock(scope, name.as_str()).cloned();
                let lock = Lock {
                    scope: old.as_ref().map_or_else(|| scope.clone(), |old| old.scope.clone()),
                    name: old.as_ref().map_or_else(|| name.clone(), |old| old.name.clone()),
                    level: new.level,
                    notes: new.notes.clone(),
                    created: old.as_ref().map_or(stamp, |old| old.created),
                    updated: stamp,
                };
                tx.put(&Record::Lock(lock.clone()))?;
                Ok((
                    Arc::new(lock),
                    if old.is_some() { CreatedOrUpdated::Updated } else { CreatedOrUpdated::Created },
                ))
            })
            .await
    }

    pub fn find_lock(&self, caller: &Caller, scope: &Scope, name: &str) -> Result<Arc<Lock>, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, READ, scope, self.state.now())?;
        snapshot.lock(scope, name).cloned().ok_or_else(|| Error::not_found(Kind::Lock, name))
    }

    /// Those at the scope, and with it those above it ([`ScopeFilter::AtScope`]) or those below it ([`ScopeFilter::All`]).
    pub fn list_locks(
        &self,
        caller: &Caller,
        scope: &Scope,
        listed: ScopeFilter,
    ) -> Result<Vec<Arc<Lock>>, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, READ, scope, self.state.now())?;
        let shown = |lock: &&Arc<Lock>| match listed {
            ScopeFilter::AtScope => lock.scope.contains(scope),
            ScopeFilter::All => scope.contains(&lock.scope),
        };
        Ok(snapshot.locks().filter(shown).cloned().collect())
    }

    /// Whether there was one.
    pub async fn delete_lock(&self, caller: &Caller, scope: &Scope, name: &str) -> Result<bool, Error> {
        self.state
            .transact(|tx| {
                tx.authorize(caller, DELETE, scope)?;
                let found = tx.snapshot().lock(scope, name).is_some();
                if found {
                    tx.delete(&RecordKey::Lock(Lock::key(scope, name)));
                }
                Ok(found)
            })
            .await
    }
}

/// Locks are for subscriptions and what is in them.
fn require_lockable(snapshot: &Snapshot, caller: &Caller, scope: &Scope) -> Result<(), Error> {
    let lockable = matches!(scope.kind(), ScopeKind::Subscription | ScopeKind::ResourceGroup)
        || (scope.kind() == ScopeKind::Resource && scope.subscription_name().is_some());
    if !lockable {
        let problem = format!("{scope}: expected a subscription, a resource group or a resource in one");
        return Err(Error::invalid("scope", problem));
    }
    require_scope(snapshot, caller.tenant, scope)
}

const READ: &str = "Microsoft.Authorization/locks/read";
const WRITE: &str = "Microsoft.Authorization/locks/write";
const DELETE: &str = "Microsoft.Authorization/locks/delete";
const MOST_NOTES: usize = 512;
