//! Stopping a cluster and starting it again: while it is stopped its API answers nothing, and nothing is lost.

use domain::{change::Record, cluster::Cluster};

use super::ClusterName;
use crate::{ResourceManager, locks};
use state::{Caller, Error};

impl ResourceManager {
    pub async fn start_cluster(&self, caller: &Caller, name: &ClusterName) -> Result<(), Error> {
        self.set_power(caller, name, START, false).await
    }

    pub async fn stop_cluster(&self, caller: &Caller, name: &ClusterName) -> Result<(), Error> {
        self.set_power(caller, name, STOP, true).await
    }

    async fn set_power(
        &self,
        caller: &Caller,
        name: &ClusterName,
        action: &str,
        stopped: bool,
    ) -> Result<(), Error> {
        let scope = name.scope()?;
        self.state
            .transact(|tx| {
                tx.authorize(caller, action, &scope)?;
                locks::check(tx.snapshot(), &scope, locks::Operation::Write)?;
                let mut cluster = Cluster::clone(name.require(tx.snapshot())?);
                if !cluster.is_embedded() {
                    return Err(Error::Conflict(
                        "an attached cluster is started and stopped by its own operator".into(),
                    ));
                }
                cluster.stopped = stopped;
                cluster.updated = tx.now();
                tx.put(&Record::Cluster(Box::new(cluster)))
            })
            .await
    }
}

const START: &str = "Microsoft.ContainerService/managedClusters/start/action";
const STOP: &str = "Microsoft.ContainerService/managedClusters/stop/action";
