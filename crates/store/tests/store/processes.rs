//! Other processes: killed while they write, holding the directory, or out of disk space.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use store::{At, Change, Range, Revision, Store, StoreError};
use tokio::runtime::Runtime;

use crate::{history, open_embedded};

#[test]
fn killed_process_loses_nothing_that_it_acknowledged() {
    let kills =
        env::var("PORTCULLIS_KILLS").map_or(50, |kills| kills.parse().expect("PORTCULLIS_KILLS is a number"));
    let directory = tempfile::tempdir().expect("directory");
    let runtime = runtime();
    let mut acknowledged = Acknowledged::default();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for kill in 0..kills {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Now and then before the store is even open; otherwise in the middle of the other writers' syncs.
        let lines = if kill % 10 == 9 { 0 } else { 1 + random % 400 };
        let writers = 1 + random / 400 % 8;
        let mut load = Load::start(directory.path(), writers, 300, &[]);
        for _ in 0..lines {
            let line = load.line();
            acknowledged.note(&line);
        }
        for line in load.kill() {
            acknowledged.note(&line);
        }
        runtime.block_on(async {
            let store = open_embedded(directory.path()).await.expect("the store opens after a kill");
            acknowledged.check(&*store).await;
        });
    }
    assert!(acknowledged.count > 10 * kills, "{} acknowledged in {kills} kills", acknowledged.count);
    println!("kills: {kills}, {} acknowledged writes found again", acknowledged.count);
}

#[test]
fn second_process_is_refused_and_told_who_holds_the_store() {
    let directory = tempfile::tempdir().expect("directory");
    let runtime = runtime();
    let mut load = Load::start(directory.path(), 0, 0, &[]);
    assert_eq!(load.line(), "open 0");
    let problem = runtime.block_on(open_embedded(directory.path())).err();
    let expected =
        format!("{} is in use by another process, id {}", directory.path().display(), load.child.id());
    assert_eq!(problem, Some(StoreError::Unavailable(expected)));
    load.kill();
    runtime.block_on(async {
        let first = open_embedded(directory.path()).await.expect("the lock is gone with the process");
        let second = open_embedded(directory.path()).await;
        assert!(matches!(second.err(), Some(StoreError::Unavailable(_))), "also within one process");
        let mut load = Load::start(directory.path(), 0, 0, &[]);
        let line = load.line();
        assert!(line.contains(&format!("in use by another process, id {}", std::process::id())), "{line}");
        drop(first);
        open_embedded(directory.path()).await.expect("the lock is gone with the store");
    });
}

#[test]
fn full_disk_refuses_writes_until_there_is_space_again() {
    let directory = tempfile::tempdir().expect("directory");
    // The limit on file sizes stands in for a full disk; its signal must be ignored for the write to fail instead.
    let mut load = Load::start(directory.path(), 3, 1000, &["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    let mut acknowledged = Acknowledged::default();
    let mut failed = BTreeMap::new();
    for round in 1..=5 {
        let limit = std::fs::metadata(directory.path().join("portcullis.store")).map_or(0, |file| file.len());
        load.limit_files(Some(limit.max(12_288) + 10_000));
        while failed.len() < 3 {
            let line = load.line();
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["failed", writer, number, ..] => {
                    assert!(line.contains("portcullis.store: File too large"), "{line}");
                    failed.insert(writer.to_owned(), number.to_owned());
                }
                _ => acknowledged.note(&line),
            }
        }
        assert_eq!(
            revision_on_disk(directory.path()),
            acknowledged.revision(),
            "nothing of a refused write is left"
        );
        load.limit_files(None);
        load.say(&"space is back\n".repeat(3));
        while !failed.is_empty() {
            let line = load.line();
            acknowledged.note(&line);
            if let ["ack", writer, number, _] = line.split(' ').collect::<Vec<_>>()[..]
                && let Some(expected) = failed.remove(writer)
            {
                assert_eq!(number, expected, "the failed write is the next to succeed, in round {round}");
            }
        }
    }
    for line in load.kill() {
        acknowledged.note(&line);
    }
    runtime().block_on(async {
        let store = open_embedded(directory.path()).await.expect("open");
        acknowledged.check(&*store).await;
    });
}

/// A `store-load` process.
struct Load {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Load {
    fn start(directory: &Path, writers: u64, bytes: u64, wrapper: &[&str]) -> Load {
        let program = env!("CARGO_BIN_EXE_store-load");
        let mut words = wrapper.iter().copied().chain([program]);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).arg(directory).args([writers.to_string(), bytes.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("start");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped")).lines();
        Load { child, input, output }
    }

    fn line(&mut self) -> String {
        self.output.next().expect("the process goes on").expect("text")
    }

    fn say(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).expect("the process listens");
    }

    /// Kills the process and returns the lines that it had still written, all but one that is not whole.
    fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
        self.output.by_ref().map(|line| line.expect("text")).collect()
    }

    fn limit_files(&self, bytes: Option<u64>) {
        let process = Pid::from_child(&self.child);
        let maximum =
            prlimit(Some(process), Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("limit");
        assert_eq!(maximum.maximum, None, "the test may raise the limit again");
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Already gone after `kill`; otherwise a test has failed, or is done with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `store-load` has said.
#[derive(Debug, Default)]
struct Acknowledged {
    count: u64,
    /// Writer to its latest numbers with their revisions.
    numbers: BTreeMap<u64, BTreeMap<u64, u64>>,
    compacted: u64,
    /// Writer to its latest number that a check has found.
    found: BTreeMap<u64, u64>,
}

impl Acknowledged {
    fn note(&mut self, line: &str) {
        let number = |text: &str| text.parse::<u64>().expect("a number");
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["ack", writer, count, revision] => {
                self.count += 1;
                let numbers = self.numbers.entry(number(writer)).or_default();
                numbers.insert(number(count), number(revision));
            }
            ["compacted", revision] => self.compacted = number(revision),
            ["open", _] => {}
            _ => panic!("expected an acknowledgement, got {line}"),
        }
    }

    /// The latest revision that was acknowledged.
    fn revision(&self) -> Revision {
        let latest = self.numbers.values().filter_map(|numbers| numbers.values().max());
        latest.max().map_or(Revision::ZERO, |revision| Revision(*revision))
    }

    /// Everything that was acknowledged is there, everything that is there was begun, and nothing is half there.
    async fn check(&mut self, store: &dyn Store) {
        let status = store.status().await.expect("status");
        assert!(status.compacted >= Revision(self.compacted), "{status:?}");
        let page = store.read(Range::all(), At::Latest).await.expect("read");
        let found: BTreeMap<String, (u64, u64)> = page
            .entries
            .iter()
            .map(|entry| {
                let key = String::from_utf8_lossy(&entry.key).into_owned();
                (key, (value_number(&entry.value), entry.modified.0))
            })
            .collect();
        for (writer, numbers) in &self.numbers {
            let (acknowledged, revision) = numbers.last_key_value().expect("not empty");
            assert!(status.revision >= Revision(*revision), "{status:?}, acknowledged {revision}");
            let (last, modified) = found[&format!("last/{writer}")];
            // One more may have been made durable whose acknowledgement was not heard: in each life of the process.
            let known =
                self.found.insert(*writer, last).map_or(*acknowledged, |found| found.max(*acknowledged));
            assert!((known..=known + 1).contains(&last), "writer {writer}: {last}, known {known}");
            assert_eq!(
                found[&format!("slot/{writer}/{}", last % 20)],
                (last, modified),
                "one transaction is whole"
            );
            for number in (1..=last).rev().take(20) {
                let (slot, modified) = found[&format!("slot/{writer}/{}", number % 20)];
                assert_eq!(slot, number, "writer {writer}");
                if let Some(revision) = numbers.get(&number) {
                    assert_eq!(modified, *revision, "writer {writer}, number {number}");
                }
            }
        }
        let mut following: BTreeMap<String, u64> = BTreeMap::new();
        for batch in history(store).await.expect("history") {
            let [last, slot] = &batch.events[..] else { panic!("a transaction is whole: {batch:?}") };
            assert!(last.key.starts_with(b"last/") && slot.key.starts_with(b"slot/"), "{batch:?}");
            assert_eq!(last.change, slot.change);
            let Change::Put(value) = &last.change else { panic!("nothing is deleted: {batch:?}") };
            let key = String::from_utf8_lossy(&last.key).into_owned();
            let number = value_number(value);
            if let Some(before) = following.insert(key, number) {
                assert_eq!(number, before + 1, "{batch:?}");
            }
        }
    }
}

/// What a copy of the file opens with while a process has it open.
fn revision_on_disk(directory: &Path) -> Revision {
    let copy = tempfile::tempdir().expect("directory");
    std::fs::copy(directory.join("portcullis.store"), copy.path().join("portcullis.store")).expect("copy");
    runtime().block_on(async {
        let store = open_embedded(copy.path()).await.expect("open");
        store.status().await.expect("status").revision
    })
}

fn value_number(value: &[u8]) -> u64 {
    let digits: Vec<u8> = value.iter().copied().take_while(u8::is_ascii_digit).collect();
    String::from_utf8_lossy(&digits).parse().expect("the value begins with a number")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("runtime")
}
