//! An installation on disk behind its router, with what the routes name.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use app::App;
use axum::{Router, body::Body};
use domain::name::Upn;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use testkit::{BASE, PASSWORD};
use testserver::{CLI, CLUSTER};
use tokio::sync::watch;
use tower::ServiceExt;
use web::{
    escapes::encode,
    serve::ClientIdentity,
    trace::{Peer, RequestContext},
};

use super::Route;

/// Where what a route makes is found again.
#[derive(Clone, Debug)]
pub(crate) enum Made {
    /// At the path of the request.
    ThePath,
    /// Below a path, by a member of the answer.
    Below(String, &'static str),
}

pub(super) struct World {
    app: App,
    router: Router,
    kit: testkit::World,
    /// How often it was started.
    start: u64,
    stop: watch::Sender<bool>,
    /// For Graph and Resource Manager, and for the cluster.
    tokens: [String; 2],
    values: BTreeMap<&'static str, String>,
    /// Counts, so that each request has a name of its own.
    turn: u64,
    /// Paths of what was made.
    made: Vec<(String, String)>,
    /// Which request made a revision.
    journal: BTreeMap<u64, String>,
    answer: String,
}

impl World {
    pub(super) async fn new(directory: &Path) -> Self {
        let mut world = Self::open(directory, 1).await;
        world.sign_in().await;
        world.set("subscription", world.kit.home.subscription);
        world.set("tenant", world.kit.home.id);
        world.set("url", BASE);
        let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
        for (name, path, body) in [
            ("user", "/v1.0/users", json!({"userPrincipalName": "u@portcullis.local", "displayName": "u"})),
            ("spare", "/v1.0/users", json!({"userPrincipalName": "s@portcullis.local", "displayName": "s"})),
            ("group", "/v1.0/groups", json!({"displayName": "g"})),
            ("application", "/v1.0/applications", json!({"displayName": "a"})),
            ("fresh", "/v1.0/applications", json!({"displayName": "b"})),
        ] {
            let made = world.ok("POST", path, &body).await;
            world.set(name, id(&made));
            world.set(
                if name == "fresh" { "newappid" } else { "appid" },
                made["appId"].as_str().unwrap_or("-"),
            );
        }
        let application = world.ok("GET", &world.fill("/v1.0/applications/{application}"), &json!({})).await;
        world.set("appid", application["appId"].as_str().unwrap());
        let principal =
            world.ok("POST", "/v1.0/servicePrincipals", &json!({"appId": application["appId"]})).await;
        world.set("principal", id(&principal));
        let federated =
            json!({"name": "deploy", "issuer": "https://i.example", "subject": "s", "audiences": ["a"]});
        let path = world.fill("/v1.0/applications/{application}/federatedIdentityCredentials");
        world.ok("POST", &path, &federated).await;
        world.set("credential", "deploy");
        for group in ["rg", "aside"] {
            let path =
                world.fill(&format!("/subscriptions/{{subscription}}/resourceGroups/{group}?{VERSION}"));
            world.ok("PUT", &path, &json!({"location": "local"})).await;
        }
        let admins = world.values["group"].clone();
        let members = world.fill("/v1.0/groups/{group}/members/$ref");
        let admin = world
            .app
            .whole_snapshot()
            .directory()
            .user_by_upn(&Upn::parse("admin@portcullis.local").unwrap())
            .unwrap()
            .id;
        let member = json!({"@odata.id": format!("{BASE}/v1.0/directoryObjects/{admin}")});
        world.ok("POST", &members, &member).await;
        let cluster = json!({"location": "local", "identity": {"type": "SystemAssigned"}, "properties":
            {"dnsPrefix": "c1", "aadProfile": {"managed": true, "adminGroupObjectIDs": [admins]}}});
        let path = world.fill(&format!(
            "/subscriptions/{{subscription}}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c1?{VERSION}"
        ));
        world.ok("PUT", &path, &cluster).await;
        let id = world.app.whole_snapshot().clusters().next().unwrap().id;
        world.set("cluster", id);
        world.sign_in().await;
        world.made.clear();
        world
    }

    /// Each start has random numbers of its own: what is stored has had those of the starts before.
    async fn open(directory: &Path, start: u64) -> Self {
        let config = store::StoreConfig::Embedded { path: directory.to_owned() };
        let store = store::open(&config).await.unwrap();
        let builder = testkit::World::builder().store(store).home("portcullis.local").seed(start);
        let kit = builder.start().await;
        Self {
            router: server::start::router(kit.app.clone()),
            app: kit.app.clone(),
            kit,
            start,
            stop: watch::Sender::new(false),
            tokens: Default::default(),
            values: BTreeMap::new(),
            turn: 0,
            made: Vec::new(),
            journal: BTreeMap::new(),
            answer: String::new(),
        }
    }

    /// The same installation after a restart.
    pub(super) async fn again(self, directory: &Path) -> Self {
        let Self { app, router, kit, start, tokens, values, made, journal, .. } = self;
        drop((router, app));
        kit.stop().await;
        let mut world = Self::open(directory, start + 1).await;
        (world.tokens, world.values, world.made, world.journal) = (tokens, values, made, journal);
        world.sign_in().await;
        world
    }

    pub(super) fn fill(&self, template: &str) -> String {
        let filled = self
            .values
            .iter()
            .fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        filled.replace("{turn}", &self.turn.to_string()).replace("{number}", &format!("{:012}", self.turn))
    }

    pub(super) fn last_answer(&self) -> String {
        self.answer.chars().take(400).collect()
    }

    /// Sends a route with a body; keeps in mind what it made.
    pub(super) async fn send(&mut self, route: &Route, body: Vec<u8>, told: &str) -> u16 {
        self.turn += 1;
        let path = self.fill(&route.path);
        let before = self.app.whole_snapshot().revision();
        let status = self.request(route.method, &path, route.media_type, body).await;
        for revision in before + 1..=self.app.whole_snapshot().revision() {
            self.journal.insert(revision, told.to_owned());
        }
        let place = match &route.made {
            Some(Made::ThePath) => Some(path),
            Some(Made::Below(base, pointer)) => {
                let answer: Value = serde_json::from_str(&self.answer).unwrap_or_default();
                answer
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .map(|name| format!("{}/{name}", self.fill(base)))
            }
            None => None,
        };
        if let (200..=201, Some(place)) = (status, place) {
            let known = self.made.iter().any(|(known, _)| *known == place);
            if !known {
                self.made.push((place, told.to_owned()));
            }
        }
        status
    }

    /// Fails for each stored record that cannot be read, with the request that wrote it.
    pub(super) fn check_readable(&self) {
        let snapshot = self.app.whole_snapshot();
        let told: Vec<String> =
            snapshot.unreadable().map(|each| format!("{}: {}", each.place, each.problem)).collect();
        assert!(
            told.is_empty(),
            "{told:#?}; the last writes: {:#?}",
            self.journal.iter().rev().take(20).collect::<Vec<_>>()
        );
    }

    /// How much there is of everything.
    pub(super) fn contents(&self) -> String {
        let snapshot = self.app.whole_snapshot();
        let directory = snapshot.directory();
        let cluster = snapshot.clusters().next().unwrap();
        let mut objects: Vec<String> = snapshot
            .cluster_objects(cluster.id)
            .map(|object| {
                format!(
                    "{:?} {}",
                    object.key,
                    crypto::digest::sha256_hex(object.value.to_string().as_bytes())
                )
            })
            .collect();
        let mut add = |kind: &str, text: String| objects.push(format!("{kind} {text}"));
        directory.users().for_each(|each| add("user", format!("{each:?}")));
        directory.groups().for_each(|each| add("group", format!("{each:?}")));
        directory.applications().for_each(|each| add("application", format!("{each:?}")));
        directory.service_principals().for_each(|each| add("principal", format!("{each:?}")));
        snapshot.clusters().for_each(|each| add("cluster", format!("{each:?}")));
        snapshot.locks().for_each(|each| add("lock", format!("{each:?}")));
        snapshot.management_groups().for_each(|each| add("management group", format!("{each:?}")));
        snapshot.subscriptions().for_each(|each| {
            add("subscription", format!("{each:?}"));
            snapshot.resource_groups(each.id).for_each(|group| add("resource group", format!("{group:?}")));
            let scope = domain::scope::Scope::subscription(each.id);
            snapshot.resources_below(&scope).for_each(|resource| add("resource", format!("{resource:?}")));
        });
        snapshot.azure().assignments().for_each(|each| add("assignment", format!("{each:?}")));
        snapshot.azure().roles().for_each(|each| add("role", format!("{each:?}")));
        objects.sort();
        crypto::digest::sha256_hex(objects.join("\n").as_bytes())
    }

    /// Reads everything that was made and deletes it, the newest first, and then what was there before.
    pub(super) async fn read_and_delete_all(&mut self) {
        let mut made = std::mem::take(&mut self.made);
        // Locks and deny assignments first: they stand against the rest.
        made.sort_by_key(|(path, _)| path.contains("/locks/") || path.contains("/denyAssignments/"));
        let mut faults = Vec::new();
        for (path, told) in made.into_iter().rev() {
            // A name may have been taken away by a later request, as with a namespace.
            if !matches!(self.bare("GET", &path).await, 200 | 404) {
                faults.push(format!("GET {path}: {}; made by {told}", self.last_answer()));
            }
            // A cluster keeps a pool of its own as long as it is there.
            let gone = matches!(self.bare("DELETE", &path).await, 200 | 202 | 204 | 404);
            if !gone && !self.answer.contains("is the last of mode System") {
                faults.push(format!("DELETE {path}: {}; made by {told}", self.last_answer()));
            }
        }
        for path in ["/v1.0/users", "/v1.0/groups", "/v1.0/applications", "/v1.0/servicePrincipals"] {
            self.ok("GET", path, &json!({})).await;
        }
        for template in [
            "/v1.0/applications/{application}",
            "/v1.0/applications/{fresh}",
            "/v1.0/groups/{group}",
            "/v1.0/users/{user}",
            "/subscriptions/{subscription}/resourceGroups/rg?api-version=2024-11-01",
            "/subscriptions/{subscription}/resourceGroups/aside?api-version=2024-11-01",
        ] {
            let path = self.fill(template);
            if !matches!(self.bare("DELETE", &path).await, 200 | 202 | 204) {
                faults.push(format!("DELETE {path}: {}", self.last_answer()));
            }
        }
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    }

    async fn bare(&mut self, method: &str, path: &str) -> u16 {
        self.request(method, path, "application/json", Vec::new()).await
    }

    async fn ok(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let status = self.request(method, path, "application/json", body.to_string().into()).await;
        assert!(status < 300, "{method} {path}: {status} {}", self.answer);
        serde_json::from_str(&self.answer).unwrap_or_default()
    }

    async fn request(&mut self, method: &str, path: &str, media_type: &str, body: Vec<u8>) -> u16 {
        let token = &self.tokens[usize::from(path.starts_with("/clusters/"))];
        let mut request = Request::builder().method(method).uri(path).header("content-type", media_type);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let peer = Peer::new(([127, 0, 0, 1], 1).into(), ClientIdentity::None, self.stop.subscribe());
        let request = request.extension(RequestContext::new(Arc::new(peer))).body(Body::from(body)).unwrap();
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        self.answer = String::from_utf8_lossy(&bytes).into_owned();
        parts.status.as_u16()
    }

    async fn sign_in(&mut self) {
        self.tokens = Default::default();
        let mut tokens = [String::new(), String::new()];
        for (token, scope) in tokens.iter_mut().zip([BASE, CLUSTER]) {
            let form = format!(
                "grant_type=password&client_id={CLI}&username=admin%40portcullis.local&password={}&scope={}",
                encode(PASSWORD),
                encode(&format!("{scope}/.default")),
            );
            let path = "/organizations/oauth2/v2.0/token";
            let status =
                self.request("POST", path, "application/x-www-form-urlencoded", form.into_bytes()).await;
            assert_eq!(status, 200, "{}", self.answer);
            let answer: Value = serde_json::from_str(&self.answer).unwrap();
            *token = answer["access_token"].as_str().unwrap().to_owned();
        }
        self.tokens = tokens;
    }

    fn set(&mut self, name: &'static str, value: impl ToString) {
        self.values.insert(name, value.to_string());
    }
}

/// Objects of the kinds that people write, in every way to write them.
pub(super) fn kubernetes_writes() -> Vec<Route> {
    let mut routes = Vec::new();
    for (base, extra) in [
        ("/api/v1/namespaces/default/configmaps", r#""data": {"a": "b"}"#),
        ("/api/v1/namespaces/default/secrets", r#""stringData": {"a": "b"}"#),
        ("/api/v1/namespaces/default/serviceaccounts", r#""automountServiceAccountToken": false"#),
        ("/api/v1/namespaces/default/services", r#""spec": {"ports": [{"port": 80}]}"#),
        ("/api/v1/namespaces/default/endpoints", r#""subsets": []"#),
        ("/api/v1/namespaces/default/pods", r#""spec": {"containers": [{"name": "c", "image": "i"}]}"#),
        ("/api/v1/namespaces/default/limitranges", r#""spec": {"limits": []}"#),
        ("/api/v1/namespaces/default/resourcequotas", r#""spec": {"hard": {"pods": "1"}}"#),
        ("/api/v1/namespaces", r#""spec": {}"#),
        ("/api/v1/nodes", r#""spec": {}"#),
        ("/apis/coordination.k8s.io/v1/namespaces/default/leases", r#""spec": {"holderIdentity": "h"}"#),
        ("/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles", RULES),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles", RULES),
        (
            "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
            r#""roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}, "subjects": [{"kind": "User", "name": "x", "apiGroup": "rbac.authorization.k8s.io"}]"#,
        ),
        (
            "/apis/apps/v1/namespaces/default/deployments",
            r#""spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}"#,
        ),
    ] {
        let base = format!("/clusters/{{cluster}}{base}");
        let object = |name: &str| {
            format!(
                r#"{{"metadata": {{"name": "{name}", "labels": {{"a": "b"}}, "annotations": {{"a": "b"}}}}, {extra}}}"#
            )
        };
        let route =
            |method, path: String, media_type, body, made| Route { method, path, media_type, body, made };
        let json = "application/json";
        let made = Some(Made::Below(base.clone(), "/metadata/name"));
        // The first of each kind stays, to be changed.
        routes.push(route("POST", base.clone(), json, object("kept"), made.clone()));
        routes.push(route("POST", base.clone(), json, object("n{turn}"), made.clone()));
        routes.push(route("POST", base.clone(), "application/yaml", object("y{turn}"), made.clone()));
        let kept = format!("{base}/kept");
        routes.push(route("PUT", kept.clone(), json, object("kept"), None));
        for kind in ["merge-patch", "strategic-merge-patch"] {
            let media_type = if kind == "merge-patch" { MERGE } else { STRATEGIC };
            routes.push(route("PATCH", kept.clone(), media_type, object("kept"), None));
        }
        let apply = format!("{kept}?fieldManager=odd&force=true");
        let typed = object("kept");
        routes.push(route("PATCH", apply, "application/apply-patch+yaml", typed, None));
        let patch = r#"[{"op": "add", "path": "/metadata/annotations/c", "value": "d"}]"#;
        routes.push(route("PATCH", kept, "application/json-patch+json", patch.to_owned(), None));
    }
    routes
}

pub(super) const VERSION: &str = "api-version=2024-11-01";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const RULES: &str = r#""rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]"#;
