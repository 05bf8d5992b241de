//! Whose things are where: a cluster's own group takes nothing of others and goes with nothing of others, and however
//! people make and delete things, nobody comes to a right where they were given none.

use std::collections::{BTreeMap, BTreeSet};

use app::{
    App, Caller, CallerKind,
    directory::federated::NewFederatedCredential,
    resource_manager::{
        clusters::{ClusterName, NewCluster, RequestedIdentity},
        resources::NewResource,
    },
    state::precondition::Precondition,
};
use domain::{
    change::Record,
    cluster::Serving,
    id::{AssignmentId, ObjectId, RoleId, SubscriptionId},
    name::ResourceName,
    resource::{Resource, USER_ASSIGNED_IDENTITY},
    scope::Scope,
    subscription::ResourceGroup,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::arm::{Arm, CONTRIBUTOR, OWNER};

const OPERATOR: &str = "f1a07417-d97a-45cb-824c-7a7467783830";
const USER_IDENTITIES: &str = "/providers/Microsoft.ManagedIdentity/userAssignedIdentities";
const CLUSTERS: &str = "/providers/Microsoft.ContainerService/managedClusters";

fn cluster(node_group: &str) -> Value {
    json!({"location": "local", "properties": {"nodeResourceGroup": node_group}})
}

#[tokio::test]
async fn the_group_of_a_cluster_is_not_taken_over_and_takes_nothing_of_others() {
    let arm = Arm::start().await;
    let (own, prod) = (arm.resource_group("rg1").await, format!("{}/resourceGroups/prod", arm.subscription));
    let ada = arm.someone("ada").await;
    arm.assign(ada.id, CONTRIBUTOR, &own).await;
    let path = format!("{own}{CLUSTERS}/c1");
    let (status, _) = arm.ask(&ada.token, Method::PUT, &path, cluster("prod")).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(arm.get(&prod).await["managedBy"], path);
    let kubelet = format!("{prod}{USER_IDENTITIES}/c1-agentpool");
    let subject = json!({"properties": {"issuer": "https://i.example", "subject": "s", "audiences": ["a"]}});
    let refused = |code: &str| (409, code.to_owned());
    for (method, path, body, code) in [
        (Method::PUT, prod.clone(), json!({"location": "local"}), "ResourceGroupManagedByMismatch"),
        (Method::PUT, format!("{prod}{CLUSTERS}/c2"), cluster("x"), "OperationNotAllowed"),
        (
            Method::PUT,
            format!("{prod}{USER_IDENTITIES}/who"),
            json!({"location": "local"}),
            "OperationNotAllowed",
        ),
        (Method::PUT, kubelet.clone(), json!({"location": "local"}), "OperationNotAllowed"),
        (Method::DELETE, kubelet.clone(), Value::Null, "OperationNotAllowed"),
        (Method::PUT, format!("{kubelet}/federatedIdentityCredentials/f01"), subject, "OperationNotAllowed"),
        (
            Method::PUT,
            format!("{prod}/providers/Microsoft.Network/virtualNetworks/v"),
            json!({"location": "local"}),
            "OperationNotAllowed",
        ),
        (Method::DELETE, prod.clone(), Value::Null, "Conflict"),
    ] {
        assert_eq!(arm.refusal(&arm.admin, method, &path, body).await, refused(code), "{path}");
    }
    // Roles can be given there, also one in which somebody acts, which changes nothing about whose it is.
    let dora = arm.someone("dora").await;
    arm.assign(dora.id, CONTRIBUTOR, &prod).await;
    let network = format!("{prod}/providers/Microsoft.Network/virtualNetworks/v");
    let found = arm.refusal(&dora.token, Method::PUT, &network, json!({"location": "local"})).await;
    assert_eq!(found, refused("OperationNotAllowed"));
    // A group that is there already belongs to nobody's cluster, not even under the cluster's own name for it.
    let taken = arm.refusal(&ada.token, Method::PUT, &format!("{own}{CLUSTERS}/c3"), cluster("RG1")).await;
    assert_eq!(taken, refused("NodeResourceGroupAlreadyExists"));
    arm.resource_group("MC_rg1_c4_local").await;
    let body = json!({"location": "local", "properties": {}});
    let taken = arm.refusal(&ada.token, Method::PUT, &format!("{own}{CLUSTERS}/c4"), body).await;
    assert_eq!(taken, refused("NodeResourceGroupAlreadyExists"));
    // It goes with its cluster, and then its name is anybody's.
    let (status, _) = arm.ask(&ada.token, Method::DELETE, &path, Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    arm.resource_group("prod").await;
    arm.ok(Method::PUT, &network, json!({"location": "local"})).await;
}

#[tokio::test]
async fn what_the_identity_of_a_cluster_makes_in_its_group_goes_with_the_cluster() {
    let arm = Arm::start().await;
    let own = arm.resource_group("rg1").await;
    let path = format!("{own}{CLUSTERS}/c1");
    let made = arm.ok(Method::PUT, &path, cluster("nodes")).await;
    let app = &arm.site.running.app;
    let acting = caller(&arm, made["identity"]["principalId"].as_str().unwrap());
    let id = scope(&format!(
        "{}/resourceGroups/nodes/providers/Microsoft.Network/publicIPAddresses/ip",
        arm.subscription
    ));
    let (address, _) =
        app.resource_manager().put_resource(&acting, &id, NewResource::default()).await.unwrap();
    assert_eq!(address.managed_by.as_deref(), Some(path.as_str()));
    arm.ok(Method::DELETE, &path, Value::Null).await;
    assert!(app.whole_snapshot().resource(&id).is_none());
    assert!(
        app.whole_snapshot().resource_group(arm.site.running.installation.subscription, "nodes").is_none()
    );
}

#[tokio::test]
async fn things_of_others_in_the_group_of_a_cluster_stay_when_it_goes() {
    let arm = Arm::start().await;
    let own = arm.resource_group("rg1").await;
    let path = format!("{own}{CLUSTERS}/c1");
    let made = arm.ok(Method::PUT, &path, cluster("prod")).await;
    let principal = ObjectId::parse(made["identity"]["principalId"].as_str().unwrap()).unwrap();
    let app = &arm.site.running.app;
    // As an earlier release let them in, which did not say either whose the group was.
    let subscription = arm.site.running.installation.subscription;
    let group = ResourceGroup {
        managed_by: None,
        ..ResourceGroup::clone(app.whole_snapshot().resource_group(subscription, "prod").unwrap())
    };
    let network = scope(&format!(
        "{}/resourceGroups/prod/providers/Microsoft.Network/virtualNetworks/v",
        arm.subscription
    ));
    let foreign = Resource {
        id: network.clone(),
        location: None,
        tags: BTreeMap::new(),
        identity: None,
        other: serde_json::Map::new(),
        managed_by: None,
        created: group.created,
        updated: group.created,
    };
    app.whole_state()
        .transact(|tx| {
            tx.put(&Record::ResourceGroup(group.clone()))?;
            tx.put(&Record::Resource(foreign.clone()))
        })
        .await
        .unwrap();
    let prod = format!("{}/resourceGroups/prod", arm.subscription);
    assert_eq!(arm.get(&prod).await["managedBy"], path);
    // They are their owners' to change, and not the cluster's.
    arm.ok(Method::PUT, network.as_str(), json!({"location": "local", "tags": {"a": "b"}})).await;
    let acting = caller(&arm, &principal.to_string());
    let put = app.resource_manager().put_resource(&acting, &network, NewResource::default()).await;
    assert!(matches!(put, Err(app::Error::Rule(app::Rule::ManagedContents, _))), "{put:?}");
    arm.ok(Method::DELETE, &path, Value::Null).await;
    assert_eq!(arm.get(&prod).await["managedBy"], Value::Null);
    assert_eq!(arm.get(network.as_str()).await["tags"]["a"], "b");
    let snapshot = app.whole_snapshot();
    assert_eq!(snapshot.azure().assignments_of(principal).len(), 0);
    assert_eq!(snapshot.directory().service_principals().count(), 0);
    arm.ok(Method::PUT, &prod, json!({"location": "local"})).await;
    arm.ok(Method::DELETE, &prod, Value::Null).await;
}

#[tokio::test]
async fn a_lock_keeps_federated_credentials_and_the_identities_of_add_ons() {
    let arm = Arm::start().await;
    let group = arm.resource_group("rg1").await;
    let identity = format!("{group}{USER_IDENTITIES}/who");
    arm.ok(Method::PUT, &identity, json!({"location": "local"})).await;
    let credential = format!("{identity}/federatedIdentityCredentials/f01");
    let subject = json!({"properties": {"issuer": "https://i.example", "subject": "s", "audiences": ["a"]}});
    arm.ok(Method::PUT, &credential, subject).await;
    let path = format!("{group}{CLUSTERS}/c1");
    let addons = |enabled: bool| {
        let profiles = json!({"httpApplicationRouting": {"enabled": enabled}});
        json!({"location": "local", "properties": {"nodeResourceGroup": "nodes", "addonProfiles": profiles}})
    };
    arm.ok(Method::PUT, &path, addons(true)).await;
    let nodes = format!("{}/resourceGroups/nodes", arm.subscription);
    let locked = (409, "ScopeLocked".to_owned());
    for place in [&group, &identity, &nodes] {
        let lock = format!("{place}/providers/Microsoft.Authorization/locks/keep");
        arm.ok(Method::PUT, &lock, json!({"properties": {"level": "CanNotDelete"}})).await;
        let (method, target, body) = match place == &nodes {
            true => (Method::PUT, &path, addons(false)),
            false => (Method::DELETE, &credential, Value::Null),
        };
        assert_eq!(arm.refusal(&arm.admin, method, target, body).await, locked, "{place}");
        if place == &nodes {
            assert_eq!(arm.refusal(&arm.admin, Method::DELETE, &path, Value::Null).await, locked);
            assert_eq!(arm.refusal(&arm.admin, Method::DELETE, &group, Value::Null).await, locked);
        }
        arm.ok(Method::DELETE, &lock, Value::Null).await;
    }
    arm.ok(Method::PUT, &path, addons(false)).await;
    arm.ok(Method::DELETE, &credential, Value::Null).await;
}

/// Names that everybody may try to make groups and node groups of.
const NAMES: [&str; 5] = ["a", "b", "c", "n1", "n2"];

/// A small company: each of three people contributes to one group, and tries everything everywhere.
struct World<'a> {
    arm: &'a Arm,
    app: &'a App,
    subscription: SubscriptionId,
    people: Vec<Caller>,
    administrator: Caller,
    random: u64,
    /// Who was given Contributor by the administrator, in which group as it was made then.
    given: BTreeSet<(ObjectId, String)>,
}

impl World<'_> {
    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        &from[usize::try_from(self.random % from.len() as u64).unwrap()]
    }

    fn any_name(&mut self) -> &'static str {
        self.pick::<&'static str>(&NAMES)
    }

    fn place(&mut self) -> String {
        format!("{}/resourceGroups/{}", self.arm.subscription, self.any_name())
    }

    fn identity(&mut self) -> Scope {
        let place = self.place();
        let name = *self.pick(&["u1", "u2", "c1-agentpool"]);
        scope(&format!("{place}{USER_IDENTITIES}/{name}"))
    }

    fn cluster(&mut self) -> ClusterName {
        let resource_group = name(self.any_name());
        let names = ["c1", "c2"];
        let picked: &&str = self.pick(&names);
        let name = name(picked);
        ClusterName { subscription: self.subscription, resource_group, name }
    }

    async fn give(&mut self, to: ObjectId, group: &str) {
        let role = RoleId::parse(CONTRIBUTOR).unwrap();
        let new = app::resource_manager::assignments::NewAssignment {
            principal: to,
            principal_kind: None,
            role,
            condition: None,
            description: None,
        };
        let at = scope(&format!("{}/resourceGroups/{group}", self.arm.subscription));
        let id = AssignmentId::new(Uuid::new_v5(&to.uuid(), group.as_bytes()));
        if self.app.resource_manager().put_assignment(&self.administrator, id, &at, new).await.is_ok() {
            self.given.insert((to, group.to_owned()));
        }
    }

    /// One try of somebody; whether it succeeds is not known here.
    async fn step(&mut self) -> bool {
        let mut everybody = self.people.clone();
        everybody.push(self.administrator.clone());
        let snapshot = self.app.whole_snapshot();
        // Whoever holds a federated credential of an identity acts as it.
        for principal in snapshot.directory().service_principals() {
            everybody.push(caller(self.arm, &principal.id.to_string()));
        }
        let who = self.pick(&everybody).clone();
        let app = self.app;
        let group = name(self.any_name());
        let none = BTreeMap::new;
        match *self.pick(&[0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 6, 7, 8, 9, 10]) {
            0 => app
                .resource_manager()
                .put_resource_group(&who, self.subscription, &group, "local", none())
                .await
                .is_ok(),
            1 => app
                .resource_manager()
                .put_resource_group(&self.administrator, self.subscription, &group, "local", none())
                .await
                .is_ok(),
            2 => app
                .resource_manager()
                .put_identity(&who, &self.identity(), "local".into(), none())
                .await
                .is_ok(),
            3 => app.resource_manager().delete_identity(&who, &self.identity()).await.is_ok(),
            4 => {
                let id = scope(&format!("{}/providers/Microsoft.Network/virtualNetworks/v", self.place()));
                let system_identity = *self.pick(&[true, false]);
                app.resource_manager()
                    .put_resource(&who, &id, NewResource { system_identity, ..NewResource::default() })
                    .await
                    .is_ok()
            }
            5 => {
                let id = scope(&format!("{}/providers/Microsoft.Network/virtualNetworks/v", self.place()));
                app.resource_manager().delete_resource(&who, &id, &Precondition::default()).await.is_ok()
            }
            6 => {
                let mut new = NewCluster::new(
                    Serving::Attached {
                        server: "https://k.example".into(),
                        certificate_authority: self.arm.site.running.authority.clone(),
                    },
                    "local",
                );
                new.node_resource_group = Some(name(self.any_name()));
                let user = self.identity();
                new.identity = self
                    .pick(&[
                        None,
                        Some(RequestedIdentity::System),
                        Some(RequestedIdentity::User(user.clone())),
                    ])
                    .clone();
                new.kubelet_identity = self.pick(&[None, None, Some(user)]).clone();
                let cluster = self.cluster();
                app.resource_manager().put_cluster(&who, &cluster, new).await.is_ok()
            }
            7 => app
                .resource_manager()
                .delete_cluster(&who, &self.cluster(), &Precondition::default())
                .await
                .is_ok(),
            8 => {
                let done = app
                    .resource_manager()
                    .delete_resource_group(&who, self.subscription, group.as_str())
                    .await
                    .is_ok();
                if done {
                    self.given.retain(|(_, given)| given != group.as_str());
                }
                done
            }
            9 => {
                let new = NewFederatedCredential {
                    name: "f01".into(),
                    issuer: "https://i.example".into(),
                    subject: "s".into(),
                    audiences: vec!["a".into()],
                    description: None,
                };
                app.resource_manager().put_identity_credential(&who, &self.identity(), new).await.is_ok()
            }
            _ => {
                let to = self.pick(&self.people.clone()).object_id;
                self.give(to, group.as_str()).await;
                false
            }
        }
    }

    /// Whether somebody may do this there, all rules counted.
    async fn may(&self, who: &Caller, action: &str, at: &Scope) -> bool {
        self.app
            .whole_state()
            .transact(|tx| -> Result<_, app::Error> { Ok(tx.authorize(who, action, at).is_ok()) })
            .await
            .unwrap()
    }

    async fn check(&self, history: &[String]) {
        let snapshot = self.app.whole_snapshot();
        let group_of = |id: &Scope| id.resource_group_name().unwrap().to_owned();
        let all = scope(&self.arm.subscription);
        let resources: Vec<_> = snapshot.resources_below(&all).cloned().collect();
        let clusters: Vec<_> = snapshot.clusters().cloned().collect();
        assert_eq!(snapshot.unfinished().count(), 0, "{history:#?}");
        let groups: BTreeMap<String, Option<String>> = snapshot
            .resource_groups(self.subscription)
            .map(|group| (group.name.folded(), group.managed_by.clone()))
            .collect();
        // Everything is in a group, and in the group of a cluster is what belongs to it.
        for cluster in &clusters {
            let place = &groups[&cluster.resource_group.folded()];
            assert_eq!(*place, None, "a cluster in a cluster's group: {history:#?}");
            let nodes = cluster.node_resource_group.as_ref().unwrap().folded();
            assert_eq!(groups[&nodes].as_deref(), Some(cluster.resource_id().as_str()), "{history:#?}");
        }
        for resource in &resources {
            if let Some(owner) = &groups[&group_of(&resource.id)] {
                assert_eq!(resource.managed_by.as_ref(), Some(owner), "{}: {history:#?}", resource.id);
            }
        }
        for (group, manager) in &groups {
            let held = clusters.iter().any(|cluster| Some(cluster.resource_id()) == *manager);
            assert!(manager.is_none() || held, "{group} belongs to nobody: {history:#?}");
        }
        for person in &self.people {
            // The person, and whomever they can come to act as.
            let mut selves = vec![person.clone()];
            let mut seen = 0;
            while let Some(who) = selves.get(seen).cloned() {
                seen += 1;
                for resource in resources.iter().filter(|each| each.is_of_type(USER_ASSIGNED_IDENTITY)) {
                    let identity = resource.identity.as_ref().unwrap().object_id;
                    let known = selves.iter().any(|each| each.object_id == identity);
                    if !known && self.may(&who, CREDENTIAL_WRITE, &resource.id).await {
                        selves.push(caller(self.arm, &identity.to_string()));
                    }
                }
            }
            for (group, manager) in &groups {
                if manager.is_some() {
                    continue;
                }
                let given = selves.iter().any(|who| self.given.contains(&(who.object_id, group.clone())));
                let at = scope(&format!("{}/resourceGroups/{group}", self.arm.subscription));
                for who in &selves {
                    for action in [CREDENTIAL_WRITE, NETWORK_WRITE, ADMIN_CREDENTIAL, GROUP_DELETE] {
                        let may = self.may(who, action, &at).await;
                        assert!(given || !may, "{} may {action} in {group}: {history:#?}", who.name);
                    }
                }
            }
        }
    }
}

const CREDENTIAL_WRITE: &str =
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write";
const NETWORK_WRITE: &str = "Microsoft.Network/virtualNetworks/write";
const ADMIN_CREDENTIAL: &str = "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action";
const GROUP_DELETE: &str = "Microsoft.Resources/subscriptions/resourceGroups/delete";

#[tokio::test]
async fn nobody_comes_to_a_right_in_a_group_where_they_were_given_none() {
    let arm = Arm::start().await;
    let mut succeeded = 0;
    for seed in [0x9e37_79b9_7f4a_7c15, 0x2545_f491_4f6c_dd1d, 0xd1b5_4a32_d192_ed03] {
        let mut people = Vec::new();
        for person in ["ada", "bob", "cyd"] {
            people.push(caller(
                &arm,
                &arm.site.user(&format!("{person}{}@portcullis.local", seed % 97)).await.to_string(),
            ));
        }
        let mut world = World {
            arm: &arm,
            app: &arm.site.running.app,
            subscription: arm.site.running.installation.subscription,
            people: people.clone(),
            administrator: arm.site.admin.clone(),
            random: seed,
            given: BTreeSet::new(),
        };
        // The group of each; what the seed before has left goes.
        for group in NAMES {
            let at = arm.subscription.clone();
            for cluster in world.app.whole_snapshot().clusters().cloned().collect::<Vec<_>>() {
                let name = ClusterName {
                    subscription: world.subscription,
                    resource_group: cluster.resource_group.clone(),
                    name: cluster.name.clone(),
                };
                world
                    .app
                    .resource_manager()
                    .delete_cluster(&world.administrator, &name, &Precondition::default())
                    .await
                    .unwrap();
            }
            let _ = arm
                .ask(&arm.admin, Method::DELETE, &format!("{at}/resourceGroups/{group}"), Value::Null)
                .await;
        }
        assert_eq!(world.app.whole_snapshot().resource_groups(world.subscription).count(), 0);
        for (person, group) in people.iter().zip(["a", "b", "c"]) {
            arm.resource_group(group).await;
            world.give(person.object_id, group).await;
            arm.assign(person.object_id, OPERATOR, &format!("{}/resourceGroups/{group}", arm.subscription))
                .await;
        }
        let mut history = Vec::new();
        for number in 0..120 {
            let before = world.random;
            if world.step().await {
                succeeded += 1;
                history.push(format!("step {number} from {before:#x}"));
            }
            world.check(&history).await;
        }
    }
    assert!(succeeded > 40, "{succeeded} steps succeeded");
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn name(text: &str) -> ResourceName {
    ResourceName::parse(text).unwrap()
}

fn caller(arm: &Arm, id: &str) -> Caller {
    let object_id = ObjectId::parse(id).unwrap();
    let snapshot = arm.site.running.app.whole_snapshot();
    let app_id = arm.site.admin.app_id;
    match snapshot.directory().user(object_id) {
        Some(user) => Caller::of_user(user, app_id),
        None => {
            let principal = snapshot.directory().service_principal(object_id);
            principal.map_or_else(
                || Caller { object_id, kind: CallerKind::ServicePrincipal, ..arm.site.admin.clone() },
                |principal| Caller::of_service_principal(principal, app_id),
            )
        }
    }
}

#[tokio::test]
async fn a_group_goes_with_an_identity_that_a_cluster_elsewhere_acts_as() {
    let arm = Arm::start().await;
    let (prod, other) = (arm.resource_group("prod").await, arm.resource_group("other").await);
    let identity = format!("{prod}{USER_IDENTITIES}/who");
    arm.ok(Method::PUT, &identity, json!({"location": "local"})).await;
    let cluster = format!("{other}{CLUSTERS}/c1");
    let users = json!({&identity: {}});
    let acting = json!({"type": "UserAssigned", "userAssignedIdentities": users});
    arm.ok(Method::PUT, &cluster, json!({"location": "local", "identity": acting, "properties": {}})).await;
    let bob = arm.someone("bob").await;
    arm.assign(bob.id, OWNER, &prod).await;
    let (status, answer) = arm.ask(&bob.token, Method::DELETE, &prod, Value::Null).await;
    assert!(status.is_success(), "{answer}");
    let gone = arm.refusal(&arm.admin, Method::GET, &identity, Value::Null).await;
    assert_eq!(gone.0, 404);
    // The cluster goes on, and goes.
    arm.ok(Method::PUT, &cluster, json!({"location": "local", "properties": {}})).await;
    arm.ok(Method::DELETE, &cluster, Value::Null).await;
}
