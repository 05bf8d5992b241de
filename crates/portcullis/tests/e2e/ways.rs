//! The four ways of access (W1 to W4) by the three commands: `az login`, `az aks get-credentials`, `kubectl`, each with
//! what it refuses. The clusters and rights are made with `az` too.

use serde_json::Value;

use crate::{
    azure::Azure,
    running::{Journey, PASSWORD},
};

/// A company: its administrator, and somebody who may pull user kubeconfigs.
struct Company<'a> {
    admin: Azure<'a>,
    alice: Azure<'a>,
    group: String,
}

const ALICE: &str = "alice@portcullis.local";

impl<'a> Company<'a> {
    fn found(journey: &'a Journey) -> Self {
        let admin = Azure::administrator(journey);
        let group = admin.json(&["group", "create", "-n", "rg", "-l", "westeurope"]);
        let group = group["id"].as_str().unwrap().to_owned();
        let create = ["ad", "user", "create", "--display-name", "Alice", "--user-principal-name", ALICE];
        admin.az(&[&create[..], &["--password", PASSWORD]].concat()).ok();
        let alice = Azure::new(journey, "az-alice");
        let company = Self { admin, alice, group };
        company.assign(ALICE, "Azure Kubernetes Service Cluster User Role", "");
        company.alice.login_with_browser(ALICE, PASSWORD);
        company
    }

    /// Gives a role at the resource group, or at what follows its id.
    fn assign(&self, who: &str, role: &str, below: &str) -> Value {
        let scope = format!("{}{below}", self.group);
        self.admin.json(&[
            "role",
            "assignment",
            "create",
            "--assignee",
            who,
            "--role",
            role,
            "--scope",
            &scope,
        ])
    }

    fn create(&self, name: &str, more: &[&str]) {
        let create = ["aks", "create", "-g", "rg", "-n", name, "--no-ssh-key"];
        let made = self.admin.json(&[&create[..], more].concat());
        assert_eq!(made["provisioningState"], "Succeeded");
    }
}

#[test]
fn w1_a_certificate_of_the_cluster() {
    let journey = Journey::begin();
    let company = Company::found(&journey);
    let Company { admin, alice, .. } = &company;
    company.create("c1", &[]);
    let get = ["aks", "get-credentials", "-g", "rg", "-n", "c1", "--admin", "-f", "-"];
    alice.az(&get).refused("listClusterAdminCredential");
    company.assign(ALICE, "Azure Kubernetes Service Cluster Admin Role", "");
    let config = alice.credentials("rg", "c1", &["--admin"]);
    alice.kubectl(&config, &["create", "namespace", "web"]).ok();
    assert!(alice.kubectl(&config, &["config", "current-context"]).ok().contains("c1-admin"));
    assert_eq!(alice.kubectl(&config, &["auth", "can-i", "*", "*"]).ok().trim(), "yes");
    // The role pulls the kubeconfig and nothing else.
    alice.az(&["aks", "delete", "-g", "rg", "-n", "c1", "--yes"]).refused("AuthorizationFailed");
    admin.az(&["aks", "rotate-certs", "-g", "rg", "-n", "c1", "--yes"]).ok();
    assert!(!alice.kubectl(&config, &["get", "namespaces"]).success);
    let config = alice.credentials("rg", "c1", &["--admin"]);
    alice.kubectl(&config, &["get", "namespaces"]).ok();
    company.create("c0", &["--enable-aad", "--disable-local-accounts"]);
    let get = ["aks", "get-credentials", "-g", "rg", "-n", "c0", "--admin", "-f", "-"];
    alice.az(&get).refused("set to disable local accounts");
}

#[test]
fn w2_the_directory_with_bindings() {
    let journey = Journey::begin();
    let company = Company::found(&journey);
    company.create("c2", &["--enable-aad"]);
    let Company { admin, alice, .. } = &company;
    let config = alice.credentials("rg", "c2", &[]);
    alice.kubectl(&config, &["get", "pods"]).refused("cannot list resource \"pods\"");
    let of_admin = admin.credentials("rg", "c2", &["--admin"]);
    admin.kubectl(&of_admin, &["create", "rolebinding", "v", "--clusterrole=view", "--user", ALICE]).ok();
    alice.kubectl(&config, &["get", "pods"]).ok();
    alice.kubectl(&config, &["get", "secrets"]).refused("cannot list resource \"secrets\"");
    admin.az(&["ad", "user", "update", "--id", ALICE, "--account-enabled", "false"]).ok();
    assert!(!alice.kubectl(&config, &["get", "pods"]).success);
}

#[test]
fn w3_members_of_the_admin_group() {
    let journey = Journey::begin();
    let company = Company::found(&journey);
    let Company { admin, alice, .. } = &company;
    let made = admin.json(&["ad", "group", "create", "--display-name", "sre", "--mail-nickname", "sre"]);
    let group = made["id"].as_str().unwrap();
    company.create("c3", &["--enable-aad", "--aad-admin-group-object-ids", group]);
    let config = alice.credentials("rg", "c3", &[]);
    alice.kubectl(&config, &["get", "nodes"]).refused("cannot list resource \"nodes\"");
    let shown = admin.json(&["ad", "user", "show", "--id", ALICE]);
    let member = ["--group", "sre", "--member-id", shown["id"].as_str().unwrap()];
    admin.az(&[&["ad", "group", "member", "add"], &member[..]].concat()).ok();
    alice.kubectl(&config, &["get", "nodes"]).ok();
    admin.az(&[&["ad", "group", "member", "remove"], &member[..]].concat()).ok();
    alice.kubectl(&config, &["get", "nodes"]).refused("cannot list resource \"nodes\"");
}

#[test]
fn w4_roles_down_to_a_namespace() {
    let journey = Journey::begin();
    let company = Company::found(&journey);
    let Company { admin, alice, .. } = &company;
    company.create("c4", &["--enable-aad", "--enable-azure-rbac"]);
    let config = alice.credentials("rg", "c4", &[]);
    alice.kubectl(&config, &["get", "pods"]).refused("no role assignment gives");
    let namespace = "/providers/Microsoft.ContainerService/managedClusters/c4/namespaces/default";
    let made = company.assign(ALICE, "Azure Kubernetes Service RBAC Reader", namespace);
    alice.kubectl(&config, &["get", "pods"]).ok();
    alice.kubectl(&config, &["get", "secrets"]).refused("RBAC Writer");
    alice.kubectl(&config, &["get", "pods", "-n", "kube-system"]).refused("no role assignment gives");
    admin.az(&["role", "assignment", "delete", "--ids", made["id"].as_str().unwrap()]).ok();
    alice.kubectl(&config, &["get", "pods"]).refused("no role assignment gives");
    // Nobody gives what they may not give.
    let scope = format!("{}{namespace}", company.group);
    let give = ["role", "assignment", "create", "--assignee-object-id", &alice_id(admin)];
    let rest = ["--assignee-principal-type", "User", "--role", "Owner", "--scope", &scope];
    alice.az(&[&give[..], &rest].concat()).refused("AuthorizationFailed");
}

fn alice_id(admin: &Azure<'_>) -> String {
    admin.json(&["ad", "user", "show", "--id", ALICE])["id"].as_str().unwrap().to_owned()
}
