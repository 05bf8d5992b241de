//! The contract of a store as tests, run by every back end.
//!
//! Each test gets a new, empty store from `open` and says in its name what must hold. A back end adds its own tests only
//! for what the contract does not speak of: files, processes, damage.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::{
    At, Batch, Change, Event, Events, Guard, Key, MAX_KEY_BYTES, MAX_TXN_BYTES, Page, Range, Revision, Store,
    StoreError, Txn, Write,
};

/// Runs every test of the contract, each on a new, empty store from `open`. Panics where the contract is broken.
///
/// Needs a Tokio runtime. A failed assertion names the test by its function in the backtrace.
pub async fn run<F, O>(open: F)
where
    F: Fn() -> O,
    O: Future<Output = Arc<dyn Store>>,
{
    empty_store_is_at_revision_zero(&*open().await).await;
    commits_take_consecutive_revisions(&*open().await).await;
    writes_of_one_transaction_share_a_revision(&*open().await).await;
    read_returns_ranges_in_key_order(&*open().await).await;
    pages_at_one_revision_add_up_to_the_range(&*open().await).await;
    reads_at_a_revision_see_the_past(&*open().await).await;
    reads_of_the_future_are_invalid(&*open().await).await;
    deleted_keys_are_made_anew(&*open().await).await;
    deleting_nothing_takes_no_revision(&*open().await).await;
    malformed_transactions_are_invalid(&*open().await).await;
    largest_transaction_is_kept_whole(&*open().await).await;
    absent_guard_holds_only_without_the_key(&*open().await).await;
    modified_guard_holds_only_at_that_revision(&*open().await).await;
    unchanged_guard_sees_puts_and_deletions(&*open().await).await;
    unchanged_guard_knows_nothing_before_the_compaction_or_after_the_head(&*open().await).await;
    unchanged_guard_ignores_the_limit_of_its_range(&*open().await).await;
    one_failed_guard_stops_every_write(&*open().await).await;
    one_of_many_rivals_wins(open().await).await;
    watch_delivers_whole_batches_in_order(&*open().await).await;
    watch_reports_progress_beside_its_prefix(&*open().await).await;
    watch_waits_for_what_comes(open().await).await;
    watch_that_is_dropped_while_waiting_loses_nothing(&*open().await).await;
    watch_misses_nothing_under_concurrent_writers(open().await).await;
    watch_ends_with_the_store(open().await).await;
    slow_watch_catches_up_or_is_told(&*open().await).await;
    compaction_forgets_only_the_past(&*open().await).await;
    compaction_is_idempotent_and_bounded(&*open().await).await;
    compaction_frees_what_is_forgotten(&*open().await).await;
    store_stays_right_while_it_is_compacted(open().await).await;
}

async fn empty_store_is_at_revision_zero(store: &dyn Store) {
    let status = store.status().await.expect("status");
    assert_eq!((status.revision, status.compacted, status.entries), (Revision::ZERO, Revision::ZERO, 0));
    let page = read(store, Range::all()).await;
    assert_eq!(page, Page { entries: Vec::new(), revision: Revision::ZERO, more: false });
}

async fn commits_take_consecutive_revisions(store: &dyn Store) {
    for expected in 1..=5 {
        assert_eq!(put(store, "a", "1").await, Revision(expected));
    }
    assert_eq!(store.status().await.expect("status").revision, Revision(5));
}

async fn writes_of_one_transaction_share_a_revision(store: &dyn Store) {
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

async fn read_returns_ranges_in_key_order(store: &dyn Store) {
    for key in ["b", "a/2", "a/1", "a", "a0", "\u{7f}", "a/"] {
        put(store, key, key).await;
    }
    for (range, expected) in [
        (Range::all(), &["a", "a/", "a/1", "a/2", "a0", "b", "\u{7f}"][..]),
        (Range::prefix("a/"), &["a/", "a/1", "a/2"]),
        (Range::key("a"), &["a"]),
        (Range::key("nothing"), &[]),
        (Range::between("a/1", "b"), &["a/1", "a/2", "a0"]),
        (Range::between("b", "a"), &[]),
        (Range::between("a", "a"), &[]),
        (Range::prefix("a/").after("a/1"), &["a/2"]),
        (Range::prefix("a/").after("z"), &[]),
        (Range::all().limit(2), &["a", "a/"]),
    ] {
        let page = read(store, range.clone()).await;
        assert_eq!(keys(&page), expected, "{range:?}");
        assert!(page.entries.iter().all(|entry| entry.value == entry.key), "{range:?}");
    }
}

async fn pages_at_one_revision_add_up_to_the_range(store: &dyn Store) {
    for number in 0..10 {
        put(store, &format!("k{number}"), "v").await;
    }
    let first = read(store, Range::all().limit(4)).await;
    assert!(first.more);
    // What is written between two pages is not in the second one.
    put(store, "k55", "late").await;
    let mut found = keys(&first);
    let mut page = first;
    while page.more {
        let last = page.entries.last().expect("a page with more is not empty").key.clone();
        let rest = Range::all().limit(4).after(last);
        page = store.read(rest, At::Revision(page.revision)).await.expect("read");
        found.extend(keys(&page));
    }
    assert_eq!(found, (0..10).map(|number| format!("k{number}")).collect::<Vec<_>>());
    let exact = read(store, Range::prefix("k5").limit(2)).await;
    assert_eq!((exact.entries.len(), exact.more), (2, false));
    let none = read(store, Range::all().limit(0)).await;
    assert_eq!((none.entries.len(), none.more), (0, true));
}

async fn reads_at_a_revision_see_the_past(store: &dyn Store) {
    put(store, "a", "1").await;
    put(store, "b", "1").await;
    put(store, "a", "2").await;
    delete(store, "b").await;
    put(store, "c", "1").await;
    let past: [&[&str]; 6] = [&[], &["a=1"], &["a=1", "b=1"], &["a=2", "b=1"], &["a=2"], &["a=2", "c=1"]];
    for (revision, expected) in (0..).map(Revision).zip(past) {
        let page = store.read(Range::all(), At::Revision(revision)).await.expect("read");
        assert_eq!(pairs(&page), expected, "at revision {revision}");
        assert_eq!(page.revision, revision);
    }
}

async fn reads_of_the_future_are_invalid(store: &dyn Store) {
    put(store, "a", "1").await;
    assert_invalid(store.read(Range::all(), At::Revision(Revision(2))).await);
    assert_invalid(store.watch(Key::new(), Revision(2)).await);
    assert_invalid(store.compact(Revision(2)).await);
}

async fn deleted_keys_are_made_anew(store: &dyn Store) {
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

async fn deleting_nothing_takes_no_revision(store: &dyn Store) {
    put(store, "a", "1").await;
    assert_eq!(delete(store, "b").await, Revision(1));
    let writes = vec![Write::Delete("b".into()), Write::Delete("a".into())];
    let revision = store.commit(Txn { guards: Vec::new(), writes }).await.expect("commit");
    assert_eq!(revision, Revision(2));
    let mut events = store.watch(Key::new(), Revision(1)).await.expect("watch");
    assert_eq!(next(&mut events).await, Batch { revision, events: vec![deleted("a")] });
}

async fn malformed_transactions_are_invalid(store: &dyn Store) {
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

async fn largest_transaction_is_kept_whole(store: &dyn Store) {
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

async fn absent_guard_holds_only_without_the_key(store: &dyn Store) {
    let guard = || Guard::Absent("a".into());
    assert!(guarded(store, guard()).await.is_ok());
    put(store, "a", "1").await;
    assert_eq!(guarded(store, guard()).await, Err(StoreError::Conflict));
    delete(store, "a").await;
    assert!(guarded(store, guard()).await.is_ok());
}

async fn modified_guard_holds_only_at_that_revision(store: &dyn Store) {
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

async fn unchanged_guard_sees_puts_and_deletions(store: &dyn Store) {
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
    // A key that came and went has changed, too.
    let before = store.status().await.expect("status").revision;
    put(store, "a/3", "1").await;
    delete(store, "a/3").await;
    assert_eq!(guarded(store, guard(before)).await, Err(StoreError::Conflict));
    // Few changes among many keys, and many changes beside few keys.
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

async fn unchanged_guard_knows_nothing_before_the_compaction_or_after_the_head(store: &dyn Store) {
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

async fn unchanged_guard_ignores_the_limit_of_its_range(store: &dyn Store) {
    put(store, "a/1", "1").await;
    let since = put(store, "a/2", "1").await;
    put(store, "a/2", "2").await;
    let guard = Guard::Unchanged(Range::prefix("a/").limit(1), since);
    assert_eq!(guarded(store, guard).await, Err(StoreError::Conflict));
}

async fn one_failed_guard_stops_every_write(store: &dyn Store) {
    put(store, "a", "1").await;
    let guards = vec![Guard::Absent("b".into()), Guard::Absent("a".into())];
    let writes = vec![Write::Put("b".into(), "1".into()), Write::Delete("a".into())];
    assert_eq!(store.commit(Txn { guards, writes }).await, Err(StoreError::Conflict));
    let page = read(store, Range::all()).await;
    assert_eq!((pairs(&page), page.revision), (vec![String::from("a=1")], Revision(1)));
}

async fn one_of_many_rivals_wins(store: Arc<dyn Store>) {
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

async fn watch_delivers_whole_batches_in_order(store: &dyn Store) {
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

async fn watch_reports_progress_beside_its_prefix(store: &dyn Store) {
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

async fn watch_waits_for_what_comes(store: Arc<dyn Store>) {
    let mut events = store.watch("a".into(), Revision::ZERO).await.expect("watch");
    let waiting = tokio::spawn(async move { next(&mut events).await });
    let revision = put(&*store, "a", "1").await;
    assert_eq!(waiting.await.expect("task"), Batch { revision, events: vec![written("a", "1")] });
}

async fn watch_that_is_dropped_while_waiting_loses_nothing(store: &dyn Store) {
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

async fn watch_misses_nothing_under_concurrent_writers(store: Arc<dyn Store>) {
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

async fn watch_ends_with_the_store(store: Arc<dyn Store>) {
    put(&*store, "a", "1").await;
    let mut events = store.watch(Key::new(), Revision::ZERO).await.expect("watch");
    drop(store);
    assert_eq!(next(&mut events).await.revision, Revision(1), "what has happened is still delivered");
    assert!(matches!(events.next().await, Err(StoreError::Unavailable(_))));
}

async fn slow_watch_catches_up_or_is_told(store: &dyn Store) {
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
    // Batches that it had fetched before may still come, in order; then it is told, and never skips.
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

async fn compaction_forgets_only_the_past(store: &dyn Store) {
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

async fn compaction_is_idempotent_and_bounded(store: &dyn Store) {
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

async fn compaction_frees_what_is_forgotten(store: &dyn Store) {
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

async fn store_stays_right_while_it_is_compacted(store: Arc<dyn Store>) {
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

async fn read(store: &dyn Store, range: Range) -> Page {
    store.read(range, At::Latest).await.expect("read")
}

async fn put<K: AsRef<[u8]>, V: AsRef<[u8]>>(store: &dyn Store, key: K, value: V) -> Revision {
    let (key, value) = (Key::copy_from_slice(key.as_ref()), Bytes::copy_from_slice(value.as_ref()));
    store.commit(Txn { guards: Vec::new(), writes: vec![Write::Put(key, value)] }).await.expect("put")
}

async fn delete(store: &dyn Store, key: &'static str) -> Revision {
    store.commit(Txn { guards: Vec::new(), writes: vec![Write::Delete(key.into())] }).await.expect("delete")
}

/// Tries a harmless write under `guard`.
async fn guarded(store: &dyn Store, guard: Guard) -> Result<Revision, StoreError> {
    let writes = vec![Write::Put("beside every range".into(), "1".into())];
    store.commit(Txn { guards: vec![guard], writes }).await
}

async fn next(events: &mut Events) -> Batch {
    events.next().await.expect("next")
}

fn assert_invalid<T: Debug>(outcome: Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Invalid(_))), "expected a refusal, got {outcome:?}");
}

fn keys(page: &Page) -> Vec<String> {
    page.entries.iter().map(|entry| String::from_utf8_lossy(&entry.key).into_owned()).collect()
}

/// `key=value` of each entry.
fn pairs(page: &Page) -> Vec<String> {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    page.entries.iter().map(|entry| format!("{}={}", text(&entry.key), text(&entry.value))).collect()
}

fn written(key: &str, value: &str) -> Event {
    Event {
        key: Key::copy_from_slice(key.as_bytes()),
        change: Change::Put(Bytes::copy_from_slice(value.as_bytes())),
    }
}

fn deleted(key: &str) -> Event {
    Event { key: Key::copy_from_slice(key.as_bytes()), change: Change::Delete }
}

const WRITERS: u64 = 8;
const WRITES: u64 = 50;
