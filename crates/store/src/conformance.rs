//! The contract of a store as tests, run by every back end.
//!
//! Each test gets a new, empty store from `open`; its name states the rule that it checks. A back end adds its own
//! tests only for what the contract does not cover: files, processes, damage.

mod commits;
mod compaction;
mod reads;
mod watches;

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;

use crate::{
    At, Batch, Change, Event, Events, Guard, Key, Page, Range, Revision, Store, StoreError, Txn, Write,
};

/// Runs every test of the contract, each on a new, empty store from `open`. Panics where the contract is broken.
///
/// Needs a Tokio runtime. A failed assertion names the test by its function in the backtrace.
pub async fn run<F, O>(open: F)
where
    F: Fn() -> O,
    O: Future<Output = Arc<dyn Store>>,
{
    reads::empty_store_is_at_revision_zero(&*open().await).await;
    commits::commits_take_consecutive_revisions(&*open().await).await;
    commits::writes_of_one_transaction_share_a_revision(&*open().await).await;
    reads::read_returns_ranges_in_key_order(&*open().await).await;
    reads::pages_at_one_revision_add_up_to_the_range(&*open().await).await;
    reads::reads_at_a_revision_see_the_past(&*open().await).await;
    reads::reads_of_the_future_are_invalid(&*open().await).await;
    commits::deleted_keys_are_made_anew(&*open().await).await;
    commits::deleting_nothing_takes_no_revision(&*open().await).await;
    commits::malformed_transactions_are_invalid(&*open().await).await;
    commits::largest_transaction_is_kept_whole(&*open().await).await;
    commits::absent_guard_holds_only_without_the_key(&*open().await).await;
    commits::modified_guard_holds_only_at_that_revision(&*open().await).await;
    commits::unchanged_guard_sees_puts_and_deletions(&*open().await).await;
    commits::unchanged_guard_knows_nothing_before_the_compaction_or_after_the_head(&*open().await).await;
    commits::unchanged_guard_ignores_the_limit_of_its_range(&*open().await).await;
    commits::one_failed_guard_stops_every_write(&*open().await).await;
    commits::one_of_many_rivals_wins(open().await).await;
    watches::watch_delivers_whole_batches_in_order(&*open().await).await;
    watches::watch_reports_progress_beside_its_prefix(&*open().await).await;
    watches::watch_waits_for_what_comes(open().await).await;
    watches::watch_that_is_dropped_while_waiting_loses_nothing(&*open().await).await;
    watches::watch_misses_nothing_under_concurrent_writers(open().await).await;
    watches::watch_ends_with_the_store(open().await).await;
    watches::slow_watch_catches_up_or_is_told(&*open().await).await;
    compaction::compaction_forgets_only_the_past(&*open().await).await;
    compaction::compaction_is_idempotent_and_bounded(&*open().await).await;
    compaction::compaction_frees_what_is_forgotten(&*open().await).await;
    compaction::store_stays_right_while_it_is_compacted(open().await).await;
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

/// Commits a write outside every tested range under `guard`.
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
