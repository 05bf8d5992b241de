//! Bringing stored objects into a form that every client can decode, once for each cluster that an earlier program
//! has made. What a kind's fields are is the surface's knowledge: it hands in a function.

use std::sync::Arc;

use domain::{
    change::Record,
    cluster::{Cluster, ObjectsForm},
    id::ClusterId,
    object::{Object, ObjectKey},
};
use serde_json::Value;

use crate::{App, Error};

impl App {
    /// Puts in place of each object what `mend` makes of it, where it makes anything. For the start of the program,
    /// which acts for nobody.
    pub async fn mend_objects(
        &self,
        mend: impl Fn(&ObjectKey, &Value) -> Option<Value> + Send + Sync,
    ) -> Result<(), Error> {
        let clusters: Vec<ClusterId> = self
            .snapshot()
            .clusters()
            .filter(|cluster| cluster.is_embedded() && cluster.objects_form < ObjectsForm::Types)
            .map(|cluster| cluster.id)
            .collect();
        for cluster in clusters {
            while self.mend_some(cluster, &mend).await? {}
        }
        Ok(())
    }

    /// Whether there may be more.
    async fn mend_some(
        &self,
        cluster: ClusterId,
        mend: &(impl Fn(&ObjectKey, &Value) -> Option<Value> + Send + Sync),
    ) -> Result<bool, Error> {
        let mended = self
            .transact(|tx| {
                let Some(record) = tx.snapshot().cluster(cluster).cloned() else { return Ok(Vec::new()) };
                let mended: Vec<(ObjectKey, Value)> = tx
                    .snapshot()
                    .cluster_objects(cluster)
                    .filter_map(|object| Some((object.key.clone(), mend(&object.key, &object.value)?)))
                    .take(BATCH)
                    .collect();
                for (key, value) in &mended {
                    let value = Arc::new(value.clone());
                    tx.put(&Record::Object(Object { key: key.clone(), revision: 0, value }))?;
                }
                if mended.is_empty() {
                    let record = Cluster { objects_form: ObjectsForm::Types, ..Cluster::clone(&record) };
                    tx.put(&Record::Cluster(Box::new(record)))?;
                }
                Ok(mended)
            })
            .await?;
        for (key, _) in &mended {
            tracing::warn!(
                cluster.id = %cluster, resource = %key.resource, namespace = %key.namespace, name = %key.name,
                "an object held values that clients cannot decode: they have been brought into a form that can be"
            );
        }
        Ok(!mended.is_empty())
    }
}

/// Objects that one transaction mends.
const BATCH: usize = 90;
