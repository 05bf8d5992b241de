//! `portcullis cluster attach` with a real kube-apiserver and its etcd: W2, W3 and W4 by the files and flags that the
//! command wrote, certificates that are rotated, and what happens while the webhooks are away. Release 1.20, whose flags
//! are the old ones: the structured configuration file is not tried here.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::running::{Journey, Said, tool};

/// kube-apiserver or etcd; stopped when dropped.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn start(program: &str, arguments: &[String], log: &Path) -> Running {
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

/// The files of an attached cluster, and what the server knows of its certificates.
pub(crate) fn attach(journey: &Journey, server: &str, out: &Path, more: &[&str]) -> Said {
    let authority = journey.path("data/ca.crt");
    let (authority, out) = (authority.to_str().unwrap(), out.to_str().unwrap());
    let arguments = ["cluster", "attach", "real", "-g", "rg", "--server", server, "--ca", authority];
    let places = ["--out", out, "--install-dir", out];
    journey.portcullis("admin", &[&arguments[..], &places, more].concat(), None)
}

pub(crate) fn certificates(journey: &Journey) -> Vec<Value> {
    let list = ["cluster", "certificate", "list", "real", "-g", "rg", "-o", "json"];
    serde_json::from_str(&journey.portcullis("admin", &list, None).ok()).unwrap()
}

#[test]
fn attaching_again_changes_what_is_named_and_nothing_that_could_be_lost() {
    let journey = Journey::begin();
    let out = journey.path("files");
    journey.portcullis("admin", &["group", "create", "sre"], None).ok();
    let elsewhere = "https://kube.example.org:6443";
    let first = attach(&journey, elsewhere, &out, &["--admin-group", "sre", "--azure-rbac"]);
    assert!(
        first.success && first.error.contains("Warning: the files name https://localhost:"),
        "{}",
        first.error
    );
    let show = || -> Value {
        let shown = journey.portcullis("admin", &["cluster", "show", "real", "-g", "rg", "-o", "json"], None);
        serde_json::from_str(&shown.ok()).unwrap()
    };
    let before = show();
    assert_eq!(before["properties"]["aadProfile"]["enableAzureRBAC"], true);
    let made = certificates(&journey);
    assert_eq!(made.len(), 1);
    // Nowhere to write: nothing is changed.
    let file = journey.path("a-file");
    std::fs::write(&file, "").unwrap();
    std::fs::create_dir_all(journey.path("taken/README.md")).unwrap();
    for out in [file.join("below"), file, journey.path("taken")] {
        let refused = attach(&journey, "https://other.example.org:6443", &out, &[]);
        assert!(!refused.success && refused.error.contains(out.to_str().unwrap()), "{}", refused.error);
        let rotate = ["cluster", "certificate", "rotate", "real", "-g", "rg", "--out"];
        let rotated = journey.portcullis("admin", &[&rotate[..], &[out.to_str().unwrap()]].concat(), None);
        assert_eq!(rotated.success, out.ends_with("taken"), "{}", rotated.error);
    }
    let known = certificates(&journey);
    assert!(known.len() == 2 && known[1] == made[0] && known[1]["counts"] == true, "{known:?}");
    assert_eq!(show()["properties"], before["properties"]);
    // What is not named stays.
    attach(&journey, "https://other.example.org:6443", &out, &[]).ok();
    let after = show();
    assert_eq!(after["properties"]["aadProfile"], before["properties"]["aadProfile"]);
    assert_eq!(after["properties"]["attached"]["server"], "https://other.example.org:6443");
    assert!(certificates(&journey).iter().all(|each| each["counts"] == true), "none ends by it");
}

/// Asks the API server as alice.
pub(crate) struct Asking {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    address: String,
    token: String,
}

impl Asking {
    pub(crate) fn new(journey: &Journey, server: &str) -> Self {
        let said = journey.portcullis("alice", &["get-token", "--login", "portcullis"], None).ok();
        let credential: Value = serde_json::from_str(&said).unwrap();
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            http: journey.http(),
            address: format!("{server}/api/v1/nodes"),
            token: credential["status"]["token"].as_str().unwrap().to_owned(),
        }
    }

    pub(crate) fn status(&self) -> u16 {
        let request = self.http.get(&self.address).bearer_auth(&self.token);
        self.runtime.block_on(request.send()).unwrap().status().as_u16()
    }

    /// Asks until something is so, and says how many of the requests were refused.
    pub(crate) fn until(&self, is_so: impl Fn() -> bool) -> usize {
        let end = Instant::now() + Duration::from_secs(120);
        let mut refused = 0;
        loop {
            refused += (0..20).filter(|_| self.status() != 200).count();
            if is_so() {
                return refused;
            }
            assert!(Instant::now() < end, "it did not happen; {refused} requests were refused");
        }
    }
}

#[test]
fn a_certificate_is_rotated_under_a_running_api_server() {
    let journey = Journey::begin();
    let port = free_port();
    let server = format!("https://localhost:{port}");
    let out = journey.path("files");
    journey.portcullis("admin", &["group", "create", "sre"], None).ok();
    attach(&journey, &server, &out, &["--admin-group", "sre"]).ok();
    journey.person("alice");
    journey.portcullis("admin", &["group", "member", "add", "sre", "alice@portcullis.local"], None).ok();
    let (_etcd, etcd) = start_etcd(&journey);
    let _api_server = start_api_server(&journey, &etcd, port, flags_of_readme(&out));
    wait_for(&journey, port);
    let asking = Asking::new(&journey, &server);
    let is_seen = || certificates(&journey)[0]["seenAt"].is_string();
    assert_eq!(asking.until(is_seen), 0);
    // In use: attaching again makes none.
    attach(&journey, &server, &out, &[]).ok();
    let known = certificates(&journey);
    assert_eq!(known.len(), 1);
    let old = known[0]["thumbprint"].as_str().unwrap().to_owned();

    // A new one ends none, and neither does putting it in place, which is seen within five minutes.
    let new = journey.path("new");
    let rotate = ["cluster", "certificate", "rotate", "real", "-g", "rg", "--out", new.to_str().unwrap()];
    journey.portcullis("admin", &rotate, None).ok();
    assert_eq!(asking.until(|| true), 0);
    std::fs::rename(new.join("client.pem"), out.join("client.pem")).unwrap();
    assert_eq!(asking.until(|| true), 0);
    assert_eq!(certificates(&journey)[1]["countsUntil"], known[0]["expiresAt"]);

    // Ended at once, the old one is refused until the connection ends; the next one has the new one, with no restart.
    let end = |thumbprint: &str| {
        let end = ["cluster", "certificate", "end", "real", thumbprint, "-g", "rg", "--yes"];
        journey.portcullis("admin", &end, None).ok();
    };
    end(&old[..12]);
    assert_ne!(asking.status(), 200);
    asking.until(|| asking.status() == 200);
    assert!(is_seen());
    assert_eq!(asking.until(|| true), 0);
    end(certificates(&journey)[0]["thumbprint"].as_str().unwrap());
    assert_ne!(asking.status(), 200);
}

const ROOT_TOKEN: &str = "a-token-of-the-test";
