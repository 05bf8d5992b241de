//! People in very many groups, with `az` and kubectl: of more than 200 the token says only where to ask, and what the
//! groups give holds all the same.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::{
    azure::Azure,
    libraries::claims,
    running::{Journey, PASSWORD},
};

const CLUSTER: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";

/// Graph, as the administrator.
struct Graph {
    url: String,
    token: String,
    http: Client,
}

impl Graph {
    async fn ask(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.http.request(method, format!("{}/v1.0{path}", self.url)).bearer_auth(&self.token);
        let response = request.json(&body).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// A chain of groups, each a member of the next: whoever is in the first is in all. Gives the last.
    async fn nested_groups(&self, name: &str, count: usize, member: &str) -> String {
        let mut inner = member.to_owned();
        for number in 0..count {
            let name = format!("{name}{number}");
            let group = json!({"displayName": name, "mailNickname": name, "mailEnabled": false, "securityEnabled": true});
            let made = self.ask(Method::POST, "/groups", group).await;
            let id = made["id"].as_str().unwrap().to_owned();
            let member = json!({"@odata.id": format!("{}/v1.0/directoryObjects/{inner}", self.url)});
            self.ask(Method::POST, &format!("/groups/{id}/members/$ref"), member).await;
            inner = id;
        }
        inner
    }
}

#[test]
fn what_201_nested_groups_give_holds() {
    let journey = Journey::begin();
    let admin = Azure::administrator(&journey);
    let group = admin.json(&["group", "create", "-n", "rg", "-l", "westeurope"]);
    let group = group["id"].as_str().unwrap();
    admin
        .az(&["aks", "create", "-g", "rg", "-n", "c1", "--no-ssh-key", "--enable-aad", "--enable-azure-rbac"])
        .ok();
    let token = admin.json(&["account", "get-access-token"])["accessToken"].as_str().unwrap().to_owned();
    let graph = Graph { url: journey.url.clone(), token, http: journey.http() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let check = |name: &str, count: usize, in_token: Option<usize>| {
        journey.person(name);
        let upn = format!("{name}@portcullis.local");
        let outermost = runtime.block_on(async {
            let person = graph.ask(Method::GET, &format!("/users/{upn}"), Value::Null).await;
            graph.nested_groups(name, count, person["id"].as_str().unwrap()).await
        });
        let azure = Azure::new(&journey, &format!("az-{name}"));
        azure.login_with_browser(&upn, PASSWORD);
        let token = azure.json(&["account", "get-access-token", "--resource", CLUSTER]);
        let claims = claims(token["accessToken"].as_str().unwrap());
        assert_eq!(claims["groups"].as_array().map(Vec::len), in_token, "{name}");
        assert_eq!(claims.get("_claim_sources").is_some(), in_token.is_none(), "{name}");
        let config = azure.credentials("rg", "c1", &[]);
        azure.kubectl(&config, &["get", "pods"]).refused("no role assignment gives");
        // Only the outermost group has the role.
        let give = ["role", "assignment", "create", "--assignee-object-id", &outermost];
        let what = ["--assignee-principal-type", "Group", "--role", "Azure Kubernetes Service RBAC Reader"];
        admin.az(&[&give[..], &what, &["--scope", group]].concat()).ok();
        azure.kubectl(&config, &["get", "pods"]).ok();
        azure.kubectl(&config, &["get", "secrets"]).refused("RBAC Writer");
    };
    check("few", 200, Some(200));
    check("many", 201, None);
}
