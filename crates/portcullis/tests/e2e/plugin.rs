//! The credential plugin as kubectl starts it: each way of signing in, both versions of its answer, kubelogin's name
//! and flags, and the tokens that it keeps. The way by `az` is tried where `az` is.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::Value;

use crate::{
    libraries::{certificate, claims},
    person::Person,
    running::{ENTER, Journey, PASSWORD, PROGRAM, kubectl, terminal},
};

const ALICE: &str = "alice@portcullis.local";

/// A kubeconfig of a cluster whose only user signs in by the plugin; whoever holds it, and nothing else, uses it.
struct Holder<'a> {
    journey: &'a Journey,
    who: &'a str,
}

impl<'a> Holder<'a> {
    /// The kubeconfig comes from the first administrator, without a session or a token.
    fn new(journey: &'a Journey, who: &'a str) -> Self {
        std::fs::create_dir_all(journey.path(who)).unwrap();
        let written = journey.credentials("admin", "c1", &[]);
        std::fs::rename(journey.path(&written), journey.path(who).join("config")).unwrap();
        Self { journey, who }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.journey.path(self.who).join(name)
    }

    fn convert(&self, more: &[&str]) {
        let convert =
            ["convert-kubeconfig", "--kubeconfig", self.path("config").to_str().unwrap()].map(str::to_owned);
        let arguments: Vec<&str> = convert.iter().map(String::as_str).chain(more.iter().copied()).collect();
        assert!(self.journey.portcullis(self.who, &arguments, None).ok().contains("Changed 1 user"));
    }

    fn whoami(&self) -> Command {
        let mut command = Command::new(kubectl());
        command.args(["auth", "whoami", "-o", "json"]).env("KUBECONFIG", self.path("config"));
        command
    }

    /// With no token kept from before, in both versions of the plugin's answer.
    fn is(&self, expected: &str, environment: &[(&str, &str)]) {
        for version in ["v1beta1", "v1"] {
            let config = std::fs::read_to_string(self.path("config")).unwrap();
            let (family, rest) = config.split_once("client.authentication.k8s.io/").unwrap();
            let rest = rest.trim_start_matches("v1beta1").trim_start_matches("v1");
            let config = format!("{family}client.authentication.k8s.io/{version}{rest}");
            std::fs::write(self.path("config"), config).unwrap();
            let _ = std::fs::remove_dir_all(self.path(".cache"));
            let mut command = self.whoami();
            command.envs(environment.iter().copied());
            let said = self.journey.run(self.who, command, None).ok();
            assert!(said.contains(expected), "{version}: {said}");
        }
    }

    /// The files of the tokens that are kept.
    fn kept(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path(".cache/portcullis/tokens")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect()
    }

    fn kept_token(&self) -> Value {
        let kept = self.kept();
        assert_eq!(kept.len(), 1);
        serde_json::from_slice(&std::fs::read(&kept[0]).unwrap()).unwrap()
    }
}

fn text<'a>(object: &'a Value, member: &str) -> &'a str {
    object[member].as_str().unwrap()
}

/// Starts all at once; what each of them said.
fn at_once(journey: &Journey, who: &str, command: impl Fn() -> Command) -> Vec<String> {
    let children: Vec<_> = (0..20)
        .map(|_| {
            let mut command = command();
            command.env("PORTCULLIS_CONFIG_DIR", journey.path(who)).env("HOME", journey.path(who));
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let said = children.into_iter().map(|child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    });
    said.collect()
}

#[test]
fn twenty_at_once_make_one_request() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c1", "-g", "rg"], None).ok();
    journey.person("alice");
    // By the session of `portcullis login`.
    let before = journey.answered("authority");
    let said = at_once(&journey, "alice", || {
        let mut command = Command::new(PROGRAM);
        command.args(["get-token", "--login", "portcullis"]);
        command
    });
    assert!(said.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(journey.answered("authority") - before, 1);
    // By kubectl and the tokens that the plugin keeps, again and again: each refresh token is good for one renewal.
    let holder = Holder::new(&journey, "holder");
    holder.convert(&["--login", "ropc", "--username", ALICE]);
    holder.is(ALICE, &[("AAD_USER_PRINCIPAL_PASSWORD", PASSWORD)]);
    for _ in 0..2 {
        let mut token = holder.kept_token();
        let (old, renewed_by) = (token["access_token"].clone(), token["refresh_token"].clone());
        token["expires"] = "2020-01-01T00:00:00Z".into();
        std::fs::write(&holder.kept()[0], token.to_string()).unwrap();
        let before = journey.answered("authority");
        for said in at_once(&journey, "holder", || holder.whoami()) {
            assert!(said.contains(ALICE), "{said}");
        }
        assert_eq!(journey.answered("authority") - before, 1);
        let token = holder.kept_token();
        assert!(token["access_token"] != old && token["refresh_token"] != renewed_by);
    }
}

/// Who is ended while a person signs in holds up nobody; who waits is told.
#[test]
fn the_next_one_signs_in_when_the_first_is_ended() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["resource-group", "create", "rg"], None).ok();
    journey.person("alice");
    let begin = || {
        let (screen, shown) = terminal();
        let mut command = Command::new(PROGRAM);
        command
            .args(["get-token", "--login", "devicecode", "--authority-host", &journey.url])
            .args(["--token-cache-dir", journey.path("cache").to_str().unwrap()])
            .env("SSL_CERT_FILE", journey.path("data/ca.crt"))
            .stdout(Stdio::piped())
            .stderr(shown);
        let child = command.spawn().unwrap();
        let (said, lines) = mpsc::channel();
        let errors = BufReader::new(screen);
        std::thread::spawn(move || errors.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
        (child, lines)
    };
    let wait_for = |lines: &mpsc::Receiver<String>, mark: &str| {
        loop {
            let line = lines.recv_timeout(Duration::from_secs(60)).unwrap();
            if let Some((_, rest)) = line.split_once(mark) {
                return rest.split([' ', '.']).next().unwrap().to_owned();
            }
        }
    };
    let (mut first, of_first) = begin();
    wait_for(&of_first, ENTER);
    let (second, of_second) = begin();
    wait_for(&of_second, "Another program is signing in");
    first.kill().unwrap();
    first.wait().unwrap();
    let code = wait_for(&of_second, ENTER);
    Person::new(&journey, ALICE, PASSWORD).approve(&code);
    let output = second.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(claims(answer["status"]["token"].as_str().unwrap())["upn"], ALICE);
}

#[test]
fn kept_tokens_are_private_and_replaced_when_damaged_and_never_of_another_server() {
    let (journey, other) = (Journey::begin(), Journey::begin());
    for server in [&journey, &other] {
        server.portcullis("admin", &["resource-group", "create", "rg"], None).ok();
        server.person("alice");
    }
    let place = journey.path("cache");
    let get = |server: &Journey, password: &str| {
        let mut command = Command::new(PROGRAM);
        command
            .args(["get-token", "--login", "ropc", "--username", ALICE, "--authority-host", &server.url])
            .args(["--token-cache-dir", place.to_str().unwrap()])
            .env("SSL_CERT_FILE", server.path("data/ca.crt"))
            .env("AAD_USER_PRINCIPAL_PASSWORD", password);
        journey.run("nobody", command, None)
    };
    let token = |said: String| {
        let answer: Value = serde_json::from_str(&said).unwrap();
        answer["status"]["token"].as_str().unwrap().to_owned()
    };
    get(&journey, "wrong").refused("AADSTS50126");
    let first = token(get(&journey, PASSWORD).ok());
    let mode = |path: &PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place), 0o700);
    let files = || {
        let entries = std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "json")).collect::<Vec<_>>()
    };
    assert_eq!(files().iter().map(mode).collect::<Vec<_>>(), [0o600]);
    // Kept: the password does not count any more. Elsewhere it does.
    assert_eq!(token(get(&journey, "wrong").ok()), first);
    get(&other, "wrong").refused("AADSTS50126");
    let of_other = token(get(&other, PASSWORD).ok());
    assert_ne!(claims(&of_other)["iss"], claims(&first)["iss"]);
    assert_eq!(token(get(&journey, "wrong").ok()), first);
    for file in files() {
        std::fs::write(file, "{\"key\": ").unwrap();
    }
    get(&journey, "wrong").refused("AADSTS50126");
    assert_ne!(token(get(&journey, PASSWORD).ok()), first);
    assert_eq!(files().iter().map(mode).collect::<Vec<_>>(), [0o600, 0o600]);
}

#[test]
fn kubectl_signs_in_by_each_way() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c1", "-g", "rg"], None).ok();
    journey.person("alice");
    let application = journey.application("build");
    let alice = Person::new(&journey, ALICE, PASSWORD);

    let device = Holder::new(&journey, "device");
    device.convert(&["--login", "devicecode"]);
    let approve = |rest: &str| {
        alice.approve(rest.split([' ', '.']).next().unwrap());
        String::new()
    };
    let said = journey.talk_at_terminal("device", device.whoami(), ENTER, approve);
    assert!(said.ok().contains(ALICE));

    let browser = Holder::new(&journey, "browser");
    browser.convert(&["--login", "interactive", "--login-hint", ALICE]);
    let mut whoami = browser.whoami();
    whoami.env("BROWSER", "true");
    let said = journey.talk("browser", whoami, "go to ", |address| {
        assert!(address.contains("login_hint=alice@portcullis.local"), "{address}");
        alice.authorize(address);
        String::new()
    });
    assert!(said.ok().contains(ALICE));

    let password = Holder::new(&journey, "password");
    password.convert(&["--login", "ropc", "--username", ALICE]);
    password.is(ALICE, &[("AAD_USER_PRINCIPAL_PASSWORD", PASSWORD)]);

    let build = Holder::new(&journey, "build");
    build.convert(&["--login", "spn"]);
    let id = ("AAD_SERVICE_PRINCIPAL_CLIENT_ID", application.app_id.as_str());
    let secret = ("AAD_SERVICE_PRINCIPAL_CLIENT_SECRET", application.secret.as_str());
    build.is(&application.principal, &[id, secret]);
    let arm = [("ARM_CLIENT_ID", id.1), ("ARM_CLIENT_SECRET", secret.1)];
    build.convert(&["--login", "spn", "--use-azurerm-env-vars"]);
    build.is(&application.principal, &arm);

    let (public, both) = certificate(&journey);
    let add = ["app", "credential", "add", "build", "--certificate", &public];
    journey.portcullis("admin", &add, None).ok();
    let signed = Holder::new(&journey, "signed");
    signed.convert(&["--login", "spn", "--client-id", &application.app_id, "--client-certificate", &both]);
    signed.is(&application.principal, &[]);

    journey.credentials("admin", "c1", &["--admin"]);
    let create = ["create", "token", "default", "--audience", "api://AzureADTokenExchange"];
    let of_pod = journey.kubectl("admin", "admin-c1.yaml", &create).ok();
    let trusted = claims(of_pod.trim());
    let (issuer, subject) = (text(&trusted, "iss"), text(&trusted, "sub"));
    let trust =
        ["app", "federated-credential", "create", "build", "pod", "--issuer", issuer, "--subject", subject];
    journey.portcullis("admin", &trust, None).ok();
    let file = journey.path("pod-token");
    std::fs::write(&file, &of_pod).unwrap();
    let pod = Holder::new(&journey, "pod");
    pod.convert(&["--login", "workloadidentity"]);
    let file = [("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap()), ("AZURE_CLIENT_ID", id.1)];
    pod.is(&application.principal, &file);
}

#[test]
fn under_the_name_of_kubelogin_it_is_kubelogin() {
    let journey = Journey::begin();
    journey.portcullis("admin", &["cluster", "create", "c1", "-g", "rg"], None).ok();
    let application = journey.application("build");
    let holder = Holder::new(&journey, "holder");
    let (config, link) = (holder.path("config"), holder.path("kubelogin"));
    let config = config.to_str().unwrap();
    symlink(PROGRAM, &link).unwrap();
    let kubelogin = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = Command::new(&link);
        command.args(arguments).envs(environment.iter().copied());
        journey.run("holder", command, None)
    };
    assert!(kubelogin(&["--version"], &[]).ok().starts_with("kubelogin "));
    kubelogin(&["cluster", "list"], &[]).refused("unrecognized subcommand 'cluster'");
    for (flags, because) in [
        (&["--pop-enabled"][..], "bearer tokens"),
        (&["--pop-claims", "u=x"], "bearer tokens"),
        (&["--legacy"], "spn:"),
        (&["--client-certificate-password", "x"], "openssl pkcs12"),
        (&["--identity-resource-id", "x"], "no metadata service"),
        (&["-l", "msi"], "no metadata service"),
        (&["-l", "azd"], "azurecli"),
        (&["-l", "azurepipelines"], "workloadidentity"),
        (&["-l", "magic"], "[possible values: portcullis, devicecode,"),
        (&["--no-such-flag"], "unexpected argument '--no-such-flag'"),
        (&[], "--authority-host or AZURE_AUTHORITY_HOST"),
    ] {
        kubelogin(&[&["get-token", "--server-id", "x"], flags].concat(), &[]).refused(because);
    }
    kubelogin(&["get-token"], &[("AAD_LOGIN_METHOD", "magic")]).refused("AAD_LOGIN_METHOD: \"magic\"");
    kubelogin(&["convert-kubeconfig", "--kubeconfig", config, "--context", "c2"], &[])
        .refused("there are c1");
    let both = std::env::join_paths([&holder.path("none"), &holder.path("config")]).unwrap();
    let said = kubelogin(&["convert-kubeconfig"], &[("KUBECONFIG", both.to_str().unwrap())]).ok();
    assert!(said.contains("Changed nothing in") && said.contains("Changed 1 user in"), "{said}");
    assert!(!holder.path("none").exists());
    let convert = ["convert-kubeconfig", "-l", "spn", "--client-id", "not-this", "--kubeconfig", config];
    assert!(kubelogin(&convert, &[]).ok().contains("Changed 1 user"));
    let written = std::fs::read_to_string(config).unwrap();
    assert!(written.contains(link.to_str().unwrap()), "{written}");
    // The environment says more than the file, unless it shall not.
    let id = ("AZURE_CLIENT_ID", application.app_id.as_str());
    let secret = ("AZURE_CLIENT_SECRET", application.secret.as_str());
    holder.is(&application.principal, &[id, secret]);
    assert_eq!(kubelogin(&["remove-cache-dir"], &[]).ok().trim(), "Deleted 1 tokens");
    let convert = [&convert[..], &["--disable-environment-override", "--client-secret", secret.1]].concat();
    kubelogin(&convert, &[]).ok();
    let mut whoami = holder.whoami();
    whoami.envs([id, secret]);
    journey.run("holder", whoami, None).refused("not-this");
}
