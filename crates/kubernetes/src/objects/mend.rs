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

use crate::Kubernetes;
use state::Error;

impl Kubernetes {
    /// Puts in place of each object what `mend` makes of it, where it makes anything. For the start of the program,
    /// which acts for nobody.
    pub async fn mend_objects(
        &self,
        mend: impl Fn(&ObjectKey, &Value) -> Option<Value> + Send + Sync,
    ) -> Result<(), Error> {
        let clusters: Vec<ClusterId> = self
            .state
            .snapshot()
            .clusters()
            .filter(|cluster| cluster.is_embedded() && cluster.objects_form < ObjectsForm::Types)
            .map(|cluster| cluster.id)
            .collect();
        for cluster in clusters {
            let mut from = Some(ObjectKey::new(cluster, "", "", "", ""));
            while let Some(start) = from {
                from = match self.mend_some(cluster, start, &mend).await {
                    Ok(next) => next,
                    // One cluster's trouble is not the others'.
                    Err(error @ (Error::Conflict(_) | Error::Invalid(_) | Error::Internal(_))) => {
                        tracing::error!(cluster.id = %cluster, %error, "the objects of a cluster were not all brought into a form that can be decoded");
                        None
                    }
                    Err(error) => return Err(error),
                };
            }
        }
        Ok(())
    }

    /// Goes on from an object, as far as one transaction has room. Where the next begins; `None`: there is no more.
    async fn mend_some(
        &self,
        cluster: ClusterId,
        start: ObjectKey,
        mend: &(impl Fn(&ObjectKey, &Value) -> Option<Value> + Send + Sync),
    ) -> Result<Option<ObjectKey>, Error> {
        let (mended, next) = self
            .state
            .transact(|tx| {
                let base = tx.base();
                let Some(record) = base.cluster(cluster) else { return Ok((Vec::new(), None)) };
                let mut mended = Vec::new();
                for object in base.cluster_objects_from(cluster, start.clone()) {
                    let key = &object.key;
                    let Some(value) = mend(key, &object.value) else { continue };
                    let value = Arc::new(value);
                    match tx.put_if_room(&Record::Object(Object { key: key.clone(), revision: 0, value })) {
                        Ok(true) => mended.push((key.clone(), None)),
                        Ok(false) => return Ok((mended, Some(key.clone()))),
                        // It stays as it is.
                        Err(error @ (Error::TooLarge { .. } | Error::Invalid(_) | Error::Conflict(_))) => {
                            mended.push((key.clone(), Some(error)));
                        }
                        Err(error) => return Err(error),
                    }
                }
                // What the default roles of an earlier release gave is still to be taken away where it is earlier.
                if record.objects_form == ObjectsForm::Roles {
                    let record = Cluster { objects_form: ObjectsForm::Types, ..Cluster::clone(record) };
                    tx.put(&Record::Cluster(Box::new(record)))?;
                }
                Ok((mended, None))
            })
            .await?;
        for (key, refused) in &mended {
            match refused {
                None => tracing::warn!(
                    cluster.id = %cluster, resource = %key.resource, namespace = %key.namespace, name = %key.name,
                    "an object held values that clients cannot decode: they have been brought into a form that can be"
                ),
                Some(error) => tracing::error!(
                    cluster.id = %cluster, resource = %key.resource, namespace = %key.namespace, name = %key.name, %error,
                    "an object holds values that clients cannot decode, and they could not be put right"
                ),
            }
        }
        Ok(next)
    }
}
