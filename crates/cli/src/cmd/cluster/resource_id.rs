//! The resource id of a cluster, from the names of its resource group and its own.

use domain::name::ResourceName;

use crate::client::encode;

/// The resource id of a cluster. Invalid names are refused here, where the error can say which name.
pub(crate) fn cluster_path(subscription: &str, group: &str, name: &str) -> anyhow::Result<String> {
    let (group, name) = (ResourceName::parse(group)?, ResourceName::parse(name)?);
    Ok(format!(
        "/subscriptions/{subscription}/resourceGroups/{}/providers/Microsoft.ContainerService/managedClusters/{}",
        encode(group.as_str()),
        encode(name.as_str())
    ))
}

/// The default resource group.
pub(crate) const GROUP: &str = "default";
