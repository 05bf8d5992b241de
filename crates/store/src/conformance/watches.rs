//! The contract of watches: every batch, whole, in order, and an error at the end.
//!
//! No test here measures memory; the design of a watch bounds it.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{deleted, next, put, written};
use crate::{Batch, Change, Key, Revision, Store, StoreError, Txn, Write};

pub(super) async fn watch_delivers_whole_batches_in_order(store: &dyn Store) {
    put(store, "a/1", "1").await;
    let writes = vec![
        Write::Put("a/3".into(), "3".into()),
        Write::Put("b".into(), "beside the prefix".into()),
        Write::Delete("a/1".into()),
    ];
    store.commit(Txn { guards: Vec::new(), writes }).await.expect("commit");
    put(store, "a/3", "4").await;
    let expected = [
        Batch { revision: Revision(1), events: vec![written("a/1", "1")] },
        Batch { revision: Revision(2), events: vec![written("a/3", "3"), deleted("a/1")] },
        Batch { revision: Revision(3), events: vec![written("a/3", "4")] },
    ];
    for after in 0..3 {
        let mut events = store.watch("a/".into(), Revision(after)).await.expect("watch");
        for batch in expected.iter().filter(|batch| batch.revision > Revision(after)) {
            assert_eq!(next(&mut events).await, *batch, "after {after}");
        }
    }
    let mut events = store.watch(Key::new(), Revision(1)).await.expect("watch");
    assert_eq!(next(&mut events).await.events.len(), 3, "an empty prefix watches everything");
}

pub(super) async fn watch_reports_progress_beside_its_prefix(store: &dyn Store) {
    let mut events = store.watch("a/".into(), Revision::ZERO).await.expect("watch");
    for _ in 0..5 {
        put(store, "b", "1").await;
    }
    let mut seen = Revision::ZERO;
    while seen < Revision(5) {
        let batch = next(&mut events).await;
        assert!(batch.events.is_empty() && batch.revision > seen, "{batch:?}");
        seen = batch.revision;
    }
    let revision = put(store, "a/1", "1").await;
    assert_eq!(next(&mut events).await, Batch { revision, events: vec![written("a/1", "1")] });
}

pub(super) async fn watch_waits_for_what_comes(store: Arc<dyn Store>) {
    let mut events = store.watch("a".into(), Revision::ZERO).await.expect("watch");
    let waiting = tokio::spawn(async move { next(&mut events).await });
    let revision = put(&*store, "a", "1").await;
    assert_eq!(waiting.await.expect("task"), Batch { revision, events: vec![written("a", "1")] });
}

pub(super) async fn watch_that_is_dropped_while_waiting_loses_nothing(store: &dyn Store) {
    let mut events = store.watch("a".into(), Revision::ZERO).await.expect("watch");
    for number in 1..=20 {
        let key = format!("a{number}");
        tokio::select! {
            biased;
            batch = events.next() => unreachable!("nothing was written: {batch:?}"),
            () = tokio::task::yield_now() => {}
        }
        put(store, &key, "1").await;
        // Polled once and dropped, perhaps in the middle of fetching.
        let early = tokio::select! {
            biased;
            batch = events.next() => Some(batch.expect("next")),
            () = std::future::ready(()) => None,
        };
        let batch = match early {
            Some(batch) => batch,
            None => next(&mut events).await,
        };
        assert_eq!(batch, Batch { revision: Revision(number), events: vec![written(&key, "1")] });
    }
}

pub(super) async fn watch_misses_nothing_under_concurrent_writers(store: Arc<dyn Store>) {
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for number in 0..WRITES {
                let writes = vec![
                    Write::Put(format!("w/{writer}").into(), format!("{number}").into()),
                    Write::Put(format!("x/{writer}/{number}").into(), "1".into()),
                ];
                store.commit(Txn { guards: Vec::new(), writes }).await.expect("commit");
            }
        });
    }
    for prefix in ["", "w/", "w/3"] {
        let store = Arc::clone(&store);
        tasks.spawn(async move { follow(&*store, prefix).await });
    }
    tasks.join_all().await;
    let head = store.status().await.expect("status").revision;
    assert_eq!(head, Revision(WRITERS * WRITES));
    // The same afterwards, out of the history.
    follow(&*store, "w/").await;
}

/// Follows the watch to its end and checks that every writer's numbers come, each once, in order.
async fn follow(store: &dyn Store, prefix: &'static str) {
    let mut events = store.watch(prefix.into(), Revision::ZERO).await.expect("watch");
    let mut seen = Revision::ZERO;
    let mut numbers = vec![0; WRITERS as usize];
    while seen < Revision(WRITERS * WRITES) {
        let batch = next(&mut events).await;
        assert!(batch.revision > seen, "{} after {seen}", batch.revision);
        assert!(!prefix.is_empty() || batch.revision == seen.next(), "{} after {seen}", batch.revision);
        seen = batch.revision;
        for event in &batch.events {
            let key = String::from_utf8_lossy(&event.key).into_owned();
            let Some(writer) = key.strip_prefix("w/") else { continue };
            let writer: usize = writer.parse().expect("a number");
            let number = numbers.get_mut(writer).expect("a writer");
            assert_eq!(event.change, Change::Put(format!("{number}").into()), "{key} at {seen}");
            *number += 1;
            assert_eq!(
                batch.events.len(),
                if prefix.is_empty() { 2 } else { 1 },
                "a transaction comes whole"
            );
        }
    }
    for (writer, number) in numbers.into_iter().enumerate() {
        let watched = format!("w/{writer}").starts_with(prefix);
        assert_eq!(number, if watched { WRITES } else { 0 }, "writer {writer} under {prefix:?}");
    }
}

pub(super) async fn watch_ends_with_the_store(store: Arc<dyn Store>) {
    put(&*store, "a", "1").await;
    let mut events = store.watch(Key::new(), Revision::ZERO).await.expect("watch");
    drop(store);
    assert_eq!(next(&mut events).await.revision, Revision(1), "what has happened is still delivered");
    assert!(matches!(events.next().await, Err(StoreError::Unavailable(_))));
}

pub(super) async fn slow_watch_catches_up_or_is_told(store: &dyn Store) {
    let mut patient = store.watch("k".into(), Revision::ZERO).await.expect("watch");
    let mut late = store.watch("k".into(), Revision::ZERO).await.expect("watch");
    for number in 1..=3000 {
        put(store, "k", &format!("{number}")).await;
    }
    for number in 1..=3000 {
        let batch = next(&mut patient).await;
        let events = vec![written("k", &format!("{number}"))];
        assert_eq!(batch, Batch { revision: Revision(number), events });
    }
    let compacted = Revision(2990);
    store.compact(compacted).await.expect("compact");
    // Batches that it had already fetched may still come, in order; then it gets `Compacted`, and never skips one.
    let mut seen = Revision::ZERO;
    let told = loop {
        match late.next().await {
            Ok(batch) => {
                assert_eq!(batch.revision, seen.next());
                seen = batch.revision;
            }
            Err(problem) => break problem,
        }
    };
    assert_eq!(told, StoreError::Compacted);
    assert!(seen < compacted);
}

const WRITERS: u64 = 8;

const WRITES: u64 = 50;
