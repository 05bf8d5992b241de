//! Measures the Kubernetes RBAC decision at 1,000, 10,000 and 100,000 bindings, beside the walk over all
//! bindings that kube-apiserver makes, and prints each figure beside its limit.
//!
//! Times are CPU time of this process over batches, medians of several. It measures only, and checks no
//! answer but that both ways agree.

#[path = "kube/cluster.rs"]
mod cluster;
#[path = "kube/scan.rs"]
mod scan;

use std::{hint::black_box, process::ExitCode, time::Duration};

use cluster::Cluster;
use domain::kube::{Attributes, Policy};
use rustix::time::{ClockId, clock_gettime};

fn main() -> ExitCode {
    println!("{:<66} {:>10} {:>10}", "figure", "measured", "limit");
    let [thousand, ten, hundred] = [1_000, 10_000, 100_000].map(|bindings| {
        let mut cluster = Cluster::generate(bindings);
        measure(&mut cluster, bindings)
    });
    row(
        "100,000 bindings against 1,000, all callers",
        &format!("{:.2} x", ratio(hundred.decision, thousand.decision)),
        "",
    );
    let growth = ratio(hundred.decision, ten.decision);
    row("100,000 bindings against 10,000, all callers", &format!("{growth:.2} x"), "<= 3");
    let gain = ratio(ten.scan, ten.decision);
    if growth <= MOST_GROWTH && gain >= LEAST_GAIN {
        return ExitCode::SUCCESS;
    }
    println!("a limit is missed");
    ExitCode::FAILURE
}

/// CPU time of one decision, by the engine and by a scan.
struct Measured {
    decision: Duration,
    scan: Duration,
}

fn measure(cluster: &mut Cluster, bindings: usize) -> Measured {
    let policy = cluster.policy.clone();
    let ask = |attributes: &Attributes| policy.decide(attributes).is_allowed();
    let (mut fresh, mut hot, mut scanned) = (Vec::new(), Vec::new(), Vec::new());
    let (mut allowed, mut asked) = (0, 0);
    for _ in 0..BATCHES {
        let questions = cluster.questions(QUESTIONS);
        let (time, count) = timed(&questions, ask);
        fresh.push(time);
        allowed += count;
        asked += questions.len();
        let few: Vec<Attributes> = questions.iter().take(8).cycle().take(QUESTIONS).cloned().collect();
        hot.push(timed(&few, ask).0);
        let (some, _) = questions.split_at(SCANNED.min(questions.len()));
        let (time, by_scan) = timed(some, |attributes| scan::allows(&cluster.lists, attributes));
        scanned.push(time);
        let by_index = some.iter().filter(|attributes| ask(attributes)).count();
        assert_eq!(by_index, by_scan, "the scan differs");
    }
    let (fresh, hot, scanned) = (median(fresh), median(hot), median(scanned));
    let of = |what: &str| format!("{bindings} bindings: {what}");
    row(&of("a decision, all callers in turn"), &micros(fresh), "");
    row(&of("a decision, eight callers in turn"), &micros(hot), "");
    row(&of("a scan, all callers in turn"), &micros(scanned), "");
    let limit = if bindings == 10_000 { ">= 20" } else { "" };
    row(&of("the scan's time over the decision's"), &format!("{:.1} x", ratio(scanned, fresh)), limit);
    row(&of("one binding changed, on a copy"), &micros(changes(cluster, &policy)), "");
    println!("  ({allowed} of {asked} allowed)\n");
    Measured { decision: fresh, scan: scanned }
}

/// One write at a time, each on a copy of what readers still hold.
fn changes(cluster: &mut Cluster, policy: &Policy) -> Duration {
    let mut policy = policy.clone();
    let mut times = Vec::new();
    for _ in 0..CHANGES {
        let binding = cluster.binding();
        let start = cpu();
        let mut next = policy.clone();
        next.put(binding);
        drop(std::mem::replace(&mut policy, next));
        times.push(cpu() - start);
    }
    median(times)
}

fn timed(questions: &[Attributes], ask: impl Fn(&Attributes) -> bool) -> (Duration, usize) {
    let start = cpu();
    let allowed = questions.iter().filter(|attributes| black_box(ask(attributes))).count();
    let each = u32::try_from(questions.len()).unwrap_or(u32::MAX).max(1);
    ((cpu() - start) / each, allowed)
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn micros(time: Duration) -> String {
    format!("{:.2} us", time.as_secs_f64() * 1e6)
}

fn ratio(time: Duration, other: Duration) -> f64 {
    time.as_secs_f64() / other.as_secs_f64()
}

fn row(what: &str, measured: &str, limit: &str) {
    println!("{what:<66} {measured:>10} {limit:>10}");
}

const LEAST_GAIN: f64 = 20.0;
const MOST_GROWTH: f64 = 3.0;
const BATCHES: usize = 7;
const QUESTIONS: usize = 5_000;
const SCANNED: usize = 500;
const CHANGES: usize = 500;
