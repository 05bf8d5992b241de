//! A server that is started again with many assignments in its directory, and one that has just begun.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Instant,
};

use store::{At, Key, Range, StoreConfig, Txn, Write};

use crate::{
    Cpu, Table, median,
    running::{Journey, PROGRAM},
};

pub(crate) fn measure(table: &mut Table) {
    let mut journey = Journey::begin();
    journey.stop();
    let directory = journey.path("data");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let http = journey.http();
    let once = |directory: &Path| {
        let mut server = Server::start(directory);
        runtime.block_on(server.ready(&http));
        server.figures()
    };
    let idle = repeated(|| once(&directory));
    table.row("memory of an idle server, just started", idle.megabytes, "MB", Some(40.0));
    table.row("  its start, until /readyz answers", idle.milliseconds, "ms", None);
    runtime.block_on(fill(&directory));
    let file = directory.join("portcullis.store");
    let reading = repeated(|| {
        let started = Instant::now();
        let megabytes = fs::read(&file).expect("the file is there").len() as f64 / 1e6;
        Figures { milliseconds: started.elapsed().as_secs_f64() * 1e3, cpu: 0.0, megabytes }
    });
    let full = repeated(|| once(&directory));
    let what = format!("restart with {ASSIGNMENTS} assignments, until /readyz answers");
    table.row(&what, full.milliseconds, "ms", Some(1000.0));
    table.row("  CPU time of it", full.cpu, "ms", None);
    table.row(
        &format!("  reading its file of {:.0} MB, and nothing else", reading.megabytes),
        reading.milliseconds,
        "ms",
        None,
    );
    table.row("  memory of this server, just started", full.megabytes, "MB", None);
}

struct Figures {
    milliseconds: f64,
    cpu: f64,
    megabytes: f64,
}

/// The median of each figure.
fn repeated(run: impl Fn() -> Figures) -> Figures {
    let all: Vec<Figures> = (0..ROUNDS).map(|_| run()).collect();
    let of = |figure: fn(&Figures) -> f64| median(all.iter().map(figure).collect());
    Figures {
        milliseconds: of(|each| each.milliseconds),
        cpu: of(|each| each.cpu),
        megabytes: of(|each| each.megabytes),
    }
}

/// Killed when dropped.
struct Server {
    child: Child,
    /// Held open, for what the server still says.
    out: BufReader<ChildStdout>,
    started: Instant,
}

impl Server {
    fn start(directory: &Path) -> Self {
        let started = Instant::now();
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, out, started }
    }

    /// Returns when `/readyz` has answered.
    async fn ready(&mut self, http: &reqwest::Client) {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("it says where it is");
        let url = line.trim().rsplit(' ').next().unwrap_or_default();
        let answer = http.get(format!("{url}/readyz")).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
    }

    fn figures(&self) -> Figures {
        let milliseconds = self.started.elapsed().as_secs_f64() * 1e3;
        let cpu = Cpu::of(self.child.id()).since(&Cpu::default()) / 1e3;
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("memory is told");
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        Figures { milliseconds, cpu, megabytes: kilobytes * 1024.0 / 1e6 }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Puts many assignments beside the one that the installation has, each with an id, a principal and a namespace of
/// its own.
async fn fill(directory: &Path) {
    let store =
        store::open(&StoreConfig::Embedded { path: directory.to_owned() }).await.expect("the store opens");
    let page = store.read(Range::all(), At::Latest).await.expect("it can be read");
    let entry = page.entries.iter().find(|entry| entry.key.starts_with(PLACE.as_bytes()));
    let entry = entry.expect("the first administrator has an assignment");
    let value: serde_json::Value = serde_json::from_slice(&entry.value).expect("JSON");
    for batch in (0..ASSIGNMENTS).step_by(1000) {
        let mut writes = Vec::new();
        for number in batch..batch + 1000 {
            let mut value = value.clone();
            let id = uuid(1, number);
            value["assignment"]["id"] = id.clone().into();
            value["assignment"]["principal"] = uuid(2, number % 5000).into();
            value["assignment"]["scope"] = format!("{CLUSTER}{}/namespaces/n{number}", number % 100).into();
            let stored = format!(r#"{{"v":{},"assignment":{}}}"#, value["v"], value["assignment"]);
            writes.push(Write::Put(Key::from(format!("{PLACE}{id}")), stored.into()));
        }
        store.commit(Txn { guards: Vec::new(), writes }).await.expect("it can be written");
    }
}

fn uuid(kind: u32, number: u32) -> String {
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}

const PLACE: &str = "/live/access/assignment/";
const CLUSTER: &str = "/subscriptions/11111111-0000-0000-0000-000000000001/resourceGroups/rg/providers/\
                       Microsoft.ContainerService/managedClusters/c";
const ASSIGNMENTS: u32 = 100_000;
const ROUNDS: usize = 5;
