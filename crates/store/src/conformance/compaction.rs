//! The contract of compaction: only the past is forgotten, and its space is given back.
//!
//! It does not prescribe how a back end stores its history.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{assert_invalid, delete, next, pairs, put, read, written};
use crate::{At, Batch, Guard, Key, Range, Revision, Store, StoreError, Txn, Write};

pub(super) async fn compaction_forgets_only_the_past(store: &dyn Store) {
    put(store, "a", "1").await; // 1
    put(store, "b", "1").await; // 2
    put(store, "a", "2").await; // 3
    delete(store, "b").await; // 4
    put(store, "a", "3").await; // 5
    put(store, "c", "1").await; // 6
    store.compact(Revision(4)).await.expect("compact");
    for revision in 0..4 {
        let revision = Revision(revision);
        assert_eq!(store.read(Range::all(), At::Revision(revision)).await, Err(StoreError::Compacted));
        assert_eq!(store.watch(Key::new(), revision).await.err(), Some(StoreError::Compacted));
    }
    for (revision, expected) in [(4, &["a=2"][..]), (5, &["a=3"]), (6, &["a=3", "c=1"])] {
        let page = store.read(Range::all(), At::Revision(Revision(revision))).await.expect("read");
        assert_eq!(pairs(&page), expected, "at revision {revision}");
    }
    let entry = read(store, Range::key("a")).await.entries.pop().expect("one entry");
    assert_eq!((entry.created, entry.modified), (Revision(1), Revision(5)));
    let mut events = store.watch(Key::new(), Revision(4)).await.expect("watch");
    assert_eq!(next(&mut events).await, Batch { revision: Revision(5), events: vec![written("a", "3")] });
    assert_eq!(next(&mut events).await, Batch { revision: Revision(6), events: vec![written("c", "1")] });
    let status = store.status().await.expect("status");
    assert_eq!((status.revision, status.compacted, status.entries), (Revision(6), Revision(4), 2));
}

pub(super) async fn compaction_is_idempotent_and_bounded(store: &dyn Store) {
    store.compact(Revision::ZERO).await.expect("nothing to forget");
    for _ in 0..5 {
        put(store, "a", "1").await;
    }
    for through in [5, 5, 3, 0] {
        store.compact(Revision(through)).await.expect("compact");
        assert_eq!(store.status().await.expect("status").compacted, Revision(5));
    }
    assert_invalid(store.compact(Revision(6)).await);
    assert_eq!(put(store, "a", "2").await, Revision(6), "revisions go on");
    assert_eq!(read(store, Range::all()).await.entries.len(), 1);
}

pub(super) async fn compaction_frees_what_is_forgotten(store: &dyn Store) {
    let value = "v".repeat(10_000);
    for number in 0..400 {
        put(store, &format!("k{}", number % 4), &value).await;
    }
    let before = store.status().await.expect("status");
    assert!(before.bytes >= 4_000_000, "{before:?}");
    store.compact(before.revision).await.expect("compact");
    let after = store.status().await.expect("status");
    assert!(after.bytes < 400_000, "{after:?}");
    assert_eq!((after.revision, after.entries), (before.revision, 4));
    let page = read(store, Range::all()).await;
    assert!(page.entries.iter().all(|entry| entry.value == value));
}

pub(super) async fn store_stays_right_while_it_is_compacted(store: Arc<dyn Store>) {
    let mut tasks = JoinSet::new();
    for writer in 0..4 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut modified = None;
            for number in 0..150 {
                let key = Key::from(format!("k/{writer}"));
                let guard = match modified {
                    None => Guard::Absent(key.clone()),
                    Some(revision) => Guard::Modified(key.clone(), revision),
                };
                let value = Bytes::from(format!("{number} ").repeat(1000));
                let txn = Txn { guards: vec![guard], writes: vec![Write::Put(key, value)] };
                modified = Some(store.commit(txn).await.expect("nobody else writes the key"));
            }
        });
    }
    let compacting = Arc::clone(&store);
    tasks.spawn(async move {
        for _ in 0..15 {
            let head = compacting.status().await.expect("status").revision;
            compacting.compact(head).await.expect("compact");
            tokio::task::yield_now().await;
        }
    });
    let reading = Arc::clone(&store);
    tasks.spawn(async move {
        while reading.status().await.expect("status").revision < Revision(600) {
            let page = read(&*reading, Range::prefix("k/")).await;
            for entry in &page.entries {
                let value = String::from_utf8_lossy(&entry.value);
                let first = value.split(' ').next().unwrap_or_default();
                assert_eq!(value, format!("{first} ").repeat(1000), "{:?} at {}", entry.key, page.revision);
            }
        }
    });
    tasks.join_all().await;
    let page = read(&*store, Range::all()).await;
    assert_eq!((page.entries.len(), page.revision), (4, Revision(600)));
    assert!(page.entries.iter().all(|entry| entry.value.starts_with(b"149 ")));
}
