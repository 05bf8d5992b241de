//! Writes to a store under load until it is killed, and prints each acknowledged commit: the process that the crash
//! tests kill.
//!
//! `store-load DIRECTORY WRITERS VALUE_BYTES` opens the embedded store and prints `open REVISION`. Then each writer commits,
//! one after the other, transactions that put `last/WRITER` (guarded by its latest revision) and `slot/WRITER/NUMBER mod
//! 20`, both with the same number in the value, and prints `ack WRITER NUMBER REVISION` after each acknowledgement. Every
//! 64th number of the first writer also compacts and prints `compacted REVISION`. A commit that fails prints `failed
//! WRITER NUMBER PROBLEM` and is tried again after a line on standard input. With no writers it only holds the store
//! open until standard input ends.

use std::env;
use std::io::{BufRead, Write as _, stdin, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use store::{At, Guard, Key, Range, Revision, Store, StoreConfig, StoreError, Txn, Write, open};
use tokio::task::{self, JoinSet};

#[tokio::main(flavor = "multi_thread", worker_threads = 4)]
async fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let (Some(directory), Some(writers), Some(bytes)) =
        (arguments.next(), number(arguments.next()), number(arguments.next()))
    else {
        say("usage: store-load DIRECTORY WRITERS VALUE_BYTES");
        return ExitCode::FAILURE;
    };
    match run(directory.into(), writers, bytes).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            say(&format!("error {problem}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(path: PathBuf, writers: u64, bytes: u64) -> Result<(), StoreError> {
    let store = open(&StoreConfig::Embedded { path }).await?;
    say(&format!("open {}", store.status().await?.revision));
    let mut tasks = JoinSet::new();
    for writer in 0..writers {
        tasks.spawn(write(Arc::clone(&store), writer, bytes));
    }
    for outcome in tasks.join_all().await {
        outcome?;
    }
    wait_for_line().await;
    Ok(())
}

async fn write(store: Arc<dyn Store>, writer: u64, bytes: u64) -> Result<(), StoreError> {
    let last = Key::from(format!("last/{writer}"));
    let before = store.read(Range::key(last.clone()), At::Latest).await?.entries.pop();
    let mut modified = before.as_ref().map(|entry| entry.modified);
    let mut number = before.map_or(0, |entry| value_number(&entry.value)) + 1;
    loop {
        match commit(&*store, &last, modified, writer, number, bytes).await {
            Ok(revision) => {
                say(&format!("ack {writer} {number} {revision}"));
                if writer == 0 && number % 64 == 0 {
                    let through = Revision(revision.0.saturating_sub(10));
                    store.compact(through).await?;
                    say(&format!("compacted {through}"));
                }
                modified = Some(revision);
                number += 1;
            }
            Err(StoreError::Unavailable(problem) | StoreError::Full(problem)) => {
                say(&format!("failed {writer} {number} {problem}"));
                if !wait_for_line().await {
                    return Ok(());
                }
            }
            Err(problem) => return Err(problem),
        }
    }
}

async fn commit(
    store: &dyn Store,
    last: &Key,
    modified: Option<Revision>,
    writer: u64,
    number: u64,
    bytes: u64,
) -> Result<Revision, StoreError> {
    let guard = match modified {
        Some(revision) => Guard::Modified(last.clone(), revision),
        None => Guard::Absent(last.clone()),
    };
    let value = Bytes::from(format!("{number}{}", " .".repeat(bytes as usize / 2)));
    let slot = Key::from(format!("slot/{writer}/{}", number % 20));
    let writes = vec![Write::Put(last.clone(), value.clone()), Write::Put(slot, value)];
    store.commit(Txn { guards: vec![guard], writes }).await
}

/// Waits for a line on standard input. False at its end.
async fn wait_for_line() -> bool {
    let read = || stdin().lock().read_line(&mut String::new()).unwrap_or(0);
    task::spawn_blocking(read).await.unwrap_or(0) > 0
}

/// Prints one line in a single write, so that the reader never sees part of a line.
fn say(line: &str) {
    let mut out = stdout().lock();
    // Fails only when the reader is gone.
    let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
}

fn value_number(value: &[u8]) -> u64 {
    let digits: Vec<u8> = value.iter().copied().take_while(u8::is_ascii_digit).collect();
    String::from_utf8_lossy(&digits).parse().unwrap_or(0)
}

fn number(argument: Option<String>) -> Option<u64> {
    argument?.parse().ok()
}
