//! Which area goes on with which unfinished work.

use domain::unfinished::Work;
use kubernetes::objects;
use resource_manager::{clusters, identities, management_groups, resources, subscriptions};
use state::{Error, Tx};

/// Writes what fits into the transaction. Whether that is the end of the work.
pub(crate) fn step(tx: &mut Tx, work: &Work) -> Result<bool, Error> {
    match work {
        Work::MakeCluster(id) => match tx.snapshot().cluster_on_record(*id).cloned() {
            Some(cluster) => objects::write_bootstrap(tx, &cluster),
            None => Ok(true),
        },
        Work::DeleteCluster(id) => match tx.snapshot().cluster_on_record(*id).cloned() {
            Some(cluster) => clusters::delete(tx, &cluster),
            None => Ok(true),
        },
        Work::DeleteResourceGroup { subscription, name } => {
            subscriptions::delete_group(tx, *subscription, name)
        }
        Work::DeleteResource(id) => resources::delete_below(tx, id),
        Work::DeleteManagementGroup(name) => Ok(management_groups::delete(tx, name)),
        Work::ForgetMemberships(id) => Ok(directory::users::forget_memberships(tx, *id)),
        Work::ForgetIdentity(id) => Ok(identities::forget(tx, *id)),
        Work::AggregateRoles(id) => objects::keep_all_aggregated(tx, *id),
        Work::DeleteTokenSecrets(id) => Ok(objects::delete_token_secrets(tx, *id)),
    }
}
