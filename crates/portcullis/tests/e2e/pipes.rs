//! Readers that have seen enough (`| head`, `| true`), outputs that cannot be written: no program of ours panics, and
//! nothing is lost.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use crate::running::{Journey, PROGRAM, Said};

/// The writing end of a pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// Runs a command whose reader has gone.
fn into_nothing(mut command: Command) -> Said {
    let output = command.stdin(Stdio::null()).stdout(unread()).stderr(Stdio::piped()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    Said { success: output.status.success(), code: output.status.code(), out: String::new(), error }
}

#[track_caller]
fn check_quiet(said: &Said, command: &[&str]) {
    // Help and version are printed by the parser of arguments, which has its own mind about the status.
    let expected = [Some(0), Some(141)].contains(&said.code);
    assert!(expected && said.error.is_empty(), "{command:?}: {:?}: {}", said.code, said.error);
}

#[test]
fn a_reader_that_has_gone_ends_a_command_quietly() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c1", "-g", "rg"], None).ok();
    let world = journey.path("world.yaml");
    std::fs::write(&world, "questions: []\n").unwrap();
    let world = world.to_str().unwrap();
    let kubeconfig = journey.path("k.yaml");
    let kubeconfig = kubeconfig.to_str().unwrap();
    for (arguments, status) in [
        (&["--help"][..], None),
        (&["--version"], None),
        (&["version"], Some(141)),
        (&["completion", "bash"], Some(141)),
        (&["whoami"], Some(141)),
        (&["user", "list"], Some(141)),
        (&["user", "list", "-o", "json"], Some(141)),
        (&["cluster", "show", "c1"], Some(141)),
        (&["cluster", "credentials", "c1", "--file", kubeconfig], Some(141)),
        (&["cluster", "credentials", "c1", "--file", "-"], Some(141)),
        (&["convert-kubeconfig", "--kubeconfig", kubeconfig, "-l", "devicecode"], Some(141)),
        (&["get-token", "--login", "portcullis"], Some(141)),
        (&["az-env"], Some(141)),
        (&["keys", "rotate"], Some(141)),
        (&["group", "create", "g1"], Some(141)),
        (&["group", "delete", "g1", "--yes"], Some(141)),
        (&["demo", "--check"], Some(141)),
        (&["logout"], Some(141)),
    ] {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env("PORTCULLIS_CONFIG_DIR", journey.path("admin"));
        let said = into_nothing(command);
        check_quiet(&said, arguments);
        assert!(status.is_none() || said.code == status, "{arguments:?}: {:?}", said.code);
    }
    assert!(!journey.path("k.yaml.lock").exists());
    let mut eval = Command::new(PROGRAM);
    let said = into_nothing({
        eval.args(["eval", world]);
        eval
    });
    assert!([Some(2), Some(141)].contains(&said.code) && !said.error.contains("panicked"), "{}", said.error);
}

#[test]
fn a_server_goes_on_when_nobody_reads_what_it_says() {
    let place = tempfile::tempdir().unwrap();
    let start = |out: Stdio, error: Stdio| {
        let mut server = Command::new(PROGRAM);
        server.args(["serve", "--listen", "0.0.0.0:0", "--data-dir"]).arg(place.path().join("data"));
        server.stdin(Stdio::null()).stdout(out).stderr(error).spawn().unwrap()
    };
    let mut server = start(unread(), Stdio::piped());
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
    let unsaid = log.any(|line| line.contains("could not be printed on standard output"));
    // It listens for everybody, and names localhost.
    let warned = log.any(|line| line.contains("--external-url"));
    drop(log);
    assert!(unsaid && warned && server.try_wait().unwrap().is_none());
    server.kill().unwrap();
    server.wait().unwrap();
    // Neither does a log that nobody reads end it.
    let mut server = start(Stdio::piped(), unread());
    let mut out = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let url = out.next().unwrap().rsplit(' ').next().unwrap().to_owned();
    let authority = std::fs::read(place.path().join("data/ca.crt")).unwrap();
    let authority = reqwest::Certificate::from_pem_bundle(&authority).unwrap();
    let http = reqwest::Client::builder().tls_certs_only(authority).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let health = runtime.block_on(http.get(format!("{url}/readyz")).send()).unwrap();
    assert!(health.status().is_success());
    // A webhook that is refused is a line of the log.
    let hook = format!("{url}/webhooks/00000000-0000-4000-8000-000000000000/authorize");
    let refused = runtime.block_on(http.post(hook).body("{}").send()).unwrap();
    assert_eq!(refused.status(), 401);
    assert!(server.try_wait().unwrap().is_none());
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_secret_that_could_not_be_shown_is_not_left_behind() {
    let journey = Journey::begin();
    let full = || Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let run = |arguments: &[&str], out: Stdio| {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env("PORTCULLIS_CONFIG_DIR", journey.path("admin"));
        let output = command.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    journey.portcullis("admin", &["app", "create", "build"], None).ok();
    let (code, error) = run(&["app", "create", "other"], full());
    assert!(code == Some(1) && error.contains("was deleted again"), "{code:?}: {error}");
    let secrets = |app: &str| -> Vec<serde_json::Value> {
        let list = ["app", "credential", "list", app, "-o", "json"];
        serde_json::from_str(&journey.portcullis("admin", &list, None).ok()).unwrap()
    };
    assert_eq!((secrets("build").len(), secrets("other").len()), (1, 0));
    for out in [unread(), full()] {
        let (code, error) = run(&["app", "credential", "add", "build"], out);
        assert!(code == Some(1) && error.contains("was deleted again"), "{code:?}: {error}");
    }
    assert_eq!(secrets("build").len(), 1);
    let (code, error) = run(&["user", "create", "erin@portcullis.local"], full());
    assert!(code == Some(1) && error.contains("reset-password"), "{code:?}: {error}");
    let (code, error) = run(&["version"], full());
    assert!(code == Some(1) && error.contains("standard output cannot be written"), "{code:?}: {error}");
}

#[test]
fn an_administrator_certificate_is_not_made_for_a_file_that_cannot_take_it() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c1", "-g", "rg"], None).ok();
    let pull = |file: &str, more: &[&str]| {
        let arguments = ["cluster", "credentials", "c1", "-g", "rg", "--admin", "--file", file];
        journey.portcullis("admin", &[&arguments[..], more].concat(), None)
    };
    let made = || {
        let list = ["cluster", "certificates", "c1", "-g", "rg", "-o", "json"];
        let listed = journey.portcullis("admin", &list, None).ok();
        serde_json::from_str::<serde_json::Value>(&listed).unwrap().as_array().unwrap().len()
    };
    let broken = journey.path("broken.yaml");
    std::fs::write(&broken, "{").unwrap();
    let below = journey.path("broken.yaml/below");
    for file in [&broken, &below, &journey.path("")] {
        assert!(!pull(file.to_str().unwrap(), &[]).success, "{}", file.display());
    }
    assert_eq!(made(), 0);
    let good = journey.path("good.yaml");
    let good = good.to_str().unwrap();
    pull(good, &[]).ok();
    pull(good, &[]).refused("--overwrite-existing");
    assert_eq!(made(), 1);
    pull(good, &["--overwrite-existing"]).ok();
    assert_eq!(made(), 2);
}

#[test]
fn a_session_is_not_renewed_where_it_could_not_be_kept() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["resource-group", "create", "rg"], None).ok();
    journey.person("frank");
    let place = journey.path("frank");
    let session = place.join("session.json");
    let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&session).unwrap()).unwrap();
    kept["tokens"] = serde_json::json!({});
    let text = kept.to_string();
    std::fs::write(&session, &text).unwrap();
    let renewals = journey.answered("authority");
    let limited = |arguments: &str| {
        let mut shell = Command::new("sh");
        // No file may grow: as on a full disk.
        shell.args(["-c", &format!("trap '' XFSZ; ulimit -f 0; exec {PROGRAM} {arguments}")]);
        journey.run("frank", shell, None)
    };
    limited("user show frank@portcullis.local").refused("session.json cannot be written");
    assert_eq!(journey.answered("authority"), renewals, "the refresh token was not used");
    journey.portcullis("frank", &["user", "show", "frank@portcullis.local"], None).ok();
    let login = format!("login --url {} --username frank@portcullis.local --password-stdin", journey.url);
    limited(&login).refused("session.json cannot be written");
}
