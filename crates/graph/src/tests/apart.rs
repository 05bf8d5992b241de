//! Two tenants with the same kinds of objects in them: no list and no object shows anything of one in the other, not
//! even to the administrators.

use app::directory::owners::Owned;
use serde_json::json;
use testkit::{Client, Tenant};

use super::{Stage, outcome};

/// What the names in the templates of routes stand for in a tenant in which everything is called `name`.
struct Things(Vec<(&'static str, String)>);

impl Things {
    /// Makes one of each kind, each with members and owners.
    async fn make(stage: &Stage, tenant: &Tenant, client: &Client, name: &'static str) -> Self {
        let app = &stage.world.app;
        let user = tenant.user(&format!("{name}@{}", tenant.domain)).await;
        let group = tenant.group(name, &[user]).await;
        let outer = tenant.group(&format!("{name}-all"), &[group]).await;
        let registered = tenant.application(name).await;
        app.directory().add_member(&tenant.admin, outer, registered.principal).await.unwrap();
        app.directory().add_member(&tenant.admin, outer, tenant.admin.object_id).await.unwrap();
        for owned in [
            Owned::Group(group),
            Owned::Application(registered.application),
            Owned::ServicePrincipal(registered.principal),
        ] {
            app.directory().add_owner(&tenant.admin, owned, user).await.unwrap();
        }
        let federated =
            json!({"name": name, "issuer": "https://issuer.example", "subject": "s", "audiences": ["a"]});
        let path = format!("/v1.0/applications/{}/federatedIdentityCredentials", registered.application);
        client.post(&path, &federated).await.expect(http::StatusCode::CREATED);
        let grant = json!({"clientId": registered.principal, "consentType": "AllPrincipals",
            "resourceId": testkit::BASE});
        client.post("/v1.0/oauth2PermissionGrants", &grant).await.expect(http::StatusCode::CREATED);
        let template = "62e90394-69f5-4237-9190-012177145e10";
        Self(vec![
            ("{user}", user.to_string()),
            ("{object}", user.to_string()),
            ("{group}", group.to_string()),
            ("{application}", registered.application.to_string()),
            ("{principal}", registered.principal.to_string()),
            ("{grant}", registered.principal.to_string()),
            ("{credential}", name.to_owned()),
            ("{tenant}", tenant.id.to_string()),
            ("{role}", template.to_owned()),
            ("{template}", template.to_owned()),
        ])
    }

    fn fill(&self, template: &str) -> String {
        self.0.iter().fold(template.to_owned(), |path, (name, value)| path.replace(name, value))
    }

    /// Texts that tell of this tenant.
    fn marks(&self, name: &str) -> Vec<String> {
        let ids = self.0.iter().filter(|(name, _)| !["{role}", "{template}"].contains(name));
        ids.map(|(_, value)| value.clone()).chain([format!("\"{name}")]).collect()
    }
}

/// Routes whose answer names nothing of its reader's: numbers, what is the same for everybody, and what is empty here.
const SAME_FOR_ALL: &[&str] = &[
    "/users/$count",
    "/groups/$count",
    "/applications/$count",
    "/servicePrincipals/$count",
    "/me",
    "/directoryRoles",
    "/directoryRoles/{role}",
    "/directoryRoles/{role}/members",
    "/directoryRoleTemplates",
    "/directoryRoleTemplates/{template}",
];

#[tokio::test]
async fn nothing_of_a_tenant_is_shown_in_another() {
    let stage = Stage::new().await;
    let tenants = [&stage.world.home, stage.elsewhere()];
    let mut clients = Vec::new();
    let mut things = Vec::new();
    for (tenant, name) in tenants.into_iter().zip(["homely", "strange"]) {
        let client = stage.client(tenant, &tenant.admin).await;
        things.push(Things::make(&stage, tenant, &client, name).await);
        clients.push(client);
    }
    let marks = [things[0].marks("homely"), things[1].marks("strange")];
    let shows = |text: &str, marks: &[String]| marks.iter().any(|mark| text.contains(mark.as_str()));
    let (mut faults, mut lists) = (Vec::new(), 0);
    for (method, template) in crate::surface() {
        if method != "GET" {
            continue;
        }
        let plain = template.trim_start_matches("/v1.0").trim_start_matches("/beta");
        for (own, their) in [(0, 1), (1, 0)] {
            let answer = clients[own].get(&things[own].fill(&template)).await;
            let told = shows(&answer.text, &marks[own]);
            if outcome(&answer) != "200" || told == SAME_FOR_ALL.contains(&plain) {
                faults.push(format!("GET {template} in {own}: {} {}", answer.status, answer.text));
            }
            if shows(&answer.text, &marks[their]) {
                faults.push(format!("GET {template} in {own} tells of the other: {}", answer.text));
            }
            lists += usize::from(answer.json()["value"].is_array());
            let answer = clients[own].get(&things[their].fill(&template)).await;
            if answer.status.is_success() && shows(&answer.text, &marks[their]) {
                faults.push(format!("GET {template} of the other in {own}: {}", answer.text));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(lists > 60, "only {lists} lists were looked at");
}

/// What is asked by filter, search or list of ids is looked for in the own tenant.
#[tokio::test]
async fn nobody_elsewhere_is_found_by_name_or_id() {
    let stage = Stage::new().await;
    let (home, other) = (&stage.world.home, stage.elsewhere());
    let alice = home.user("alice@example.org").await;
    let [here, there] = [stage.client(home, &home.admin).await, stage.client(other, &other.admin).await];
    for path in [
        "/v1.0/users?$filter=userPrincipalName%20eq%20'alice@example.org'",
        "/v1.0/users?$filter=startswith(displayName,'alice')",
    ] {
        assert_eq!(here.get(path).await.ok()["value"].as_array().unwrap().len(), 1, "{path}");
        assert_eq!(there.get(path).await.ok()["value"].as_array().unwrap().len(), 0, "{path}");
    }
    let ids = json!({"ids": [alice]});
    let found = async |client: &Client| {
        let answer = client.post("/v1.0/directoryObjects/getByIds", &ids).await.ok();
        answer["value"].as_array().unwrap().len()
    };
    assert_eq!((found(&here).await, found(&there).await), (1, 0));
}

#[tokio::test]
async fn nothing_of_a_tenant_is_changed_from_another() {
    let stage = Stage::new().await;
    let (home, other) = (&stage.world.home, stage.elsewhere());
    let client = stage.client(home, &home.admin).await;
    let things = Things::make(&stage, home, &client, "homely").await;
    let there = stage.client(other, &other.admin).await;
    let before = stage.world.app.whole_snapshot().revision();
    for (method, template) in crate::surface() {
        // What has no object in its path is made in the caller's own tenant.
        if method == "GET" || !template.contains('{') || template.contains("{role}") {
            continue;
        }
        let path = things.fill(&template).replace("{member}", "x").replace("{owner}", "x");
        // A change that changes nothing is none.
        let body =
            if template.contains("{principal}") { json!({"accountEnabled": false}) } else { json!({}) };
        let answer = there.ask(method.parse().unwrap(), &path, Some(&body)).await;
        assert!(!answer.status.is_success(), "{method} {template}: {} {}", answer.status, answer.text);
    }
    let changed = stage.world.app.whole_state().changes_since(before).unwrap();
    assert!(changed.is_empty(), "{changed:?}");
}
