//! Two installations: people of the one call a cluster of the other. The one is a foreign authority to the other like
//! any that is shaped like Entra; what is asked of its Graph is counted there.

use app::{Caller, CallerKind, Secret, foreign::ForeignAuthority};
use domain::{
    change::Record,
    group::{Group, Membership},
    id::{AppId, ObjectId},
    name::{DisplayName, Upn},
};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Running, Settings, start};

const CLI: &str = "b0c5f1a2-6d3e-4c1b-9f7a-2e8d4a6c0f31";
const PASSWORD: &str = "correct horse battery";
const CLUSTER: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";

/// One installation with its administrator.
struct Site {
    running: Running,
    http: Client,
    admin: Caller,
}

impl Site {
    async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::in_memory();
        settings.first_password = Some(Secret::new(PASSWORD.to_owned()));
        change(&mut settings);
        let running = start(settings).await.unwrap();
        let authority = reqwest::Certificate::from_pem_bundle(running.authority.as_bytes()).unwrap();
        let http = Client::builder().tls_certs_only(authority).build().unwrap();
        let first = running.first_administrator.as_ref().unwrap();
        let snapshot = running.app.snapshot();
        let user = snapshot.directory().user_by_upn(&first.upn).unwrap();
        let admin = Caller {
            tenant: user.tenant,
            object_id: user.id,
            app_id: AppId::parse(CLI).unwrap(),
            kind: CallerKind::User,
            name: user.upn.to_string(),
        };
        Self { running, http, admin }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url)
    }

    async fn send(&self, request: RequestBuilder) -> (StatusCode, Value) {
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    async fn ok(&self, request: RequestBuilder) -> Value {
        let (status, body) = self.send(request).await;
        assert!(status.is_success(), "{status}: {body}");
        body
    }

    async fn token(&self, user_name: &str, scope: &str) -> String {
        let form = [
            ("grant_type", "password"),
            ("client_id", CLI),
            ("username", user_name),
            ("password", PASSWORD),
            ("scope", scope),
        ];
        let answer = self.ok(self.http.post(self.url("/organizations/oauth2/v2.0/token")).form(&form)).await;
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn management(&self) -> String {
        self.token(&self.admin.name, &format!("{}/.default", self.running.url)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let token = self.management().await;
        self.ok(self.http.post(self.url(path)).bearer_auth(token).json(body)).await
    }

    /// A person with the administrator's password.
    async fn user(&self, upn: &str) -> ObjectId {
        let id = ObjectId::new(Uuid::new_v5(&Uuid::NAMESPACE_OID, upn.as_bytes()));
        let snapshot = self.running.app.snapshot();
        let mut user = (**snapshot.directory().user(self.admin.object_id).unwrap()).clone();
        user.id = id;
        user.upn = Upn::parse(upn).unwrap();
        self.running.app.transact(|tx| tx.create(&Record::User(user.clone()))).await.unwrap();
        id
    }

    /// A chain of groups, each a member of the next: whoever is in the first is in all.
    async fn nested_groups(&self, count: u128, member: ObjectId) -> Vec<ObjectId> {
        let id = |number: u128| ObjectId::new(Uuid::from_u128(member.uuid().as_u128().wrapping_add(number)));
        let groups: Vec<ObjectId> = (1..=count).map(id).collect();
        self.make_groups(&groups, member).await;
        groups
    }

    /// Puts somebody into a group whose object id is one of another installation.
    async fn claim(&self, id: ObjectId, upn: &str) {
        let snapshot = self.running.app.snapshot();
        let member = snapshot.directory().user_by_upn(&Upn::parse(upn).unwrap()).unwrap().id;
        self.make_groups(&[id], member).await;
    }

    async fn make_groups(&self, groups: &[ObjectId], member: ObjectId) {
        let app = &self.running.app;
        app.transact(|tx| {
            let mut inner = member;
            for group in groups {
                tx.put(&Record::Group(Group {
                    id: *group,
                    tenant: self.admin.tenant,
                    display_name: DisplayName::parse("crew").unwrap(),
                    mail_nickname: "crew".into(),
                    description: None,
                    owners: [].into(),
                    created: tx.now(),
                }))?;
                tx.put(&Record::Membership(Membership { group: *group, member: inner }))?;
                inner = *group;
            }
            Ok(())
        })
        .await
        .unwrap();
    }

    /// A cluster that the administrator administers, as its address.
    async fn cluster(&self) -> String {
        let token = self.management().await;
        let crew = self.nested_groups(1, self.admin.object_id).await;
        let group = format!("/subscriptions/{}/resourceGroups/rg", self.running.installation.subscription);
        let put = |path: String, body: Value| self.http.put(self.url(&path)).bearer_auth(&token).json(&body);
        self.ok(put(format!("{group}?api-version=2024-11-01"), json!({"location": "local"}))).await;
        let path =
            format!("{group}/providers/Microsoft.ContainerService/managedClusters/c1?api-version=2026-06-01");
        let body = json!({"location": "local", "identity": {"type": "SystemAssigned"}, "properties":
            {"dnsPrefix": "c1", "aadProfile": {"managed": true, "adminGroupObjectIDs": crew}}});
        self.ok(put(path, body)).await;
        let id = self.running.app.snapshot().clusters().next().unwrap().id;
        self.url(&format!("/clusters/{id}"))
    }

    /// Requests that the Graph here has answered.
    async fn graph_requests(&self) -> u64 {
        let address = format!("http://{}/metrics", self.running.metrics_address);
        let text = self.http.get(address).send().await.unwrap().text().await.unwrap();
        let start = "portcullis_requests_total{surface=\"graph\"";
        text.lines()
            .filter(|line| line.starts_with(start))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }
}

/// The other authority, and the installation that takes its people.
struct Two {
    there: Site,
    here: Site,
    cluster: String,
    /// Our application there.
    client: String,
    directory: tempfile::TempDir,
}

impl Two {
    async fn start() -> Self {
        let there = Site::start(|_| {}).await;
        let app = there.post("/v1.0/applications", &json!({"displayName": "clusters"})).await;
        let (client, object) = (app["appId"].as_str().unwrap().to_owned(), app["id"].as_str().unwrap());
        let principal = there.post("/v1.0/servicePrincipals", &json!({"appId": client})).await;
        let secret = there.post(&format!("/v1.0/applications/{object}/addPassword"), &json!({})).await;
        // An administrator there lets our application ask for people's groups.
        let graph = "00000003-0000-0000-c000-000000000000";
        let consent = json!({"clientId": principal["id"], "consentType": "AllPrincipals", "resourceId": graph,
            "scope": "User.Read"});
        there.post("/v1.0/oauth2PermissionGrants", &consent).await;
        let directory = tempfile::tempdir().unwrap();
        let authorities = directory.path().join("authorities.pem");
        std::fs::write(&authorities, &there.running.authority).unwrap();
        let authority = ForeignAuthority {
            name: "there".into(),
            issuer: format!("{}/{}/v2.0", there.running.url, there.admin.tenant),
            client_id: client.clone(),
            client_secret: Some(Secret::new(secret["secretText"].as_str().unwrap().to_owned())),
            graph: None,
        };
        let here = Site::start(|settings| {
            settings.outside_authorities = Some(authorities);
            settings.foreign = vec![authority];
        })
        .await;
        let cluster = here.cluster().await;
        Self { there, here, cluster, client, directory }
    }

    /// Whether somebody may list pods in the cluster, and what is said.
    async fn list(&self, token: &str) -> (StatusCode, Value) {
        let pods = format!("{}/api/v1/namespaces/default/pods", self.cluster);
        self.here.send(self.here.http.get(pods).bearer_auth(token)).await
    }

    async fn bind(&self, name: &str, kind: &str, subject: &str) {
        let token = self.here.token(&self.here.admin.name, &format!("{CLUSTER}/.default")).await;
        let path = format!("{}/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", self.cluster);
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": subject}]});
        self.here.ok(self.here.http.post(path).bearer_auth(token).json(&binding)).await;
    }
}

#[tokio::test]
async fn of_more_than_200_groups_the_graph_is_asked_and_of_200_it_is_not() {
    let two = Two::start().await;
    let scope = format!("{}/.default", two.client);
    let (few, many) = ("few@there.example", "many@there.example");
    let few_id = two.there.user(few).await;
    let few_groups = two.there.nested_groups(200, few_id).await;
    let many_id = two.there.user(many).await;
    let many_groups = two.there.nested_groups(201, many_id).await;
    // The outermost group of each chain is what counts in the cluster.
    let (few_token, many_token) = (two.there.token(few, &scope).await, two.there.token(many, &scope).await);
    assert_eq!(claims(&few_token)["groups"].as_array().unwrap().len(), 200);
    assert!(claims(&many_token).get("groups").is_none());
    assert_eq!(claims(&many_token)["_claim_names"]["groups"], "src1");
    for token in [&few_token, &many_token] {
        assert_eq!(two.list(token).await.0, StatusCode::FORBIDDEN);
    }
    two.bind("few", "Group", &few_groups.last().unwrap().to_string()).await;
    two.bind("many", "Group", &many_groups.last().unwrap().to_string()).await;

    let before = two.there.graph_requests().await;
    for _ in 0..3 {
        assert_eq!(two.list(&few_token).await.0, StatusCode::OK);
    }
    assert_eq!(two.there.graph_requests().await, before);
    assert_eq!(two.list(&many_token).await.0, StatusCode::OK);
    assert_eq!(two.there.graph_requests().await, before, "the answer of a moment ago serves");
    let fresh = two.there.token(many, &scope).await;
    assert_eq!(two.list(&fresh).await.0, StatusCode::OK);
    assert_eq!(two.there.graph_requests().await, before + 1);
    // The webhook of an attached cluster answers the same.
    let app = &two.here.running.app;
    let cluster = app.snapshot().clusters().next().unwrap().clone();
    let reviewed = app.review_token(&cluster, &fresh, &[two.client.clone(), "api".into()]).await.unwrap();
    assert_eq!((reviewed.user.name.as_str(), reviewed.user.groups.len()), (many, 201));
    assert_eq!(reviewed.audiences, vec![two.client.clone()]);
    assert_eq!(two.there.graph_requests().await, before + 1);
    two.directory.close().unwrap();
}

#[tokio::test]
async fn nobody_elsewhere_speaks_for_anybody_here() {
    let two = Two::start().await;
    let scope = format!("{}/.default", two.client);
    let alice = "alice@there.example";
    two.there.user(alice).await;
    let token = two.there.token(alice, &scope).await;
    assert_eq!(two.list(&token).await.0, StatusCode::FORBIDDEN);
    two.bind("alice", "User", alice).await;
    assert_eq!(two.list(&token).await.0, StatusCode::OK);
    // Both installations have the domain of their administrators, so a name in it would be one of ours.
    two.bind("admin", "User", &two.there.admin.name).await;
    let ours = two.there.token(&two.there.admin.name, &scope).await;
    assert_eq!(two.list(&ours).await.0, StatusCode::UNAUTHORIZED);
    // An object of ours, under a name of theirs.
    let known = two.here.running.app.snapshot();
    let known = known.directory().groups().next().unwrap().id;
    two.there.claim(known, alice).await;
    let claiming = two.there.token(alice, &scope).await;
    assert_eq!(claims(&claiming)["groups"][0], known.to_string());
    assert_eq!(two.list(&claiming).await.0, StatusCode::UNAUTHORIZED);
    // Made out to another service of theirs.
    let other = two.there.token(alice, &format!("{CLUSTER}/.default")).await;
    assert_eq!(two.list(&other).await.0, StatusCode::UNAUTHORIZED);
    // Not signed by them.
    let mut forged = token.clone();
    forged.truncate(token.len() - 8);
    forged.push_str("AAAAAAAA");
    assert_eq!(two.list(&forged).await.0, StatusCode::UNAUTHORIZED);
    // Opens nothing but clusters.
    let path = two.here.url("/subscriptions?api-version=2022-12-01");
    assert_eq!(two.here.send(two.here.http.get(path).bearer_auth(&token)).await.0, StatusCode::UNAUTHORIZED);
}

fn claims(token: &str) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}
