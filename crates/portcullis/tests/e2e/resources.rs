//! What `az` does with clusters, identities and roles, beyond the three commands: each command of them once, on one
//! server, and the words of what is refused.

use serde_json::{Value, json};

use crate::{
    azure::Azure,
    running::{Journey, PASSWORD},
};

/// The resource group that everything is in.
fn group(azure: &Azure<'_>) -> String {
    let made = azure.json(&["group", "create", "-n", "rg", "-l", "local"]);
    made["id"].as_str().unwrap().to_owned()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {value}"))
}

#[test]
fn az_aks_makes_changes_and_deletes_clusters() {
    let journey = Journey::begin();
    let azure = Azure::administrator(&journey);
    group(&azure);
    let aks = |arguments: &[&str]| azure.az(&[&["aks"], arguments, &["-g", "rg", "-n", "c1"]].concat());
    let show = || azure.json(&["aks", "show", "-g", "rg", "-n", "c1"]);
    aks(&["create", "--no-ssh-key", "--enable-oidc-issuer", "--node-count", "2", "--tags", "team=till"]).ok();
    assert_eq!(show()["aadProfile"], Value::Null);
    assert!(text(&show(), "/oidcIssuerProfile/issuerUrl").contains("/clusters/"));
    aks(&["get-credentials", "-f", "-"]).refused("--enable-aad");
    aks(&["update", "--enable-aad"]).ok();
    aks(&["get-credentials", "-f", "-"]).ok();
    aks(&["update", "--tags", "team=till", "--if-match", "stale"]).refused("PreconditionFailed");
    azure.az(&["group", "update", "-n", "rg", "--tags", "a=b"]).ok();
    let made = show();
    assert_eq!((text(&made, "/identity/type"), text(&made, "/tags/team")), ("SystemAssigned", "till"));
    assert_eq!(text(&made, "/nodeResourceGroup"), "MC_rg_c1_local");
    let listed = azure.json(&["aks", "list", "-g", "rg"]);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert!(azure.az(&["aks", "list", "-o", "table"]).ok().contains("Succeeded"));
    aks(&["update", "--enable-azure-rbac"]).ok();
    aks(&["update", "--disable-local-accounts"]).ok();
    let changed = show();
    assert_eq!(changed["aadProfile"]["enableAzureRbac"], true);
    assert_eq!(changed["disableLocalAccounts"], true);
    // What an update does not name stays as it was.
    assert_eq!((&changed["tags"], &changed["dnsPrefix"]), (&made["tags"], &made["dnsPrefix"]));
    assert_eq!(changed["identity"], made["identity"]);
    let pull = ["get-credentials", "--admin", "-f", "-"];
    aks(&pull).refused("set to disable local accounts");
    aks(&["update", "--enable-local-accounts"]).ok();
    let config = azure.credentials("rg", "c1", &["--admin"]);
    azure.kubectl(&config, &["get", "namespaces"]).ok();
    aks(&["stop"]).ok();
    assert_eq!(text(&show(), "/powerState/code"), "Stopped");
    azure.kubectl(&config, &["get", "namespaces"]).refused("the cluster is stopped");
    aks(&["start"]).ok();
    azure.kubectl(&config, &["get", "namespaces"]).ok();
    aks(&["rotate-certs", "--yes"]).ok();
    assert!(!azure.kubectl(&config, &["get", "namespaces"]).success);

    assert!(azure.az(&["resource", "list", "-g", "rg", "-o", "table"]).ok().contains("c1"));
    aks(&["delete", "--yes"]).ok();
    let gone = aks(&["show"]);
    assert_eq!(gone.code, Some(3));
    gone.refused("ResourceNotFound");
    assert_eq!(azure.az(&["group", "exists", "-n", "MC_rg_c1_local"]).ok().trim(), "false");
    azure.az(&["group", "delete", "-n", "rg", "--yes"]).ok();
    assert_eq!(azure.az(&["group", "exists", "-n", "rg"]).ok().trim(), "false");
}

#[test]
fn az_aks_scales_pools_and_attaches_registries() {
    let journey = Journey::begin();
    let azure = Azure::administrator(&journey);
    let group = group(&azure);
    let aks = |arguments: &[&str]| azure.az(&[&["aks"], arguments, &["-g", "rg", "-n", "c1"]].concat());
    let show = || azure.json(&["aks", "show", "-g", "rg", "-n", "c1"]);
    aks(&["create", "--no-ssh-key"]).ok();
    let made = show();
    aks(&["scale", "--node-count", "5"]).ok();
    assert_eq!(show()["agentPoolProfiles"][0]["count"], 5);
    let pool = |verb: &str, more: &[&str]| {
        azure.az(&[&["aks", "nodepool", verb, "-g", "rg", "--cluster-name", "c1"], more].concat())
    };
    pool("add", &["-n", "extra", "--node-count", "1"]).ok();
    assert!(pool("list", &[]).ok().contains("extra"));
    pool("delete", &["-n", "extra"]).ok();
    assert!(!pool("list", &[]).ok().contains("extra"));
    assert!(aks(&["get-upgrades"]).ok().contains("1.36.2"));
    assert!(azure.az(&["aks", "get-versions", "-l", "local"]).ok().contains("1.36"));
    aks(&["upgrade", "--kubernetes-version", "1.99.0", "--yes"]).refused("1.99.0");

    let registry = format!("{group}/providers/Microsoft.ContainerRegistry/registries/acr1");
    let url = format!("{registry}?api-version=2023-07-01");
    let body = json!({"location": "local", "sku": {"name": "Basic"}, "properties": {}}).to_string();
    azure.az(&["rest", "--method", "put", "--url", &url, "--body", &body]).ok();
    let pulls = || azure.json(&["role", "assignment", "list", "--scope", &registry]);
    aks(&["update", "--attach-acr", &registry]).ok();
    let given = pulls();
    assert_eq!(given[0]["roleDefinitionName"], "AcrPull");
    assert_eq!(given[0]["principalId"], made["identityProfile"]["kubeletidentity"]["objectId"]);
    aks(&["update", "--detach-acr", &registry]).ok();
    assert_eq!(pulls(), json!([]));
}

#[test]
fn az_lets_a_resource_into_a_cluster_by_trusted_access() {
    let journey = Journey::begin();
    let azure = Azure::administrator(&journey);
    let group = group(&azure);
    azure.az(&["aks", "create", "-g", "rg", "-n", "c1", "--no-ssh-key"]).ok();
    let roles = azure.json(&["aks", "trustedaccess", "role", "list", "-l", "local"]);
    assert!(roles.as_array().unwrap().iter().any(|role| role["name"] == "mlworkload"), "{roles}");
    let source = format!("{group}/providers/Microsoft.MachineLearningServices/workspaces/ml");
    let url = format!("{source}?api-version=2024-04-01");
    let body = json!({"location": "local", "identity": {"type": "SystemAssigned"}}).to_string();
    let workspace = azure.json(&["rest", "--method", "put", "--url", &url, "--body", &body]);
    let binding = |verb: &str, more: &[&str]| {
        let start = ["aks", "trustedaccess", "rolebinding", verb, "-g", "rg", "--cluster-name", "c1"];
        azure.az(&[&start[..], more].concat())
    };
    let role = "Microsoft.MachineLearningServices/workspaces/mlworkload";
    binding("create", &["-n", "b1", "--source-resource-id", &source, "--roles", role]).ok();
    assert!(binding("list", &[]).ok().contains("mlworkload"));
    binding("show", &["-n", "b1"]).ok();
    let config = azure.credentials("rg", "c1", &["--admin"]);
    let who = format!("--as={}", text(&workspace, "/identity/principalId"));
    let can = |verb: &str| azure.kubectl(&config, &["auth", "can-i", verb, "pods", &who]).out;
    assert_eq!(can("create").trim(), "yes");
    assert_eq!(can("deletecollection").trim(), "no");
    binding("delete", &["-n", "b1", "--yes"]).ok();
    assert_eq!(can("create").trim(), "no");
}

#[test]
fn az_identity_makes_identities_that_clusters_act_as() {
    let journey = Journey::begin();
    let azure = Azure::administrator(&journey);
    group(&azure);
    let made = azure.json(&["identity", "create", "-g", "rg", "-n", "till", "-l", "local"]);
    let shown = azure.json(&["identity", "show", "-g", "rg", "-n", "till"]);
    assert_eq!(shown["principalId"], made["principalId"]);
    assert_eq!(azure.json(&["identity", "list", "-g", "rg"]).as_array().unwrap().len(), 1);
    let credential = |verb: &str, more: &[&str]| {
        let start = ["identity", "federated-credential", verb, "-g", "rg", "--identity-name", "till"];
        azure.az(&[&start[..], more].concat())
    };
    let issuer = ["--issuer", "https://issuer.example/", "--subject", "pod", "--audiences", "api://x"];
    credential("create", &[&["-n", "cred"], &issuer[..]].concat()).ok();
    assert!(credential("list", &[]).ok().contains("https://issuer.example/"));
    let other = ["--issuer", "https://issuer.example/", "--subject", "other", "--audiences", "api://x"];
    credential("update", &[&["-n", "cred"], &other[..]].concat()).ok();
    assert!(credential("show", &["-n", "cred"]).ok().contains("other"));
    credential("delete", &["-n", "cred", "--yes"]).ok();
    let id = text(&made, "/id");
    let create = ["aks", "create", "-g", "rg", "-n", "c1", "--no-ssh-key", "--assign-identity", id];
    let cluster = azure.json(&create);
    assert_eq!(text(&cluster, "/identity/type"), "UserAssigned");
    let nodes = format!("/subscriptions/{}/resourceGroups/MC_rg_c1_local", journey.first("subscriptionId"));
    let given = azure.json(&["role", "assignment", "list", "--scope", &nodes]);
    assert_eq!(
        (text(&given, "/0/roleDefinitionName"), &given[0]["principalId"]),
        ("Contributor", &made["principalId"])
    );
    // As in Azure, used or not.
    azure.az(&["identity", "delete", "-g", "rg", "-n", "till"]).ok();
    azure.az(&["aks", "delete", "-g", "rg", "-n", "c1", "--yes"]).ok();
}

#[test]
fn az_role_defines_gives_lists_and_takes_roles() {
    let journey = Journey::begin();
    let azure = Azure::administrator(&journey);
    let group = group(&azure);
    azure
        .az(&["aks", "create", "-g", "rg", "-n", "c1", "--no-ssh-key", "--enable-aad", "--enable-azure-rbac"])
        .ok();
    journey.person("alice");
    let alice = azure.json(&["ad", "user", "show", "--id", "alice@portcullis.local"]);
    let alice = text(&alice, "/id");
    let role = json!({"Name": "Pod reader", "Description": "x", "AssignableScopes": [group],
        "DataActions": ["Microsoft.ContainerService/managedClusters/pods/read"]});
    azure.az(&["role", "definition", "create", "--role-definition", &role.to_string()]).ok();
    let found = azure.json(&["role", "definition", "list", "--name", "Pod reader", "--scope", &group]);
    assert_eq!(text(&found, "/0/roleType"), "CustomRole");
    azure.az(&["role", "definition", "create", "--role-definition", &role.to_string()]).refused("Pod reader");

    let namespace =
        format!("{group}/providers/Microsoft.ContainerService/managedClusters/c1/namespaces/default");
    let assignment = |verb: &str, more: &[&str]| azure.az(&[&["role", "assignment", verb], more].concat());
    let to_alice = ["--assignee", "alice@portcullis.local", "--role", "Pod reader", "--scope", &namespace];
    assignment("create", &to_alice).ok();
    // Once more: az finds the one that there is.
    assignment("create", &to_alice).ok();
    let alice_config = journey.credentials("alice", "c1", &[]);
    journey.kubectl("alice", &alice_config, &["get", "pods"]).ok();
    journey.kubectl("alice", &alice_config, &["get", "services"]).refused("no role assignment gives");
    let delete = || azure.az(&["role", "definition", "delete", "--name", "Pod reader", "--scope", &group]);
    delete().refused("existing role assignments");
    let mut wider = role;
    wider["DataActions"] = json!(["Microsoft.ContainerService/managedClusters/*/read"]);
    azure.az(&["role", "definition", "update", "--role-definition", &wider.to_string()]).ok();
    journey.kubectl("alice", &alice_config, &["get", "services"]).ok();
    let of_alice = ["--assignee", "alice@portcullis.local", "--all"];
    assert!(assignment("list", &of_alice).ok().contains("c1/namespaces/default"));
    let above = ["--scope", namespace.as_str(), "--include-inherited", "-o", "table"];
    assert!(assignment("list", &above).ok().contains("Azure Kubernetes Service Cluster User Role"));
    assignment("delete", &to_alice).ok();
    journey.kubectl("alice", &alice_config, &["get", "pods"]).refused("no role assignment gives");

    // By the GUID that a list gave, which az makes an id of its subscription of.
    let definition = azure.json(&["role", "definition", "list", "--name", "Pod reader", "--scope", &group]);
    let guid = text(&definition, "/0/name").to_owned();
    let by_guid = ["--assignee", "alice@portcullis.local", "--role", &guid, "--scope", &namespace];
    assignment("create", &by_guid).ok();
    journey.kubectl("alice", &alice_config, &["get", "pods"]).ok();
    assert!(assignment("list", &by_guid).ok().contains(&guid));
    let mut listed = definition[0].clone();
    listed["description"] = "changed".into();
    let update = ["role", "definition", "update", "--role-definition", &listed.to_string()];
    assert_eq!(azure.json(&update)["description"], "changed");
    assert_eq!(
        azure.json(&["role", "definition", "show", "--id", text(&listed, "/id")])["name"],
        guid.as_str()
    );
    assignment("delete", &by_guid).ok();
    journey.kubectl("alice", &alice_config, &["get", "pods"]).refused("no role assignment gives");
    delete().ok();

    // A condition, changed afterwards; a delegate gives what the condition lets, and nothing else.
    let reader = "7f6c6a51-bcf8-42ba-9220-52d62157d7db";
    let condition = format!(
        "((!(ActionMatches{{'Microsoft.Authorization/roleAssignments/write'}})) OR \
         (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{reader}}}))"
    );
    let delegate =
        ["--assignee", "alice@portcullis.local", "--role", "Role Based Access Control Administrator"];
    let at_group = ["--scope", group.as_str(), "--condition", &condition];
    assignment("create", &[&delegate[..], &at_group].concat()).ok();
    let bad = ["--scope", group.as_str(), "--condition", "@Request[x] Frobnicates 'y'"];
    assignment("create", &[&delegate[..], &bad].concat()).refused("condition");
    let person = Azure::new(&journey, "az-alice");
    person.login_with_browser("alice@portcullis.local", PASSWORD);
    let give = |role: &str| {
        let start = ["role", "assignment", "create", "--assignee-object-id", alice];
        let rest = ["--assignee-principal-type", "User", "--role", role, "--scope", &group];
        person.az(&[&start[..], &rest].concat())
    };
    give("Azure Kubernetes Service RBAC Cluster Admin").refused("AuthorizationFailed");
    give("Owner").refused("AuthorizationFailed");
    give("Azure Kubernetes Service RBAC Reader").ok();
    journey.kubectl("alice", &alice_config, &["get", "pods"]).ok();
    let nobody = "11111111-2222-4333-8444-555555555555";
    let unknown = ["--assignee-object-id", nobody, "--assignee-principal-type", "User", "--role", "Reader"];
    assignment("create", &[&unknown[..], &["--scope", &group]].concat())
        .refused("does not exist in the directory");
}

/// Contributors scale and upgrade, and give nobody access; users and administrators pull theirs, and change nothing.
#[test]
fn rights_on_the_resource_are_rights_of_their_own() {
    let journey = Journey::begin();
    let azure = Azure::administrator(&journey);
    let group = group(&azure);
    azure.az(&["aks", "create", "-g", "rg", "-n", "c1", "--no-ssh-key", "--enable-aad"]).ok();
    let member = |name: &str, role: &str| {
        let application = journey.application(name);
        let give = ["role", "assignment", "create", "--assignee", &application.app_id, "--role", role];
        azure.az(&[&give[..], &["--scope", &group]].concat()).ok();
        Azure::of_application(&journey, name, &application)
    };
    let cluster = ["-g", "rg", "-n", "c1"];
    let contributor = member("ops", "Azure Kubernetes Service Contributor Role");
    let aks = |azure: &Azure<'_>, arguments: &[&str]| azure.az(&[&["aks"], arguments, &cluster].concat());
    aks(&contributor, &["scale", "--node-count", "4"]).ok();
    aks(&contributor, &["upgrade", "--kubernetes-version", "1.36.2", "--yes"]).ok();
    let give = ["role", "assignment", "create", "--assignee-object-id", &journey.first("tenantId")];
    let rest = ["--assignee-principal-type", "User", "--role", "Reader", "--scope", &group];
    contributor.az(&[&give[..], &rest].concat()).refused("roleAssignments/write");
    contributor.az(&["group", "delete", "-n", "rg", "--yes"]).refused("resourceGroups/delete");
    let user = member("dev", "Azure Kubernetes Service Cluster User Role");
    aks(&user, &["get-credentials", "-f", "-"]).ok();
    aks(&user, &["get-credentials", "--admin", "-f", "-"]).refused("listClusterAdminCredential");
    let admin = member("sre", "Azure Kubernetes Service Cluster Admin Role");
    aks(&admin, &["get-credentials", "--admin", "-f", "-"]).ok();
    aks(&admin, &["get-credentials", "-f", "-"]).refused("listClusterUserCredential");
    aks(&admin, &["delete", "--yes"]).refused("managedClusters/delete");
    aks(&user, &["scale", "--node-count", "4"]).refused("managedClusters/write");
    aks(&user, &["delete", "--yes"]).refused("managedClusters/delete");
}

/// What the report says is missing, and what it proposes, is enough.
#[test]
fn preflight_reports_what_is_missing_and_grants_it() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c1", "-g", "rg"], None).ok();
    journey.person("alice");
    let preflight = |more: &[&str]| {
        let start = ["preflight", "c1", "-g", "rg", "--identity", "alice@portcullis.local"];
        journey.portcullis("admin", &[&start[..], more].concat(), None)
    };
    let plain = preflight(&[]).ok();
    assert!(plain.contains("Contributor at /subscriptions/"), "{plain}");
    let features =
        ["--feature", "customVnet", "--feature", "acrPull", "--feature", "subnetInOtherResourceGroup"];
    let missing = preflight(&[&features[..], &["--missing"]].concat());
    for expected in ["subnets/join/action", "registries/pull/read", "az role assignment create", "AcrPull"] {
        assert!(missing.out.contains(expected), "{expected} in {}", missing.out);
    }
    missing.refused("4 permissions are missing");
    let granted = preflight(&[&features[..], &["--grant"]].concat()).ok();
    assert!(granted.contains("held") && !granted.contains("missing"), "{granted}");
    assert_eq!(preflight(&[&features[..], &["--missing"]].concat()).ok(), "Nothing is missing\n");
    preflight(&["--feature", "frobnication"]).refused("\"frobnication\" is not a feature");
}
