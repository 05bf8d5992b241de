//! Measures the Azure decision at a million assignments and prints each figure beside its limit.
//!
//! Times are CPU time of this process over batches, medians of at least five; where single events count
//! (a write), wall time of each. Two plain ways to decide run in the same process for comparison. It
//! measures only, and checks no answer but that all ways agree. It fails when a limit is missed.

#[path = "azure/peer.rs"]
mod peer;
#[path = "azure/world.rs"]
mod world;

use std::{error::Error, hint::black_box, process::ExitCode, time::Duration};

use domain::{
    azure::{
        Access, Caller, Operations,
        kubernetes::{self, Settings},
    },
    decision::Decision,
    kube::{Attributes, Target, User},
    scope::Scope,
};
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use world::World;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let started = cpu();
    let mut world = World::generate(ASSIGNMENTS);
    println!("{ASSIGNMENTS} assignments, callers with {} groups, six scopes deep", world::GROUPS_OF_CALLER);
    println!("generating and loading took {:.1} s of CPU\n", (cpu() - started).as_secs_f64());
    println!("{:<62} {:>12} {:>12}", "figure", "measured", "limit");
    let within = [decisions(&mut world)?, index(&mut world), changes(&mut world)];
    if within == [true; 3] {
        return Ok(ExitCode::SUCCESS);
    }
    println!("a limit is missed");
    Ok(ExitCode::FAILURE)
}

/// First and repeated decisions, and the same questions put to the peers; whether the limits are held.
fn decisions(world: &mut World) -> Result<bool, Box<dyn Error>> {
    let now = Timestamp::UNIX_EPOCH;
    let policy = world.policy.clone();
    let mut first = Vec::new();
    let mut repeated = Vec::new();
    let mut hot = Vec::new();
    let mut translated = Vec::new();
    let mut by_hash = Vec::new();
    let mut found = 0;
    let operations = Operations::published()?;
    for _ in 0..BATCHES {
        let questions = world.questions(QUESTIONS);
        let ask = |(caller, access): &(Caller, Access)| policy.decide(caller, access, now).is_allowed();
        let (time, allowed) = timed(&questions, ask);
        first.push(time);
        let (time, again) = timed(&questions, ask);
        repeated.push(time);
        assert_eq!(allowed, again);
        found += allowed;
        let few = questions.iter().cycle().take(QUESTIONS);
        let one: Vec<_> = few.take(8).cloned().collect();
        let (time, _) = timed(&one.iter().cycle().take(QUESTIONS).cloned().collect::<Vec<_>>(), ask);
        hot.push(time);
        let (time, agreed) = timed(&questions, |(caller, access)| world.by_hash.decide(caller, access));
        by_hash.push(time);
        assert_eq!(allowed, agreed, "the hash peer differs");
        let requests = questions.iter().map(request).collect::<Result<Vec<_>, _>>()?;
        let (time, _) = timed(&requests, |(caller, settings, attributes)| {
            let answer = kubernetes::decide_as(&policy, &operations, settings, attributes, caller, now);
            matches!(answer.decision, Ok(Decision::Allow(_)))
        });
        translated.push(time);
    }
    let questions = world.questions(LINEAR_QUESTIONS);
    let (linear, slow) = timed(&questions, |(caller, access)| world.by_scan.decide(caller, access));
    let (_, quick) = timed(&questions, |(caller, access)| policy.decide(caller, access, now).is_allowed());
    assert_eq!(slow, quick, "the linear peer differs");
    let asked = BATCHES * QUESTIONS;
    let first = median(first);
    let (repeated, hot) = (median(repeated), median(hot));
    row("decision, caller and scope asked for the first time", micros(first), "<= 5 us");
    row("decision, asked before (among 2,000)", micros(repeated), "<= 0.2 us");
    row("decision, asked before (among 8)", micros(hot), "<= 0.2 us");
    row("translated from a Kubernetes request, asked before", micros(median(translated)), "");
    let by_hash = median(by_hash);
    row("peer: a hash probe for each principal and scope", micros(by_hash), "");
    row("peer: a scan of all assignments", micros(linear), "");
    row("  the peers' time over ours, first time", ratio(by_hash, first), "");
    row("    the scan's", ratio(linear, first), "");
    println!("  ({found} of {asked} allowed)\n");
    Ok(first <= FIRST_TIME && repeated.max(hot) <= ASKED_BEFORE)
}

fn index(world: &mut World) -> bool {
    let (bytes, assignments) = world.policy.index_size();
    let each = bytes as f64 / assignments as f64;
    row("index, bytes an assignment", format!("{each:.1} B"), "<= 100 B");
    let mut folds = Vec::new();
    for _ in 0..BATCHES {
        let start = cpu();
        black_box(world.policy.prepare_fold());
        folds.push(cpu() - start);
    }
    row("fold, beside the path of writes", format!("{:.0} ms", median(folds).as_secs_f64() * 1e3), "");
    each <= 100.0
}

/// One write at a time, each on a copy of the state that readers still hold, as the application does it.
fn changes(world: &mut World) -> bool {
    let mut within = true;
    for (what, crowded) in
        [("a change, anywhere", false), ("a change, 4,096 at one scope without a fold", true)]
    {
        let mut times = Vec::new();
        let mut policy = world.policy.clone();
        for _ in 0..CHANGES {
            let new = world.new_assignment(crowded);
            let start = cpu();
            let mut next = policy.clone();
            next.put_assignment(new);
            let before = std::mem::replace(&mut policy, next);
            drop(before);
            times.push(cpu() - start);
        }
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 1000).copied().unwrap_or_default();
        row(&format!("{what}: median"), micros(at(500)), "< 100 us");
        row("  99 % within", micros(at(990)), "");
        let questions = world.questions(QUESTIONS);
        let now = Timestamp::UNIX_EPOCH;
        let (time, _) = timed(&questions, |(caller, access)| policy.decide(caller, access, now).is_allowed());
        row("  a first decision with these changes not folded", micros(time), "<= 5 us");
        within &= at(500) < CHANGE && time <= FIRST_TIME;
        let folded = policy.prepare_fold();
        let start = cpu();
        policy.adopt(&folded);
        row("  adopting their fold", micros(cpu() - start), "");
    }
    within
}

/// The request of kubectl that comes to the same question.
fn request((caller, access): &(Caller, Access)) -> Result<(Caller, Settings, Attributes), Box<dyn Error>> {
    let namespace = access.scope.name().to_owned();
    let cluster = access.scope.parent().ok_or("a namespace is in a cluster")?;
    let target = Target::Resource {
        group: String::new(),
        version: "v1".to_owned(),
        resource: "pods".to_owned(),
        subresource: String::new(),
        namespace,
        name: String::new(),
    };
    let user = User { name: "someone@example.org".to_owned(), ..User::default() };
    let attributes = Attributes { user, verb: "list".to_owned(), target };
    Ok((caller.clone(), Settings::new(Scope::parse(cluster.as_str())?), attributes))
}

/// CPU time for each question, and how many were answered with yes.
fn timed<Q>(questions: &[Q], ask: impl Fn(&Q) -> bool) -> (Duration, usize) {
    let start = cpu();
    let yes = questions.iter().filter(|question| black_box(ask(black_box(question)))).count();
    let time = cpu() - start;
    (time / u32::try_from(questions.len().max(1)).unwrap_or(u32::MAX), yes)
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or_default())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn micros(time: Duration) -> String {
    format!("{:.3} us", time.as_secs_f64() * 1e6)
}

fn ratio(theirs: Duration, ours: Duration) -> String {
    format!("{:.1} x", theirs.as_secs_f64() / ours.as_secs_f64())
}

fn row(figure: &str, measured: impl std::fmt::Display, limit: &str) {
    println!("{figure:<62} {measured:>12} {limit:>12}");
}

const FIRST_TIME: Duration = Duration::from_micros(5);
const ASKED_BEFORE: Duration = Duration::from_nanos(200);
const CHANGE: Duration = Duration::from_micros(100);
const ASSIGNMENTS: usize = 1_000_000;
const BATCHES: usize = 9;
const QUESTIONS: usize = 2_000;
const LINEAR_QUESTIONS: usize = 20;
const CHANGES: usize = 4_096;
