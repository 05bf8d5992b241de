//! Large lists of an embedded cluster beside the reviews of an attached one: what many lists at once take of the memory,
//! and of the time of whoever asks for a decision meanwhile.
//!
//! The lists are read slowly, so that all of them are under way for the whole time, and so that their clients do not
//! take the processor that the reviews are asked from.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::{Table, load::Client, running::Journey};

/// Asks `review` of the server for a while, without lists and with them.
pub(crate) fn measure(table: &mut Table, journey: &Journey, client: &mut Client, review: &Bytes) {
    let cluster = Cluster::fill(journey);
    println!("{LISTS} lists of {OBJECTS} objects of 1 MB, read slowly");
    let process = journey.server.id();
    let (alone, before) = ask(client, review, process);
    let lists = Lists::begin(&cluster);
    let (beside, during) = ask(client, review, process);
    let (begun, refused) = lists.end();
    assert_eq!((begun, refused), (LISTS, 0), "every list is under way");
    table.row("  memory that they take", during - before, "MB", Some(MOST_MEGABYTES));
    table.row("  a review alone, slowest of a hundred", alone, "us", None);
    table.row("  beside the lists", beside, "us", Some(alone * MOST_TIMES + MOST_LATER));
}

/// The time within which 99 of 100 reviews are answered, in microseconds, and the most memory of the process meanwhile.
fn ask(client: &mut Client, review: &Bytes, process: u32) -> (f64, f64) {
    let mut most: f64 = 0.0;
    let mut times: Vec<f64> = (0..REVIEWS)
        .map(|number| {
            if number % 100 == 0 {
                most = most.max(megabytes(process));
            }
            thread::park_timeout(PAUSE);
            let asked = Instant::now();
            client.ask_once(review.clone());
            asked.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[REVIEWS * 99 / 100], most)
}

fn megabytes(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it says its size");
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes / 1e3
}

/// An embedded cluster with large objects.
struct Cluster {
    url: String,
    http: reqwest::Client,
}

impl Cluster {
    fn fill(journey: &Journey) -> Self {
        journey.portcullis("admin", &["cluster", "create", "lists", "-g", "rg"], None).ok();
        let kubeconfig = journey.path(&journey.credentials("admin", "lists", &["--admin"]));
        let kubeconfig = fs::read_to_string(kubeconfig).expect("it was written");
        let kubeconfig: Value = serde_saphyr::from_str(&kubeconfig).expect("YAML");
        let text = |pointer: &str| {
            kubeconfig.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}"))
        };
        let pem = |pointer: &str| STANDARD.decode(text(pointer)).expect("base64");
        let certificate =
            [pem("/users/0/user/client-certificate-data"), pem("/users/0/user/client-key-data")].concat();
        let authority = pem("/clusters/0/cluster/certificate-authority-data");
        let http = reqwest::Client::builder()
            .add_root_certificate(reqwest::Certificate::from_pem(&authority).expect("a certificate"))
            .identity(reqwest::Identity::from_pem(&certificate).expect("a certificate and its key"))
            .http1_only()
            .build()
            .expect("a client");
        let server = text("/clusters/0/cluster/server");
        let url = format!("{server}/api/v1/namespaces/default/configmaps");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let data = "0123456789".repeat(100_000);
        runtime.block_on(async {
            for number in 0..OBJECTS {
                let object = json!({"metadata": {"name": format!("large-{number:03}")}, "data": {"k": data}});
                let answer = http.post(&url).json(&object).send().await.expect("an answer");
                assert!(answer.status().is_success(), "{}", answer.status());
            }
        });
        Self { url, http }
    }
}

/// Lists under way, on a thread of their own.
struct Lists {
    stop: Arc<AtomicBool>,
    begun: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    thread: thread::JoinHandle<()>,
}

impl Lists {
    /// Returns when each of them has begun.
    fn begin(cluster: &Cluster) -> Self {
        let (stop, begun, refused) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let shared = (stop.clone(), begun.clone(), refused.clone());
        let (url, http) = (cluster.url.clone(), cluster.http.clone());
        let thread = thread::spawn(move || {
            let (stop, begun, refused) = shared;
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let list = || {
                let (stop, begun, refused) = (stop.clone(), begun.clone(), refused.clone());
                let asked = http.get(&url).send();
                async move {
                    let mut answer = asked.await.expect("an answer");
                    if !answer.status().is_success() {
                        refused.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                    begun.fetch_add(1, Ordering::Relaxed);
                    // Slow readers are what is measured here.
                    let mut pace = tokio::time::interval(READ_PAUSE);
                    while !stop.load(Ordering::Relaxed) {
                        let Ok(Some(_)) = answer.chunk().await else { return };
                        pace.tick().await;
                    }
                }
            };
            let lists: Vec<_> = (0..LISTS).map(|_| runtime.spawn(list())).collect();
            for list in lists {
                runtime.block_on(list).expect("a list ends");
            }
        });
        let lists = Self { stop, begun, refused, thread };
        while lists.begun.load(Ordering::Relaxed) + lists.refused.load(Ordering::Relaxed) < LISTS {
            thread::park_timeout(PAUSE);
        }
        lists
    }

    fn end(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the lists end");
        (self.begun.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }
}

const LISTS: usize = 50;
const OBJECTS: usize = 200;
const REVIEWS: usize = 3_000;
/// Between two reviews.
const PAUSE: Duration = Duration::from_millis(2);
/// Between two reads of a list: some megabytes a second for all of them together.
const READ_PAUSE: Duration = Duration::from_millis(20);
/// What the lists may take: their share of the room, and what their connections hold.
const MOST_MEGABYTES: f64 = 150.0;
/// A review beside the lists, over one without: times as much, and microseconds.
const MOST_TIMES: f64 = 2.0;
const MOST_LATER: f64 = 1_000.0;
