//! The three commands: `az login`, `az aks get-credentials`, `kubectl`, with the unmodified Azure command line.

use crate::{
    azure::Azure,
    person::Person,
    running::{Journey, PASSWORD},
};

/// A program signs in by its secret, makes a cluster and works on it.
#[test]
fn a_service_principal_makes_a_cluster_and_works_on_it() {
    let journey = Journey::begin();
    let application = journey.application("build");
    journey.assign(&application.principal, "Owner");
    let azure = Azure::of_application(&journey, "build", &application);
    let account = azure.json(&["account", "show"]);
    assert_eq!(account["tenantId"], journey.first("tenantId"));
    assert_eq!(account["user"]["name"], application.app_id.as_str());
    assert_eq!(account["user"]["type"], "servicePrincipal");
    let group = azure.json(&["group", "create", "-n", "web", "-l", "westeurope"]);
    assert_eq!(group["properties"]["provisioningState"], "Succeeded");
    let create =
        ["aks", "create", "-g", "web", "-n", "c1", "--no-ssh-key", "--enable-aad", "--enable-azure-rbac"];
    assert_eq!(azure.json(&create)["provisioningState"], "Succeeded");
    let config = azure.credentials("web", "c1", &[]);
    azure.kubectl(&config, &["get", "pods"]).refused("no role assignment gives");
    journey.assign(&application.principal, "Azure Kubernetes Service RBAC Cluster Admin");
    azure.kubectl(&config, &["create", "namespace", "shop"]).ok();
    assert!(azure.kubectl(&config, &["get", "namespaces"]).ok().contains("shop"));
    assert!(azure.kubectl(&config, &["auth", "whoami"]).ok().contains(&application.principal));
}

/// Wrong secrets and unknown tenants and applications end in the words that people know.
#[test]
fn a_refused_sign_in_says_why() {
    let journey = Journey::begin();
    let application = journey.application("build");
    let tenant = journey.first("tenantId");
    let login = |client: &str, secret: &str, tenant: &str, who: &str| {
        Azure::new(&journey, who).az(&[
            "login",
            "--service-principal",
            "--username",
            client,
            &format!("--password={secret}"),
            "--tenant",
            tenant,
        ])
    };
    login(&application.app_id, "not the secret", &tenant, "one").refused("AADSTS7000215");
    login(&tenant, &application.secret, &tenant, "two").refused("AADSTS700016");
    login(&application.app_id, &application.secret, "elsewhere.example", "three").refused("AADSTS90002");
    // Signed in, but nothing may be seen.
    login(&application.app_id, &application.secret, &tenant, "four").refused("No subscriptions found");
}

/// A person signs in with the browser and with a device code; one who is disabled is out at once.
#[test]
fn a_person_signs_in_with_a_browser_or_a_device_code() {
    let journey = Journey::begin();
    let admin = Azure::administrator(&journey);
    assert_eq!(admin.json(&["account", "show"])["user"]["name"], "admin@portcullis.local");
    admin.az(&["group", "create", "-n", "rg", "-l", "westeurope"]).ok();
    journey.person("alice");
    let alice = Azure::new(&journey, "az-alice");
    let approve = |code: &str| Person::new(&journey, "alice@portcullis.local", PASSWORD).approve(code);
    alice.login_with_device_code(&[], approve).ok();
    assert_eq!(alice.json(&["account", "show"])["user"]["name"], "alice@portcullis.local");
    alice.az(&["group", "list"]).ok();
    journey.portcullis("admin", &["user", "update", "alice@portcullis.local", "--disable"], None).ok();
    assert!(!alice.az(&["group", "list"]).success);
}
