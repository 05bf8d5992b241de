//! Durable writes of the embedded store beside raw appends with fdatasync and beside redb, and opening with everything
//! read, in one run.
//!
//! Rates of a disk vary twofold from minute to minute, so each round measures all contenders one after the other, and
//! the medians of all rounds stand beside each other. CPU time is of the whole process, the kernel's share included.
//! It does not measure a cold disk: what was just written is read from the system's cache.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use rustix::time::{ClockId, clock_gettime};
use store::{At, Key, Range, Store, StoreConfig, Txn, Write, open};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("runtime");
    let directory = tempfile::tempdir().expect("directory");
    println!("medians of {ROUNDS} rounds; wall time and CPU time per record");
    let single = [
        ("raw append + fdatasync", Box::new(|path: &Path| raw(path, SINGLE, 1)) as Contender<'_>),
        ("store, one commit after the other", Box::new(|path| store_single(&runtime, path))),
        ("redb, one commit after the other", Box::new(|path| redb(path, SINGLE, 1))),
        ("raw append of 100 records + fdatasync", Box::new(|path| raw(path, GROUPED, 100))),
        ("store, 100 writers at once", Box::new(|path| store_grouped(&runtime, path))),
        ("redb, 100 records in one commit", Box::new(|path| redb(path, GROUPED, 100))),
    ];
    let measured = rounds(directory.path(), &single);
    for ((name, _), (wall, cpu)) in single.iter().zip(&measured) {
        println!(
            "{name:40} {:9.1} us {:9.1} us CPU {:9.0} records/s",
            micros(*wall),
            micros(*cpu),
            1.0 / wall.as_secs_f64()
        );
    }
    println!();
    println!("open, and read {RECORDS} records of {RECORD_BYTES} bytes");
    fill(&runtime, directory.path());
    let opened = [
        ("store, only opened", Box::new(|path: &Path| store_open(&runtime, path)) as Contender<'_>),
        ("store", Box::new(|path| store_read(&runtime, path))),
        ("redb", Box::new(redb_open)),
    ];
    let measured = rounds(directory.path(), &opened);
    for ((name, _), (wall, cpu)) in opened.iter().zip(&measured) {
        let (wall, cpu) = (wall.as_secs_f64() * 1e3, cpu.as_secs_f64() * 1e3);
        println!("{name:40} {wall:9.1} ms {cpu:9.1} ms CPU   limit {OPEN_LIMIT_MS} ms");
    }
}

/// Works in a directory and returns how much it has done.
type Contender<'a> = Box<dyn Fn(&Path) -> u32 + 'a>;

/// Median wall and CPU time of each contender for one record.
fn rounds(directory: &Path, contenders: &[(&str, Contender<'_>)]) -> Vec<(Duration, Duration)> {
    let mut measured = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for ((_, contender), measured) in contenders.iter().zip(&mut measured) {
            let (wall, cpu) = (Instant::now(), cpu_time());
            let count = contender(directory);
            measured.push((wall.elapsed() / count, (cpu_time() - cpu) / count));
        }
    }
    measured
        .into_iter()
        .map(|rounds| (median(rounds.iter().map(|r| r.0)), median(rounds.iter().map(|r| r.1))))
        .collect()
}

fn raw(directory: &Path, records: u32, group: u32) -> u32 {
    let path = directory.join("raw");
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path).expect("file");
    let bytes = vec![7; VALUE_BYTES * group as usize];
    for number in 0..u64::from(records / group) {
        file.write_all_at(&bytes, number * bytes.len() as u64).expect("write");
        file.sync_data().expect("sync");
    }
    records
}

fn store_single(runtime: &Runtime, directory: &Path) -> u32 {
    runtime.block_on(async {
        let store = fresh_store(directory).await;
        for number in 0..SINGLE {
            store.commit(put(number, VALUE_BYTES)).await.expect("commit");
        }
    });
    SINGLE
}

fn store_grouped(runtime: &Runtime, directory: &Path) -> u32 {
    runtime.block_on(async {
        let store = fresh_store(directory).await;
        let mut tasks = JoinSet::new();
        for writer in 0..100 {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                for number in 0..GROUPED / 100 {
                    store.commit(put(writer * 1_000_000 + number, VALUE_BYTES)).await.expect("commit");
                }
            });
        }
        tasks.join_all().await;
    });
    GROUPED
}

fn redb(directory: &Path, records: u32, group: u32) -> u32 {
    let path = directory.join("redb-write");
    let _ = std::fs::remove_file(&path);
    let database = Database::create(path).expect("database");
    for first in (0..records).step_by(group as usize) {
        let transaction = database.begin_write().expect("begin");
        {
            let mut table = transaction.open_table(TABLE).expect("table");
            for number in first..first + group {
                table.insert(key(number).as_bytes(), &[7; VALUE_BYTES][..]).expect("insert");
            }
        }
        transaction.commit().expect("commit");
    }
    records
}

fn fill(runtime: &Runtime, directory: &Path) {
    runtime.block_on(async {
        let path = directory.join("store-read");
        let store = open(&StoreConfig::Embedded { path }).await.expect("open");
        for first in (0..RECORDS).step_by(1000) {
            let writes = (first..first + 1000).flat_map(|number| put(number, RECORD_BYTES).writes).collect();
            store.commit(Txn { guards: Vec::new(), writes }).await.expect("commit");
        }
    });
    let database = Database::create(directory.join("redb-read")).expect("database");
    let transaction = database.begin_write().expect("begin");
    {
        let mut table = transaction.open_table(TABLE).expect("table");
        for number in 0..RECORDS {
            table.insert(key(number).as_bytes(), &[7; RECORD_BYTES][..]).expect("insert");
        }
    }
    transaction.commit().expect("commit");
}

fn store_read(runtime: &Runtime, directory: &Path) -> u32 {
    runtime.block_on(async {
        let path = directory.join("store-read");
        let store = open(&StoreConfig::Embedded { path }).await.expect("open");
        let page = store.read(Range::all(), At::Latest).await.expect("read");
        assert_eq!(page.entries.len(), RECORDS as usize);
    });
    1
}

fn store_open(runtime: &Runtime, directory: &Path) -> u32 {
    runtime.block_on(async {
        let path = directory.join("store-read");
        open(&StoreConfig::Embedded { path }).await.expect("open");
    });
    1
}

fn redb_open(directory: &Path) -> u32 {
    let database = Database::open(directory.join("redb-read")).expect("database");
    let table = database.begin_read().expect("begin").open_table(TABLE).expect("table");
    let mut entries = Vec::new();
    for entry in table.iter().expect("iterate") {
        let (key, value) = entry.expect("entry");
        entries.push((key.value().to_vec(), value.value().to_vec()));
    }
    assert_eq!(entries.len(), RECORDS as usize);
    1
}

async fn fresh_store(directory: &Path) -> Arc<dyn Store> {
    let path = directory.join("store-write");
    let _ = std::fs::remove_dir_all(&path);
    open(&StoreConfig::Embedded { path }).await.expect("open")
}

fn put(number: u32, bytes: usize) -> Txn {
    Txn { guards: Vec::new(), writes: vec![Write::Put(Key::from(key(number)), vec![7; bytes].into())] }
}

fn key(number: u32) -> String {
    format!("/live/0b1f6471-1bf0-4dda-aec3-cb9272f09590/assignment/{number:012}")
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
const ROUNDS: usize = 7;
const SINGLE: u32 = 300;
const GROUPED: u32 = 10_000;
const VALUE_BYTES: usize = 200;
const RECORDS: u32 = 100_000;
const RECORD_BYTES: usize = 300;
const OPEN_LIMIT_MS: u32 = 300;
