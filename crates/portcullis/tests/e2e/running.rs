//! A running server and the programs that people use on it: what every end-to-end test starts from. It asserts
//! nothing of its own about the product.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_portcullis");

/// Of everybody whom [`Journey::person`] makes.
pub(crate) const PASSWORD: &str = "a long Password 1";

/// What a program says before the address that it opens in the browser.
pub(crate) const OPENED: &str = "the browser is sent to ";
/// What a program says before the code that its person shall enter.
pub(crate) const ENTER: &str = "enter the code ";

/// A server on a free port, with its first administrator signed in; stopped when dropped.
pub(crate) struct Journey {
    pub(crate) server: Child,
    place: tempfile::TempDir,
    pub(crate) url: String,
    metrics: String,
}

/// What a program said.
pub(crate) struct Said {
    pub(crate) success: bool,
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) error: String,
}

impl Journey {
    pub(crate) fn begin() -> Self {
        Self::begin_with(&[])
    }

    /// With further flags of `serve`.
    pub(crate) fn begin_with(flags: &[&str]) -> Self {
        let place = tempfile::tempdir().unwrap();
        let (server, url, metrics) = serve(place.path(), "127.0.0.1:0", flags);
        let journey = Self { server, place, url, metrics };
        let file = journey.path("data/first-admin.json");
        journey.portcullis("admin", &["login", "--from", file.to_str().unwrap()], None).ok();
        journey
    }

    /// Starts the server that was stopped again, on the same files and at the same address.
    pub(crate) fn start_again(&mut self) {
        let listen = format!("127.0.0.1:{}", self.url.rsplit(':').next().unwrap());
        let (server, url, metrics) = serve(self.place.path(), &listen, &[]);
        assert_eq!(url, self.url);
        (self.server, self.metrics) = (server, metrics);
    }

    /// Ends the server; its files stay.
    pub(crate) fn stop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// What the server wrote down for its first administrator.
    pub(crate) fn first(&self, member: &str) -> String {
        let text = std::fs::read_to_string(self.path("data/first-admin.json")).unwrap();
        let first: serde_json::Value = serde_json::from_str(&text).unwrap();
        first[member].as_str().unwrap().to_owned()
    }

    /// A client that trusts the server and follows no redirects.
    pub(crate) fn http(&self) -> reqwest::Client {
        let authority = std::fs::read(self.path("data/ca.crt")).unwrap();
        reqwest::Client::builder()
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(&authority).unwrap())
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap()
    }

    /// How many requests one of the server's surfaces has answered.
    pub(crate) fn answered(&self, surface: &str) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let text = runtime
            .block_on(async { self.http().get(&self.metrics).send().await.unwrap().text().await.unwrap() });
        let start = format!("portcullis_requests_total{{surface=\"{surface}\"");
        let lines = text.lines().filter(|line| line.starts_with(&start));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    pub(crate) fn portcullis(&self, who: &str, arguments: &[&str], input: Option<&str>) -> Said {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        self.run(who, command, input)
    }

    pub(crate) fn kubectl(&self, who: &str, kubeconfig: &str, arguments: &[&str]) -> Said {
        let mut command = Command::new(kubectl());
        command.args(arguments).env("KUBECONFIG", self.path(kubeconfig));
        self.run(who, command, None)
    }

    pub(crate) fn run(&self, who: &str, mut command: Command, input: Option<&str>) -> Said {
        let mut child = command
            .env("PORTCULLIS_CONFIG_DIR", self.path(who))
            .env("HOME", self.path(who))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.unwrap_or_default().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let status = output.status;
        let (out, error) = (text(output.stdout), text(output.stderr));
        Said { success: status.success(), code: status.code(), out, error }
    }

    /// The same at a terminal, as far as standard error is one.
    pub(crate) fn talk_at_terminal(
        &self,
        who: &str,
        mut command: Command,
        mark: &'static str,
        answer: impl FnOnce(&str) -> String,
    ) -> Said {
        let (screen, terminal) = terminal();
        command.stderr(terminal);
        self.talk_by(who, command, Some(screen), mark, answer)
    }

    /// Runs a command that asks its person for something: what follows `mark` on its standard error is handed to
    /// `answer` while the command waits, and what that gives goes to the command's standard input.
    pub(crate) fn talk(
        &self,
        who: &str,
        mut command: Command,
        mark: &'static str,
        answer: impl FnOnce(&str) -> String,
    ) -> Said {
        command.stderr(Stdio::piped());
        self.talk_by(who, command, None, mark, answer)
    }

    fn talk_by(
        &self,
        who: &str,
        mut command: Command,
        screen: Option<File>,
        mark: &'static str,
        answer: impl FnOnce(&str) -> String,
    ) -> Said {
        let mut child =
            command.env("HOME", self.path(who)).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let shown = format!("{command:?}");
        // It holds the terminal, which ends when nobody does.
        drop(command);
        let (found, marks) = mpsc::channel();
        let errors: Box<dyn Read + Send> = match (screen, child.stderr.take()) {
            (Some(screen), _) => Box::new(screen),
            (None, pipe) => Box::new(pipe.unwrap()),
        };
        let errors = BufReader::new(errors);
        let reader = std::thread::spawn(move || {
            let mut all = String::new();
            for line in errors.lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once(mark) {
                    let _ = found.send(rest.trim().to_owned());
                }
                all.push_str(&line);
                all.push('\n');
            }
            all
        });
        let Ok(asked) = marks.recv_timeout(Duration::from_secs(60)) else {
            let _ = child.kill();
            panic!("{shown} did not ask: {}", reader.join().unwrap());
        };
        let input = answer(&asked);
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let status = child.wait().unwrap();
        Said { success: status.success(), code: status.code(), out, error: reader.join().unwrap() }
    }

    /// Makes a person who signs in, and may pull user kubeconfigs in the resource group.
    pub(crate) fn person(&self, name: &str) {
        let upn = format!("{name}@portcullis.local");
        self.portcullis("admin", &["user", "create", &upn, "--password-stdin"], Some(PASSWORD)).ok();
        let role = "Azure Kubernetes Service Cluster User Role";
        self.portcullis(
            "admin",
            &["assignment", "create", "--assignee", &upn, "--role", role, "-g", "rg"],
            None,
        )
        .ok();
        let authority = self.path("data/ca.crt");
        let authority = authority.to_str().unwrap();
        let login =
            ["login", "--url", &self.url, "--ca-file", authority, "--username", &upn, "--password-stdin"];
        self.portcullis(name, &login, Some(PASSWORD)).ok();
    }

    pub(crate) fn credentials(&self, who: &str, cluster: &str, more: &[&str]) -> String {
        let kubeconfig = format!("{who}-{cluster}.yaml");
        let path = self.path(&kubeconfig);
        let mut arguments =
            vec!["cluster", "credentials", cluster, "-g", "rg", "--file", path.to_str().unwrap()];
        arguments.extend(more);
        self.portcullis(who, &arguments, None).ok();
        kubeconfig
    }
}

/// A server that serves, its address and that of its metrics.
fn serve(place: &Path, listen: &str, flags: &[&str]) -> (Child, String, String) {
    let mut server = Command::new(PROGRAM)
        .args(["serve", "--listen", listen, "--data-dir"])
        .arg(place.join("data"))
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(server.stdout.take().unwrap());
    let mut said = |before: &str| {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        assert!(address.starts_with(before), "the server said {line:?}");
        address
    };
    let url = said("https://localhost:");
    said("https://localhost:");
    let metrics = said("http://127.0.0.1:");
    // Its further lines are read, so that it never waits for a reader.
    std::thread::spawn(move || out.lines().for_each(drop));
    (server, url, metrics)
}

impl Drop for Journey {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Said {
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert!(self.success, "{}{}", self.out, self.error);
        self.out
    }

    #[track_caller]
    pub(crate) fn refused(self, because: &str) {
        assert!(!self.success, "expected a refusal: {}", self.out);
        assert!(self.error.contains(because), "expected {because:?} in: {}", self.error);
    }
}

pub(crate) fn kubectl() -> PathBuf {
    tool("bin/kubectl")
}

/// A terminal: what is written to the second is read from the first, until nobody holds it any more.
pub(crate) fn terminal() -> (File, Stdio) {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let screen = openpt(flags).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let terminal = ioctl_tiocgptpeer(&screen, flags).unwrap();
    (screen.into(), terminal.into())
}

/// An outside program, or a folder of them.
pub(crate) fn tool(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools").join(name);
    assert!(path.exists(), "{name} is missing: run `make tools`");
    path
}
