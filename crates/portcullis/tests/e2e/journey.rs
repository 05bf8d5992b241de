//! W1 to W4 with the program as it is shipped and a real kubectl: sign in, get a kubeconfig, be let in or
//! refused.

use std::process::Command;

use crate::running::{Journey, PROGRAM, kubectl};

/// W1: a personal certificate, all the usual commands, and its revocation.
#[test]
fn an_administrator_certificate_may_do_everything_until_it_is_revoked() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c1", "-g", "rg"], None).ok();
    let config = journey.credentials("admin", "c1", &["--admin"]);
    let kubectl = |arguments: &[&str]| journey.kubectl("admin", &config, arguments);
    assert!(kubectl(&["auth", "whoami"]).ok().contains("clusterAdmin:admin@portcullis.local"));
    kubectl(&["create", "namespace", "web"]).ok();
    kubectl(&["-n", "web", "create", "configmap", "cm", "--from-literal=a=b"]).ok();
    kubectl(&["-n", "web", "create", "deployment", "d", "--image=nginx"]).ok();
    kubectl(&["-n", "web", "create", "role", "r", "--verb=get", "--resource=pods"]).ok();
    kubectl(&["-n", "web", "create", "rolebinding", "rb", "--role=r", "--serviceaccount=web:default"]).ok();
    kubectl(&["-n", "web", "patch", "configmap", "cm", "-p", r#"{"data":{"k":"v"}}"#]).ok();
    let file = journey.path("cm2.json");
    for value in ["1", "2"] {
        let object = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cm2","namespace":"web"},"data":{"q":"VALUE"}}"#;
        std::fs::write(&file, object.replace("VALUE", value)).unwrap();
        kubectl(&["apply", "-f", file.to_str().unwrap()]).ok();
    }
    assert_eq!(kubectl(&["-n", "web", "get", "configmap", "cm2", "-o", "jsonpath={.data.q}"]).ok(), "2");
    assert!(kubectl(&["get", "deployments", "-A"]).ok().contains("0/1"));
    assert!(kubectl(&["get", "namespaces", "--watch", "--request-timeout=2s"]).out.contains("web"));
    assert_eq!(kubectl(&["auth", "can-i", "*", "*"]).ok().trim(), "yes");
    assert_eq!(kubectl(&["-n", "web", "create", "token", "default"]).ok().trim().split('.').count(), 3);
    kubectl(&["-n", "web", "delete", "configmap", "cm"]).ok();
    kubectl(&["delete", "namespace", "web", "--timeout=20s"]).ok();
    let listed = journey.portcullis("admin", &["cluster", "certificates", "c1", "-g", "rg"], None).ok();
    let serial = listed.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    journey.portcullis("admin", &["cluster", "revoke", "c1", &serial, "-g", "rg"], None).ok();
    kubectl(&["get", "namespaces"]).refused("Unauthorized");
    journey
        .portcullis("admin", &["cluster", "update", "c1", "-g", "rg", "--disable-local-accounts"], None)
        .ok();
    let file = journey.path("no");
    let pull = ["cluster", "credentials", "c1", "-g", "rg", "--admin", "--file", file.to_str().unwrap()];
    journey.portcullis("admin", &pull, None).refused("disable local accounts");
}

/// W2: a signed-in person has what bindings give, and nothing before.
#[test]
fn a_person_has_what_bindings_give() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c2", "-g", "rg"], None).ok();
    journey.person("alice");
    let alice = journey.credentials("alice", "c2", &[]);
    assert!(!std::fs::read_to_string(journey.path(&alice)).unwrap().contains("client-key-data"));
    journey.kubectl("alice", &alice, &["get", "pods"]).refused("cannot list resource \"pods\"");
    assert!(journey.kubectl("alice", &alice, &["auth", "whoami"]).ok().contains("alice@portcullis.local"));
    let admin = journey.credentials("admin", "c2", &["--admin"]);
    let bind = ["create", "rolebinding", "view", "--clusterrole=view", "--user=alice@portcullis.local"];
    journey.kubectl("admin", &admin, &bind).ok();
    journey.kubectl("alice", &alice, &["get", "pods"]).ok();
    journey.kubectl("alice", &alice, &["get", "secrets"]).refused("cannot list resource \"secrets\"");
    journey.kubectl("alice", &alice, &["create", "configmap", "x"]).refused("cannot create resource");
    journey
        .portcullis("alice", &["cluster", "credentials", "c2", "-g", "rg", "--admin"], None)
        .refused("listClusterAdminCredential");
    journey.portcullis("admin", &["user", "update", "alice@portcullis.local", "--disable"], None).ok();
    assert!(!journey.kubectl("alice", &alice, &["get", "pods"]).success);
}

/// W3: members of the configured group administer the cluster, as long as they are members.
#[test]
fn members_of_the_admin_group_administer_the_cluster() {
    let journey = Journey::begin();
    let made = journey.portcullis("admin", &["group", "create", "sre"], None).ok();
    let group = made.lines().nth(1).unwrap().split_whitespace().last().unwrap().to_owned();
    journey.portcullis("admin", &["cluster", "create", "c3", "-g", "rg", "--admin-group", &group], None).ok();
    journey.person("bob");
    let bob = journey.credentials("bob", "c3", &[]);
    journey.kubectl("bob", &bob, &["get", "nodes"]).refused("cannot list resource \"nodes\"");
    journey.portcullis("admin", &["group", "member", "add", "sre", "bob@portcullis.local"], None).ok();
    journey.kubectl("bob", &bob, &["get", "nodes"]).ok();
    journey.kubectl("bob", &bob, &["create", "clusterrole", "x", "--verb=get", "--resource=nodes"]).ok();
    journey.portcullis("admin", &["group", "member", "remove", "sre", "bob@portcullis.local"], None).ok();
    journey.kubectl("bob", &bob, &["get", "nodes"]).refused("cannot list resource \"nodes\"");
}

/// W4: roles of Azure RBAC, down to a namespace; the admin groups count no more.
#[test]
fn azure_roles_reach_down_to_a_namespace() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c4", "-g", "rg", "--azure-rbac"], None).ok();
    journey.person("carol");
    let carol = journey.credentials("carol", "c4", &[]);
    let give = |role: &str, namespace: &str| {
        let arguments = [
            "assignment",
            "create",
            "--assignee",
            "carol@portcullis.local",
            "--role",
            role,
            "--cluster",
            "c4",
            "-g",
            "rg",
            "--namespace",
            namespace,
        ];
        journey.portcullis("admin", &arguments, None).ok()
    };
    journey.kubectl("carol", &carol, &["get", "pods"]).refused("no role assignment gives");
    let made = give("Azure Kubernetes Service RBAC Reader", "default");
    journey.kubectl("carol", &carol, &["get", "pods"]).ok();
    journey.kubectl("carol", &carol, &["get", "secrets"]).refused("RBAC Writer");
    journey
        .kubectl("carol", &carol, &["get", "pods", "-n", "kube-system"])
        .refused("no role assignment gives");
    let id = made.lines().nth(1).unwrap().split_whitespace().last().unwrap();
    journey.portcullis("admin", &["assignment", "delete", id], None).ok();
    journey.kubectl("carol", &carol, &["get", "pods"]).refused("no role assignment gives");
    give("Azure Kubernetes Service RBAC Admin", "default");
    let bind = ["create", "rolebinding", "b", "--clusterrole=view", "--user=someone"];
    journey.kubectl("carol", &carol, &bind).ok();
}

/// The credential plugin by itself: no session, a password from the environment, and a cache that serves after.
#[test]
fn a_converted_kubeconfig_signs_in_by_itself() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c5", "-g", "rg"], None).ok();
    journey.person("dora");
    let config = journey.credentials("dora", "c5", &[]);
    let path = journey.path(&config);
    let user = ["--username", "dora@portcullis.local"];
    let convert = ["convert-kubeconfig", "--login", "ropc", "--kubeconfig", path.to_str().unwrap()];
    journey.portcullis("dora", &[&convert[..], &user].concat(), None).ok();
    let whoami = |password: &str| {
        let mut command = Command::new(kubectl());
        command
            .args(["auth", "whoami"])
            .env("KUBECONFIG", &path)
            .env("AAD_USER_PRINCIPAL_PASSWORD", password);
        journey.run("nobody", command, None)
    };
    std::fs::create_dir_all(journey.path("nobody")).unwrap();
    assert!(!whoami("wrong").success);
    assert!(whoami("a long Password 1").ok().contains("dora@portcullis.local"));
    // From the cache: the password is not asked for again.
    assert!(whoami("wrong").ok().contains("dora@portcullis.local"));
}

/// The main job, as `make run` shows it.
#[test]
fn the_demo_goes_as_expected() {
    let tools = kubectl();
    let path = std::env::join_paths(
        std::iter::once(tools.parent().unwrap().to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let run = Command::new(PROGRAM).args(["demo", "--check"]).env("PATH", path.unwrap()).output().unwrap();
    let out = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{out}{}", String::from_utf8_lossy(&run.stderr));
    for way in ["W1", "W2", "W3", "W4", "Asked with kubectl"] {
        assert!(out.contains(way), "{out}");
    }
    // Each step says what decided: a grant where it was allowed, a lack or a fact where it was not.
    let mut steps: Vec<String> = Vec::new();
    for line in out.lines() {
        match steps.last_mut() {
            _ if line.starts_with('W') && !line.starts_with("WAY") => steps.push(line.to_owned()),
            Some(step) if line.starts_with("  ") => step.push_str(&format!(" {}", line.trim())),
            _ => {}
        }
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert_eq!(steps.len(), 17, "{out}");
    assert!(out.trim_end().ends_with("\n17 of 17 as expected"), "{out}");
    for step in steps {
        let decided = match step.contains(" allowed ") {
            true => ["RBAC: allowed by", "Azure RBAC: allowed by", "Azure RBAC: holds"],
            false => [
                "no binding grants it; a binding to",
                "Azure RBAC: no role assignment gives",
                "Unauthorized: ",
            ],
        };
        assert!(decided.iter().any(|reason| step.contains(reason)), "{step}");
    }
}
