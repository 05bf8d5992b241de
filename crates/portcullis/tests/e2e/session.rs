//! Where the session of the command line goes, and what is said to whoever has none.

use std::{net::TcpListener, process::Command, time::Instant};

use crate::running::{Journey, PASSWORD, kubectl};

#[test]
fn a_token_goes_to_the_server_of_its_session_alone() {
    let journey = Journey::begin();
    // Whoever would be asked in the server's place: nobody may knock.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let port = other.local_addr().unwrap().port();
    let places = [
        format!("@localhost:{port}/x"),
        format!(":{port}/x"),
        format!(".localhost:{port}/x"),
        format!("//localhost:{port}/x"),
        format!("/\\localhost:{port}/x"),
        format!("https://localhost:{port}/x"),
    ];
    for place in &places {
        let id = format!("{place}/providers/Microsoft.Authorization/roleAssignments/{}", uuid());
        for line in [
            &["assignment", "list", "--scope", place][..],
            &[
                "assignment",
                "create",
                "--assignee",
                "admin@portcullis.local",
                "--role",
                "Reader",
                "--scope",
                place,
            ],
            &["assignment", "show", &id],
            &["assignment", "delete", &id],
            &["user", "show", place],
            &["group", "show", place],
            &["cluster", "show", place, "-g", place],
            &["subscription", "create", place],
            &["app", "show", place],
            &["role", "show", place],
        ] {
            let said = journey.portcullis("admin", line, None);
            assert!(!said.success, "{line:?}: {}", said.out);
        }
    }
    // A session that was written by hand.
    let file = journey.path("admin/session.json");
    let session = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, session.replace(&journey.url, &format!("{}@localhost:{port}", journey.url)))
        .unwrap();
    journey.portcullis("admin", &["user", "list"], None).refused("sign in again");
    let error = other.accept().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "somebody was asked in the server's place");
}

#[test]
fn names_that_are_steps_in_a_path_are_refused() {
    let journey = Journey::begin();
    for name in ["..", ".", ""] {
        for line in [&["user", "show", name][..], &["user", "delete", name, "--yes"], &["role", "show", name]]
        {
            assert!(!journey.portcullis("admin", line, None).success, "{line:?}");
        }
    }
    assert!(journey.portcullis("admin", &["user", "list"], None).ok().contains("admin@portcullis.local"));
}

#[test]
fn login_alone_goes_to_the_last_server() {
    let journey = Journey::begin();
    journey.portcullis("new", &["login"], None).refused("portcullis login --url https://HOST:PORT");
    journey.portcullis("admin", &["resource-group", "create", "rg"], None).ok();
    journey.person("alice");
    journey.portcullis("alice", &["logout"], None).ok();
    journey.portcullis("alice", &["whoami"], None).refused("portcullis login");
    let login = ["login", "--username", "alice@portcullis.local", "--password-stdin"];
    journey.portcullis("alice", &login, Some(PASSWORD)).ok();
    assert!(journey.portcullis("alice", &["whoami"], None).ok().contains("alice@portcullis.local"));
    // Its authority counts there alone.
    let elsewhere = [&login[..], &["--url", "https://localhost:1"]].concat();
    journey.portcullis("alice", &elsewhere, Some(PASSWORD)).refused("https://localhost:1");
}

#[test]
fn kubectl_without_a_session_says_at_once_what_to_type() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c1", "-g", "rg"], None).ok();
    journey.person("alice");
    let kubeconfig = journey.credentials("alice", "c1", &[]);
    journey.portcullis("alice", &["logout"], None).ok();
    let began = Instant::now();
    let mut command = Command::new(kubectl());
    command.args(["get", "pods"]).env("KUBECONFIG", journey.path(&kubeconfig));
    journey.run("alice", command, None).refused(&format!("portcullis login --url {}", journey.url));
    // A device code would have been waited for: minutes.
    assert!(began.elapsed().as_secs() < 60);
}

#[test]
fn a_script_learns_whether_somebody_is_in_a_group() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["group", "create", "sre"], None).ok();
    let check = ["group", "member", "check", "sre", "admin@portcullis.local"];
    let said = journey.portcullis("admin", &check, None);
    assert_eq!((said.code, said.out.as_str(), said.error.as_str()), (Some(1), "no\n", ""));
    journey.portcullis("admin", &["group", "member", "add", "sre", "admin@portcullis.local"], None).ok();
    assert_eq!(journey.portcullis("admin", &check, None).ok(), "yes\n");
}

fn uuid() -> &'static str {
    "0b1f6471-1bf0-4dda-aec3-111122223333"
}
