//! The contract of commits: revisions, guards, what is refused.
//!
//! Durability is not tested here, because the memory store has none.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{assert_invalid, delete, deleted, guarded, keys, next, pairs, put, read};
use crate::{
    Batch, Change, Event, Guard, Key, MAX_KEY_BYTES, MAX_TXN_BYTES, Range, Revision, Store, StoreError, Txn,
    Write,
};

pub(super) async fn commits_take_consecutive_revisions(store: &dyn Store) {
    for expected in 1..=5 {
        assert_eq!(put(store, "a", "1").await, Revision(expected));
    }
    assert_eq!(store.status().await.expect("status").revision, Revision(5));
}

pub(super) async fn writes_of_one_transaction_share_a_revision(store: &dyn Store) {
    put(store, "c", "old").await;
    let writes = vec![
        Write::Put("a".into(), "1".into()),
        Write::Put("b".into(), "2".into()),
        Write::Delete("c".into()),
    ];
    let revision = store.commit(Txn { guards: Vec::new(), writes }).await.expect("commit");
    assert_eq!(revision, Revision(2));
    let page = read(store, Range::all()).await;
    assert_eq!(keys(&page), ["a", "b"]);
    assert!(page.entries.iter().all(|entry| entry.created == revision && entry.modified == revision));
    assert_eq!(page.revision, revision);
}

pub(super) async fn deleted_keys_are_made_anew(store: &dyn Store) {
    let made = put(store, "a", "1").await;
    let changed = put(store, "a", "2").await;
    let entry = read(store, Range::key("a")).await.entries.pop().expect("one entry");
    assert_eq!((entry.created, entry.modified), (made, changed));
    delete(store, "a").await;
    assert!(read(store, Range::key("a")).await.entries.is_empty());
    let again = put(store, "a", "3").await;
    let entry = read(store, Range::key("a")).await.entries.pop().expect("one entry");
    assert_eq!((entry.created, entry.modified), (again, again));
}

pub(super) async fn deleting_nothing_takes_no_revision(store: &dyn Store) {
    put(store, "a", "1").await;
    assert_eq!(delete(store, "b").await, Revision(1));
    let writes = vec![Write::Delete("b".into()), Write::Delete("a".into())];
    let revision = store.commit(Txn { guards: Vec::new(), writes }).await.expect("commit");
    assert_eq!(revision, Revision(2));
    let mut events = store.watch(Key::new(), Revision(1)).await.expect("watch");
    assert_eq!(next(&mut events).await, Batch { revision, events: vec![deleted("a")] });
}

pub(super) async fn malformed_transactions_are_invalid(store: &dyn Store) {
    let long = Key::from(vec![b'k'; MAX_KEY_BYTES + 1]);
    let large = Bytes::from(vec![0; MAX_TXN_BYTES]);
    for writes in [
        vec![],
        vec![
            Write::Put("a".into(), "1".into()),
            Write::Put("b".into(), "1".into()),
            Write::Delete("a".into()),
        ],
        vec![Write::Put(Key::new(), "1".into())],
        vec![Write::Delete(Key::new())],
        vec![Write::Put(long, "1".into())],
        vec![Write::Put("a".into(), large)],
    ] {
        assert_invalid(store.commit(Txn { guards: Vec::new(), writes }).await);
    }
    let guards = vec![Guard::Absent("a".into())];
    assert_invalid(store.commit(Txn { guards, writes: Vec::new() }).await);
    assert_eq!(store.status().await.expect("status").revision, Revision::ZERO);
}

pub(super) async fn largest_transaction_is_kept_whole(store: &dyn Store) {
    let key = Key::from(vec![b'k'; MAX_KEY_BYTES]);
    let value: Bytes = (0..MAX_TXN_BYTES - MAX_KEY_BYTES - 32).map(|byte| (byte % 251) as u8).collect();
    put(store, key.clone(), value.clone()).await;
    put(store, "empty", "").await;
    let page = read(store, Range::all()).await;
    assert_eq!(page.entries.iter().map(|entry| &entry.key).collect::<Vec<_>>(), [&Key::from("empty"), &key]);
    assert!(page.entries.iter().any(|entry| entry.value == value));
    let mut events = store.watch("k".into(), Revision::ZERO).await.expect("watch");
    assert!(next(&mut events).await.events == [Event { key, change: Change::Put(value) }]);
}

pub(super) async fn absent_guard_holds_only_without_the_key(store: &dyn Store) {
    let guard = || Guard::Absent("a".into());
    assert!(guarded(store, guard()).await.is_ok());
    put(store, "a", "1").await;
    assert_eq!(guarded(store, guard()).await, Err(StoreError::Conflict));
    delete(store, "a").await;
    assert!(guarded(store, guard()).await.is_ok());
}

pub(super) async fn modified_guard_holds_only_at_that_revision(store: &dyn Store) {
    let guard = |revision| Guard::Modified("a".into(), revision);
    assert_eq!(guarded(store, guard(Revision::ZERO)).await, Err(StoreError::Conflict));
    let first = put(store, "a", "1").await;
    assert!(guarded(store, guard(first)).await.is_ok());
    let second = put(store, "a", "1").await;
    assert_eq!(guarded(store, guard(first)).await, Err(StoreError::Conflict));
    assert!(guarded(store, guard(second)).await.is_ok());
    assert_eq!(guarded(store, guard(Revision(99))).await, Err(StoreError::Conflict));
    let gone = delete(store, "a").await;
    for revision in [second, gone] {
        assert_eq!(guarded(store, guard(revision)).await, Err(StoreError::Conflict));
    }
}

pub(super) async fn unchanged_guard_sees_puts_and_deletions(store: &dyn Store) {
    put(store, "a/1", "1").await;
    let since = put(store, "a/2", "1").await;
    let guard = |since| Guard::Unchanged(Range::prefix("a/"), since);
    assert!(guarded(store, guard(since)).await.is_ok());
    put(store, "b", "beside the range").await;
    assert!(guarded(store, guard(since)).await.is_ok());
    for change in ["put", "put again", "delete"] {
        let before = store.status().await.expect("status").revision;
        assert!(guarded(store, guard(before)).await.is_ok(), "before {change}");
        match change {
            "delete" => delete(store, "a/1").await,
            _ => put(store, "a/1", "2").await,
        };
        assert_eq!(guarded(store, guard(before)).await, Err(StoreError::Conflict), "after {change}");
        assert_eq!(guarded(store, guard(since)).await, Err(StoreError::Conflict), "after {change}");
    }
    // A key that was put and deleted again has changed, too.
    let before = store.status().await.expect("status").revision;
    put(store, "a/3", "1").await;
    delete(store, "a/3").await;
    assert_eq!(guarded(store, guard(before)).await, Err(StoreError::Conflict));
    // Few changes among many keys, and many changes outside a range of few keys.
    for number in 0..50 {
        put(store, format!("m/{number:02}"), "1").await;
    }
    let before = store.status().await.expect("status").revision;
    let many = || Guard::Unchanged(Range::prefix("m/"), before);
    put(store, "n/1", "1").await;
    assert!(guarded(store, many()).await.is_ok());
    put(store, "m/49", "2").await;
    assert_eq!(guarded(store, many()).await, Err(StoreError::Conflict));
    for _ in 0..50 {
        put(store, "beside", "1").await;
    }
    assert_eq!(guarded(store, many()).await, Err(StoreError::Conflict));
    let few = Guard::Unchanged(Range::prefix("n/"), before);
    assert_eq!(guarded(store, few).await, Err(StoreError::Conflict));
    let few = Guard::Unchanged(Range::prefix("n/"), before.next());
    assert!(guarded(store, few).await.is_ok());
    let empty = Guard::Unchanged(Range::between("z", "a"), Revision::ZERO);
    assert!(guarded(store, empty).await.is_ok(), "nothing changes in a range without keys");
}

pub(super) async fn unchanged_guard_knows_nothing_before_the_compaction_or_after_the_head(store: &dyn Store) {
    let mut latest = Revision::ZERO;
    for number in 0..6 {
        latest = put(store, &format!("a/{}", number % 2), "1").await;
    }
    delete(store, "a/0").await;
    let compacted = delete(store, "a/1").await;
    assert!(latest < compacted);
    store.compact(compacted).await.expect("compact");
    let guard = |since| Guard::Unchanged(Range::prefix("a/"), since);
    assert_eq!(guarded(store, guard(latest)).await, Err(StoreError::Conflict), "older than the history");
    assert_eq!(
        guarded(store, Guard::Unchanged(Range::prefix("never"), latest)).await,
        Err(StoreError::Conflict)
    );
    assert!(guarded(store, guard(compacted)).await.is_ok());
    let head = store.status().await.expect("status").revision;
    assert!(guarded(store, guard(head)).await.is_ok());
    assert_eq!(
        guarded(store, guard(Revision(head.0 + 100))).await,
        Err(StoreError::Conflict),
        "in the future"
    );
}

pub(super) async fn unchanged_guard_ignores_the_limit_of_its_range(store: &dyn Store) {
    put(store, "a/1", "1").await;
    let since = put(store, "a/2", "1").await;
    put(store, "a/2", "2").await;
    let guard = Guard::Unchanged(Range::prefix("a/").limit(1), since);
    assert_eq!(guarded(store, guard).await, Err(StoreError::Conflict));
}

pub(super) async fn one_failed_guard_stops_every_write(store: &dyn Store) {
    put(store, "a", "1").await;
    let guards = vec![Guard::Absent("b".into()), Guard::Absent("a".into())];
    let writes = vec![Write::Put("b".into(), "1".into()), Write::Delete("a".into())];
    assert_eq!(store.commit(Txn { guards, writes }).await, Err(StoreError::Conflict));
    let page = read(store, Range::all()).await;
    assert_eq!((pairs(&page), page.revision), (vec![String::from("a=1")], Revision(1)));
}

pub(super) async fn one_of_many_rivals_wins(store: Arc<dyn Store>) {
    let mut rivals = JoinSet::new();
    for rival in 0..32 {
        let store = Arc::clone(&store);
        rivals.spawn(async move {
            let guards = vec![Guard::Absent("crown".into())];
            let writes = vec![Write::Put("crown".into(), format!("{rival}").into())];
            (format!("{rival}"), store.commit(Txn { guards, writes }).await)
        });
    }
    let mut winners = Vec::new();
    for (rival, outcome) in rivals.join_all().await {
        match outcome {
            Ok(revision) => winners.push((rival, revision)),
            Err(problem) => assert_eq!(problem, StoreError::Conflict),
        }
    }
    let entry = read(&*store, Range::key("crown")).await.entries.pop().expect("one entry");
    assert_eq!(winners, [(String::from_utf8_lossy(&entry.value).into_owned(), entry.modified)]);
}
