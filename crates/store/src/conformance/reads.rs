//! The contract of reads: ranges, pages, the past.
//!
//! Writes here only prepare reads; their contract is in `commits`.

use super::{assert_invalid, delete, keys, pairs, put, read};
use crate::{At, Key, Page, Range, Revision, Store};

pub(super) async fn empty_store_is_at_revision_zero(store: &dyn Store) {
    let status = store.status().await.expect("status");
    assert_eq!((status.revision, status.compacted, status.entries), (Revision::ZERO, Revision::ZERO, 0));
    let page = read(store, Range::all()).await;
    assert_eq!(page, Page { entries: Vec::new(), revision: Revision::ZERO, more: false });
}

pub(super) async fn read_returns_ranges_in_key_order(store: &dyn Store) {
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

pub(super) async fn pages_at_one_revision_add_up_to_the_range(store: &dyn Store) {
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

pub(super) async fn reads_at_a_revision_see_the_past(store: &dyn Store) {
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

pub(super) async fn reads_of_the_future_are_invalid(store: &dyn Store) {
    put(store, "a", "1").await;
    assert_invalid(store.read(Range::all(), At::Revision(Revision(2))).await);
    assert_invalid(store.watch(Key::new(), Revision(2)).await);
    assert_invalid(store.compact(Revision(2)).await);
}
