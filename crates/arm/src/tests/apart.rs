//! Two tenants with the same kinds of things in them: no list and no resource shows anything of one to whoever owns
//! everything in the other.

use serde_json::{Value, json};
use testkit::{Client, Tenant, roles};

use super::{Stage, outcome, versioned};

/// What the names in the templates of routes stand for in a tenant in which everything is called `name`.
struct Things {
    name: &'static str,
    subscription: String,
    role: String,
    assignment: String,
    location: String,
}

impl Things {
    /// Makes one of each kind.
    async fn make(tenant: &Tenant, client: &Client, name: &'static str) -> Self {
        let subscription = format!("/subscriptions/{}", tenant.subscription);
        let person = tenant.user(&format!("{name}@{}", tenant.domain)).await;
        let scope = tenant.scope();
        let assignment = tenant.assign(person, roles::READER, &scope).await.id;
        let role = uuid_of(name);
        let things = Self {
            name,
            subscription: tenant.subscription.to_string(),
            role: role.clone(),
            assignment: assignment.to_string(),
            location: "local".into(),
        };
        let group = format!("{subscription}/resourceGroups/{name}");
        let identity = format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}");
        let cluster = format!("{group}/providers/Microsoft.ContainerService/managedClusters/{name}");
        let local = json!({"location": "local"});
        let federated =
            json!({"properties": {"issuer": "https://issuer.example", "subject": "s", "audiences": ["a"]}});
        let role_body = json!({"properties": {"roleName": name, "assignableScopes": [subscription],
            "permissions": [{"actions": ["*/read"]}]}});
        let cluster_body = json!({"location": "local", "identity": {"type": "SystemAssigned"},
            "properties": {"dnsPrefix": name}});
        let network = format!("{group}/providers/Microsoft.Network/virtualNetworks/{name}");
        for (path, body) in [
            (format!("/providers/Microsoft.Management/managementGroups/{name}"), json!({})),
            (
                format!(
                    "/providers/Microsoft.Management/managementGroups/{name}/subscriptions/{}",
                    tenant.subscription
                ),
                json!({}),
            ),
            (
                format!("/providers/Microsoft.Subscription/aliases/{name}"),
                json!({"properties": {"displayName": name}}),
            ),
            (group.clone(), local.clone()),
            (identity.clone(), local.clone()),
            (format!("{identity}/federatedIdentityCredentials/{name}"), federated),
            (network.clone(), local.clone()),
            (format!("{network}/subnets/{name}"), json!({"properties": {}})),
            (cluster.clone(), cluster_body),
            (format!("{cluster}/agentPools/{name}"), json!({"properties": {"count": 1, "mode": "User"}})),
            (format!("{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"), role_body),
            (
                format!("{subscription}/providers/Microsoft.Authorization/locks/{name}"),
                json!({"properties": {"level": "CanNotDelete"}}),
            ),
        ] {
            let answer = client.put(&versioned(&path), &body).await;
            assert!(answer.status.is_success(), "{path}: {}", answer.text);
        }
        client.post(&versioned(&format!("{cluster}/listClusterAdminCredential")), &json!({})).await.ok();
        things
    }

    fn fill(&self, template: &str) -> String {
        let mut filled = template.to_owned();
        for (name, value) in [
            ("{scope}", format!("/subscriptions/{}", self.subscription)),
            ("{subscription}", self.subscription.clone()),
            ("{role}", self.role.clone()),
            ("{assignment}", self.assignment.clone()),
            ("{location}", self.location.clone()),
            ("{provider}", "Microsoft.Network".into()),
            ("{namespace}", "Microsoft.Network".into()),
            ("{type}", "virtualNetworks".into()),
            ("{childType}", "subnets".into()),
        ] {
            filled = filled.replace(name, &value);
        }
        for name in [
            "group",
            "cluster",
            "identity",
            "credential",
            "pool",
            "lock",
            "alias",
            "name",
            "child",
            "binding",
        ] {
            filled = filled.replace(&format!("{{{name}}}"), self.name);
        }
        versioned(&filled)
    }
}

fn uuid_of(name: &str) -> String {
    let first = name.bytes().next().unwrap();
    format!("{first:08x}-0000-4000-8000-000000000001")
}

/// Routes whose answer names nothing of its reader's: it is the same for everybody, or empty here.
const SAME_FOR_ALL: &[&str] = &[
    "/subscriptions/{subscription}/providers/Microsoft.ContainerService/locations/{location}/trustedAccessRoles",
    "/subscriptions/{subscription}/providers/Microsoft.ContainerService/locations/{location}/kubernetesVersions",
    "{scope}/providers/Microsoft.Authorization/permissions",
    "{scope}/providers/Microsoft.Authorization/denyAssignments",
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{cluster}/trustedAccessRoleBindings",
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{cluster}/adminCertificates",
];

/// What is not made here. Clusters with an API server of ours have no webhooks.
const NOT_MADE: [&str; 4] = ["{operation}", "{deny}", "{binding}", "webhookCertificates"];

#[tokio::test]
async fn nothing_of_a_tenant_is_shown_in_another() {
    let stage = Stage::new().await;
    let (home, other) = (&stage.world.home, stage.elsewhere());
    let clients = [stage.owner(home).await, stage.owner(other).await];
    let things =
        [Things::make(home, &clients[0], "homely").await, Things::make(other, &clients[1], "strange").await];
    let marks = [
        ["homely".to_owned(), home.id.to_string(), things[0].subscription.clone()],
        ["strange".to_owned(), other.id.to_string(), things[1].subscription.clone()],
    ];
    let shows = |text: &str, marks: &[String]| marks.iter().any(|mark| text.contains(mark.as_str()));
    let (mut faults, mut lists) = (Vec::new(), 0);
    for (method, template) in crate::surface() {
        if method != "GET" || NOT_MADE.iter().any(|name| template.contains(name)) {
            continue;
        }
        for (own, their) in [(0, 1), (1, 0)] {
            let answer = clients[own].get(&things[own].fill(&template)).await;
            let told = shows(&answer.text, &marks[own]);
            if outcome(&answer) != "200" || told == SAME_FOR_ALL.contains(&template.as_str()) {
                faults.push(format!("GET {template} in {}: {}", things[own].name, answer.text));
            }
            if shows(&answer.text, &marks[their]) {
                faults.push(format!("GET {template} in {} tells of the other", things[own].name));
            }
            lists += usize::from(answer.json()["value"].is_array());
            // The same of the other tenant.
            let answer = clients[own].get(&things[their].fill(&template)).await;
            if answer.status.is_success() && shows(&answer.text, &marks[their]) {
                faults.push(format!("GET {template} of the other in {}: {}", things[own].name, answer.text));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(lists > 40, "only {lists} lists were looked at");
}

#[tokio::test]
async fn entities_are_those_of_the_own_tenant() {
    let stage = Stage::new().await;
    let (home, other) = (&stage.world.home, stage.elsewhere());
    let clients = [stage.owner(home).await, stage.owner(other).await];
    Things::make(home, &clients[0], "homely").await;
    Things::make(other, &clients[1], "strange").await;
    let path = versioned("/providers/Microsoft.Management/getEntities");
    for (client, own, their) in [(&clients[0], "homely", "strange"), (&clients[1], "strange", "homely")] {
        let text = client.post(&path, &json!({})).await.ok().to_string();
        assert!(text.contains(own) && !text.contains(their), "{text}");
    }
    // That a name is taken is told, and nothing else.
    let asked = json!({"name": "homely", "type": "Microsoft.Management/managementGroups"});
    let path = versioned("/providers/Microsoft.Management/checkNameAvailability");
    let answer: Value = clients[1].post(&path, &asked).await.ok();
    assert_eq!(answer["nameAvailable"], false, "{answer}");
}

#[tokio::test]
async fn nothing_of_a_tenant_is_changed_from_another() {
    let stage = Stage::new().await;
    let (home, other) = (&stage.world.home, stage.elsewhere());
    let clients = [stage.owner(home).await, stage.owner(other).await];
    let things = Things::make(home, &clients[0], "homely").await;
    let before = stage.world.app.whole_snapshot().revision();
    for (method, template) in crate::surface() {
        let path = things.fill(&template);
        // What has no tenant in its path is the caller's own.
        let is_named = template.contains("{subscription}") || template.contains("{scope}");
        if !matches!(method, "PUT" | "PATCH" | "DELETE" | "POST") || !is_named {
            continue;
        }
        let method = method.parse().unwrap();
        let answer = clients[1].ask(method, &path, Some(&json!({"properties": {}}))).await;
        assert!(!answer.status.is_success(), "{template}: {} {}", answer.status, answer.text);
    }
    let changed = stage.world.app.whole_state().changes_since(before).unwrap();
    assert!(changed.is_empty(), "{changed:?}");
}
