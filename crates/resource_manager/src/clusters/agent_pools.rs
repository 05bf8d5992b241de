//! Pools of nodes, as the resource describes them: how many there should be, and of which kind. No node runs here;
//! what a pool says counts for what identities need (P1 to P3) and is given back as it was written.

use domain::{change::Record, cluster::Cluster, scope::Scope, unfinished::Work, write_only};
use serde_json::{Map, Value, json};
use state::Kind;

use super::ClusterName;
use crate::{ResourceManager, locks, scope_rules::CreatedOrUpdated};
use state::{Caller, Error, Tx, authorize, precondition::Precondition, unfinished};

impl ResourceManager {
    pub fn list_agent_pools(
        &self,
        caller: &Caller,
        name: &ClusterName,
    ) -> Result<Vec<Map<String, Value>>, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, READ, &name.scope()?, self.state.now())?;
        Ok(pools(name.require(&snapshot)?))
    }

    pub fn find_agent_pool(
        &self,
        caller: &Caller,
        name: &ClusterName,
        pool: &str,
    ) -> Result<Map<String, Value>, Error> {
        let snapshot = self.state.snapshot();
        authorize::control_plane(&snapshot, caller, READ, &pool_scope(name, pool)?, self.state.now())?;
        let found = pools(name.require(&snapshot)?).into_iter().find(|each| is_named(each, pool));
        found.ok_or_else(|| Error::not_found(Kind::AgentPool, pool))
    }

    /// Makes a pool, or brings it to the given state.
    pub async fn put_agent_pool(
        &self,
        caller: &Caller,
        name: &ClusterName,
        pool: &str,
        new: &Map<String, Value>,
        precondition: &Precondition,
    ) -> Result<(Map<String, Value>, CreatedOrUpdated), Error> {
        let scope = pool_scope(name, pool)?;
        self.state
            .transact(|tx| {
                tx.authorize(caller, WRITE, &scope)?;
                locks::check(tx.snapshot(), &scope, locks::Operation::Write)?;
                let old = name.require(tx.snapshot())?.clone();
                let mut cluster = Cluster::clone(&old);
                let before = pools(&cluster);
                let mut list = before.clone();
                let mut new = new.clone();
                write_only::leave_out(&mut new);
                new.insert("name".into(), pool.into());
                precondition.check(list.iter().find(|each| is_named(each, pool)))?;
                let written = match list.iter_mut().find(|each| is_named(each, pool)) {
                    Some(known) => {
                        *known = new.clone();
                        CreatedOrUpdated::Updated
                    }
                    None => {
                        list.push(new.clone());
                        CreatedOrUpdated::Created
                    }
                };
                check(&list)?;
                keep_a_system_pool(&before, &list)?;
                cluster.properties.insert("agentPoolProfiles".into(), json!(list));
                cluster.updated = tx.now();
                self.check_creator(tx, caller, &cluster, Some(&old))?;
                tx.put(&Record::Cluster(Box::new(cluster)))?;
                Ok((new, written))
            })
            .await
    }

    /// `false`: there was none.
    pub async fn delete_agent_pool(
        &self,
        caller: &Caller,
        name: &ClusterName,
        pool: &str,
        precondition: &Precondition,
    ) -> Result<bool, Error> {
        let scope = pool_scope(name, pool)?;
        self.state
            .transact(|tx| {
                tx.authorize(caller, DELETE, &scope)?;
                locks::check(tx.snapshot(), &scope, locks::Operation::Delete)?;
                let mut cluster = Cluster::clone(name.require(tx.snapshot())?);
                let before = pools(&cluster);
                let mut list = before.clone();
                let going = list.iter().find(|each| is_named(each, pool));
                precondition.check(going)?;
                if going.is_none() {
                    return Ok(false);
                }
                list.retain(|each| !is_named(each, pool));
                keep_a_system_pool(&before, &list)?;
                cluster.properties.insert("agentPoolProfiles".into(), json!(list));
                cluster.updated = tx.now();
                unfinished::begin(tx, Work::DeleteResource(scope.clone()))?;
                tx.put(&Record::Cluster(Box::new(cluster)))?;
                Ok(true)
            })
            .await
    }
}

/// A cluster that has nodes keeps a pool for what it needs itself.
pub(super) fn keep_a_system_pool(
    old: &[Map<String, Value>],
    new: &[Map<String, Value>],
) -> Result<(), Error> {
    match old.iter().find(|pool| is_system(pool)) {
        Some(pool) if !new.iter().any(is_system) => Err(Error::Conflict(format!(
            "the pool \"{}\" is the last of mode System, of which a cluster needs one: add another first",
            pool.get("name").and_then(Value::as_str).unwrap_or_default()
        ))),
        _ => Ok(()),
    }
}

/// Takes away what was given at pools that the new state of the cluster does not have. A lock that keeps one of them
/// keeps it from every way to be deleted.
pub(super) fn forget_removed(
    tx: &mut Tx,
    name: &ClusterName,
    old: &Cluster,
    new: &Cluster,
) -> Result<(), Error> {
    let kept = pools(new);
    for pool in pools(old) {
        let pool = pool.get("name").and_then(Value::as_str).unwrap_or_default();
        if !kept.iter().any(|each| is_named(each, pool)) {
            let scope = pool_scope(name, pool)?;
            locks::check(tx.snapshot(), &scope, locks::Operation::Delete)?;
            unfinished::begin(tx, Work::DeleteResource(scope))?;
        }
    }
    Ok(())
}

/// Refuses pools that AKS would refuse: names, numbers and modes.
pub(super) fn check(pools: &[Map<String, Value>]) -> Result<(), Error> {
    let mut names = std::collections::BTreeSet::new();
    for pool in pools {
        let name = pool.get("name").and_then(Value::as_str).unwrap_or_default();
        let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !(1..=12).contains(&name.len())
            || !letters
            || !name.starts_with(|first: char| first.is_ascii_lowercase())
        {
            return Err(Error::invalid(
                "agentPoolProfiles.name",
                format!(
                    "\"{}\": expected a lower-case letter, then up to 11 lower-case letters and digits",
                    name.escape_debug()
                ),
            ));
        }
        if !names.insert(name) {
            return Err(Error::invalid("agentPoolProfiles.name", format!("\"{name}\" stands there twice")));
        }
        let count = pool.get("count").filter(|count| !count.is_null());
        if count.is_some_and(|count| count.as_u64().is_none_or(|count| count > MOST_NODES)) {
            return Err(Error::invalid(
                "agentPoolProfiles.count",
                format!("{}: expected a number from 0 to {MOST_NODES}", count.unwrap_or(&Value::Null)),
            ));
        }
        let mode = pool.get("mode").and_then(Value::as_str).unwrap_or("System");
        if !["System", "User", "Gateway", "Machines"].iter().any(|known| mode.eq_ignore_ascii_case(known)) {
            return Err(Error::invalid(
                "agentPoolProfiles.mode",
                format!("\"{mode}\": expected System or User"),
            ));
        }
    }
    Ok(())
}

pub(super) fn pools(cluster: &Cluster) -> Vec<Map<String, Value>> {
    let list = cluster.properties.get("agentPoolProfiles").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|pool| pool.as_object().cloned()).collect()
}

fn pool_scope(name: &ClusterName, pool: &str) -> Result<Scope, Error> {
    name.scope()?.child("agentPools", pool).map_err(|error| Error::invalid("name", error))
}

fn is_named(pool: &Map<String, Value>, name: &str) -> bool {
    pool.get("name").and_then(Value::as_str).is_some_and(|own| own.eq_ignore_ascii_case(name))
}

fn is_system(pool: &Map<String, Value>) -> bool {
    pool.get("mode").and_then(Value::as_str).is_none_or(|mode| mode.eq_ignore_ascii_case("System"))
}

const MOST_NODES: u64 = 1000;
const READ: &str = "Microsoft.ContainerService/managedClusters/agentPools/read";
const WRITE: &str = "Microsoft.ContainerService/managedClusters/agentPools/write";
const DELETE: &str = "Microsoft.ContainerService/managedClusters/agentPools/delete";
