//! Two installations: people of the one call a cluster of the other. The one is an external issuer to the other like
//! any that is shaped like Entra; what is asked of its Graph is counted there.

use app::{Secret, kubernetes::reviews::CallingCluster, sign_in::external_issuers::ExternalIssuer};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testserver::{CLUSTER, Site, claims};

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
        let authority = ExternalIssuer {
            name: "there".into(),
            issuer: format!("{}/{}/v2.0", there.running.url, there.admin.tenant),
            client_id: client.clone(),
            client_secret: Some(Secret::new(secret["secretText"].as_str().unwrap().to_owned())),
            graph: None,
        };
        let here = Site::start(|settings| {
            settings.outside_authorities = Some(authorities);
            settings.external_issuers = vec![authority];
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
    // Where the token says that they are, they are.
    let source = claims(&many_token)["_claim_sources"]["src1"]["endpoint"].as_str().unwrap().to_owned();
    let own = two.there.token(many, &format!("{}/.default", two.there.running.url)).await;
    let body = json!({"securityEnabledOnly": true});
    let groups = two.there.ok(two.there.http.post(source).bearer_auth(own).json(&body)).await;
    assert_eq!(groups["value"].as_array().unwrap().len(), 201);
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
    let cluster = app.whole_snapshot().clusters().next().unwrap().clone();
    let asking = CallingCluster { id: cluster.id, tenant: cluster.tenant };
    let audiences = [two.client.clone(), "api".into()];
    let reviewed = app.kubernetes().review_token(asking, &fresh, &audiences).await.unwrap();
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
    let known = two.here.running.app.whole_snapshot();
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
