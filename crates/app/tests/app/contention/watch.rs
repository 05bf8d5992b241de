//! Following all changes while many write: none is lost, none is told twice, and they come in order, from whatever
//! revision one begins.

use app::state::UniqueName;
use std::{
    collections::BTreeSet,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use domain::{
    change::Record,
    group::Group,
    id::{ObjectId, TenantId},
    name::DisplayName,
};
use store::{Store, Txn, Write};
use testkit::World;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::Programs;

fn group(tenant: TenantId, number: usize) -> Record {
    Record::Group(Group {
        id: ObjectId::new(Uuid::from_u128(number as u128 + 1)),
        tenant,
        display_name: DisplayName::parse("crew").unwrap(),
        mail_nickname: "crew".into(),
        description: None,
        owners: BTreeSet::new(),
        created: "2026-11-24T09:00:00Z".parse().unwrap(),
    })
}

/// Revisions in the order in which they were told, up to the one that makes the group of the number [`LAST`]. Begins
/// anew after each `stay` waits, from where it has come to.
fn follower(world: &World, from: u64, stay: usize) -> JoinHandle<Vec<u64>> {
    let app = world.app.for_thread();
    let last = group(world.home.id, LAST).key();
    let mut changes = app.whole_state().follow_changes(from).unwrap();
    tokio::spawn(async move {
        let mut told = Vec::new();
        for wait in 1.. {
            if let Some(applied) = changes.next().await.unwrap().unwrap() {
                assert!(applied.revision <= changes.through());
                told.push(applied.revision);
                if applied.changes.iter().any(|change| change.key() == last) {
                    break;
                }
            }
            if wait % stay == 0 {
                changes = app.whole_state().follow_changes(changes.through()).unwrap();
            }
        }
        told
    })
}

/// As [`follower`], on a thread of its own that never waits: it looks, and begins anew where it has come to. Such
/// threads are interrupted between any two steps.
fn hurried(world: &World, from: u64) -> std::thread::JoinHandle<Vec<u64>> {
    let app = world.app.for_thread();
    let last = group(world.home.id, LAST).key();
    std::thread::spawn(move || {
        let mut told = Vec::new();
        let mut changes = app.whole_state().follow_changes(from).unwrap();
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let looked = pin!(changes.next()).poll(&mut context);
            let Poll::Ready(next) = looked else {
                changes = app.whole_state().follow_changes(changes.through()).unwrap();
                continue;
            };
            let Some(applied) = next.unwrap().unwrap() else { continue };
            told.push(applied.revision);
            if applied.changes.iter().any(|change| change.key() == last) {
                return told;
            }
        }
    })
}

/// What each follower must have heard, and what one hears who begins at each of the revisions now.
async fn check(world: &World, from: u64, written: &BTreeSet<u64>, followers: Vec<JoinHandle<Vec<u64>>>) {
    let written: Vec<u64> = written.iter().copied().collect();
    for follower in followers {
        assert!(
            follower.await.unwrap() == written,
            "a follower has heard of something else than was written"
        );
    }
    for start in from..=*written.last().unwrap() {
        let rest: Vec<u64> = written.iter().copied().filter(|revision| *revision > start).collect();
        let since = world.app.whole_state().changes_since(start).unwrap();
        assert_eq!(since.iter().map(|applied| applied.revision).collect::<Vec<_>>(), rest);
        let mut changes = world.app.whole_state().follow_changes(start).unwrap();
        for expected in rest.iter().take(3) {
            let next = loop {
                if let Some(next) = changes.next().await.unwrap().unwrap() {
                    break next.revision;
                }
            };
            assert_eq!(next, *expected);
        }
    }
}

async fn write(world: &World, number: usize) -> u64 {
    let record = group(world.home.id, number);
    let revision = world
        .app
        .whole_state()
        .commit(app::Run::Real, |tx| -> Result<_, app::Error> { tx.create(&record) })
        .await
        .unwrap()
        .revision;
    // Once a write has returned, it is among what can be looked up.
    let since = world.app.whole_state().changes_since(revision - 1).unwrap();
    assert_eq!(since.first().unwrap().revision, revision);
    revision
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_follows_hears_each_change_once_and_in_order() {
    let programs = Programs::start(2).await;
    for world in &programs.worlds {
        world.caught_up().await;
    }
    let from = programs.first().app.whole_snapshot().revision();
    let followers: Vec<_> = (1..=FOLLOWERS)
        .map(|number| {
            follower(&programs.worlds[number % 2], from, if number % 3 == 0 { usize::MAX } else { number })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let world = programs.worlds[writer % 2].for_thread();
            tokio::spawn(async move {
                let mut revisions = Vec::new();
                for number in 0..WRITES {
                    revisions.push(write(&world, writer * WRITES + number).await);
                    // A revision with nothing to tell of.
                    let name = format!("{writer}-{number}");
                    world
                        .app
                        .whole_state()
                        .transact(|tx| -> Result<_, app::Error> {
                            tx.take_name(UniqueName::UserPrincipalName, &name);
                            Ok(())
                        })
                        .await
                        .unwrap();
                }
                revisions
            })
        })
        .collect();
    let mut written = BTreeSet::new();
    for writer in writers {
        for revision in writer.await.unwrap() {
            assert!(written.insert(revision), "two writers were told of revision {revision}");
        }
    }
    written.insert(write(programs.first(), LAST).await);
    for world in &programs.worlds {
        world.caught_up().await;
    }
    check(&programs.worlds[0], from, &written, Vec::new()).await;
    check(&programs.worlds[1], from, &written, followers).await;
}

/// Changes that come as fast as the store takes them, every second one without anything to tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_however_fast_changes_come() {
    let world = World::new().await;
    let from = world.app.whole_snapshot().revision();
    let mut written = BTreeSet::new();
    written.insert(write(&world, 0).await);
    let entries = world.store.read(store::Range::prefix("/live/"), store::At::Latest).await.unwrap().entries;
    let id = ObjectId::new(Uuid::from_u128(1)).to_string();
    let entry = entries.into_iter().find(|entry| entry.key.ends_with(id.as_bytes())).unwrap();
    let followers: Vec<_> = (1..=FOLLOWERS).map(|number| follower(&world, from, 1 << number)).collect();
    let hurried: Vec<_> = (0..HURRIED).map(|_| hurried(&world, from)).collect();
    let store: &Arc<dyn Store> = &world.store;
    let commit =
        async |write: Write| store.commit(Txn { guards: vec![], writes: vec![write] }).await.unwrap().0;
    for number in 0..FAST {
        commit(Write::Put("/live/unique/noise/name".into(), Bytes::new())).await;
        let revision = commit(Write::Put(entry.key.clone(), entry.value.clone())).await;
        written.insert(revision);
        if number % 500 == 0 {
            // So that a slow machine does not fall behind for ever.
            world.caught_up().await;
        }
    }
    world.caught_up().await;
    written.insert(write(&world, LAST).await);
    let written: Vec<u64> = written.into_iter().collect();
    let mut told = Vec::new();
    for follower in followers {
        told.push(follower.await.unwrap());
    }
    told.extend(hurried.into_iter().map(|each| each.join().unwrap()));
    assert!(
        told.iter().all(|each| *each == written),
        "a follower has heard of something else than was written"
    );
}

const FOLLOWERS: usize = 8;
const HURRIED: usize = 3;
const WRITERS: usize = 8;
const WRITES: usize = 40;
const LAST: usize = 1_000_000;
/// Fewer than are remembered, so that nobody has to begin anew.
const FAST: usize = 10_000;
