//! The program killed while it makes and deletes clusters: what was begun ends by itself after the next start, and
//! nothing is there by half.

use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::running::Journey;

/// Resource Manager and the API of its clusters, as the first administrator asks them.
struct Asking {
    http: Client,
    token: String,
    url: String,
    subscription: String,
}

impl Asking {
    async fn start(journey: &Journey) -> Self {
        let http = journey.http();
        let url = journey.url.clone();
        let form = [
            ("grant_type", "password"),
            ("client_id", "b0c5f1a2-6d3e-4c1b-9f7a-2e8d4a6c0f31"),
            ("username", &journey.first("userPrincipalName")),
            ("password", &journey.first("password")),
            ("scope", &format!("{url}/.default")),
        ];
        let answer =
            http.post(format!("{url}/organizations/oauth2/v2.0/token")).form(&form).send().await.unwrap();
        let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let token = body["access_token"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
        let mut asking = Self { http, token, url, subscription: String::new() };
        let list = asking.ask(Method::GET, "/subscriptions", None).await.unwrap().1;
        asking.subscription = list["value"][0]["id"].as_str().unwrap().to_owned();
        asking
    }

    /// None: the server is gone.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Option<(StatusCode, Value)> {
        let mut request = self.http.request(method, format!("{}{path}?api-version=2022-12-01", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.bearer_auth(&self.token).send().await.ok()?;
        let status = answer.status();
        Some((status, serde_json::from_str(&answer.text().await.ok()?).unwrap_or_default()))
    }

    fn cluster(&self, name: &str) -> String {
        let group = format!("{}/resourceGroups/rg", self.subscription);
        format!("{group}/providers/Microsoft.ContainerService/managedClusters/{name}")
    }

    async fn state(&self, name: &str) -> Option<String> {
        let (status, body) = self.ask(Method::GET, &self.cluster(name), None).await.unwrap();
        let state = body["properties"]["provisioningState"].as_str().map(str::to_owned);
        assert_eq!(status.is_success(), state.is_some(), "{status}: {body}");
        state
    }

    /// The state of a cluster when nothing goes on with it any more.
    async fn settled(&self, name: &str) -> Option<String> {
        let begun = Instant::now();
        loop {
            let state = self.state(name).await;
            if state.as_deref().is_none_or(|state| state == "Succeeded") {
                return state;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{name} is {state:?} for a minute");
        }
    }
}

fn body() -> Option<Value> {
    Some(json!({"location": "local", "properties": {}}))
}

/// Ends the server some time after a request was sent, and starts another one on its files.
async fn killed_during(journey: &mut Journey, wait: Duration, request: impl Future + Send + 'static) {
    let asked = tokio::spawn(async move {
        request.await;
    });
    // The time is what is tried here: a kill at any moment of the work.
    let _ = tokio::time::timeout(wait, std::future::pending::<()>()).await;
    journey.stop();
    asked.await.unwrap();
    journey.start_again();
}

#[test]
fn a_server_killed_while_it_deletes_a_big_cluster_ends_the_deletion_after_its_next_start() {
    let mut journey = Journey::begin();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let asking = Asking::start(&journey).await;
        let group = format!("{}/resourceGroups/rg", asking.subscription);
        asking.ask(Method::PUT, &group, body()).await.unwrap();
        let (status, made) = asking.ask(Method::PUT, &asking.cluster("big"), body()).await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let id = made["properties"]["clusterId"].as_str().unwrap().to_owned();
        let kubeconfig = journey.credentials("admin", "big", &["--admin"]);
        // Long names: keys make up the size of a deletion.
        let items: Vec<Value> = (0..3_000)
            .map(|number| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("{number:0>240}")}}))
            .collect();
        let file = journey.path("items.json");
        std::fs::write(&file, json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
        journey.kubectl("admin", &kubeconfig, &["create", "-f", file.to_str().unwrap()]).ok();
        let mut deletions = 0;
        let mut kills = 0;
        let mut asking = asking;
        for wait in [5, 20, 40, 60, 90, 30, 10] {
            let (http, token) = (asking.http.clone(), asking.token.clone());
            let address = format!("{}{}?api-version=2022-12-01", asking.url, asking.cluster("big"));
            let delete = async move { http.delete(address).bearer_auth(token).send().await };
            killed_during(&mut journey, Duration::from_millis(wait), delete).await;
            kills += 1;
            asking = Asking::start(&journey).await;
            // Either it was not begun, or it ends by itself.
            match asking.state("big").await.as_deref() {
                Some("Succeeded") => continue,
                Some("Deleting") => {
                    deletions += 1;
                    let address = format!("{}/clusters/{id}/version", asking.url);
                    assert_eq!(asking.http.get(address).send().await.unwrap().status(), StatusCode::NOT_FOUND);
                }
                _ => {}
            }
            if kills > 3 {
                break;
            }
        }
        let found = asking.settled("big").await;
        if found.is_some() {
            // Each kill was too early.
            asking.ask(Method::DELETE, &asking.cluster("big"), None).await.unwrap();
        }
        assert_eq!(asking.settled("big").await, None);
        println!("kills: {kills}, {deletions} of them seen in the middle of a deletion");
        let (status, _) = asking.ask(Method::PUT, &asking.cluster("big"), body()).await.unwrap();
        assert_eq!(status, StatusCode::CREATED);
        let (status, _) = asking.ask(Method::DELETE, &group, None).await.unwrap();
        assert_eq!(status, StatusCode::ACCEPTED);
    });
}

#[test]
fn a_server_killed_while_it_makes_clusters_has_none_by_half() {
    let mut journey = Journey::begin();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut asking = Asking::start(&journey).await;
        let group = format!("{}/resourceGroups/rg", asking.subscription);
        asking.ask(Method::PUT, &group, body()).await.unwrap();
        let mut there = 0;
        for kill in 0..10_u64 {
            let name = format!("c{kill}");
            let (http, token) = (asking.http.clone(), asking.token.clone());
            let address = format!("{}{}?api-version=2022-12-01", asking.url, asking.cluster(&name));
            let put = async move { http.put(address).bearer_auth(token).json(&body().unwrap()).send().await };
            killed_during(&mut journey, Duration::from_millis(20 + 37 * kill), put).await;
            asking = Asking::start(&journey).await;
            if asking.settled(&name).await.is_none() {
                let (status, body) = asking.ask(Method::PUT, &asking.cluster(&name), body()).await.unwrap();
                assert_eq!(status, StatusCode::CREATED, "{body}");
            } else {
                there += 1;
            }
            // All that every cluster has is there.
            let kubeconfig = journey.credentials("admin", &name, &["--admin"]);
            let roles = journey.kubectl("admin", &kubeconfig, &["get", "clusterroles", "-o", "name"]).ok();
            assert!(roles.contains("clusterrole.rbac.authorization.k8s.io/cluster-admin"), "{roles}");
            let bindings =
                journey.kubectl("admin", &kubeconfig, &["get", "clusterrolebindings", "-o", "name"]).ok();
            assert!(bindings.contains("aks-cluster-admin-binding"), "{bindings}");
        }
        println!("kills: 10, {there} clusters were there after them");
    });
}
