//! The server as a process: what its log looks like, what its answers carry, what it says of wrong settings, and the
//! commands beside it, `repair` and `demo`.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::running::{Journey, PROGRAM, Said, kubectl, terminal};

fn serve(place: &Path, flags: &[&str], error: Stdio) -> Child {
    let mut server = Command::new(PROGRAM);
    server.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(place.join("data")).args(flags);
    server.env_remove("NO_COLOR").stdin(Stdio::null()).stdout(Stdio::null()).stderr(error).spawn().unwrap()
}

/// The line of the log that says where it serves.
fn first_line(log: impl Read) -> String {
    BufReader::new(log).lines().map(Result::unwrap).find(|line| line.contains("server.address")).unwrap()
}

fn end(mut server: Child) {
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_log_has_colours_at_a_terminal_alone() {
    let place = tempfile::tempdir().unwrap();
    let mut server = serve(place.path(), &[], Stdio::piped());
    let line = first_line(server.stderr.take().unwrap());
    end(server);
    assert!(!line.contains('\u{1b}'), "{line:?}");
    let (screen, shown) = terminal();
    let server = serve(place.path(), &[], shown);
    let line = first_line(screen);
    end(server);
    assert!(line.contains('\u{1b}'), "{line:?}");
}

#[tokio::test]
async fn browsers_come_back_over_tls_to_a_server_of_a_name() {
    let place = tempfile::tempdir().unwrap();
    let mut server = serve(place.path(), &["--external-url", "https://access.example.org"], Stdio::piped());
    let mut log = server.stderr.take().unwrap();
    let line = first_line(&mut log);
    let address = line.split("server.address=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let authority = std::fs::read(place.path().join("data/ca.crt")).unwrap();
    let authority = reqwest::Certificate::from_pem_bundle(&authority).unwrap();
    let http = reqwest::Client::builder().tls_certs_only(authority).resolve("access.example.org", address);
    let http = http.redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for path in ["/portal/login", "/common/v2.0/.well-known/openid-configuration", "/nothing/here"] {
        let answer = http.get(format!("https://access.example.org{path}")).send().await.unwrap();
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000", "{path}");
    }
    end(server);
}

fn refused(arguments: &[&str], variable: (&str, &str)) -> String {
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(place.path()).env(variable.0, variable.1);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn wrong_settings_say_what_is_expected() {
    let none = ("PORTCULLIS_NOTHING", "");
    for listen in ["127.0.0.1", "localhost", "8443", ":8443"] {
        let said = refused(&["serve", "--listen", listen], none);
        assert!(said.contains("as 127.0.0.1:8443"), "{listen}: {said}");
    }
    let said = refused(&["serve", "--listen", "127.0.0.1:0"], ("PORTCULLIS_LOG", "foo=bar=baz"));
    assert!(said.contains("PORTCULLIS_LOG: \"foo=bar=baz\"") && said.contains("app=debug"), "{said}");
    let said = refused(&["serve", "--listen", "127.0.0.1:0"], ("PORTCULLIS_ADMIN_PASSWORD", "short"));
    assert!(said.contains("PORTCULLIS_ADMIN_PASSWORD") && said.contains("expected 8 to 256"), "{said}");
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("none.pem");
    std::fs::write(&file, "{}").unwrap();
    let file = file.to_str().unwrap();
    let said = refused(&["serve", "--listen", "127.0.0.1:0", "--outside-authorities", file], none);
    assert!(said.contains("none.pem holds no certificate"), "{said}");
}

#[test]
fn repair_reads_a_store_whose_server_does_not_run() {
    let mut journey = Journey::begin();
    let data = journey.path("data");
    let repair = |more: &[&str], out: Stdio| {
        let mut command = Command::new(PROGRAM);
        command.args(["repair", "--data-dir"]).arg(&data).args(more);
        let output = command.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, error) = (text(output.stdout), text(output.stderr));
        Said { success: output.status.success(), code: output.status.code(), out, error }
    };
    repair(&[], Stdio::piped()).refused("portcullis: ");
    journey.stop();
    assert_eq!(repair(&[], Stdio::piped()).ok(), "every stored record can be read\n");
    repair(&["--remove", "/live/nothing"], Stdio::piped()).refused("/live/nothing");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let said = repair(&[], writer.into());
    assert_eq!((said.code, said.error.as_str()), (Some(141), ""));
    // Damage that is not within a record is not for this command, and what helps is said.
    let store = data.join("portcullis.store");
    let mut bytes = std::fs::read(&store).unwrap();
    bytes.iter_mut().skip(40).take(200).for_each(|byte| *byte ^= 0xff);
    std::fs::write(&store, bytes).unwrap();
    repair(&[], Stdio::piped()).refused("restore a copy");
    let said =
        refused(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()], ("A", ""));
    assert!(said.contains("restore a copy"), "{said}");
}

#[test]
fn a_new_sealing_key_opens_what_the_earlier_one_has_sealed() {
    let mut journey = Journey::begin();
    let data = journey.path("data");
    let rotate = || {
        let mut command = Command::new(PROGRAM);
        command.args(["rotate-sealing-key", "--data-dir"]).arg(&data).stdin(Stdio::null());
        command.output().unwrap()
    };
    let key = data.join("sealing.key");
    let before = std::fs::read(&key).unwrap();
    assert!(!rotate().status.success(), "the server runs");
    assert_eq!(std::fs::read(&key).unwrap(), before);
    journey.stop();
    let output = rotate();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("records are sealed by the new key"), "{said}");
    let after = std::fs::read(&key).unwrap();
    assert_ne!(after, before);
    assert!(!data.join("sealing.key.earlier").exists());
    // The earlier key opens nothing any more, and the new one everything.
    std::fs::write(&key, before).unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()];
    let said = refused(&serve, ("A", ""));
    assert!(said.contains("sealing.key is not the one"), "{said}");
    std::fs::write(&key, after).unwrap();
    journey.start_again();
    journey.portcullis("admin", &["cluster", "list"], None).ok();
}

/// The lines that the demo prints to be tried, in a shell as they stand.
#[test]
fn what_the_demo_prints_to_try_works() {
    let place = tempfile::tempdir().unwrap();
    let path = format!("{}:{}", kubectl().parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut demo = Command::new(PROGRAM);
    demo.args(["demo", "--data-dir"]).arg(place.path()).env("PATH", &path);
    let mut demo = demo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut lines = lines.skip_while(|line| !line.starts_with("Try, in another terminal"));
    lines.next().unwrap();
    let mut script = String::from("set -e\n");
    for line in lines.by_ref() {
        if line.starts_with("  ") {
            script.push_str(line.trim_start());
            script.push('\n');
        }
        if line.contains("first-admin.json") {
            break;
        }
    }
    script.push_str("\"$PROGRAM\" whoami\n");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).env("PATH", &path).env("PROGRAM", PROGRAM).env("HOME", place.path());
    let output = shell.stdin(Stdio::null()).output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    demo.kill().unwrap();
    demo.wait().unwrap();
    assert!(output.status.success(), "{script}\n{out}{error}");
    assert!(out.contains("as alice@portcullis.local") && out.contains("admin@portcullis.local"), "{out}");
    // kubectl's answer for alice, in a namespace without pods.
    assert!(error.contains("No resources found in web namespace"), "{error}");
}
