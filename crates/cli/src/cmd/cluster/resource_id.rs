//! The resource id of a cluster, from the names of its resource group and its own.

use domain::name::ResourceName;

use crate::client::encode;

/// The resource id of a cluster; names that cannot be names are refused here, where they can be told apart.
pub(crate) fn cluster_path(subscription: &str, group: &str, name: &str) -> anyhow::Result<String> {
    let (group, name) = (ResourceName::parse(group)?, ResourceName::parse(name)?);
    Ok(format!(
        "/subscriptions/{subscription}/resourceGroups/{}/providers/Microsoft.ContainerService/managedClusters/{}",
        encode(group.as_str()),
        encode(name.as_str())
    ))
}

/// The resource group where none is named.
pub(crate) const GROUP: &str = "default";
