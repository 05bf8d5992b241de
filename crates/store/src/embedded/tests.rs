//! What cannot be seen from outside: files as a loss of power leaves them, formats of later versions.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::checksum::Checksum;
use super::format::{DurabilityMark, FIRST_FRAME, FrameKind, FrameWriter, HEADER_BYTES, Header, Record};
use super::index::{Index, Version};
use super::rewrite::{Plan, rewrite};
use super::*;

use bytes::Bytes;

use crate::{Guard, Write};

/// A store's file after some commits, each in a group of its own.
struct Images {
    images: Vec<Vec<u8>>,
}

impl Images {
    /// `images[n]` is the file when `n` commits were acknowledged.
    async fn take(count: u64) -> Images {
        let directory = tempfile::tempdir().expect("directory");
        let store = EmbeddedStore::open(directory.path()).await.expect("open");
        let mut images = vec![image(directory.path())];
        for number in 1..=count {
            put(&store, number).await;
            images.push(image(directory.path()));
        }
        Images { images }
    }

    /// The file with the frames of `count` commits, but the marks of an earlier time.
    fn with_marks_of(&self, count: usize, marks: usize) -> Vec<u8> {
        let first = FIRST_FRAME as usize;
        [&self.images[marks][..first], &self.images[count][first..]].concat()
    }

    fn end(&self, count: usize) -> usize {
        self.images[count].len()
    }
}

#[tokio::test]
async fn acknowledged_commit_survives_though_its_mark_was_lost() {
    let images = Images::take(3).await;
    assert_eq!(revision_of(&images.with_marks_of(3, 2)).await, Ok(3));
    assert_eq!(revision_of(&images.images[3]).await, Ok(3));
}

#[tokio::test]
async fn torn_group_after_the_mark_is_cut_off() {
    let images = Images::take(4).await;
    // The third commit was acknowledged, its mark was not durable yet; the fourth was being written.
    let whole = images.with_marks_of(4, 2);
    for torn in images.end(3)..images.end(4) {
        assert_eq!(revision_of(&whole[..torn]).await, Ok(3), "ends at byte {torn}");
        let mut hole = whole.clone();
        hole[torn..].fill(0);
        let expected = if hole == whole { 4 } else { 3 };
        assert_eq!(revision_of(&hole).await, Ok(expected), "zeros from byte {torn}");
    }
    for page in (images.end(3)..images.end(4)).step_by(7) {
        let mut hole = whole.clone();
        hole[page..(page + 7).min(images.end(4))].fill(0xa5);
        assert_eq!(revision_of(&hole).await, Ok(3), "a hole at byte {page}");
    }
}

#[tokio::test]
async fn torn_group_is_cut_off_and_the_store_goes_on() {
    let images = Images::take(2).await;
    let directory = tempfile::tempdir().expect("directory");
    let torn = &images.with_marks_of(2, 1)[..images.end(2) - 5];
    fs::write(directory.path().join("portcullis.store"), torn).expect("write");
    for _ in 0..3 {
        let store = EmbeddedStore::open(directory.path()).await.expect("open");
        assert_eq!(store.status().await.expect("status").bytes, image(directory.path()).len() as u64);
        let head = store.status().await.expect("status").revision;
        assert_eq!(put(&store, head.0 + 10).await, head.next());
    }
    let store = EmbeddedStore::open(directory.path()).await.expect("open");
    let page = store.read(Range::all(), At::Latest).await.expect("read");
    assert_eq!(page.entries.len(), 4, "the first commit, and one after each opening");
}

#[tokio::test]
async fn damage_before_a_later_group_is_not_taken_for_a_torn_write() {
    let images = Images::take(4).await;
    // By the marks, the last two could be torn. That the fourth has begun proves the third was durable.
    let mut image = images.with_marks_of(4, 2);
    image[images.end(2) + 60] ^= 1;
    let problem = revision_of(&image).await.expect_err("damage");
    assert!(problem.contains("a later one is whole"), "{problem}");
}

#[tokio::test]
async fn torn_group_keeps_its_whole_transactions_only() {
    let images = Images::take(1).await;
    let header = Header::parse(&images.images[1]).expect("header");
    let mut image = images.images[1].clone();
    let group = image.len() as u64;
    let mut frames = Vec::new();
    for revision in [Revision(2), Revision(3)] {
        let mut frame = FrameWriter::new(&mut frames, group, header.id);
        for key in [format!("a{revision}"), format!("b{revision}")] {
            let value = Some(&b"value"[..]);
            frame.record(Record { key: key.as_bytes(), value, created: revision, modified: revision });
        }
        frame.finish(FrameKind::Commit, revision, group);
    }
    image.extend(&frames);
    assert_eq!(revision_of(&image).await, Ok(3), "whole though not acknowledged");
    for cut in 1..frames.len() {
        let expected = if cut < frames.len() / 2 { 2 } else { 1 };
        let expected = if cut == frames.len() / 2 { 2 } else { expected };
        assert_eq!(revision_of(&image[..image.len() - cut]).await, Ok(expected), "{cut} bytes cut off");
    }
}

#[tokio::test]
async fn frames_that_do_not_follow_are_refused() {
    let images = Images::take(1).await;
    let header = Header::parse(&images.images[1]).expect("header");
    for (kind, revision, modified, key) in [
        (FrameKind::Commit, 3, 3, "gap"),
        (FrameKind::Commit, 1, 1, "again"),
        (FrameKind::Commit, 2, 1, "contradiction"),
        (FrameKind::Commit, 2, 2, ""),
        (FrameKind::Base, 0, 0, "late base"),
    ] {
        let mut image = images.images[1].clone();
        let group = image.len() as u64;
        let mut frames = Vec::new();
        let mut frame = FrameWriter::new(&mut frames, group, header.id);
        let (created, modified) = (Revision(modified), Revision(modified));
        frame.record(Record { key: key.as_bytes(), value: Some(b"value"), created, modified });
        frame.finish(kind, Revision(revision), group);
        image.extend(frames);
        let problem = revision_of(&image).await.expect_err("refused");
        assert!(problem.contains("not the next one") || problem.contains("contradicts"), "{problem}");
    }
}

#[tokio::test]
async fn mark_in_the_middle_of_a_frame_is_refused() {
    let images = Images::take(2).await;
    let mut image = images.images[2].clone();
    let id = Header::parse(&image).expect("header").id;
    for (end, revision) in [(image.len() as u64 - 3, Revision(2)), (image.len() as u64, Revision(1))] {
        let mark = DurabilityMark { sequence: 100, end, revision };
        let at = mark.offset() as usize;
        let bytes = mark.encode(id);
        image[at..at + bytes.len()].copy_from_slice(&bytes);
        let problem = revision_of(&image).await.expect_err("refused");
        assert!(problem.contains("expected revision"), "{problem}");
    }
}

#[tokio::test]
async fn newer_format_is_refused() {
    let images = Images::take(1).await;
    let mut image = images.images[1].clone();
    image[16] = 2;
    let checksum = Checksum::new().add(&image[..HEADER_BYTES - 8]).value();
    image[HEADER_BYTES - 8..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    let directory = tempfile::tempdir().expect("directory");
    fs::write(directory.path().join("portcullis.store"), &image).expect("write");
    let problem = EmbeddedStore::open(directory.path()).await.expect_err("refused");
    assert!(
        matches!(&problem, StoreError::Unavailable(text) if text.contains("has format 2, which is newer"))
    );
    assert_eq!(self::image(directory.path()), image, "left as it was");
}

#[tokio::test]
async fn unfinished_rewrite_is_removed_and_ignored() {
    let images = Images::take(2).await;
    let directory = tempfile::tempdir().expect("directory");
    fs::write(directory.path().join("portcullis.store"), &images.images[2]).expect("write");
    fs::write(directory.path().join("portcullis.store.new"), &images.images[1]).expect("write");
    let store = EmbeddedStore::open(directory.path()).await.expect("open");
    assert_eq!(store.status().await.expect("status").revision, Revision(2));
    assert!(!directory.path().join("portcullis.store.new").exists());
}

#[tokio::test]
async fn rewritten_file_keeps_the_history_after_the_compaction() {
    let directory = tempfile::tempdir().expect("directory");
    let store = EmbeddedStore::open(directory.path()).await.expect("open");
    for number in 0..200 {
        let value = Bytes::from(vec![b'v'; 5000]);
        let writes = vec![Write::Put(format!("k{}", number % 5).into(), value)];
        store.commit(Txn { guards: Vec::new(), writes }).await.expect("commit");
    }
    let long = store.status().await.expect("status").bytes;
    let mut events = store.watch(Key::new(), Revision(190)).await.expect("watch");
    store.compact(Revision(190)).await.expect("compact");
    let short = store.status().await.expect("status").bytes;
    assert!(short < 100_000 && long > 1_000_000, "{long} bytes, then {short}");
    assert_eq!(image(directory.path()).len() as u64, short);
    for revision in 191..=200 {
        assert_eq!(events.next().await.expect("next").revision, Revision(revision));
    }
    drop(store);
    let store = EmbeddedStore::open(directory.path()).await.expect("open");
    assert_eq!(store.status().await.expect("status").bytes, short);
    let mut events = store.watch(Key::new(), Revision(190)).await.expect("watch");
    for revision in 191..=200 {
        assert_eq!(events.next().await.expect("next").revision, Revision(revision));
        let page = store.read(Range::all(), At::Revision(Revision(revision))).await.expect("read");
        assert_eq!((page.entries.len(), page.revision), (5, Revision(revision)));
    }
    assert_eq!(store.read(Range::all(), At::Revision(Revision(189))).await, Err(StoreError::Compacted));
}

#[tokio::test]
async fn rewritten_file_catches_up_with_what_was_committed_meanwhile() {
    let directory = tempfile::tempdir().expect("directory");
    let store = EmbeddedStore::open(directory.path()).await.expect("open");
    for number in 1..=20 {
        put(&store, number).await;
    }
    store.compact(Revision(10)).await.expect("compact");
    let end = |store: &EmbeddedStore| store.shared.read().status().bytes;
    let plan = Plan::new(&store.shared.read(), end(&store));
    let target = directory.path().join("target");
    let mut rewritten = rewrite(&plan, &target, &AtomicBool::new(false)).expect("rewrite");
    for number in 21..=25 {
        put(&store, number).await;
        store.compact(Revision(number - 8)).await.expect("compact");
    }
    let state = store.shared.read();
    assert!(rewritten.check(&state.index).is_err(), "the old file has gone on");
    rewritten.catch_up(&state.file, state.status().bytes).expect("catch up");
    rewritten.check(&state.index).expect("the same again");
    let (_, index, _) = recover::recover(&target, &target).expect("recover");
    assert_eq!(index.read(&Range::all(), Revision(25)).0.len(), 25);
    assert_eq!((index.compacted(), index.head()), (Revision(17), Revision(25)));
}

#[tokio::test]
async fn failed_rewrite_leaves_the_store_as_it_was() {
    let directory = tempfile::tempdir().expect("directory");
    let store = EmbeddedStore::open(directory.path()).await.expect("open");
    let overwrite = || Write::Put("key 0".into(), Bytes::from(vec![b'v'; 600_000]));
    for _ in 0..3 {
        store.commit(Txn { guards: Vec::new(), writes: vec![overwrite()] }).await.expect("commit");
    }
    // A directory stands where the new file would go.
    let obstacle = directory.path().join("portcullis.store.new");
    fs::create_dir(&obstacle).expect("directory");
    let outcome = store.compact(Revision(3)).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    let status = store.status().await.expect("status");
    assert!(
        status.compacted == Revision(3) && status.bytes > 1_800_000,
        "forgotten, but not given back: {status:?}"
    );
    put(&store, 4).await;
    fs::remove_dir(&obstacle).expect("remove");
    store.compact(Revision(3)).await.expect("compact");
    let status = store.status().await.expect("status");
    assert!(status.bytes < 700_000, "{status:?}");
    assert_eq!(store.read(Range::all(), At::Latest).await.expect("read").entries.len(), 2);
}

#[tokio::test]
async fn rewrite_gives_up_when_the_store_closes() {
    let directory = tempfile::tempdir().expect("directory");
    let store = EmbeddedStore::open(directory.path()).await.expect("open");
    put(&store, 1).await;
    let plan = Plan::new(&store.shared.read(), store.shared.read().status().bytes);
    let outcome = rewrite(&plan, &directory.path().join("target"), &AtomicBool::new(true));
    assert_eq!(outcome.err(), Some(StoreError::Unavailable("the store is closing".into())));
}

#[tokio::test]
async fn commits_that_wait_together_share_one_group() {
    let directory = tempfile::tempdir().expect("directory");
    let store = Arc::new(EmbeddedStore::open(directory.path()).await.expect("open"));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..500 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { put(&store, number).await });
    }
    let mut revisions: Vec<u64> = tasks.join_all().await.into_iter().map(|revision| revision.0).collect();
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=500).collect::<Vec<_>>(), "each has its own revision");
    let image = image(directory.path());
    let id = Header::parse(&image).expect("header").id;
    let mut groups: Vec<u64> = (FIRST_FRAME as usize..image.len() - 48)
        .filter_map(|at| super::format::FrameHeader::parse(&image[at..], id, at as u64).ok())
        .map(|header| header.group)
        .collect();
    assert_eq!(groups.len(), 500);
    groups.dedup();
    assert!(groups.len() < 100, "{} groups, each with its own sync", groups.len());
}

#[test]
fn index_takes_back_what_was_not_durable() {
    let mut index = Index::new(Revision(7));
    let version = |created, modified, deleted| {
        let place = format::FilePosition { offset: 0, length: 10 };
        Version { created: Revision(created), modified: Revision(modified), deleted, place }
    };
    let place = format::FilePosition { offset: 0, length: 20 };
    index.add_base("a".into(), version(1, 5, false));
    index.add_base("b".into(), version(2, 2, false));
    index.commit(place, vec![("a".into(), version(1, 8, false)), ("c".into(), version(8, 8, false))]);
    let before = format!("{index:?}");
    index.commit(place, vec![("a".into(), version(1, 9, true)), ("d".into(), version(9, 9, false))]);
    index.commit(place, vec![("b".into(), version(2, 10, true)), ("a".into(), version(10, 10, false))]);
    assert_eq!((index.head(), index.live()), (Revision(10), 3));
    index.undo(Revision(8));
    assert_eq!(format!("{index:?}"), before);
    assert!(index.holds(&Guard::Modified("a".into(), Revision(8))));
    assert!(index.holds(&Guard::Absent("d".into())));
}

#[test]
fn index_knows_how_much_it_keeps() {
    let mut index = Index::new(Revision::ZERO);
    let mut commit = |key: &'static str, revision, deleted, length| {
        let version = Version {
            created: Revision(revision),
            modified: Revision(revision),
            deleted,
            place: format::FilePosition { offset: 0, length },
        };
        index.commit(format::FilePosition { offset: 0, length: length + 48 }, vec![(key.into(), version)]);
    };
    commit("a", 1, false, 100);
    commit("b", 2, false, 30);
    commit("a", 3, false, 200);
    commit("b", 4, true, 20);
    for (through, kept) in [(1, 100 + 78 + 248 + 68), (2, 130 + 248 + 68), (3, 230 + 68), (4, 200)] {
        index.forget(Revision(through));
        assert_eq!(index.kept_bytes(), kept, "through {through}");
    }
    assert_eq!(index.base().len(), 1);
}

fn image(directory: &Path) -> Vec<u8> {
    fs::read(directory.join("portcullis.store")).expect("read")
}

async fn put(store: &EmbeddedStore, number: u64) -> Revision {
    let writes = vec![Write::Put(format!("key {number}").into(), format!("value {number}").into())];
    store.commit(Txn { guards: Vec::new(), writes }).await.expect("commit")
}

/// Opens a store with this file, checks that it holds one key for each revision, and returns the revision.
async fn revision_of(image: &[u8]) -> Result<u64, String> {
    let directory = tempfile::tempdir().expect("directory");
    fs::write(directory.path().join("portcullis.store"), image).expect("write");
    let store = EmbeddedStore::open(directory.path()).await.map_err(|problem| problem.to_string())?;
    let page = store.read(Range::all(), At::Latest).await.expect("read");
    for entry in page.entries.iter().filter(|entry| entry.key.starts_with(b"key ")) {
        assert_eq!(entry.key, format!("key {}", entry.modified));
        assert_eq!(entry.value, format!("value {}", entry.modified));
    }
    Ok(page.revision.0)
}
