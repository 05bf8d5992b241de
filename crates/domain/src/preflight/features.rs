//! Which features a cluster uses, read from the properties of `Microsoft.ContainerService/managedClusters`, or
//! named by a person who plans one.

use serde_json::{Map, Value};

use super::{ClusterLocation, Needs};
use crate::scope::Scope;

/// A feature that brings needs, with the resource that it is about where one is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    pub name: String,
    pub resource: Option<Scope>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features(Vec<Feature>);

/// Why a text names no feature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" is not a feature that brings needs: expected one of {}", known.join(", "))]
pub struct FeatureError {
    pub value: String,
    pub known: Vec<String>,
}

impl Features {
    /// Those that a cluster's properties use. `find` gives the properties of a resource that is known, for what
    /// stands at a subnet: its security group and its route table.
    pub fn of(
        properties: &Map<String, Value>,
        place: &ClusterLocation,
        find: impl Fn(&Scope) -> Option<Map<String, Value>>,
    ) -> Self {
        let mut features = Self::default();
        let whole = Value::Object(properties.clone());
        let at = |path: &str| whole.pointer(path);
        let is_on = |path: &str| at(path).and_then(Value::as_bool).unwrap_or(false);
        let scope = |value: &Value| value.as_str().and_then(|text| Scope::parse(text).ok());
        let pools = at("/agentPoolProfiles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let of_pools =
            |member: &str| pools.iter().filter_map(|pool| scope(pool.get(member)?)).collect::<Vec<_>>();
        let elsewhere = |resource: &Scope| {
            resource.resource_group().is_some_and(|group| group != place.node_resource_group)
        };

        if let Some(set) = at("/diskEncryptionSetID").and_then(scope) {
            features.add("diskEncryptionSet", Some(set));
        }
        for group in of_pools("proximityPlacementGroupID") {
            features.add("proximityPlacementGroup", Some(group));
        }
        if is_on("/addonProfiles/ingressApplicationGateway/enabled") {
            let gateway =
                at("/addonProfiles/ingressApplicationGateway/config/applicationGatewayId").and_then(scope);
            features.add("applicationGateway", gateway);
        }
        for subnet in of_pools("vnetSubnetID") {
            features.add("customVnet", Some(subnet.clone()));
            if elsewhere(&subnet) {
                features.add("subnetInOtherResourceGroup", Some(subnet.clone()));
            }
            let known = find(&subnet).map(Value::Object).unwrap_or_default();
            for (path, name) in [
                ("/networkSecurityGroup/id", "networkSecurityGroupInOtherResourceGroup"),
                ("/routeTable/id", "routeTableInOtherResourceGroup"),
            ] {
                if let Some(resource) = known.pointer(path).and_then(scope).filter(elsewhere) {
                    features.add(name, Some(resource));
                }
            }
        }
        let balancer = "/networkProfile/loadBalancerProfile";
        for list in ["outboundIPs/publicIPs", "outboundIPPrefixes/publicIPPrefixes"] {
            let addresses = at(&format!("{balancer}/{list}")).and_then(Value::as_array);
            for address in addresses.into_iter().flatten() {
                features.add("outboundPublicIp", address.get("id").and_then(scope));
            }
        }
        if at(&format!("{balancer}/backendPoolType")).and_then(Value::as_str) == Some("NodeIP") {
            features.add("ipBasedLoadBalancer", of_pools("vnetSubnetID").first().and_then(Scope::parent));
        }
        if let Some(zone) = at("/apiServerAccessProfile/privateDNSZone").and_then(scope).filter(elsewhere) {
            features.add("privateDnsZoneInOtherResourceGroup", Some(zone));
        }
        if is_on("/addonProfiles/omsagent/enabled") {
            let workspace = "/addonProfiles/omsagent/config/logAnalyticsWorkspaceResourceID";
            features.add("containerInsights", at(workspace).and_then(scope));
        }
        if is_on("/addonProfiles/httpApplicationRouting/enabled") {
            features.add("httpApplicationRouting", Some(place.node_resource_group.clone()));
        }
        features
    }

    /// Every feature there is, at no particular resource.
    pub fn all(needs: &Needs) -> Self {
        let mut features = Self::default();
        needs.features().into_iter().for_each(|name| features.add(name, None));
        features
    }

    /// Adds a feature by a name that a person wrote.
    pub fn add_named(
        &mut self,
        needs: &Needs,
        name: &str,
        resource: Option<Scope>,
    ) -> Result<(), FeatureError> {
        let known = needs.features();
        let found = known.iter().find(|each| each.eq_ignore_ascii_case(name));
        let found = found.ok_or_else(|| FeatureError {
            value: name.chars().take(80).collect(),
            known: known.iter().map(|each| (*each).to_owned()).collect(),
        })?;
        self.add(found, resource);
        Ok(())
    }

    /// Those that are not among `others`: what a change brings.
    #[must_use]
    pub fn without(mut self, others: &Self) -> Self {
        self.0.retain(|feature| !others.0.contains(feature));
        self
    }

    pub fn iter(&self) -> impl Iterator<Item = &Feature> {
        self.0.iter()
    }

    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Feature> {
        self.0.iter().filter(move |feature| feature.name == name)
    }

    fn add(&mut self, name: &str, resource: Option<Scope>) {
        let feature = Feature { name: name.to_owned(), resource };
        if !self.0.contains(&feature) {
            self.0.push(feature);
        }
    }
}
