//! `portcullis cluster attach` with a real kube-apiserver and its etcd: W2, W3 and W4 by the files and flags that the
//! command wrote, and what happens while the webhooks are away. Release 1.20, whose flags are the old ones: the
//! structured configuration file is not tried here.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::running::{Journey, tool};

/// kube-apiserver or etcd; stopped when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that is free now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start(program: &str, arguments: &[String], log: &Path) -> Running {
    let log = std::fs::File::create(log).unwrap();
    let mut command = Command::new(tool(program));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    Running(command.spawn().unwrap())
}

fn start_etcd(journey: &Journey) -> (Running, String) {
    let (client, peer) = (free_port(), free_port());
    let client = format!("http://127.0.0.1:{client}");
    let peer = format!("http://127.0.0.1:{peer}");
    let arguments = [
        format!("--data-dir={}", journey.path("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--unsafe-no-fsync".to_owned(),
    ];
    (start("bin/etcd", &arguments, &journey.path("etcd.log")), client)
}

/// Starts it with the certificate of the Portcullis server, which is for this machine, and an administrator by a static
/// token; `webhooks` are the flags under test.
fn start_api_server(journey: &Journey, etcd: &str, port: u16, webhooks: Vec<String>) -> Running {
    let data = |file: &str| journey.path("data").join(file).display().to_string();
    std::fs::write(journey.path("tokens.csv"), format!("{ROOT_TOKEN},root,root,system:masters\n")).unwrap();
    let mut arguments = vec![
        format!("--etcd-servers={etcd}"),
        format!("--secure-port={port}"),
        "--insecure-port=0".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-signing-key-file={}", data("server.key")),
        format!("--service-account-key-file={}", data("server.crt")),
        format!("--tls-cert-file={}", data("server.crt")),
        format!("--tls-private-key-file={}", data("server.key")),
        format!("--token-auth-file={}", journey.path("tokens.csv").display()),
        format!("--cert-dir={}", journey.path("kube").display()),
    ];
    arguments.extend(webhooks);
    start("bin/kube-apiserver", &arguments, &journey.path(&format!("kube-apiserver-{port}.log")))
}

/// Waits until the API server has made its first roles, and writes the administrator's kubeconfig.
fn wait_for(journey: &Journey, port: u16) -> String {
    let kubeconfig = format!("root-{port}.yaml");
    let authority = journey.path("data/ca.crt");
    std::fs::write(
        journey.path(&kubeconfig),
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {{server: \"https://localhost:{port}\", \
             certificate-authority: \"{}\"}}\nusers:\n- name: u\n  user: {{token: {ROOT_TOKEN}}}\ncontexts:\n\
             - name: x\n  context: {{cluster: c, user: u}}\ncurrent-context: x\n",
            authority.display()
        ),
    )
    .unwrap();
    let end = Instant::now() + Duration::from_secs(45);
    loop {
        let said = journey.kubectl("root", &kubeconfig, &["get", "--raw", "/readyz"]);
        if said.success && journey.kubectl("root", &kubeconfig, &["get", "namespace", "default"]).success {
            return kubeconfig;
        }
        let log = journey.path(&format!("kube-apiserver-{port}.log"));
        assert!(Instant::now() < end, "{}: {}", said.error, std::fs::read_to_string(log).unwrap());
    }
}

/// The flags that the README gives to releases before the structured file.
fn flags_of_readme(out: &Path) -> Vec<String> {
    let readme = std::fs::read_to_string(out.join("README.md")).unwrap();
    let place = format!("{}/", out.display());
    let flags: Vec<String> = readme
        .lines()
        .filter(|line| line.starts_with("--") && !line.starts_with("--authorization-config="))
        .map(|line| line.replace("/etc/kubernetes/portcullis/", &place))
        .collect();
    assert_eq!(flags.len(), 8, "{readme}");
    flags
}

#[test]
fn a_real_api_server_asks_who_somebody_is_and_what_they_may_do() {
    let mut journey = Journey::begin();
    let port = free_port();
    let server = format!("https://localhost:{port}");
    let out = journey.path("files");
    let authority = journey.path("data/ca.crt");
    let made = journey.portcullis("admin", &["group", "create", "sre"], None).ok();
    let group = made.lines().nth(1).unwrap().split_whitespace().last().unwrap().to_owned();
    let attach = [
        "cluster",
        "attach",
        "real",
        "-g",
        "rg",
        "--server",
        &server,
        "--ca",
        authority.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--admin-group",
        &group,
    ];
    journey.portcullis("admin", &attach, None).ok();
    let (_etcd, etcd) = start_etcd(&journey);
    let _api_server = start_api_server(&journey, &etcd, port, flags_of_readme(&out));
    // The same cluster behind a second API server that sends the older reviews.
    let old_port = free_port();
    let old_flags =
        flags_of_readme(&out).into_iter().map(|flag| flag.replace("version=v1", "version=v1beta1"));
    let _old = start_api_server(&journey, &etcd, old_port, old_flags.collect());
    for name in ["alice", "bob", "carol", "dave"] {
        journey.person(name);
        journey.credentials(name, "real", &[]);
    }
    let root = wait_for(&journey, port);
    let root_old = wait_for(&journey, old_port);
    let old_server = format!("https://localhost:{old_port}");
    let asked = |who: &str, arguments: &[&str]| journey.kubectl(who, &format!("{who}-real.yaml"), arguments);
    let asked_old =
        |who: &str, arguments: &[&str]| asked(who, &[&["--server", old_server.as_str()], arguments].concat());

    // W1 is not ours to give there.
    let admin = ["cluster", "credentials", "real", "-g", "rg", "--admin", "--file", "-"];
    assert!(!journey.portcullis("admin", &admin, None).success);

    // W2: nothing without a binding; what a binding gives; nothing once disabled.
    asked("alice", &["get", "pods"]).refused("cannot list resource \"pods\"");
    journey.kubectl("root", &root, &["create", "role", "r", "--verb=list", "--resource=pods"]).ok();
    let bind = ["create", "rolebinding", "b", "--role=r", "--user=alice@portcullis.local"];
    journey.kubectl("root", &root, &bind).ok();
    for asked in [&asked as &dyn Fn(&str, &[&str]) -> _, &asked_old] {
        // Each API server reads its bindings a little later.
        let end = Instant::now() + Duration::from_secs(30);
        while !asked("alice", &["get", "pods"]).success && Instant::now() < end {}
        asked("alice", &["get", "pods"]).ok();
        asked("alice", &["get", "secrets"]).refused("cannot list resource \"secrets\"");
        asked("dave", &["get", "pods"]).refused("cannot list resource \"pods\"");
    }
    journey.portcullis("admin", &["user", "update", "alice@portcullis.local", "--disable"], None).ok();
    asked("alice", &["get", "pods"]).refused("");
    asked_old("alice", &["get", "pods"]).refused("");

    // W3: as long as somebody is a member.
    asked("bob", &["get", "nodes"]).refused("cannot list resource \"nodes\"");
    journey.portcullis("admin", &["group", "member", "add", "sre", "bob@portcullis.local"], None).ok();
    asked("bob", &["get", "nodes"]).ok();
    asked_old("bob", &["get", "nodes"]).ok();
    asked("bob", &["create", "clusterrole", "x", "--verb=get", "--resource=nodes"]).ok();
    journey.portcullis("admin", &["group", "member", "remove", "sre", "bob@portcullis.local"], None).ok();
    asked("bob", &["get", "nodes"]).refused("Forbidden");
    asked_old("bob", &["get", "nodes"]).refused("Forbidden");

    // W4: roles, down to a namespace, and back at once.
    journey.portcullis("admin", &["cluster", "update", "real", "-g", "rg", "--azure-rbac"], None).ok();
    asked("carol", &["get", "pods"]).refused("no role assignment gives");
    let assign = [
        "assignment",
        "create",
        "--assignee",
        "carol@portcullis.local",
        "--role",
        "Azure Kubernetes Service RBAC Reader",
        "--cluster",
        "real",
        "-g",
        "rg",
        "--namespace",
        "default",
    ];
    let made = journey.portcullis("admin", &assign, None).ok();
    asked("carol", &["get", "pods"]).ok();
    asked_old("carol", &["get", "pods"]).ok();
    asked("carol", &["get", "secrets"]).refused("RBAC Writer");
    asked("carol", &["get", "pods", "-n", "kube-system"]).refused("no role assignment gives");
    let id = made.lines().nth(1).unwrap().split_whitespace().last().unwrap();
    journey.portcullis("admin", &["assignment", "delete", id], None).ok();
    asked("carol", &["get", "pods"]).refused("no role assignment gives");
    journey.portcullis("admin", &assign, None).ok();
    asked("carol", &["get", "pods"]).ok();

    // Without the webhooks nobody of the directory is let in by a role; what does not need them goes on.
    journey.stop();
    assert!(!journey.kubectl("carol", "carol-real.yaml", &["get", "pods"]).success);
    journey.kubectl("root", &root, &["get", "pods"]).ok();
    journey.kubectl("root", &root_old, &["get", "pods"]).ok();
}

const ROOT_TOKEN: &str = "a-token-of-the-test";
