//! What the identities around a cluster need and hold (P1 to P3): as a report, and as the check that a cluster's
//! creator passes before anything is made.

use domain::{
    azure,
    cluster::Cluster,
    decision::Reason,
    directory::Principal,
    id::ObjectId,
    object::ObjectKey,
    preflight::{ClusterLocation, Features, Part, Proposal, Row, Shortfall, Who},
    scope::Scope,
    snapshot::Snapshot,
};
use serde_json::{Map, Value};
use state::Kind;

use super::{ClusterName, READ, identities};
use crate::{ResourceManager, scope_rules::group_scope};
use state::{Caller, Error, Refusal, Tx, authorize};

/// What is asked about.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Who would create and operate the cluster; the caller, if nobody is named.
    pub creator: Option<ObjectId>,
    /// Properties of a cluster that is planned, in place of those of the one that is there.
    pub planned: Option<Map<String, Value>>,
    /// Further features by name, each with the resource that it is about.
    pub features: Vec<(String, Option<Scope>)>,
    /// Every feature there is.
    pub all_features: bool,
}

#[derive(Clone, Debug)]
pub struct Report {
    /// Whether the cluster exists.
    pub exists: bool,
    pub rows: Vec<Row>,
    /// One for each identity that lacks something.
    pub proposals: Vec<Proposal>,
}

impl ResourceManager {
    /// Each permission that a cluster, there or planned, needs of each identity, and how it stands. Seeing what
    /// others hold needs the right to read role assignments.
    pub fn preflight(
        &self,
        caller: &Caller,
        name: &ClusterName,
        question: &Question,
    ) -> Result<Report, Error> {
        let snapshot = self.state.snapshot();
        let scope = name.scope()?;
        let now = self.state.now();
        authorize::control_plane(&snapshot, caller, READ, &scope, now)?;
        authorize::control_plane(&snapshot, caller, ASSIGNMENTS, &scope, now)?;
        let group = name.resource_group.as_str();
        snapshot
            .resource_group(name.subscription, group)
            .ok_or_else(|| Error::not_found(Kind::ResourceGroup, group))?;
        let cluster = name.find(&snapshot);
        let creator = question.creator.unwrap_or(caller.object_id);
        let known = snapshot.directory().principal(creator).filter(|found| found.tenant() == caller.tenant);
        if matches!(known, None | Some(Principal::Group(_))) {
            return Err(Error::invalid(
                "creator",
                format!("{creator}: expected a user or service principal"),
            ));
        }
        let place = place(name, cluster.map(|cluster| &**cluster))?;
        let none = Map::new();
        let properties = match (&question.planned, cluster) {
            (Some(planned), _) => planned,
            (None, Some(cluster)) => &cluster.properties,
            (None, None) => &none,
        };
        let mut features = match question.all_features {
            true => Features::all(self.state.needs()),
            false => features(&snapshot, properties, &place),
        };
        if let Some(cluster) = cluster
            && !question.all_features
        {
            self.add_internal_balancers(&snapshot, cluster, &place, &mut features)?;
        }
        for (feature, resource) in &question.features {
            features
                .add_named(self.state.needs(), feature, resource.clone())
                .map_err(|error| Error::invalid("features", error))?;
        }
        let identities = cluster.map(|cluster| &cluster.identities);
        let caller_of = |who: Who| -> Option<azure::Caller> {
            let id = match who {
                Who::Creator => creator,
                Who::Identity(identity) => identities?.get(&identity)?.object_id,
            };
            Some(azure::Caller::new(id, snapshot.directory().transitive_groups(id)))
        };
        let rows = self.state.needs().of(&features, &place).map(|(need, scope)| match caller_of(need.who) {
            Some(identity) => Row::decide(snapshot.azure(), &identity, need, scope, now),
            None => Row::planned(need, scope),
        });
        let rows: Vec<Row> = rows.collect();
        let proposals = Proposal::for_all(snapshot.azure(), &rows);
        Ok(Report { exists: cluster.is_some(), rows, proposals })
    }

    /// Refuses unless the caller holds what the cluster's features need of its creator; of a cluster that is there
    /// already, only the features that are new count.
    pub(super) fn check_creator(
        &self,
        tx: &Tx,
        caller: &Caller,
        cluster: &Cluster,
        old: Option<&Cluster>,
    ) -> Result<(), Error> {
        let snapshot = tx.snapshot();
        let group = group_scope(cluster.subscription, cluster.resource_group.as_str())?;
        let place =
            ClusterLocation { resource_group: group, node_resource_group: identities::node_group(cluster)? };
        let mut wanted = features(snapshot, &cluster.properties, &place);
        if let Some(old) = old {
            wanted = wanted.without(&features(snapshot, &old.properties, &place));
        }
        let identity = caller.in_azure(snapshot);
        let needs = self.state.needs().of(&wanted, &place).filter(|(need, _)| need.part == Part::Creator);
        let rows: Vec<Row> = needs
            .map(|(need, scope)| Row::decide(snapshot.azure(), &identity, need, scope, tx.now()))
            .collect();
        let Some(shortfall) = Shortfall::of(snapshot.azure(), &rows) else { return Ok(()) };
        Err(Error::Forbidden(Box::new(Refusal {
            caller: caller.name.clone(),
            object_id: caller.object_id,
            action: super::WRITE.to_owned(),
            scope: cluster.resource_id(),
            reason: Reason::Preflight(Box::new(shortfall)),
        })))
    }

    /// A Service of an embedded cluster that asks for an internal load balancer, where the nodes' subnet lies in
    /// another resource group.
    fn add_internal_balancers(
        &self,
        snapshot: &Snapshot,
        cluster: &Cluster,
        place: &ClusterLocation,
        features: &mut Features,
    ) -> Result<(), Error> {
        let internal =
            snapshot.objects_from(ObjectKey::new(cluster.id, "", "services", "", "")).any(|service| {
                let annotation = service.value.pointer(INTERNAL_BALANCER).and_then(Value::as_str);
                annotation.is_some_and(|value| value.eq_ignore_ascii_case("true"))
            });
        if !internal {
            return Ok(());
        }
        let subnets: Vec<Scope> = features
            .iter()
            .filter(|feature| feature.name == "subnetInOtherResourceGroup")
            .filter_map(|feature| feature.resource.clone())
            .filter(|subnet| subnet.resource_group().as_ref() != Some(&place.node_resource_group))
            .collect();
        for subnet in subnets {
            features
                .add_named(self.state.needs(), "internalLoadBalancerInOtherResourceGroup", Some(subnet))
                .map_err(Error::internal)?;
        }
        Ok(())
    }
}

fn features(snapshot: &Snapshot, properties: &Map<String, Value>, place: &ClusterLocation) -> Features {
    Features::of(properties, place, |id| {
        let resource = snapshot.resource(id)?;
        resource.other.get("properties").and_then(Value::as_object).cloned()
    })
}

fn place(name: &ClusterName, cluster: Option<&Cluster>) -> Result<ClusterLocation, Error> {
    let resource_group = group_scope(name.subscription, name.resource_group.as_str())?;
    let node_resource_group = match cluster {
        Some(cluster) => identities::node_group(cluster)?,
        None => group_scope(name.subscription, &format!("MC_{}_{}", name.resource_group, name.name))?,
    };
    Ok(ClusterLocation { resource_group, node_resource_group })
}

const INTERNAL_BALANCER: &str =
    "/metadata/annotations/service.beta.kubernetes.io~1azure-load-balancer-internal";
const ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments/read";
