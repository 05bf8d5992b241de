//! Every command of kubectl by every way of access, in one table: who is let in, who is refused and why, and that a
//! refusal has changed nothing. Each way has a server and a cluster of its own; each person has a namespace there, in
//! which the administrator has put what the commands need.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::running::Journey;

/// Persons by column, with what they hold; commands by row. `yes` is allowed; all else is refused: `out` as nobody,
/// `no` by Kubernetes RBAC for the verb and resource of the row, `get` because the command reads first, and a role of
/// Azure RBAC because that is lacking.
const TABLE: &str = "
              W1    W1      W2      W2     W2   W2   W3     W3       W4      W4      W4      W4
              admin revoked nothing tokens view edit member stranger nothing Reader  Writer  Admin
get           yes   out     no      no     yes  yes  yes    no       Reader  yes     yes     yes
get-secret    yes   out     no      no     no   yes  yes    no       Writer  Writer  yes     yes
get-nodes     yes   out     no      no     no   no   yes    no       Cluster Cluster Cluster Cluster
watch         yes   out     no      no     yes  yes  yes    no       Reader  yes     yes     yes
watch-only    yes   out     no      no     yes  yes  yes    no       Reader  yes     yes     yes
create        yes   out     no      no     no   yes  yes    no       Writer  Writer  yes     yes
create-role   yes   out     no      no     no   no   yes    no       Admin   Admin   Admin   yes
apply-new     yes   out     get     get    no   yes  yes    get      Reader  Writer  yes     yes
apply-change  yes   out     get     get    no   yes  yes    get      Reader  Writer  yes     yes
patch         yes   out     get     get    no   yes  yes    get      Reader  Writer  yes     yes
delete        yes   out     no      no     no   yes  yes    no       Writer  Writer  yes     yes
can-i         yes   out     no      no     no   yes  yes    no       Writer  Writer  yes     yes
whoami        yes   out     yes     yes    yes  yes  yes    yes      yes     yes     yes     yes
create-token  yes   out     no      yes    no   yes  yes    no       Writer  Writer  yes     yes
";

struct Command {
    name: &'static str,
    /// `NS` stands for the namespace, `FILE` for the object to apply.
    line: &'static str,
    /// The right that it takes, as Kubernetes words its refusal.
    lacks: &'static str,
    /// A part of what it prints when it is allowed.
    prints: &'static str,
    changes: bool,
}

const fn reads(name: &'static str, line: &'static str, lacks: &'static str, prints: &'static str) -> Command {
    Command { name, line, lacks, prints, changes: false }
}

const fn writes(
    name: &'static str,
    line: &'static str,
    lacks: &'static str,
    prints: &'static str,
) -> Command {
    Command { name, line, lacks, prints, changes: true }
}

const COMMANDS: [Command; 14] = [
    reads("get", "get configmap kept -n NS -o name", r#"cannot get resource "configmaps""#, "configmap/kept"),
    reads("get-secret", "get secret kept -n NS -o name", r#"cannot get resource "secrets""#, "secret/kept"),
    reads("get-nodes", "get nodes -o name", r#"cannot list resource "nodes""#, ""),
    reads(
        "watch",
        "get configmaps -n NS -o name --watch --request-timeout=1s",
        r#"cannot list resource "configmaps""#,
        "configmap/kept",
    ),
    reads(
        "watch-only",
        "get --raw /api/v1/namespaces/NS/configmaps?watch=true&timeoutSeconds=1",
        r#"cannot watch resource "configmaps""#,
        r#""type":"ADDED""#,
    ),
    writes(
        "create",
        "create configmap made -n NS --from-literal=a=b",
        r#"cannot create resource "configmaps""#,
        "configmap/made created",
    ),
    writes(
        "create-role",
        "create role made -n NS --verb=get --resource=pods",
        r#"cannot create resource "roles""#,
        "made created",
    ),
    writes(
        "apply-new",
        "apply -n NS -f FILE",
        r#"cannot create resource "configmaps""#,
        "configmap/applied created",
    ),
    writes(
        "apply-change",
        "apply -n NS -f FILE",
        r#"cannot patch resource "configmaps""#,
        "configmap/known configured",
    ),
    writes(
        "patch",
        r#"patch configmap kept -n NS -p {"data":{"k":"changed"}}"#,
        r#"cannot patch resource "configmaps""#,
        "configmap/kept patched",
    ),
    writes(
        "delete",
        "delete configmap kept -n NS",
        r#"cannot delete resource "configmaps""#,
        r#"configmap "kept" deleted"#,
    ),
    reads("can-i", "auth can-i delete configmaps -n NS", "no\n", "yes\n"),
    reads("whoami", "auth whoami -o jsonpath={.status.userInfo.username}", "", "NS"),
    reads(
        "create-token",
        "create token default -n NS",
        r#"cannot create resource "serviceaccounts/token""#,
        "ey",
    ),
];

#[test]
fn w1_the_commands_by_a_personal_certificate() {
    let world = World::begin(&[]);
    for person in ["admin", "revoked"] {
        world.person(person);
        let role = "Azure Kubernetes Service Cluster Admin Role";
        let assign = ["assignment", "create", "--assignee", &upn(person), "--role", role, "-g", "rg"];
        world.journey.portcullis("admin", &assign, None).ok();
        world.journey.credentials(&home(person), "c", &["--admin"]);
    }
    let of_cluster = |words: &[&str]| {
        world.journey.portcullis("admin", &[&["cluster"], words, &["-g", "rg"]].concat(), None).ok()
    };
    let listed = of_cluster(&["certificates", "c"]);
    let line = listed.lines().find(|line| line.contains(&upn("revoked"))).unwrap();
    of_cluster(&["revoke", "c", line.split_whitespace().next().unwrap()]);
    world.walk("W1", &["admin", "revoked"]);
}

#[test]
fn w2_the_commands_by_bindings() {
    let world = World::begin(&[]);
    let tokens = ["create", "clusterrole", "tokens", "--verb=create", "--resource=serviceaccounts/token"];
    world.administrate(&tokens);
    for person in ["nothing", "tokens", "view", "edit"] {
        world.person(person);
        world.journey.credentials(&home(person), "c", &[]);
        if person != "nothing" {
            let (role, user) = (format!("--clusterrole={person}"), format!("--user={}", upn(person)));
            world.administrate(&["create", "rolebinding", "given", "-n", &home(person), &role, &user]);
        }
    }
    world.walk("W2", &["nothing", "tokens", "view", "edit"]);
}

#[test]
fn w3_the_commands_by_the_admin_group() {
    let journey = Journey::begin();
    let made = journey.portcullis("admin", &["group", "create", "sre", "-o", "json"], None).ok();
    let made: Value = serde_json::from_str(&made).unwrap();
    let world = World::on(journey, &["--admin-group", made["id"].as_str().unwrap()]);
    for person in ["member", "stranger"] {
        world.person(person);
        world.journey.credentials(&home(person), "c", &[]);
    }
    world.journey.portcullis("admin", &["group", "member", "add", "sre", &upn("member")], None).ok();
    world.walk("W3", &["member", "stranger"]);
}

#[test]
fn w4_the_commands_by_roles_of_azure() {
    let world = World::begin(&["--azure-rbac"]);
    for person in ["nothing", "Reader", "Writer", "Admin"] {
        world.person(person);
        world.journey.credentials(&home(person), "c", &[]);
        if person != "nothing" {
            let role = format!("Azure Kubernetes Service RBAC {person}");
            let who = ["assignment", "create", "--assignee", &upn(person), "--role", &role];
            let place = ["--cluster", "c", "-g", "rg", "--namespace", &home(person)];
            world.journey.portcullis("admin", &[&who[..], &place].concat(), None).ok();
        }
    }
    world.walk("W4", &["nothing", "Reader", "Writer", "Admin"]);
}

#[test]
fn the_table_has_a_command_for_each_row_and_a_walk_for_each_column() {
    let rows: Vec<_> = TABLE.lines().skip(3).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(rows, COMMANDS.map(|command| command.name));
    let mut lines = TABLE.lines().skip(1).map(|line| line.split_whitespace().count());
    let columns = lines.next().unwrap();
    assert_eq!(columns, 2 + 4 + 2 + 4);
    assert_eq!(lines.next(), Some(columns));
    assert!(lines.all(|cells| cells == columns + 1));
}

/// A server with one cluster, and its administrator.
struct World {
    journey: Journey,
    administrator: String,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    api: String,
}

impl World {
    fn begin(flags: &[&str]) -> Self {
        Self::on(Journey::begin(), flags)
    }

    fn on(journey: Journey, flags: &[&str]) -> Self {
        journey.portcullis("admin", &[&["cluster", "create", "c", "-g", "rg"], flags].concat(), None).ok();
        let administrator = journey.credentials("admin", "c", &["--admin"]);
        let view = ["config", "view", "--raw", "--flatten", "-o", "json"];
        let kubeconfig = journey.kubectl("admin", &administrator, &view).ok();
        let kubeconfig: Value = serde_json::from_str(&kubeconfig).unwrap();
        let text = |pointer: &str| kubeconfig.pointer(pointer).and_then(Value::as_str).unwrap();
        let pem = |pointer: &str| STANDARD.decode(text(pointer)).unwrap();
        let user = "/users/0/user/client";
        let identity = [pem(&format!("{user}-certificate-data")), pem(&format!("{user}-key-data"))].concat();
        let authorities = pem("/clusters/0/cluster/certificate-authority-data");
        let http = reqwest::Client::builder()
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(&authorities).unwrap())
            .identity(reqwest::Identity::from_pem(&identity).unwrap())
            .build()
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let api = text("/clusters/0/cluster/server").to_owned();
        Self { journey, administrator, http, runtime, api }
    }

    /// What the administrator does with the certificate of W1.
    fn administrate(&self, words: &[&str]) {
        self.journey.kubectl("admin", &self.administrator, words).ok();
    }

    /// Somebody with a namespace that holds what the commands ask for.
    fn person(&self, name: &str) {
        let home = home(name);
        self.journey.person(&home);
        let file = self.journey.path(&format!("{home}-objects.json"));
        let objects = [
            format!(r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{home}"}}}}"#),
            configmap(&home, "kept", "1"),
            configmap(&home, "known", "1"),
            format!(
                r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"kept","namespace":"{home}"}}}}"#
            ),
        ];
        let list = format!(r#"{{"apiVersion":"v1","kind":"List","items":[{}]}}"#, objects.join(","));
        std::fs::write(&file, list).unwrap();
        self.administrate(&["apply", "-f", file.to_str().unwrap()]);
        std::fs::write(
            self.journey.path(&format!("{home}-apply-new.json")),
            configmap(&home, "applied", "1"),
        )
        .unwrap();
        std::fs::write(
            self.journey.path(&format!("{home}-apply-change.json")),
            configmap(&home, "known", "2"),
        )
        .unwrap();
    }

    /// Everything in a namespace that the commands could change.
    fn state(&self, namespace: &str) -> Vec<Value> {
        let collections = [
            format!("/api/v1/namespaces/{namespace}/configmaps"),
            format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles"),
        ];
        let read = async |path: &String| {
            let answer = self.http.get(format!("{}{path}", self.api)).send().await.unwrap();
            let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            assert!(body["items"].is_array(), "{body}");
            body["items"].clone()
        };
        collections.iter().map(|path| self.runtime.block_on(read(path))).collect()
    }

    /// Goes down the columns of a way, and says everything that is not as it should be.
    fn walk(&self, way: &str, persons: &[&str]) {
        let mut wrong = Vec::new();
        for person in persons {
            for (command, expected) in COMMANDS.iter().zip(column(way, person)) {
                if let Err(problem) = self.step(command, person, expected) {
                    wrong.push(format!("{way} {person}, {}: {problem}", command.name));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    fn step(&self, command: &Command, person: &str, expected: &str) -> Result<(), String> {
        let home = home(person);
        let kubeconfig = format!("{home}-c.yaml");
        let file = self.journey.path(&format!("{home}-{}.json", command.name));
        let line = command.line.replace("NS", &home).replace("FILE", file.to_str().unwrap());
        let before = self.state(&home);
        let said = self.journey.kubectl(&home, &kubeconfig, &line.split(' ').collect::<Vec<_>>());
        let changed = before != self.state(&home);
        // A watch ends by its time limit, which kubectl may call a failure.
        let all = format!("{}{}", said.out, said.error);
        let allowed = said.success || (command.name == "watch" && said.out.contains(command.prints));
        if expected == "yes" {
            let prints = command.prints.replace("NS", &home);
            return match (allowed && said.out.contains(&prints), changed == command.changes) {
                (false, _) => Err(format!("expected to be allowed, and {prints:?}: {all}")),
                (true, false) => Err(format!("changed: {changed}, which is not what it says: {all}")),
                (true, true) => Ok(()),
            };
        }
        let reason = match expected {
            // In the words of the client, which differ.
            "out" if all.contains("Unauthorized") => String::new(),
            "out" => "the server has asked for the client to provide credentials".to_owned(),
            "no" => command.lacks.to_owned(),
            "get" => r#"cannot get resource "configmaps""#.to_owned(),
            "Cluster" => "Azure Kubernetes Service RBAC Cluster Admin".to_owned(),
            role => format!("Azure Kubernetes Service RBAC {role}"),
        };
        match (allowed, all.contains(&reason), changed) {
            (true, ..) => Err(format!("expected to be refused: {all}")),
            (false, false, _) => Err(format!("expected {reason:?}: {all}")),
            (false, true, true) => Err("refused, and yet something has changed".to_owned()),
            (false, true, false) => Ok(()),
        }
    }
}

/// The expected cells of a person, from the first command to the last.
fn column(way: &str, person: &str) -> Vec<&'static str> {
    let words = |line: &'static str| line.split_whitespace().collect::<Vec<_>>();
    let (ways, persons) = (words(TABLE.lines().nth(1).unwrap()), words(TABLE.lines().nth(2).unwrap()));
    let column = ways.iter().zip(&persons).position(|found| found == (&way, &person)).unwrap();
    TABLE.lines().skip(3).map(|line| words(line)[column + 1]).collect()
}

/// The name of a person, of the namespace and of the place of the settings.
fn home(person: &str) -> String {
    format!("the-{}", person.to_lowercase())
}

fn upn(person: &str) -> String {
    format!("{}@portcullis.local", home(person))
}

fn configmap(namespace: &str, name: &str, value: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}","namespace":"{namespace}"}},"data":{{"k":"{value}"}}}}"#
    )
}
