//! `portcullis login` in each of its ways, the session that it leaves, and its end.

use std::{os::unix::fs::PermissionsExt, process::Command};

use crate::{
    libraries::{certificate, claims},
    person::Person,
    running::{ENTER, Journey, PASSWORD, PROGRAM, Said},
};

const ALICE: &str = "alice@portcullis.local";

/// `portcullis login` at a server, for somebody with a configuration of their own.
struct Login<'a> {
    journey: &'a Journey,
    flags: [String; 5],
}

impl<'a> Login<'a> {
    fn at(journey: &'a Journey) -> Self {
        let authority = journey.path("data/ca.crt").to_str().unwrap().to_owned();
        Self {
            journey,
            flags: ["login".into(), "--url".into(), journey.url.clone(), "--ca-file".into(), authority],
        }
    }

    fn with(&self, who: &str, more: &[&str], input: &str) -> Said {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
        self.journey.portcullis(who, &flags, Some(input))
    }

    /// For a way that asks a person.
    fn talk(&self, who: &str, more: &[&str], mark: &'static str, answer: impl FnOnce(&str)) -> Said {
        let mut command = Command::new(PROGRAM);
        command.args(&self.flags).args(more);
        command.env("PORTCULLIS_CONFIG_DIR", self.journey.path(who)).env("BROWSER", "true");
        self.journey.talk(who, command, mark, |asked| {
            answer(asked);
            String::new()
        })
    }

    /// The session is somebody's, and does.
    #[track_caller]
    fn works(&self, who: &str, account: &str) {
        let shown = self.journey.portcullis(who, &["whoami"], None).ok();
        assert!(shown.contains(account) && shown.contains(&self.journey.first("tenantId")), "{shown}");
        assert!(self.journey.portcullis(who, &["cluster", "list"], None).ok().contains("c1"));
        let file = self.journey.path(who).join("session.json");
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn people_sign_in_by_each_way_and_out() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c1", "-g", "rg"], None).ok();
    journey.person("alice");
    let (login, alice) = (Login::at(&journey), Person::new(&journey, ALICE, PASSWORD));
    login.works("admin", "admin@portcullis.local");

    let approve = |rest: &str| alice.approve(rest.split([' ', '.']).next().unwrap());
    login.talk("device", &[], ENTER, approve).ok();
    login.works("device", ALICE);
    login.talk("browser", &["--browser"], "go to ", |address| alice.authorize(address)).ok();
    login.works("browser", ALICE);

    let password = ["--username", ALICE, "--password-stdin"];
    login.with("password", &password, &format!("{PASSWORD}\r\n")).ok();
    login.works("password", ALICE);
    // A sign-in that fails leaves the session that there is.
    login.with("password", &password, "wrong").refused("AADSTS50126");
    login.with("password", &password, "").refused("standard input holds no password");
    login.with("password", &["--username", ALICE], PASSWORD).refused("--password-stdin");
    login.with("password", &["--tenant", "elsewhere.example"], "").refused("AADSTS90002");
    login.works("password", ALICE);

    // Out: neither the session nor what kubectl would use is there any more.
    let config = journey.credentials("password", "c1", &[]);
    journey.kubectl("password", &config, &["auth", "whoami"]).ok();
    let kept = journey.path("password").join(".cache/portcullis/tokens");
    std::fs::create_dir_all(&kept).unwrap();
    let token = kept.join("8c8e5a4f-9f0c-5b55-8f5c-3a3a8d6f2b11.json");
    std::fs::write(&token, "{}").unwrap();
    assert_eq!(journey.portcullis("password", &["logout"], None).ok().trim(), "Signed out");
    assert!(!token.exists() && !journey.path("password").join("session.json").exists());
    assert_eq!(journey.portcullis("password", &["logout"], None).ok().trim(), "Nobody was signed in");
    journey.portcullis("password", &["cluster", "list"], None).refused("run `portcullis login` first");
    // Somebody else's end of sessions reaches this machine.
    journey.portcullis("admin", &["user", "revoke-sessions", ALICE], None).ok();
    journey.portcullis("device", &["cluster", "list"], None).refused("sign in again with `portcullis login");
}

#[test]
fn programs_sign_in_by_secret_certificate_and_federated_token() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c1", "-g", "rg"], None).ok();
    let application = journey.application("build");
    journey.assign(&application.principal, "Reader");
    let login = Login::at(&journey);
    let start = ["--service-principal", "--username", &application.app_id];
    let with = |who: &str, more: &[&str], input: &str| login.with(who, &[&start, more].concat(), input);

    with("secret", &["--password-stdin"], &application.secret).ok();
    login.works("secret", &application.app_id);
    with("secret", &["--password-stdin"], "not the secret").refused("AADSTS7000215");
    login.works("secret", &application.app_id);

    // Who is disabled is out at once, with the token too that there is.
    journey.portcullis("admin", &["app", "update", "build", "--disable"], None).ok();
    assert!(!journey.portcullis("secret", &["cluster", "list"], None).success);
    with("other", &["--password-stdin"], &application.secret).refused("AADSTS7000");
    journey.portcullis("admin", &["app", "update", "build", "--enable"], None).ok();
    with("secret", &["--password-stdin"], &application.secret).ok();

    let (public, both) = certificate(&journey);
    with("certificate", &["--certificate", &both], "").refused("AADSTS700027");
    with("certificate", &["--certificate", &public], "").refused("client.crt holds no private key");
    let add = ["app", "credential", "add", "build", "--certificate", &public];
    journey.portcullis("admin", &add, None).ok();
    with("certificate", &["--certificate", &both], "").ok();
    login.works("certificate", &application.app_id);

    journey.credentials("admin", "c1", &["--admin"]);
    let create = ["create", "token", "default", "--audience", "api://AzureADTokenExchange"];
    let of_pod = journey.kubectl("admin", "admin-c1.yaml", &create).ok();
    let trusted = claims(of_pod.trim());
    let file = journey.path("pod-token");
    std::fs::write(&file, &of_pod).unwrap();
    let token = ["--federated-token-file", file.to_str().unwrap()];
    with("pod", &token, "").refused("AADSTS700211");
    let (issuer, subject) = (trusted["iss"].as_str().unwrap(), trusted["sub"].as_str().unwrap());
    let federated = |verb: &str, more: &[&str]| {
        journey.portcullis("admin", &[&["app", "federated-credential", verb, "build"], more].concat(), None)
    };
    federated("create", &["pod", "--issuer", issuer, "--subject", subject]).ok();
    assert!(federated("list", &[]).ok().contains(subject));
    with("pod", &token, "").ok();
    login.works("pod", &application.app_id);
    federated("delete", &["pod"]).ok();
    with("pod", &token, "").refused("AADSTS70021");
    std::fs::write(&file, "not a token").unwrap();
    with("pod", &token, "").refused("expected the three parts of a JWT");
}

#[test]
fn what_cannot_be_a_sign_in_is_told_before_anything_is_asked() {
    let mut journey = Journey::begin();
    let say = |arguments: &[&str]| journey.portcullis("new", arguments, Some(""));
    say(&["login", "--url", "http://localhost:1"]).refused("expected an https address");
    say(&["login", "--url", "localhost"]).refused("--url: \"localhost\"");
    let missing = journey.path("none.crt");
    let missing = missing.to_str().unwrap();
    say(&["login", "--url", "https://localhost:1", "--ca-file", missing]).refused("none.crt");
    say(&["login", "--from", missing]).refused("none.crt");
    let said = say(&["login"]);
    assert_eq!(said.code, Some(1));
    said.refused("portcullis login --url https://HOST:PORT");
    let said = say(&["login", "--url", "https://localhost:1", "--certificate", missing]);
    assert_eq!(said.code, Some(2));
    said.refused("--service-principal");
    // A server whose certificate nobody vouches for, and one that is not there.
    say(&["login", "--url", &journey.url]).refused("is its certificate authority given (by --ca-file");
    let url = journey.url.clone();
    journey.stop();
    let said = journey.portcullis("admin", &["user", "list"], None);
    assert_eq!(said.code, Some(1));
    said.refused(&format!("asking {url}: is the server running?"));
}
