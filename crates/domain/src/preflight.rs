//! What the identities around a cluster need, which of it they hold, and what would grant the rest (P1 to P3).
//!
//! The needs are data (`needs.json`); here they are only brought together with the features that a cluster uses
//! and decided by the Azure engine, as every other access is.

mod features;
mod proposal;
mod shortfall;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    azure::{Caller, Grant, Policy},
    cluster::IdentityUse,
    decision,
    id::ObjectId,
    role::ActionPattern,
    scope::Scope,
};

pub use features::{Feature, FeatureError, Features};
pub use shortfall::{Proposal, ProposedRole, Shortfall};

/// One row of the reference: permissions that are asked for together, and why.
#[derive(Clone, Debug)]
pub struct Need {
    pub who: Who,
    pub part: Part,
    /// The feature that brings the need; `None`: always.
    pub when: Option<String>,
    pub permissions: Vec<ActionPattern>,
    pub reason: String,
}

/// Whose need it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// Who makes and operates the cluster resource (P1).
    Creator,
    Identity(IdentityUse),
}

/// The part of the reference that a need stands in, which says where it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// At the resource that the feature names, else at the cluster's resource group.
    Creator,
    /// At the node resource group.
    Cluster,
    /// At the resource group of the resource that the feature names.
    ClusterAdditional,
    /// At the resource that the component uses.
    Node,
}

/// All needs of the reference, in its order.
#[derive(Clone, Debug)]
pub struct Needs(Vec<Need>);

/// Where a cluster is, or would be.
#[derive(Clone, Debug)]
pub struct ClusterLocation {
    pub resource_group: Scope,
    pub node_resource_group: Scope,
}

/// One need of one identity, and how it stands.
#[derive(Clone, Debug)]
pub struct Row {
    pub need: Need,
    /// Absent: the identity is made together with the cluster, or with the feature.
    pub principal: Option<ObjectId>,
    pub scope: Scope,
    pub permissions: Vec<(ActionPattern, PermissionStatus)>,
}

/// How one permission stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PermissionStatus {
    Held(Grant),
    Missing(decision::Reason),
    /// It comes with the identity, when that is made.
    Promised,
}

impl Needs {
    /// Parses the embedded reference. It fails only if that is damaged, which a test rules out.
    pub fn load() -> Result<Self, serde_json::Error> {
        let file: File = serde_json::from_str(include_str!("preflight/needs.json"))?;
        let Parts { creator, cluster, cluster_additional, node } = file.identities;
        let own = |part: Part, who: Who, group: Group| {
            group.needs.into_iter().map(move |entry| {
                let who = entry.identity.map_or(who, Who::Identity);
                let Entry { when, permissions, reason, .. } = entry;
                Need { who, part, when, permissions, reason }
            })
        };
        let control_plane = Who::Identity(IdentityUse::Cluster);
        let all = own(Part::Creator, Who::Creator, creator)
            .chain(own(Part::Cluster, control_plane, cluster))
            .chain(own(Part::ClusterAdditional, control_plane, cluster_additional))
            .chain(own(Part::Node, Who::Identity(IdentityUse::Kubelet), node));
        Ok(Self(all.collect()))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Need> {
        self.0.iter()
    }

    /// The names of all features that bring needs, in the order of the reference.
    pub fn features(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.0.iter().filter_map(|need| need.when.as_deref()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The needs of a cluster with these features, each with where it is asked for. A need that is asked for at
    /// several places stands there once for each.
    pub fn of<'a>(
        &'a self,
        features: &'a Features,
        place: &'a ClusterLocation,
    ) -> impl Iterator<Item = (&'a Need, Scope)> {
        self.0.iter().flat_map(move |need| {
            let places = match need.when.as_deref() {
                None => vec![need.part.scope(None, place)],
                Some(name) => features
                    .named(name)
                    .map(|feature| need.part.scope(feature.resource.as_ref(), place))
                    .fold(Vec::new(), |mut places, scope| {
                        if !places.contains(&scope) {
                            places.push(scope);
                        }
                        places
                    }),
            };
            places.into_iter().map(move |scope| (need, scope))
        })
    }
}

impl Part {
    fn scope(self, resource: Option<&Scope>, place: &ClusterLocation) -> Scope {
        let group_of = |resource: &Scope| resource.resource_group().unwrap_or_else(|| resource.clone());
        match (self, resource) {
            (Self::Cluster, _) => place.node_resource_group.clone(),
            (Self::ClusterAdditional, Some(resource)) => group_of(resource),
            (Self::Creator | Self::Node, Some(resource)) => resource.clone(),
            (Self::Creator | Self::ClusterAdditional | Self::Node, None) => place.resource_group.clone(),
        }
    }
}

impl Row {
    /// Decides one need for an identity.
    pub fn decide(policy: &Policy, caller: &Caller, need: &Need, scope: Scope, now: Timestamp) -> Self {
        let permissions = need.permissions.iter().map(|permission| {
            let standing = match policy.grants_whole(caller, permission, &scope, now) {
                Ok(grant) => PermissionStatus::Held(grant),
                Err(reason) => PermissionStatus::Missing(reason),
            };
            (permission.clone(), standing)
        });
        let permissions = permissions.collect();
        Self { need: need.clone(), principal: Some(caller.object_id), scope, permissions }
    }

    /// Of an identity that is not there yet: what it is given at its making, and what it will lack.
    pub fn planned(need: &Need, scope: Scope) -> Self {
        let standing = match need.part {
            Part::Cluster => PermissionStatus::Promised,
            Part::Creator | Part::ClusterAdditional | Part::Node => {
                PermissionStatus::Missing(decision::Reason::Silent)
            }
        };
        let permissions = need.permissions.iter().map(|each| (each.clone(), standing.clone())).collect();
        Self { need: need.clone(), principal: None, scope, permissions }
    }

    pub fn missing(&self) -> impl Iterator<Item = &ActionPattern> {
        let missing =
            |(permission, standing)| matches!(standing, &PermissionStatus::Missing(_)).then_some(permission);
        self.permissions.iter().map(|(permission, standing)| (permission, standing)).filter_map(missing)
    }
}

impl Shortfall {
    /// What rows of one identity lack, if anything.
    pub fn of(policy: &Policy, rows: &[Row]) -> Option<Self> {
        let missing: Vec<(ActionPattern, Scope)> = rows
            .iter()
            .flat_map(|row| row.missing().map(|permission| (permission.clone(), row.scope.clone())))
            .collect();
        let proposal = Proposal::for_rows(policy, rows)?;
        Some(Self { missing, proposal })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creator => "creator",
            Self::Identity(IdentityUse::Cluster) => "cluster",
            Self::Identity(IdentityUse::Kubelet) => "kubelet",
            Self::Identity(IdentityUse::HttpApplicationRouting) => "httpApplicationRouting",
            Self::Identity(IdentityUse::ContainerInsights) => "containerInsights",
        })
    }
}

#[derive(Deserialize)]
struct File {
    identities: Parts,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parts {
    creator: Group,
    cluster: Group,
    cluster_additional: Group,
    node: Group,
}

#[derive(Deserialize)]
struct Group {
    needs: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    when: Option<String>,
    #[serde(default)]
    identity: Option<IdentityUse>,
    permissions: Vec<ActionPattern>,
    reason: String,
}
