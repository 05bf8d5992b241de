//! Where the session of the command line goes, and what is said to whoever has none.

use std::{net::TcpListener, os::unix::fs::PermissionsExt, process::Command};

use crate::running::{Journey, PASSWORD, PROGRAM, kubectl};

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
fn kubectl_that_can_ask_nobody_says_what_to_type_and_asks_for_no_code() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c1", "-g", "rg"], None).ok();
    journey.person("alice");
    let kubeconfig = journey.credentials("alice", "c1", &[]);
    let file = journey.path(&kubeconfig);
    journey.portcullis("alice", &["logout"], None).ok();
    let asked = journey.answered("authority");
    for way in ["portcullis", "devicecode", "interactive"] {
        let convert = ["convert-kubeconfig", "--login", way, "--kubeconfig", file.to_str().unwrap()];
        journey.portcullis("alice", &convert, None).ok();
        let mut command = Command::new(kubectl());
        command.args(["get", "pods"]).env("KUBECONFIG", &file);
        for browser in ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY"] {
            command.env_remove(browser);
        }
        journey.run("alice", command, None).refused(&format!("portcullis login --url {}", journey.url));
    }
    assert_eq!(journey.answered("authority"), asked, "a code was asked for that nobody could read");
}

/// A subscription says the tenant of az, which takes one of the two.
#[test]
fn the_subscription_of_az_is_the_one_that_is_named() {
    let place = tempfile::tempdir().unwrap();
    let az = place.path().join("az");
    std::fs::write(&az, "#!/bin/sh\necho \"asked for $*\" >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o755)).unwrap();
    for flag in ["--subscription", "-s"] {
        let mut command = Command::new(PROGRAM);
        command
            .args([
                "get-token",
                "--login",
                "azurecli",
                "--server-id",
                "id",
                "--tenant-id",
                "home",
                flag,
                "shop",
            ])
            .env("PATH", place.path());
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        let asked = "asked for account get-access-token --resource id --output json --subscription shop\n";
        assert!(!output.status.success() && error.contains(asked), "{error}");
    }
}

/// What is asked for wrongly is told as that: a session that is good is not said to have ended.
#[test]
fn a_session_is_not_blamed_for_what_is_asked_of_it() {
    let journey = Journey::begin();
    let ask = ["get-token", "--login", "portcullis", "--server-id", "nosuch"];
    let said = journey.portcullis("admin", &ask, None);
    assert!(!said.error.contains("sign in again"), "{}", said.error);
    said.refused("AADSTS500011");
    let ask = ["get-token", "--login", "portcullis", "--tenant-id", "nosuch"];
    journey
        .portcullis("admin", &ask, None)
        .refused("not to nosuch: sign in there with `portcullis login --tenant");
    // A file that holds no certificate is named before anything is asked.
    let none = journey.path("none.pem");
    std::fs::write(&none, "nothing").unwrap();
    let login = ["login", "--url", &journey.url, "--ca-file", none.to_str().unwrap(), "--username", "a@b"];
    let said = journey.portcullis("new", &[&login[..], &["--password-stdin"]].concat(), Some(PASSWORD));
    said.refused("none.pem holds no certificate in PEM form");
    let convert = ["convert-kubeconfig", "--login", "devicecode", "--kubeconfig", "/no/such/file"];
    journey.portcullis("admin", &convert, None).refused("there is no /no/such/file");
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
