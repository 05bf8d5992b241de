//! Clusters as resources: their identities and what those are given, what their creator must hold, pools, trusted
//! access, and what is kept of what clients write.

mod bodies;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testserver::Site;

/// Resource Manager as one caller asks it.
struct Manager<'a> {
    site: &'a Site,
    token: String,
}

impl<'a> Manager<'a> {
    async fn of_administrator(site: &'a Site) -> Self {
        Self { token: site.management().await, site }
    }

    async fn of(site: &'a Site, upn: &str) -> Self {
        let scope = format!("{}/.default", site.running.url);
        Self { token: site.token(upn, &scope).await, site }
    }

    fn group(&self) -> String {
        format!("/subscriptions/{}/resourceGroups/rg", self.site.running.installation.subscription)
    }

    fn cluster(&self) -> String {
        format!("{}/providers/Microsoft.ContainerService/managedClusters/c1", self.group())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let url = self.site.url(&format!("{path}?api-version=2026-06-01"));
        let mut request = self.site.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.site.send(request).await
    }

    async fn get(&self, path: &str) -> Value {
        self.done(Method::GET, path, None).await
    }

    async fn put(&self, path: &str, body: Value) -> Value {
        self.done(Method::PUT, path, Some(body)).await
    }

    async fn done(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, body) = self.ask(method, path, body).await;
        assert!(status.is_success(), "{path}: {status}: {body}");
        body
    }

    async fn refused(&self, method: Method, path: &str, body: Option<Value>, code: &str) -> String {
        let (status, body) = self.ask(method, path, body).await;
        assert!(status.is_client_error(), "{path}: {status}: {body}");
        assert_eq!(body["error"]["code"], code, "{body}");
        body["error"]["message"].as_str().unwrap().to_owned()
    }

    async fn assign(&self, who: &str, role: &str, scope: &str) {
        let role = self.role(role).await;
        let path =
            format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{}", uuid::Uuid::new_v4());
        self.put(&path, json!({"properties": {"roleDefinitionId": role, "principalId": who}})).await;
    }

    async fn role(&self, name: &str) -> String {
        let roles =
            self.get(&format!("{}/providers/Microsoft.Authorization/roleDefinitions", self.group())).await;
        let found =
            roles["value"].as_array().unwrap().iter().find(|role| role["properties"]["roleName"] == name);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    }

    async fn assignments(&self, scope: &str) -> Vec<(String, String)> {
        let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments");
        let found = self.get(&path).await;
        let text = |value: &Value| value.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let own = |each: &&Value| each["properties"]["scope"].as_str().unwrap().eq_ignore_ascii_case(scope);
        found["value"]
            .as_array()
            .unwrap()
            .iter()
            .filter(own)
            .map(|each| {
                (text(&each["properties"]["principalId"]), text(&each["properties"]["roleDefinitionId"]))
            })
            .collect()
    }
}

fn cluster(properties: Value) -> Value {
    json!({"location": "local", "identity": {"type": "SystemAssigned"}, "properties": properties})
}

const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";

#[tokio::test]
async fn a_cluster_comes_and_goes_with_its_group_its_identities_and_their_roles() {
    let site = Site::start(|_| {}).await;
    let manager = Manager::of_administrator(&site).await;
    manager.put(&manager.group(), json!({"location": "local"})).await;
    let addons = json!({"httpApplicationRouting": {"enabled": true}});
    let made = manager.put(&manager.cluster(), cluster(json!({"addonProfiles": addons}))).await;
    let principal = made["identity"]["principalId"].as_str().unwrap().to_owned();
    let kubelet = made["properties"]["identityProfile"]["kubeletidentity"].clone();
    let dns = made["properties"]["addonProfiles"]["httpApplicationRouting"]["identity"].clone();
    assert_eq!(made["properties"]["nodeResourceGroup"], "MC_rg_c1_local");
    let nodes = manager.group().replace("/rg", "/MC_rg_c1_local");
    assert_eq!(
        kubelet["resourceId"],
        format!("{nodes}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/c1-agentpool")
    );
    let dns_role = "befefa01-2a29-4197-83a8-272ff33ce314".to_owned();
    let mut given = manager.assignments(&nodes).await;
    given.sort();
    let mut expected = vec![
        (principal.clone(), CONTRIBUTOR.to_owned()),
        (dns["objectId"].as_str().unwrap().to_owned(), dns_role),
    ];
    expected.sort();
    assert_eq!(given, expected);
    assert_eq!(manager.get(&nodes).await["managedBy"], manager.cluster());
    // A repeated PUT of what a GET gave changes nothing.
    let read = manager.get(&manager.cluster()).await;
    let again = manager.put(&manager.cluster(), read.clone()).await;
    assert_eq!(again["identity"], read["identity"]);
    assert_eq!(again["properties"], read["properties"]);
    assert_eq!(manager.assignments(&nodes).await.len(), 2);
    // The add-on goes, and its identity with it.
    let mut off = read;
    off["properties"]["addonProfiles"]["httpApplicationRouting"] = json!({"enabled": false});
    manager.put(&manager.cluster(), off).await;
    assert_eq!(manager.assignments(&nodes).await, [(principal.clone(), CONTRIBUTOR.to_owned())]);
    let snapshot = site.running.app.whole_snapshot();
    let known =
        |id: &str| snapshot.directory().service_principal(domain::id::ObjectId::parse(id).unwrap()).is_some();
    assert!(known(&principal) && !known(dns["objectId"].as_str().unwrap()));
    // What belongs to the cluster goes with it only.
    manager.refused(Method::DELETE, &nodes, None, "Conflict").await;
    manager.done(Method::DELETE, &manager.group(), None).await;
    manager.refused(Method::GET, &nodes, None, "ResourceGroupNotFound").await;
    let snapshot = site.running.app.whole_snapshot();
    assert_eq!(snapshot.directory().service_principals().count(), 0);
    assert_eq!(snapshot.clusters().count(), 0);
    assert_eq!(snapshot.azure().assignments().count(), 1);
}

#[tokio::test]
async fn a_cluster_may_act_as_an_identity_that_its_creator_may_assign() {
    let site = Site::start(|_| {}).await;
    let admin = Manager::of_administrator(&site).await;
    admin.put(&admin.group(), json!({"location": "local"})).await;
    let identity =
        format!("{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/who", admin.group());
    let made = admin.put(&identity, json!({"location": "local", "tags": {"a": "b"}})).await;
    let again = admin.put(&identity, json!({"location": "local"})).await;
    assert_eq!(made["properties"], again["properties"]);
    let alice = site.user("alice@portcullis.local").await.to_string();
    admin.assign(&alice, "Azure Kubernetes Service Contributor Role", &admin.group()).await;
    let manager = Manager::of(&site, "alice@portcullis.local").await;
    let users = |id: &str| json!({"type": "UserAssigned", "userAssignedIdentities": {id: {}}});
    let mut body = cluster(json!({}));
    body["identity"] = users(&identity.to_uppercase().replace("/SUBSCRIPTIONS", "/subscriptions"));
    let refusal =
        manager.refused(Method::PUT, &manager.cluster(), Some(body.clone()), "AuthorizationFailed").await;
    assert!(refusal.contains("userAssignedIdentities/assign/action"), "{refusal}");
    admin.assign(&alice, "Managed Identity Operator", &identity).await;
    let created = manager.put(&manager.cluster(), body.clone()).await;
    let users = created["identity"]["userAssignedIdentities"].as_object().unwrap();
    assert_eq!(users.values().next().unwrap()["principalId"], made["properties"]["principalId"]);
    for (wrong, code) in [
        (json!({"type": "UserAssigned", "userAssignedIdentities": {}}), "InvalidParameter"),
        (json!({"type": "Other"}), "InvalidParameter"),
    ] {
        body["identity"] = wrong;
        manager.refused(Method::PUT, &manager.cluster(), Some(body.clone()), code).await;
    }
    // Back to one of its own.
    body["identity"] = json!({"type": "SystemAssigned"});
    let own = manager.put(&manager.cluster(), body).await;
    assert_ne!(own["identity"]["principalId"], made["properties"]["principalId"]);
    admin.done(Method::DELETE, &identity, None).await;
    assert_eq!(admin.ask(Method::DELETE, &identity, None).await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn the_creator_holds_what_the_features_need_before_anything_is_made() {
    let site = Site::start(|_| {}).await;
    let admin = Manager::of_administrator(&site).await;
    admin.put(&admin.group(), json!({"location": "local"})).await;
    let subnet = format!(
        "{}/providers/Microsoft.Network/virtualNetworks/v1/subnets/s1",
        admin.group().replace("/rg", "/net")
    );
    let alice = site.user("alice@portcullis.local").await.to_string();
    admin.assign(&alice, "Azure Kubernetes Service Contributor Role", &admin.group()).await;
    let manager = Manager::of(&site, "alice@portcullis.local").await;
    let pools =
        |subnet: &str| json!({"agentPoolProfiles": [{"name": "np", "count": 1, "vnetSubnetID": subnet}]});
    let revision = site.running.app.whole_snapshot().revision();
    let refusal = manager
        .refused(Method::PUT, &manager.cluster(), Some(cluster(pools(&subnet))), "LinkedAuthorizationFailed")
        .await;
    assert!(refusal.contains("Microsoft.Network/virtualNetworks/subnets/join/action"), "{refusal}");
    assert!(refusal.contains("Network Contributor"), "{refusal}");
    assert_eq!(site.running.app.whole_snapshot().revision(), revision);
    admin.put(&admin.group().replace("/rg", "/net"), json!({"location": "local"})).await;
    admin.assign(&alice, "Network Contributor", &subnet).await;
    manager.put(&manager.cluster(), cluster(pools(&subnet))).await;
    // A pool in another subnet is a new need; scaling one that is there is none.
    let path = format!("{}/agentPools/np", manager.cluster());
    let other = subnet.replace("s1", "s2");
    let pool = |subnet: &str, count: u32| json!({"properties": {"count": count, "mode": "System", "vnetSubnetID": subnet}});
    manager.refused(Method::PUT, &path, Some(pool(&other, 1)), "LinkedAuthorizationFailed").await;
    assert_eq!(manager.put(&path, pool(&subnet, 5)).await["properties"]["count"], 5);
    for wrong in [
        json!({"properties": {"count": -1}}),
        json!({"properties": {"count": "3"}}),
        json!({"properties": {"mode": "X"}}),
    ] {
        manager.refused(Method::PUT, &path, Some(wrong), "BadRequest").await;
    }
    manager.refused(Method::DELETE, &path, None, "Conflict").await;
}

#[tokio::test]
async fn what_was_given_at_a_cluster_or_pool_is_not_given_at_the_next_of_its_name() {
    let site = Site::start(|_| {}).await;
    let admin = Manager::of_administrator(&site).await;
    admin.put(&admin.group(), json!({"location": "local"})).await;
    let alice = site.user("alice@portcullis.local").await.to_string();
    let pools = |names: &[&str]| {
        let pools: Vec<_> = names.iter().map(|name| json!({"name": name, "count": 1})).collect();
        cluster(json!({"agentPoolProfiles": pools}))
    };
    let both = pools(&["np", "two"]);
    let pool = format!("{}/agentPools/two", admin.cluster());
    for (scope, gone) in
        [(&pool, "pool"), (&pool, "update"), (&pool, "cluster"), (&admin.cluster(), "cluster")]
    {
        admin.put(&admin.cluster(), both.clone()).await;
        admin.assign(&alice, "Reader", scope).await;
        assert_eq!(admin.assignments(scope).await.len(), 1);
        match gone {
            "pool" => drop(admin.done(Method::DELETE, &pool, None).await),
            "update" => drop(admin.put(&admin.cluster(), pools(&["np"])).await),
            _ => drop(admin.done(Method::DELETE, &admin.cluster(), None).await),
        }
        admin.put(&admin.cluster(), both.clone()).await;
        assert_eq!(admin.assignments(scope).await, [], "{scope} after {gone}");
    }
}

#[tokio::test]
async fn the_preflight_report_is_the_reference_and_what_it_proposes_is_enough() {
    let site = Site::start(|_| {}).await;
    let admin = Manager::of_administrator(&site).await;
    admin.put(&admin.group(), json!({"location": "local"})).await;
    let alice = site.user("alice@portcullis.local").await.to_string();
    let path = format!("{}/preflight", admin.cluster());
    // Planned: what comes with the cluster is promised.
    let planned = admin.done(Method::POST, &path, Some(json!({"creator": alice, "allFeatures": true}))).await;
    assert_eq!(planned["exists"], false);
    let states = |report: &Value, identity: &str| -> Vec<String> {
        let needs = report["needs"].as_array().unwrap();
        let own = needs.iter().filter(|need| need["identity"] == identity && need["feature"].is_null());
        own.flat_map(|need| need["permissions"].as_array().unwrap().clone())
            .map(|permission| permission["state"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(states(&planned, "cluster").iter().all(|state| state == "promised"));
    // Made with both add-ons: all its identities exist.
    let addons = json!({"httpApplicationRouting": {"enabled": true}, "omsagent": {"enabled": true}});
    admin.put(&admin.cluster(), cluster(json!({"addonProfiles": addons}))).await;
    let ask = Some(json!({"creator": alice, "allFeatures": true}));
    let report = admin.done(Method::POST, &path, ask.clone()).await;
    let reference: Value =
        serde_json::from_str(include_str!("../../../domain/src/preflight/needs.json")).unwrap();
    let expected: Vec<(Value, Value, Value)> = ["creator", "cluster", "clusterAdditional", "node"]
        .iter()
        .flat_map(|part| reference["identities"][part]["needs"].as_array().unwrap())
        .map(|need| (need["when"].clone(), need["permissions"].clone(), need["reason"].clone()))
        .collect();
    let found: Vec<(Value, Value, Value)> = report["needs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|need| {
            let actions: Vec<&Value> =
                need["permissions"].as_array().unwrap().iter().map(|each| &each["action"]).collect();
            (need["feature"].clone(), json!(actions), need["reason"].clone())
        })
        .collect();
    assert_eq!(found, expected);
    assert!(states(&report, "cluster").iter().all(|state| state == "held"));
    for proposal in report["proposals"].as_array().unwrap() {
        let scope = proposal["scope"].as_str().unwrap();
        let role = match proposal["role"]["id"].as_str() {
            Some(id) => format!("/providers/Microsoft.Authorization/roleDefinitions/{id}"),
            None => {
                let id = uuid::Uuid::new_v4();
                let path = format!("{scope}/providers/Microsoft.Authorization/roleDefinitions/{id}");
                admin.put(&path, json!({"properties": proposal["role"]})).await["id"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            }
        };
        let path =
            format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{}", uuid::Uuid::new_v4());
        let properties = json!({"roleDefinitionId": role, "principalId": proposal["principalId"]});
        admin.put(&path, json!({"properties": properties})).await;
    }
    let after = admin.done(Method::POST, &path, ask).await;
    assert_eq!(after["proposals"], json!([]));
    let needs = after["needs"].as_array().unwrap();
    let states = needs.iter().flat_map(|need| need["permissions"].as_array().unwrap());
    assert!(states.clone().count() > 50 && states.clone().all(|each| each["state"] == "held"));
    // Whoever may not see role assignments does not see what others hold.
    let manager = Manager::of(&site, "alice@portcullis.local").await;
    admin.assign(&alice, "Azure Kubernetes Service Cluster User Role", &admin.cluster()).await;
    manager.refused(Method::POST, &path, Some(json!({})), "AuthorizationFailed").await;
    for (wrong, code) in [
        (json!({"features": {"vnet": null}}), "BadRequest"),
        (json!({"features": {"customVnet": "x"}}), "InvalidParameter"),
        (json!({"features": {"customVnet": 1}}), "InvalidParameter"),
        (json!({"feature": {}}), "InvalidRequestContent"),
        (json!({"creator": uuid::Uuid::new_v4()}), "BadRequest"),
    ] {
        admin.refused(Method::POST, &path, Some(wrong), code).await;
    }
}

#[tokio::test]
async fn a_locked_node_resource_group_is_for_the_cluster_alone() {
    let site = Site::start(|_| {}).await;
    let admin = Manager::of_administrator(&site).await;
    admin.put(&admin.group(), json!({"location": "local"})).await;
    let locked = |level: &str| cluster(json!({"nodeResourceGroupProfile": {"restrictionLevel": level}}));
    admin.put(&admin.cluster(), locked("ReadOnly")).await;
    let nodes = admin.group().replace("/rg", "/MC_rg_c1_local");
    let tag = json!({"location": "local", "tags": {"a": "b"}});
    admin.refused(Method::PUT, &nodes, Some(tag.clone()), "AuthorizationFailed").await;
    admin.get(&nodes).await;
    // Without it the right is there, and the group is the cluster's all the same.
    admin.put(&admin.cluster(), locked("Unrestricted")).await;
    admin.refused(Method::PUT, &nodes, Some(tag), "ResourceGroupManagedByMismatch").await;
}

#[tokio::test]
async fn a_stopped_cluster_answers_nothing_until_it_is_started() {
    let site = Site::start(|_| {}).await;
    let address = site.cluster().await;
    let admin = Manager::of_administrator(&site).await;
    let token = site.token(&site.admin.name, &format!("{}/.default", testserver::CLUSTER)).await;
    let nodes = || site.send(site.http.get(format!("{address}/api/v1/nodes")).bearer_auth(&token));
    assert_eq!(nodes().await.0, StatusCode::OK);
    let (status, _) = admin.ask(Method::POST, &format!("{}/stop", admin.cluster()), None).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let (status, body) = nodes().await;
    assert_eq!((status, &body["reason"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("ServiceUnavailable")));
    assert_eq!(admin.get(&admin.cluster()).await["properties"]["powerState"]["code"], "Stopped");
    admin.done(Method::POST, &format!("{}/start", admin.cluster()), None).await;
    assert_eq!(nodes().await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_operation_is_shown_to_whoever_began_it() {
    let site = Site::start(|_| {}).await;
    site.cluster().await;
    let admin = Manager::of_administrator(&site).await;
    let url = site.url(&format!("{}/rotateClusterCertificates?api-version=2026-06-01", admin.cluster()));
    let response = site.http.post(url).bearer_auth(&admin.token).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let at = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let (status, result) = (at("azure-asyncoperation"), at("location"));
    let body = site.ok(site.http.get(&status).bearer_auth(&admin.token)).await;
    assert_eq!(body["status"], "Succeeded");
    let (code, _) = site.send(site.http.get(&result).bearer_auth(&admin.token)).await;
    assert_eq!(code, StatusCode::NO_CONTENT);
    let alice = site.user("alice@portcullis.local").await.to_string();
    admin.assign(&alice, "Owner", &admin.group()).await;
    let other = Manager::of(&site, "alice@portcullis.local").await;
    let (code, _) = site.send(site.http.get(&status).bearer_auth(&other.token)).await;
    assert_eq!(code, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn trusted_access_binds_the_identity_of_a_resource_in_the_cluster() {
    let site = Site::start(|_| {}).await;
    let address = site.cluster().await;
    let admin = Manager::of_administrator(&site).await;
    let source = format!("{}/providers/Microsoft.MachineLearningServices/workspaces/ml", admin.group());
    let path = format!("{}/trustedAccessRoleBindings/b1", admin.cluster());
    let role = "Microsoft.MachineLearningServices/workspaces/mlworkload";
    let binding =
        |source: &str, role: &str| Some(json!({"properties": {"sourceResourceId": source, "roles": [role]}}));
    admin.refused(Method::PUT, &path, binding(&source, role), "ResourceNotFound").await;
    let made = admin
        .put(&source, json!({"location": "local", "identity": {"type": "SystemAssigned"}, "kind": "x"}))
        .await;
    assert_eq!(made["kind"], "x");
    admin
        .refused(
            Method::PUT,
            &path,
            binding(&source, "Microsoft.DataProtection/backupVaults/backup-operator"),
            "BadRequest",
        )
        .await;
    let put = admin.done(Method::PUT, &path, binding(&source, role)).await;
    assert_eq!(put["properties"]["provisioningState"], "Succeeded");
    let token = site.token(&site.admin.name, &format!("{}/.default", testserver::CLUSTER)).await;
    let name = "aks:trustedaccess:b1:mlworkload";
    let url = format!("{address}/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}");
    let found = site.ok(site.http.get(&url).bearer_auth(&token)).await;
    assert_eq!(found["subjects"][0]["name"], made["identity"]["principalId"]);
    admin.done(Method::DELETE, &path, None).await;
    let (status, _) = site.send(site.http.get(&url).bearer_auth(&token)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = admin.ask(Method::DELETE, &path, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn of_writers_at_once_one_makes_it_and_the_others_find_it_made() {
    let site = Site::start(|_| {}).await;
    let admin = Manager::of_administrator(&site).await;
    admin.put(&admin.group(), json!({"location": "local"})).await;
    let alice = site.user("alice@portcullis.local").await;
    let role = admin.role("Reader").await;
    let assignment = format!(
        "{}/providers/Microsoft.Authorization/roleAssignments/{}",
        admin.group(),
        uuid::Uuid::new_v4()
    );
    let identity =
        format!("{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/who", admin.group());
    let writes = [
        (admin.cluster(), cluster(json!({}))),
        (assignment, json!({"properties": {"roleDefinitionId": role, "principalId": alice}})),
        (identity, json!({"location": "local"})),
    ];
    for (path, body) in writes {
        let one = || admin.ask(Method::PUT, &path, Some(body.clone()));
        let (first, second, third, fourth) = tokio::join!(one(), one(), one(), one());
        let answers = [first, second, third, fourth];
        let mut statuses = answers.each_ref().map(|(status, _)| status.as_u16());
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 200, 201], "{path}");
        let ids = answers.each_ref().map(|(_, body)| (&body["id"], &body["identity"]["principalId"]));
        assert!(ids.iter().all(|each| each == &ids[0]), "{ids:?}");
    }
}

#[tokio::test]
async fn a_rotation_does_not_shut_out_the_api_server_of_an_attached_cluster() {
    let site = Site::start(|_| {}).await;
    let admin = Manager::of_administrator(&site).await;
    let path = format!("{}/providers/Microsoft.ContainerService/managedClusters/real", admin.group());
    let authority =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, site.running.authority.as_bytes());
    let attached = json!({"server": "https://k8s.example.org:6443", "certificateAuthorityData": authority});
    let body = json!({"location": "local", "properties": {"attached": attached}});
    admin.done(Method::PUT, &admin.group(), Some(json!({"location": "local"}))).await;
    admin.done(Method::PUT, &path, Some(body)).await;
    admin.done(Method::POST, &format!("{path}/listWebhookCredential"), None).await;
    let before = admin.get(&format!("{path}/webhookCertificates")).await;
    let (status, answer) = admin.ask(Method::POST, &format!("{path}/rotateClusterCertificates"), None).await;
    let said = answer["error"]["message"].as_str().unwrap_or_default();
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    assert!(said.contains("portcullis cluster certificate rotate real"), "{said}");
    let after = admin.get(&format!("{path}/webhookCertificates")).await;
    assert_eq!((&after, &after["value"][0]["counts"]), (&before, &json!(true)));
}
