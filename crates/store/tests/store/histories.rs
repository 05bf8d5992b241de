//! Random histories: the embedded store answers everything as the memory store does, across compactions and reopenings.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use store::{
    At, Batch, Events, Guard, Key, Range, Revision, Store, StoreConfig, StoreError, Txn, Write, open,
};

use crate::{content, open_embedded};

#[derive(Clone, Debug)]
enum Step {
    Commit {
        guards: Vec<GuardStep>,
        writes: Vec<(u8, Option<ValueStep>)>,
    },
    Read {
        range: RangeStep,
        at: Option<RevisionStep>,
    },
    Watch {
        key: Option<u8>,
        after: RevisionStep,
    },
    /// Takes everything out of every watch.
    Drain,
    Compact(RevisionStep),
    Reopen,
}

#[derive(Clone, Debug)]
enum GuardStep {
    Absent(u8),
    /// The revision that the key really has now.
    Current(u8),
    Modified(u8, RevisionStep),
    Unchanged(RangeStep, RevisionStep),
}

#[derive(Clone, Debug)]
enum RangeStep {
    All,
    Key(u8),
    Prefix(u8),
    Between(u8, u8, usize),
}

/// So far before or after the latest revision.
#[derive(Clone, Copy, Debug)]
enum RevisionStep {
    Back(u64),
    Ahead(u64),
}

#[derive(Clone, Copy, Debug)]
struct ValueStep {
    byte: u8,
    length: usize,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = (any::<u8>(), prop_oneof![8 => 0..40_usize, 1 => Just(60_000)])
        .prop_map(|(byte, length)| ValueStep { byte, length });
    let write = (0..KEYS, proptest::option::weighted(0.7, value));
    let guard = prop_oneof![
        1 => (0..KEYS).prop_map(GuardStep::Absent),
        3 => (0..KEYS).prop_map(GuardStep::Current),
        1 => (0..KEYS, revision()).prop_map(|(key, revision)| GuardStep::Modified(key, revision)),
        2 => (range(), revision()).prop_map(|(range, revision)| GuardStep::Unchanged(range, revision)),
    ];
    let step = prop_oneof![
        12 => (vec(guard, 0..2), vec(write, 0..4)).prop_map(|(guards, writes)| Step::Commit { guards, writes }),
        4 => (range(), proptest::option::of(revision())).prop_map(|(range, at)| Step::Read { range, at }),
        2 => (proptest::option::of(0..KEYS), revision()).prop_map(|(key, after)| Step::Watch { key, after }),
        2 => Just(Step::Drain),
        1 => revision().prop_map(Step::Compact),
        1 => Just(Step::Reopen),
    ];
    vec(step, 1..60)
}

fn range() -> impl Strategy<Value = RangeStep> {
    prop_oneof![
        Just(RangeStep::All),
        (0..KEYS).prop_map(RangeStep::Key),
        (0..KEYS).prop_map(RangeStep::Prefix),
        (0..KEYS, 0..KEYS, 0..5_usize).prop_map(|(start, end, limit)| RangeStep::Between(start, end, limit)),
    ]
}

fn revision() -> impl Strategy<Value = RevisionStep> {
    prop_oneof![
        4 => Just(RevisionStep::Back(0)),
        8 => (0..12_u64).prop_map(RevisionStep::Back),
        1 => (1..3_u64).prop_map(RevisionStep::Ahead),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(48), ..ProptestConfig::default() })]

    #[test]
    fn embedded_store_answers_as_the_memory_store_does(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let directory = tempfile::tempdir().expect("directory");
        runtime.block_on(async {
            let mut pair = Pair::open(directory.path()).await;
            for step in steps {
                pair.step(step).await;
                pair.compare_status().await;
            }
            pair.drain().await;
            pair.reopen().await;
            pair.compare_content().await;
        });
    }
}

/// Both stores, and watches that were opened on both at the same place.
struct Pair {
    path: PathBuf,
    memory: Arc<dyn Store>,
    embedded: Option<Arc<dyn Store>>,
    watches: Vec<Watch>,
}

struct Watch {
    prefix: Key,
    after: Revision,
    memory: Events,
    embedded: Events,
}

impl Pair {
    async fn open(path: &Path) -> Pair {
        let memory = open(&StoreConfig::Memory).await.expect("memory");
        let embedded = Some(open_embedded(path).await.expect("embedded"));
        Pair { path: path.into(), memory, embedded, watches: Vec::new() }
    }

    fn embedded(&self) -> &Arc<dyn Store> {
        self.embedded.as_ref().expect("open")
    }

    async fn step(&mut self, step: Step) {
        let head = self.memory.status().await.expect("status").revision;
        match step {
            Step::Commit { guards, writes } => {
                let mut txn = Txn::default();
                for guard in guards {
                    txn.guards.push(self.guard(guard, head).await);
                }
                txn.writes = writes.into_iter().map(|(key, value)| write(key, value)).collect();
                let expected = self.memory.commit(txn.clone()).await;
                assert_eq!(self.embedded().commit(txn).await, expected);
            }
            Step::Read { range, at } => {
                let at = at.map_or(At::Latest, |at| At::Revision(at.of(head)));
                let expected = self.memory.read(range.range(), at).await;
                assert_eq!(self.embedded().read(range.range(), at).await, expected);
            }
            Step::Watch { key: number, after } => {
                let (prefix, after) = (number.map(key).unwrap_or_default(), after.of(head));
                let memory = self.memory.watch(prefix.clone(), after).await;
                let embedded = self.embedded().watch(prefix.clone(), after).await;
                match (memory, embedded) {
                    (Ok(memory), Ok(embedded)) => {
                        self.watches.push(Watch { prefix, after, memory, embedded })
                    }
                    (memory, embedded) => assert_eq!(embedded.err(), memory.err()),
                }
            }
            Step::Drain => self.drain().await,
            Step::Compact(through) => {
                let expected = self.memory.compact(through.of(head)).await;
                assert_eq!(self.embedded().compact(through.of(head)).await, expected);
            }
            Step::Reopen => self.reopen().await,
        }
    }

    async fn guard(&self, guard: GuardStep, head: Revision) -> Guard {
        match guard {
            GuardStep::Absent(number) => Guard::Absent(key(number)),
            GuardStep::Current(number) => {
                let page = self.memory.read(Range::key(key(number)), At::Latest).await.expect("read");
                match page.entries.first() {
                    Some(entry) => Guard::Modified(key(number), entry.modified),
                    None => Guard::Absent(key(number)),
                }
            }
            GuardStep::Modified(number, revision) => Guard::Modified(key(number), revision.of(head)),
            GuardStep::Unchanged(range, since) => Guard::Unchanged(range.range(), since.of(head)),
        }
    }

    async fn drain(&mut self) {
        let head = self.memory.status().await.expect("status").revision;
        let mut kept = Vec::new();
        for mut watch in std::mem::take(&mut self.watches) {
            let memory = drain(&mut watch.memory, watch.after, head).await;
            let embedded = drain(&mut watch.embedded, watch.after, head).await;
            assert_eq!(embedded, memory, "watch of {:?} after {}", watch.prefix, watch.after);
            if memory.is_ok() {
                watch.after = head;
                kept.push(watch);
            }
        }
        self.watches = kept;
    }

    /// Closes and opens the embedded store; its watches go on where they were.
    async fn reopen(&mut self) {
        self.embedded = None;
        self.embedded = Some(open_embedded(&self.path).await.expect("reopen"));
        let mut kept = Vec::new();
        for mut watch in std::mem::take(&mut self.watches) {
            match self.embedded().watch(watch.prefix.clone(), watch.after).await {
                Ok(embedded) => {
                    watch.embedded = embedded;
                    kept.push(watch);
                }
                Err(problem) => assert_eq!(watch.memory.next().await, Err(problem)),
            }
        }
        self.watches = kept;
    }

    async fn compare_status(&self) {
        let memory = self.memory.status().await.expect("status");
        let embedded = self.embedded().status().await.expect("status");
        assert_eq!(
            (embedded.revision, embedded.compacted, embedded.entries),
            (memory.revision, memory.compacted, memory.entries)
        );
    }

    async fn compare_content(&self) {
        let expected = content(&*self.memory).await.expect("content");
        assert_eq!(content(&**self.embedded()).await.expect("content"), expected);
    }
}

/// Every batch with events up to `head`.
async fn drain(events: &mut Events, after: Revision, head: Revision) -> Result<Vec<Batch>, StoreError> {
    let mut batches = Vec::new();
    let mut seen = after;
    while seen < head {
        let batch = events.next().await?;
        assert!(batch.revision > seen);
        seen = batch.revision;
        if !batch.events.is_empty() {
            batches.push(batch);
        }
    }
    Ok(batches)
}

impl RevisionStep {
    fn of(self, head: Revision) -> Revision {
        match self {
            RevisionStep::Back(count) => Revision(head.0.saturating_sub(count)),
            RevisionStep::Ahead(count) => Revision(head.0 + count),
        }
    }
}

impl RangeStep {
    fn range(&self) -> Range {
        match self {
            RangeStep::All => Range::all(),
            RangeStep::Key(number) => Range::key(key(*number)),
            RangeStep::Prefix(number) => Range::prefix(key(*number)),
            RangeStep::Between(start, end, limit) => Range::between(key(*start), key(*end)).limit(*limit),
        }
    }
}

/// Few keys, some of which begin with others.
fn key(number: u8) -> Key {
    Key::from(match number % 3 {
        0 => format!("k{}", number / 3),
        1 => format!("k{}/", number / 3),
        _ => format!("k{}/\u{ff}", number / 3),
    })
}

fn write(number: u8, value: Option<ValueStep>) -> Write {
    match value {
        Some(ValueStep { byte, length }) => Write::Put(key(number), Bytes::from(vec![byte; length])),
        None => Write::Delete(key(number)),
    }
}

/// What `PROPTEST_CASES` says, or `few`.
pub(crate) fn cases(few: u32) -> u32 {
    if env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { few }
}

const KEYS: u8 = 9;
