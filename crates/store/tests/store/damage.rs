//! Damage: a store file that is not what was written is refused, or shows exactly what was written. Never a panic, never
//! less than what was acknowledged.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use store::{At, Range, Revision, Store, StoreError};
use tokio::runtime::Runtime;

use crate::histories::cases;
use crate::{Content, content, open_embedded, put};

#[derive(Clone, Debug, PartialEq)]
enum Damage {
    Flip(usize, u8),
    Overwrite {
        at: usize,
        bytes: Vec<u8>,
    },
    Zero {
        at: usize,
        length: usize,
    },
    /// What stands at one place stands at another as well, as after a misdirected write.
    Misplace {
        from: usize,
        to: usize,
        length: usize,
    },
    Truncate(usize),
    Append(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = || prop_oneof![3 => 12_288..usize::MAX, 1 => 0..12_288_usize];
    prop_oneof![
        4 => (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        2 => (at(), vec(any::<u8>(), 1..64)).prop_map(|(at, bytes)| Damage::Overwrite { at, bytes }),
        1 => (at(), 1..5000_usize).prop_map(|(at, length)| Damage::Zero { at, length }),
        1 => (at(), at(), 1..5000_usize).prop_map(|(from, to, length)| Damage::Misplace { from, to, length }),
        2 => at().prop_map(Damage::Truncate),
        1 => vec(any::<u8>(), 1..200).prop_map(Damage::Append),
    ]
}

impl Damage {
    fn apply(&self, image: &mut Vec<u8>) {
        let length = image.len();
        let within = |at: &usize| if *at < 12_288 { *at } else { 12_288 + at % (length - 12_288) };
        match self {
            Damage::Flip(at, bit) => image[within(at)] ^= 1 << bit,
            Damage::Overwrite { at, bytes } => {
                image.iter_mut().skip(within(at)).zip(bytes).for_each(|(to, from)| *to = *from);
            }
            Damage::Zero { at, length } => {
                image.iter_mut().skip(within(at)).take(*length).for_each(|to| *to = 0)
            }
            Damage::Misplace { from, to, length } => {
                let moved: Vec<u8> = image.iter().copied().skip(within(from)).take(*length).collect();
                image.iter_mut().skip(within(to)).zip(moved).for_each(|(to, from)| *to = from);
            }
            Damage::Truncate(at) => image.truncate(within(at)),
            Damage::Append(bytes) => image.extend(bytes),
        }
    }
}

#[test]
fn damaged_file_is_refused_or_shows_what_was_written() {
    let sample = sample();
    let mut runner = TestRunner::new(ProptestConfig { cases: cases(300), ..ProptestConfig::default() });
    let outcome = runner.run(&vec(damage(), 1..4), |damages| {
        let mut image = sample.image.clone();
        for damage in &damages {
            if image.len() > 12_288 {
                damage.apply(&mut image);
            }
        }
        sample.check(&image);
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
}

#[test]
fn every_single_damaged_byte_is_found() {
    let sample = small_sample();
    let head = 0..64_usize;
    let marks = [4096, 4096 + 512, 8192, 8192 + 512].into_iter().flat_map(|mark| mark..mark + 32);
    let mut refused = 0;
    for at in head.chain(marks).chain(12_288..sample.image.len()) {
        let mut image = sample.image.clone();
        image[at] ^= 0x10;
        let was_refused = sample.check(&image);
        // Each mark stands twice, so that one damaged copy loses nothing. Everything else stands once.
        assert!(was_refused || (4096..12_288).contains(&at), "byte {at}");
        refused += usize::from(was_refused);
    }
    assert_eq!(refused, 64 + sample.image.len() - 12_288);
}

#[test]
fn every_truncation_is_found() {
    let sample = small_sample();
    for length in (0..sample.image.len()).filter(|length| *length < 100 || *length > 12_200) {
        assert!(sample.check(&sample.image[..length]), "cut to {length} bytes");
    }
}

#[test]
fn lost_mark_is_refused() {
    let sample = small_sample();
    for mark in [4096, 8192] {
        let mut image = sample.image.clone();
        image[mark] ^= 1;
        image[mark + 512] ^= 1;
        assert!(sample.check(&image), "mark at {mark}");
    }
}

#[test]
fn foreign_files_are_refused_with_their_beginning() {
    let runtime = runtime();
    let sqlite = [b"SQLite format 3\0".as_slice(), &[0; 8000]].concat();
    for (bytes, expected) in [
        (&b""[..], "the file is empty"),
        (b"hello, this is a text\n", "not a store: it begins with \"hello, this is a\""),
        (b"x", "not a store: it begins with \"x\""),
        (&sqlite, "SQLite format 3"),
        (&[0; 1_000_000], "not a store"),
        (b"\x89Portcullis\r\n\x1a\n\0", "the header fails its checksum"),
    ] {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("portcullis.store");
        fs::write(&path, bytes).expect("write");
        fs::write(directory.path().join("other"), "in the same directory").expect("write");
        let (place, problem) = corrupt(runtime.block_on(open_embedded(directory.path())).err());
        assert_eq!(place, format!("{} at byte 0", path.display()));
        assert!(problem.contains(expected), "{problem}");
        assert_eq!(fs::read(&path).expect("read"), bytes, "left as it was");
    }
}

#[test]
fn directory_in_place_of_the_file_is_refused() {
    let directory = tempfile::tempdir().expect("directory");
    fs::create_dir(directory.path().join("portcullis.store")).expect("directory");
    let (_, problem) = corrupt(runtime().block_on(open_embedded(directory.path())).err());
    assert_eq!(problem, "expected a file");
}

#[test]
fn file_in_place_of_the_directory_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("file");
    let outcome = runtime().block_on(open_embedded(file.path()));
    assert!(
        matches!(outcome.err(), Some(StoreError::Unavailable(problem)) if problem.contains("make the directory"))
    );
}

#[test]
fn missing_file_is_not_taken_for_a_new_store() {
    let sample = small_sample();
    let directory = tempfile::tempdir().expect("directory");
    sample.place(directory.path(), &sample.image);
    let runtime = runtime();
    runtime.block_on(async { drop(open_embedded(directory.path()).await.expect("open")) });
    fs::remove_file(directory.path().join("portcullis.store")).expect("remove");
    let (place, problem) = corrupt(runtime.block_on(open_embedded(directory.path())).err());
    assert!(place.contains("portcullis.store"), "{place}");
    assert!(problem.contains("missing") && problem.contains("portcullis.lock"), "{problem}");
    fs::remove_file(directory.path().join("portcullis.lock")).expect("remove");
    runtime
        .block_on(async { open_embedded(directory.path()).await.expect("begins anew, as the message says") });
}

#[test]
fn damage_under_an_open_store_is_found_when_it_is_read() {
    let directory = tempfile::tempdir().expect("directory");
    runtime().block_on(async {
        let store = open_embedded(directory.path()).await.expect("open");
        put(&*store, "whole", "value").await.expect("put");
        put(&*store, "damaged", "a value to look for").await.expect("put");
        let path = directory.path().join("portcullis.store");
        let image = fs::read(&path).expect("read");
        let at = memchr::memmem::find(&image, b"to look fo").expect("the value is in the file");
        let file = OpenOptions::new().write(true).open(&path).expect("open");
        file.write_all_at(b"X", at as u64).expect("write");
        let (place, problem) = corrupt(store.read(Range::key("damaged"), At::Latest).await.err());
        assert!(place.starts_with(&format!("{} at byte ", path.display())), "{place}");
        assert_eq!(problem, "a record fails its checksum (key damaged)");
        assert!(store.read(Range::all(), At::Latest).await.is_err());
        assert_eq!(store.read(Range::key("whole"), At::Latest).await.expect("read").entries.len(), 1);
        file.set_len(at as u64).expect("cut");
        let (_, problem) = corrupt(store.read(Range::key("damaged"), At::Latest).await.err());
        assert_eq!(problem, "the file ends before");
    });
}

#[test]
fn file_is_open_to_its_owner_alone() {
    let parent = tempfile::tempdir().expect("directory");
    let path = parent.path().join("made/on/the/way");
    runtime().block_on(async { open_embedded(&path).await.expect("open") });
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for name in ["portcullis.store", "portcullis.lock"] {
        assert_eq!(mode(&path.join(name)), 0o600, "{name}");
    }
}

/// A store file and what it holds.
struct Sample {
    image: Vec<u8>,
    content: Content,
    runtime: Runtime,
}

impl Sample {
    fn new(runtime: Runtime, directory: &Path, store: std::sync::Arc<dyn Store>) -> Sample {
        let content = runtime.block_on(content(&*store)).expect("content");
        drop(store);
        let image = fs::read(directory.join("portcullis.store")).expect("read");
        Sample { image, content, runtime }
    }

    fn place(&self, directory: &Path, image: &[u8]) {
        fs::write(directory.join("portcullis.store"), image).expect("write");
    }

    /// True if the image is refused with its place; otherwise it must show what the sample holds.
    fn check(&self, image: &[u8]) -> bool {
        let directory = tempfile::tempdir().expect("directory");
        self.place(directory.path(), image);
        let outcome = self.runtime.block_on(async {
            let store = open_embedded(directory.path()).await?;
            content(&*store).await
        });
        match outcome {
            Ok(found) => {
                assert!(found == self.content, "shows something else: {:?}", found.revision);
                false
            }
            Err(problem) => {
                let (place, _) = corrupt(Some(problem));
                assert!(place.contains("portcullis.store at byte "), "{place}");
                true
            }
        }
    }
}

/// Some history, a compaction with a rewritten file, and some history after it.
fn sample() -> Sample {
    let runtime = runtime();
    let directory = tempfile::tempdir().expect("directory");
    let store = runtime.block_on(async {
        let store = open_embedded(directory.path()).await.expect("open");
        for _ in 0..10 {
            put(&*store, "overwritten", &"value ".repeat(10_000)).await.expect("put");
        }
        for number in 0..30 {
            put(&*store, &format!("key/{number}"), &"value ".repeat(number * 10)).await.expect("put");
        }
        put(&*store, "overwritten", "small").await.expect("put");
        store.compact(Revision(41)).await.expect("compact");
        assert!(store.status().await.expect("status").bytes < 100_000, "the file was rewritten");
        for number in 0..20 {
            put(&*store, &format!("key/{}", number % 4), &format!("later {number}")).await.expect("put");
        }
        store.compact(Revision(45)).await.expect("compact");
        store
    });
    Sample::new(runtime, directory.path(), store)
}

fn small_sample() -> Sample {
    let runtime = runtime();
    let directory = tempfile::tempdir().expect("directory");
    let store = runtime.block_on(async {
        let store = open_embedded(directory.path()).await.expect("open");
        for number in 0..4 {
            put(&*store, &format!("k{}", number % 3), &format!("value {number}")).await.expect("put");
        }
        store.compact(Revision(2)).await.expect("compact");
        put(&*store, "k", "last").await.expect("put");
        store
    });
    Sample::new(runtime, directory.path(), store)
}

fn corrupt(problem: Option<StoreError>) -> (String, String) {
    match problem {
        Some(StoreError::Corrupt { place, problem }) => (place, problem),
        other => panic!("expected damage to be reported, got {other:?}"),
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("runtime")
}
