//! SubjectAccessReview and TokenReview of an attached cluster, asked as kube-apiserver asks them, beside the peer.

use std::{fs, net::SocketAddr, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Version;
use serde_json::{Value, json};

use crate::{
    Cpu, Table, lists,
    load::{Client, Identity},
    median,
    peer::{self, Peer},
    processors::Processors,
    running::{Journey, PASSWORD},
};

pub(crate) fn measure(table: &mut Table) {
    let processors = Processors::find();
    processors.stay_with_servers();
    let world = World::begin();
    let peers =
        [("", Peer::start(2, world.files.path())), ("one thread: ", Peer::start(1, world.files.path()))];
    processors.stay_with_clients();
    for (version, name) in
        [(Version::HTTP_11, "HTTP/1.1, 64 connections"), (Version::HTTP_2, "HTTP/2, 64 at once")]
    {
        println!("{name}: CPU time a request");
        world.compare(table, &peers, version, ACCESS, &world.access);
        let token = [world.token_review(&world.tokens(1).remove(0))];
        world.compare(table, &peers, version, TOKEN, &token);
        world.fresh_tokens(table, &peers[0].1, version);
    }
    let mut client = world.client(world.address, Version::HTTP_11, ACCESS, 1);
    lists::measure(table, &world.journey, &mut client, &world.access[0]);
    world.revoked_is_refused();
    processors.go_anywhere();
}

/// The server with an attached cluster of Azure RBAC, and somebody who may read its pods.
struct World {
    journey: Journey,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    address: SocketAddr,
    identity: Identity,
    /// Without `/authenticate` or `/authorize`.
    path: String,
    access: [Bytes; 1],
    files: tempfile::TempDir,
}

impl World {
    fn begin() -> Self {
        let journey = Journey::begin();
        let files = tempfile::tempdir().expect("a place for files");
        let say = |words: &[&str]| journey.portcullis("admin", words, None).ok();
        let authority = journey.path("data/ca.crt").display().to_string();
        let out = journey.path("webhooks").display().to_string();
        let attach = ["cluster", "attach", "real", "-g", "rg", "--server", "https://localhost:1"];
        say(&[&attach[..], &["--ca", &authority, "--out", &out]].concat());
        say(&["cluster", "update", "real", "-g", "rg", "--azure-rbac"]);
        journey.person("carol");
        for group in ["developers", "readers", "everybody"] {
            say(&["group", "create", group]);
            say(&["group", "member", "add", group, CAROL]);
        }
        let role = "Azure Kubernetes Service RBAC Reader";
        let assign = ["assignment", "create", "--assignee", CAROL, "--role", role];
        say(&[&assign[..], &["--cluster", "real", "-g", "rg", "--namespace", "default"]].concat());
        let folder = journey.path("webhooks");
        let kubeconfig = fs::read_to_string(folder.join("authentication-webhook.yaml"));
        let kubeconfig = kubeconfig.expect("attach has written it");
        let kubeconfig: Value = serde_saphyr::from_str(&kubeconfig).expect("YAML");
        let text = |pointer: &str| {
            kubeconfig
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_else(|| panic!("no {pointer}"))
                .to_owned()
        };
        let beside = |pointer: &str| fs::read(folder.join(text(pointer))).expect("a file beside it");
        let authority = text("/clusters/0/cluster/certificate-authority-data");
        let identity = Identity {
            authority: STANDARD.decode(authority).expect("base64"),
            certificate: beside("/users/0/user/client-certificate"),
            key: beside("/users/0/user/client-key"),
        };
        let server = text("/clusters/0/cluster/server");
        let server = server.strip_prefix("https://localhost:").expect("a port of this machine");
        let (port, path) = server.split_once('/').expect("a path");
        let path = format!("/{}", path.strip_suffix(TOKEN).expect("the path of the reviews of tokens"));
        let http = journey.http();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let address = ([127, 0, 0, 1], port.parse().expect("a port")).into();
        let mut world =
            Self { journey, http, runtime, address, identity, path, access: [Bytes::new()], files };
        world.prepare();
        world
    }

    /// Writes down what the peer shall answer, and the review of what somebody may do.
    fn prepare(&mut self) {
        let mut client = self.client(self.address, Version::HTTP_11, TOKEN, 1);
        let answer = client.ask_once(self.token_review(&self.tokens(1).remove(0)));
        let user: Value = serde_json::from_slice(&answer).expect("JSON");
        let user = user.pointer("/status/user").unwrap_or_else(|| panic!("{answer:?}")).clone();
        fs::write(self.files.path().join(peer::TOKEN_ANSWER), &answer).expect("a file");
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "metadata": {"creationTimestamp": null},
            "spec": {"resourceAttributes": {"namespace": "default", "verb": "get", "version": "v1", "resource": "pods",
                "name": "web-0"}, "user": user["username"], "groups": user["groups"], "extra": user["extra"],
                "uid": user["uid"]},
            "status": {"allowed": false}});
        self.access = [review.to_string().into()];
        let mut client = self.client(self.address, Version::HTTP_11, ACCESS, 1);
        let answer = client.ask_once(self.access[0].clone());
        fs::write(self.files.path().join(peer::ACCESS_ANSWER), &answer).expect("a file");
        let keys = self.runtime.block_on(async {
            let url = format!("{}/organizations/discovery/v2.0/keys", self.journey.url);
            let response = self.http.get(url).send().await.expect("an answer");
            response.bytes().await.expect("a whole answer")
        });
        fs::write(self.files.path().join(peer::TOKEN_KEYS), keys).expect("a file");
        for file in [peer::CERTIFICATE, peer::KEY] {
            fs::copy(self.journey.path("data").join(file), self.files.path().join(file)).expect("a file");
        }
    }

    fn client(&self, address: SocketAddr, version: Version, review: &str, at_once: usize) -> Client {
        Client::connect(address, &self.identity, version, &format!("{}{review}", self.path), at_once)
    }

    /// Prints the server's cost beside the peers'.
    fn compare(
        &self,
        table: &mut Table,
        peers: &[(&str, Peer)],
        version: Version,
        review: &str,
        bodies: &[Bytes],
    ) {
        let mut costs = vec![Vec::new(); peers.len() + 1];
        let servers = std::iter::once((self.address, self.journey.server.id()));
        let servers = servers.chain(peers.iter().map(|(_, peer)| (peer.address, peer.process())));
        let mut clients: Vec<_> = servers
            .map(|(address, process)| (self.client(address, version, review, AT_ONCE), process))
            .collect();
        for round in 0..=ROUNDS {
            for ((client, process), costs) in clients.iter_mut().zip(&mut costs) {
                let cost = cost(client, *process, bodies, REQUESTS);
                // The first one warms up.
                if round > 0 {
                    costs.push(cost);
                }
            }
        }
        let costs: Vec<f64> = costs.into_iter().map(median).collect();
        let [ours, bare @ ..] = costs.as_slice() else { unreachable!("the server is among them") };
        let kind = if review == TOKEN { "TokenReview, a token seen before" } else { "SubjectAccessReview" };
        let first = bare.first().copied().unwrap_or(f64::NAN);
        table.row(&format!("  {kind}"), *ours, "us", None);
        for ((what, _), bare) in peers.iter().zip(bare) {
            table.row(&format!("    {what}bare hyper with the same JSON"), *bare, "us", None);
        }
        table.row("    ours over bare", ours / first, "x", Some(LIMIT));
    }

    /// Reviews of tokens that the server has never seen, each batch issued beforehand. The peer answers the same
    /// batch without looking at the tokens, and once more while it verifies and reads them.
    fn fresh_tokens(&self, table: &mut Table, peer: &Peer, version: Version) {
        let mut ours = self.client(self.address, version, TOKEN, AT_ONCE);
        let mut bare = self.client(peer.address, version, TOKEN, AT_ONCE);
        let mut verifying = self.client(peer.address, version, peer::VERIFY, AT_ONCE);
        let seen = [self.token_review(&self.tokens(1).remove(0))];
        let mut costs: [Vec<f64>; 3] = Default::default();
        for _ in 0..ROUNDS {
            let bodies: Vec<Bytes> =
                self.tokens(FRESH).iter().map(|token| self.token_review(token)).collect();
            // Each is warmed up by a token that it has seen, since it has just waited for the tokens.
            for ((client, process), costs) in [
                (&mut ours, self.journey.server.id()),
                (&mut bare, peer.process()),
                (&mut verifying, peer.process()),
            ]
            .into_iter()
            .zip(&mut costs)
            {
                cost(client, process, &seen, WARM_UP);
                costs.push(cost(client, process, &bodies, FRESH));
            }
        }
        let [ours, bare, verifying] = costs.map(median);
        table.row("  TokenReview, a token not seen before", ours, "us", Some(LIMIT * bare + VERIFICATION));
        table.row("    bare hyper with the same JSON", bare, "us", None);
        table.row("    bare hyper that verifies and reads each token", verifying, "us", None);
        table.row("    ours over the one that verifies", ours / verifying, "x", Some(LIMIT));
    }

    /// Tokens of the same person, all different.
    fn tokens(&self, count: usize) -> Vec<String> {
        let url = format!("{}/organizations/oauth2/v2.0/token", self.journey.url);
        let password = [("grant_type", "password"), ("username", CAROL), ("password", PASSWORD)];
        let mut answer = self.grant(&url, &password);
        let mut tokens = vec![text(&answer, "access_token")];
        while tokens.len() < count {
            let refresh = text(&answer, "refresh_token");
            answer = self.grant(&url, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]);
            tokens.push(text(&answer, "access_token"));
        }
        tokens
    }

    fn grant(&self, url: &str, form: &[(&str, &str)]) -> Value {
        let form: Vec<_> = form.iter().chain(&[("client_id", CLIENT), ("scope", SCOPE)]).copied().collect();
        self.runtime.block_on(async {
            let response = self.http.post(url).form(&form).send().await.expect("an answer");
            serde_json::from_slice(&response.bytes().await.expect("a whole answer")).expect("JSON")
        })
    }

    fn token_review(&self, token: &str) -> Bytes {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "metadata": {"creationTimestamp": null}, "spec": {"token": token}, "status": {"user": {}}});
        review.to_string().into()
    }

    /// A token that was seen before is worth nothing from the moment on in which its person is disabled.
    fn revoked_is_refused(&self) {
        let review = self.token_review(&self.tokens(1).remove(0));
        let mut client = self.client(self.address, Version::HTTP_11, TOKEN, 1);
        client.ask(std::slice::from_ref(&review), 2, br#""authenticated":true"#);
        self.journey.portcullis("admin", &["user", "update", CAROL, "--disable"], None).ok();
        let asked = Instant::now();
        client.ask(&[review], 1, br#""authenticated":false"#);
        println!(
            "a token seen before, of somebody just disabled: refused, in {:.1} ms\n",
            asked.elapsed().as_secs_f64() * 1e3
        );
    }
}

/// Microseconds of the server's CPU for one request.
fn cost(client: &mut Client, process: u32, bodies: &[Bytes], count: usize) -> f64 {
    let before = Cpu::of(process);
    client.ask(bodies, count, br#""status":{"a"#);
    Cpu::of(process).since(&before) / count as f64
}

fn text(answer: &Value, member: &str) -> String {
    answer.get(member).and_then(Value::as_str).unwrap_or_else(|| panic!("no {member} in {answer}")).to_owned()
}

const CAROL: &str = "carol@portcullis.local";
const CLIENT: &str = "b0c5f1a2-6d3e-4c1b-9f7a-2e8d4a6c0f31";
const SCOPE: &str = "6dae42f8-4368-4678-94ff-3960e28e3630/.default offline_access";
/// Ends of the paths.
const TOKEN: &str = "authenticate";
const ACCESS: &str = "authorize";
/// The server's CPU time over that of the peer.
const LIMIT: f64 = 1.5;
/// What a token that was not seen before may cost besides: one verification of a signature (RSA, 2048 bits), in
/// microseconds.
const VERIFICATION: f64 = 35.0;
const ROUNDS: usize = 7;
const AT_ONCE: usize = 64;
const REQUESTS: usize = 20_000;
const WARM_UP: usize = 5_000;
/// Takes a second and more to issue.
const FRESH: usize = 1_000;
