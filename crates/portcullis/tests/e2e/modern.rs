//! The files of `portcullis cluster attach` with an API server of the current release, as far as that reads them, asks the
//! webhooks and takes up a new certificate. It is optional, for what it is built from moves (`make tools-modern`): these
//! tests are left out by the default filter of nextest, which counts them as skipped, and `make test` runs them where it
//! is.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    attach::{Asking, Running, attach, certificates, free_port, start},
    running::Journey,
};

/// Starts it with the flags of the README, and the configuration file of that name.
fn start_modern(journey: &Journey, out: &Path, port: u16, configuration: &str) -> Running {
    let readme = std::fs::read_to_string(out.join("README.md")).unwrap();
    let wanted = format!("/{configuration}");
    let flags = readme.lines().filter(|line| {
        line.starts_with("--authentication-")
            || line.starts_with("--authorization-config=") && line.ends_with(&wanted)
    });
    let data = |file: &str| journey.path("data").join(file).display().to_string();
    let mut arguments = vec![
        format!("--listen=127.0.0.1:{port}"),
        format!("--tls-cert-file={}", data("server.crt")),
        format!("--tls-private-key-file={}", data("server.key")),
        "--certificate-reload=1s".to_owned(),
    ];
    arguments.extend(flags.map(str::to_owned));
    assert_eq!(arguments.len(), 8, "{readme}");
    start("bin/modern-apiserver", &arguments, &journey.path(&format!("modern-{port}.log")))
}

/// An attached cluster of which alice is an administrator, and its API server.
fn begin(configuration: &str) -> (Journey, Running, Asking) {
    let journey = Journey::begin();
    let port = free_port();
    let server = format!("https://localhost:{port}");
    let out = journey.path("files");
    journey.portcullis("admin", &["group", "create", "sre"], None).ok();
    attach(&journey, &server, &out, &["--admin-group", "sre"]).ok();
    journey.person("alice");
    journey.portcullis("admin", &["group", "member", "add", "sre", "alice@portcullis.local"], None).ok();
    let running = start_modern(&journey, &out, port, configuration);
    let end = Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        let log = journey.path(&format!("modern-{port}.log"));
        assert!(Instant::now() < end, "{}", std::fs::read_to_string(log).unwrap());
        std::thread::yield_now();
    }
    let asking = Asking::new(&journey, &server);
    (journey, running, asking)
}

#[test]
fn the_configuration_of_current_releases_is_read_and_every_request_is_asked_about() {
    let (journey, _running, asking) = begin("authorization-config.yaml");
    assert_eq!(asking.status(), 200);
    let before = journey.answered("webhook");
    for _ in 0..5 {
        assert_eq!(asking.status(), 200);
    }
    assert_eq!(
        journey.answered("webhook") - before,
        5,
        "nothing is kept, and the token is known for ten seconds"
    );
    journey.portcullis("admin", &["user", "update", "alice@portcullis.local", "--disable"], None).ok();
    assert_eq!(asking.status(), 403);
}

#[test]
fn the_configuration_of_the_releases_before_is_still_read() {
    let (_journey, _running, asking) = begin("authorization-config-1.30.yaml");
    assert_eq!(asking.status(), 200);
}

#[test]
fn nobody_is_let_in_while_the_webhooks_are_away() {
    let (mut journey, _running, asking) = begin("authorization-config.yaml");
    assert_eq!(asking.status(), 200);
    journey.stop();
    assert_ne!(asking.status(), 200);
}

#[test]
fn a_certificate_is_taken_up_by_a_current_api_server() {
    let (journey, _running, asking) = begin("authorization-config.yaml");
    let is_seen = || certificates(&journey)[0]["seenAt"].is_string();
    assert_eq!(asking.until(is_seen), 0);
    let old = certificates(&journey)[0]["thumbprint"].as_str().unwrap().to_owned();
    let new = journey.path("new");
    let rotate = ["cluster", "certificate", "rotate", "real", "-g", "rg", "--out", new.to_str().unwrap()];
    journey.portcullis("admin", &rotate, None).ok();
    std::fs::rename(new.join("client.pem"), journey.path("files/client.pem")).unwrap();
    asking.until(is_seen);
    journey
        .portcullis("admin", &["cluster", "certificate", "end", "real", &old, "-g", "rg", "--yes"], None)
        .ok();
    assert_eq!(asking.until(|| true), 0);
}
