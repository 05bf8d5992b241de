//! The figures of the program as it is shipped: CPU time for a review over TLS beside a bare hyper server that parses
//! and answers the same JSON, the time of a restart, memory and size.
//!
//! Server and peer are processes of their own with the same allocator and the same runtime, on one processor; the
//! client has another. Their CPU time is what the kernel counts for all their threads. Rounds alternate between them,
//! and medians are compared.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark that cannot measure ends by a panic"
)]

#[path = "program/lists.rs"]
mod lists;
#[path = "program/load.rs"]
mod load;
#[path = "program/peer.rs"]
mod peer;
#[path = "program/processors.rs"]
mod processors;
#[path = "program/restart.rs"]
mod restart;
#[path = "program/reviews.rs"]
mod reviews;
#[expect(dead_code, reason = "it is a part of the end-to-end tests, which use more of it")]
#[path = "../tests/e2e/running.rs"]
mod running;

use std::{collections::BTreeMap, ffi::OsString, fs, process::ExitCode};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, threads, files] = arguments.as_slice()
        && mode == peer::MODE
    {
        peer::run(threads.parse().expect("a number of threads"), files.as_ref());
        return ExitCode::SUCCESS;
    }
    let mut table = Table::default();
    println!("{:<64} {:>10} {:>12}", "figure", "measured", "limit");
    reviews::measure(&mut table);
    restart::measure(&mut table);
    let bytes = fs::metadata(running::PROGRAM).expect("the program is built").len();
    table.row("size of the program", bytes as f64 / 1e6, "MB", Some(30.0));
    match table.missed {
        0 => ExitCode::SUCCESS,
        missed => {
            println!("{missed} limits are missed");
            ExitCode::FAILURE
        }
    }
}

#[derive(Default)]
struct Table {
    missed: usize,
}

impl Table {
    fn row(&mut self, figure: &str, measured: f64, unit: &str, limit: Option<f64>) {
        let bound = limit.map(|limit| format!("<= {limit:.*} {unit}", usize::from(limit.fract() != 0.0)));
        let is_missed = limit.is_some_and(|limit| measured > limit);
        self.missed += usize::from(is_missed);
        let mark = if is_missed { "  MISSED" } else { "" };
        let measured = format!("{measured:.*} {unit}", if measured < 10.0 { 2 } else { 1 });
        println!("{figure:<64} {measured:>10} {:>12}{mark}", bound.unwrap_or_default());
    }
}

/// What the threads of a process have used of the CPU, by their ids.
#[derive(Default)]
struct Cpu(BTreeMap<OsString, u64>);

impl Cpu {
    fn of(process: u32) -> Self {
        let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("the process runs");
        let used = |task: fs::DirEntry| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            Some((task.file_name(), text.split(' ').next()?.parse::<u64>().ok()?))
        };
        Self(tasks.filter_map(|task| used(task.ok()?)).collect())
    }

    /// Microseconds since then. A thread that has ended meanwhile, which idle ones do, does not count.
    fn since(&self, earlier: &Self) -> f64 {
        let used = |(task, now): (&OsString, &u64)| now - earlier.0.get(task).unwrap_or(&0).min(now);
        self.0.iter().map(used).sum::<u64>() as f64 / 1e3
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
