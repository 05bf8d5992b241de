//! What is kept, given back and refused of the bodies that clients write for clusters and plain resources.

use super::*;

#[tokio::test]
async fn what_has_no_meaning_here_is_given_back_as_it_was_written() {
    let site = Site::start(|_| {}).await;
    let admin = Manager::of_administrator(&site).await;
    admin.put(&admin.group(), json!({"location": "local"})).await;
    let mut body =
        cluster(json!({"dnsPrefix": "p", "unheardOf": {"deep": [1, {"a": null}]}, "kubernetesVersion": ""}));
    body["sku"] = json!({"name": "Automatic", "tier": "Standard"});
    body["kind"] = json!("Base");
    body["tags"] = json!({"team": "till"});
    admin.put(&admin.cluster(), body).await;
    let read = admin.get(&admin.cluster()).await;
    assert_eq!(read["properties"]["unheardOf"], json!({"deep": [1, {"a": null}]}));
    assert_eq!(read["sku"]["name"], "Automatic");
    assert_eq!((&read["kind"], &read["tags"]["team"]), (&json!("Base"), &json!("till")));
    let patched = admin.done(Method::PATCH, &admin.cluster(), Some(json!({"tags": {"team": "web"}}))).await;
    assert_eq!(patched["tags"], json!({"team": "web"}));
    let mut newer = read;
    newer["properties"]["kubernetesVersion"] = json!("1.99.0");
    admin.refused(Method::PUT, &admin.cluster(), Some(newer), "K8sVersionNotSupported").await;
}

#[tokio::test]
async fn resources_without_behaviour_are_kept_listed_and_guarded() {
    let site = Site::start(|_| {}).await;
    site.cluster().await;
    let admin = Manager::of_administrator(&site).await;
    let network = format!("{}/providers/Microsoft.Network/virtualNetworks/v1", admin.group());
    let subnet = format!("{network}/subnets/s1");
    admin.refused(Method::PUT, &subnet, Some(json!({})), "ResourceNotFound").await;
    admin.put(&network, json!({"location": "local", "properties": {"addressSpace": {}}})).await;
    admin.put(&subnet, json!({"properties": {"routeTable": {"id": "x"}}})).await;
    let listed = admin.get(&format!("{}/resources", admin.group())).await;
    let types: Vec<&str> =
        listed["value"].as_array().unwrap().iter().map(|each| each["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "Microsoft.ContainerService/managedClusters",
            "Microsoft.Network/virtualNetworks",
            "Microsoft.Network/virtualNetworks/subnets",
        ]
    );
    let alice = site.user("alice@portcullis.local").await.to_string();
    admin.assign(&alice, "Azure Kubernetes Service Contributor Role", &admin.group()).await;
    let manager = Manager::of(&site, "alice@portcullis.local").await;
    manager.refused(Method::PUT, &network, Some(json!({})), "AuthorizationFailed").await;
    manager.refused(Method::DELETE, &network, None, "AuthorizationFailed").await;
    let unknown = format!("{}/providers/Microsoft.Web/sites/x", admin.group());
    admin.refused(Method::PUT, &unknown, Some(json!({})), "InvalidResourceType").await;
    admin.done(Method::DELETE, &network, None).await;
    admin.refused(Method::GET, &subnet, None, "ResourceNotFound").await;
}

#[tokio::test]
async fn a_write_that_does_not_name_the_pools_keeps_them_and_the_last_system_pool_stays() {
    let site = Site::start(|_| {}).await;
    let admin = Manager::of_administrator(&site).await;
    let pool = |name: &str, mode: &str| json!({"name": name, "count": 1, "mode": mode});
    let pools = |pools: &[Value]| cluster(json!({"agentPoolProfiles": pools}));
    admin.put(&admin.group(), json!({"location": "local"})).await;
    let path = admin.cluster();
    // A cluster that has none yet may go on so.
    admin.put(&path, cluster(json!({}))).await;
    admin.put(&path, pools(&[])).await;
    admin.put(&path, pools(&[pool("sys", "System"), pool("work", "User")])).await;
    let names = async || {
        let listed = admin.get(&format!("{path}/agentPools")).await;
        let listed = listed["value"].as_array().unwrap().iter();
        listed.map(|each| each["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for body in
        [cluster(json!({})), cluster(json!({"agentPoolProfiles": null})), json!({"location": "local"})]
    {
        admin.put(&path, body.clone()).await;
        assert_eq!(names().await, ["sys", "work"], "{body}");
    }
    for list in [vec![], vec![pool("work", "User")], vec![pool("sys", "User"), pool("work", "User")]] {
        let said = admin.refused(Method::PUT, &path, Some(pools(&list)), "Conflict").await;
        assert!(said.contains("\"sys\" is the last of mode System"), "{said}");
    }
    let user = json!({"properties": {"count": 1, "mode": "User"}});
    admin.refused(Method::PUT, &format!("{path}/agentPools/sys"), Some(user), "Conflict").await;
    admin.refused(Method::DELETE, &format!("{path}/agentPools/sys"), None, "Conflict").await;
    admin.put(&path, pools(&[pool("next", "System")])).await;
    assert_eq!(names().await, ["next"]);
}

#[tokio::test]
async fn secrets_in_a_body_are_neither_kept_nor_given_back() {
    let site = Site::start(|_| {}).await;
    let admin = Manager::of_administrator(&site).await;
    admin.put(&admin.group(), json!({"location": "local"})).await;
    let properties = json!({
        "windowsProfile": {"adminUsername": "a", "adminPassword": "hush"},
        "aadProfile": {"managed": true, "serverAppSecret": "hush"},
        "servicePrincipalProfile": {"clientId": "x", "secret": "hush"},
        "addonProfiles": {"x": {"enabled": true, "config": {"clientSecret": "hush", "useAADAuth": "true"}}},
        "httpProxyConfig": {"httpProxy": "http://me:hush@proxy:3128/"},
        "agentPoolProfiles": [{"name": "sys", "count": 1, "mode": "System", "adminPassword": "hush"}],
    });
    let made = admin.put(&admin.cluster(), cluster(properties)).await;
    assert_eq!(made["properties"]["windowsProfile"], json!({"adminUsername": "a"}));
    assert_eq!(made["properties"]["httpProxyConfig"]["httpProxy"], "http://proxy:3128/");
    assert_eq!(made["properties"]["addonProfiles"]["x"]["config"], json!({"useAADAuth": "true"}));
    let pool = format!("{}/agentPools/more", admin.cluster());
    admin.put(&pool, json!({"properties": {"count": 1, "mode": "User", "adminPassword": "hush"}})).await;
    let gateway = format!("{}/providers/Microsoft.Network/applicationGateways/g", admin.group());
    let certificate = json!({"name": "c", "properties": {"password": "hush"}});
    admin.put(&gateway, json!({"location": "local", "properties": {"sslCertificates": [certificate]}})).await;
    let clusters = format!("{}/providers/Microsoft.ContainerService/managedClusters", admin.group());
    let pools = format!("{}/agentPools", admin.cluster());
    let resources = format!("{}/resources", admin.group());
    for path in [&admin.cluster(), &pool, &gateway, &clusters, &pools, &resources] {
        let shown = admin.get(path).await;
        assert!(!shown.to_string().contains("hush"), "{path}: {shown}");
    }
    // What is stored, and what an earlier release has stored.
    let snapshot = site.running.app.whole_snapshot();
    let record = (**snapshot.clusters().next().unwrap()).clone();
    let mut stored = serde_json::to_value(&record).unwrap();
    assert!(!stored.to_string().contains("hush"), "{stored}");
    stored["properties"]["windowsProfile"]["adminPassword"] = json!("hush");
    assert_eq!(serde_json::from_value::<domain::cluster::Cluster>(stored).unwrap(), record);
}

#[tokio::test]
async fn what_says_who_gets_in_counts_in_any_case_and_is_refused_where_it_does_not() {
    let site = Site::start(|_| {}).await;
    let admin = Manager::of_administrator(&site).await;
    admin.put(&admin.group(), json!({"location": "local"})).await;
    let path = admin.cluster();
    let cased = json!({"Location": "local", "PROPERTIES": {
        "AadProfile": {"EnableAzureRbac": true}, "DisableLocalAccounts": true, "OIDCIssuerProfile": {"Enabled": true}}});
    let made = admin.put(&path, cased).await;
    let properties = &made["properties"];
    assert_eq!(properties["aadProfile"]["enableAzureRBAC"], true, "{made}");
    assert_eq!(
        (&properties["disableLocalAccounts"], &properties["oidcIssuerProfile"]["enabled"]),
        (&json!(true), &json!(true))
    );
    // What was given can be sent back.
    let again = admin.put(&path, made.clone()).await;
    assert_eq!(again["properties"], made["properties"]);
    for (body, named) in [
        (json!({"location": "local", "aadProfile": {"managed": true}}), "properties.aadProfile"),
        (json!({"location": "local", "disable_local_accounts": true}), "properties.disableLocalAccounts"),
        (json!({"location": "local", "properties": {"enableAzureRBAC": true}}), "aadProfile.enableAzureRBAC"),
    ] {
        let said = admin.refused(Method::PUT, &path, Some(body), "InvalidRequestContent").await;
        assert!(said.contains(named), "{said}");
    }
    // Nothing but tags is changed by PATCH.
    let body = json!({"properties": {"disableLocalAccounts": false}});
    admin.refused(Method::PATCH, &path, Some(body), "InvalidRequestContent").await;
    let body = json!({"location": "local", "unheardOf": 1, "zones": ["1"], "properties": {"disableLocalAccounts": true}});
    assert_eq!(admin.put(&path, body).await["unheardOf"], 1);
    for tags in [json!({"a": "1", "A": "2"}), json!({"": "x"})] {
        let body = json!({"location": "local", "tags": tags});
        for path in [&path, &admin.group()] {
            admin.refused(Method::PUT, path, Some(body.clone()), "InvalidRequestContent").await;
            admin.refused(Method::PATCH, path, Some(json!({"tags": tags})), "InvalidRequestContent").await;
        }
    }
}

#[tokio::test]
async fn a_list_of_resources_shows_what_it_shows_in_azure_in_pages() {
    let site = Site::start(|_| {}).await;
    site.cluster().await;
    let admin = Manager::of_administrator(&site).await;
    for name in ["a", "b"] {
        let network = format!("{}/providers/Microsoft.Network/virtualNetworks/{name}", admin.group());
        let body = json!({"location": "local", "kind": "k", "heavy": "x".repeat(1000), "properties": {"heavy": true},
            "identity": {"type": "SystemAssigned"}, "tags": {"t": name}});
        admin.put(&network, body).await;
    }
    let listed = admin.get(&format!("{}/resources", admin.group())).await;
    let listed = listed["value"].as_array().unwrap();
    let names: Vec<&str> = listed.iter().map(|each| each["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["c1", "a", "b"]);
    let network = &listed[1];
    assert_eq!(
        (&network["kind"], &network["tags"], &network["location"]),
        (&json!("k"), &json!({"t": "a"}), &json!("local"))
    );
    assert_eq!(network["identity"]["type"], "SystemAssigned");
    assert_eq!(network["type"], "Microsoft.Network/virtualNetworks");
    assert!(listed.iter().all(|each| each["heavy"].is_null() && each["properties"].is_null()));
    let query =
        "api-version=2024-11-01&$top=2&$filter=resourceType%20eq%20'microsoft.network/virtualnetworks'";
    let url = site.url(&format!("{}/resources?{query}", admin.group()));
    let page = site.ok(site.http.get(url.replace("top=2", "top=1")).bearer_auth(&admin.token)).await;
    assert_eq!(page["value"][0]["name"], "a");
    let next = site.ok(site.http.get(page["nextLink"].as_str().unwrap()).bearer_auth(&admin.token)).await;
    assert_eq!((&next["value"][0]["name"], &next["nextLink"]), (&json!("b"), &Value::Null));
}
