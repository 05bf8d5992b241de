//! Writers and watchers on several threads at once: nothing is lost, nothing is told twice, and each writer hears the
//! revision of its own write.

use app::state::UniqueName;
use std::{collections::BTreeMap, sync::Arc};

use app::kubernetes::objects::{Event, ObjectReference, Presented, RequestedAccess, Resource, Target, Token};
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use store::{At, Range, Txn, Write};

use super::world::{Who, World};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// An event: type, name and revision of the object.
type Told = (String, String, u64);

fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

/// Opens a watch from the state of the moment, and follows it on a task of its own until it has told of `last`.
async fn watcher(world: &Arc<World>, who: &Who, last: &'static str) -> tokio::task::JoinHandle<Vec<Told>> {
    let newest = world.app.whole_snapshot().revision();
    let path = format!(
        "/clusters/{}{CONFIG_MAPS}?watch=true&allowWatchBookmarks=true&resourceVersion={newest}",
        world.cluster.id
    );
    let (parts, mut body) = world.open(who, Method::GET, &path, &[], Vec::new()).await;
    assert_eq!(parts.status, StatusCode::OK);
    tokio::spawn(async move {
        let mut told = Vec::new();
        let mut text = Vec::new();
        loop {
            text.extend(body.frame().await.unwrap().unwrap().into_data().unwrap());
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                let event: Value = serde_json::from_slice(&line).unwrap();
                let object = &event["object"];
                let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                let is_last = name == last;
                told.push((event["type"].as_str().unwrap().to_owned(), name, revision(object)));
                if is_last {
                    return told;
                }
            }
        }
    })
}

/// Transactions that change no record, as the taking of a name does: a revision of which a watch has nothing to tell.
fn make_noise(world: &Arc<World>, task: usize) -> tokio::task::JoinHandle<()> {
    let world = world.clone();
    tokio::spawn(async move {
        for number in 0..NOISE {
            let name = format!("{task}-{number}");
            let taken = world.app.whole_state().transact(|tx| -> Result<_, app::Error> {
                tx.take_name(UniqueName::UserPrincipalName, &name);
                Ok(())
            });
            taken.await.unwrap();
        }
    })
}

/// Writes of `WRITERS` writers at once, each with the revision that its writer was told; then one that ends the
/// watches.
async fn write_at_once(
    world: &Arc<World>,
    who: &Who,
    path: fn(usize) -> (Method, String, Value),
) -> BTreeMap<u64, String> {
    let noise: Vec<_> = (0..4).map(|task| make_noise(world, task)).collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let (world, who) = (world.clone(), who.clone());
            tokio::spawn(async move {
                let (method, path, body) = path(number);
                let kind = if method == Method::PATCH { "merge-patch+json" } else { "json" };
                let headers = [("content-type", &*format!("application/{kind}"))];
                let answer = world.send(&who, method, &path, &headers, body.to_string().into()).await;
                assert!(answer.status.is_success(), "{}", answer.text);
                let object = answer.json();
                (revision(&object), object["metadata"]["name"].as_str().unwrap().to_owned())
            })
        })
        .collect();
    let mut told = BTreeMap::new();
    for writer in writers {
        let (revision, name) = writer.await.unwrap();
        assert_eq!(told.insert(revision, name), None, "two writers were told of revision {revision}");
    }
    for task in noise {
        task.await.unwrap();
    }
    let last = world.post(who, CONFIG_MAPS, &json!({"metadata": {"name": "the-last"}})).await;
    let last = last.expect(StatusCode::CREATED);
    told.insert(revision(&last), "the-last".to_owned());
    told
}

/// What a watcher heard: in order, its bookmarks true, and each of `expected` once.
fn check(told: &[Told], expected: &BTreeMap<u64, String>) {
    let mut heard = BTreeMap::new();
    let mut newest = 0;
    for (kind, name, revision) in told {
        assert!(*revision >= newest, "revision {revision} after {newest}");
        newest = *revision;
        if kind != "BOOKMARK" {
            assert_eq!(heard.insert(*revision, name.clone()), None, "{name} at {revision} was told twice");
        }
    }
    let lost: Vec<_> = expected.iter().filter(|(revision, _)| !heard.contains_key(revision)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert_eq!(&heard, expected);
}

/// Below the surface, where a watch does nothing but follow: the most that it can be hurried.
fn follower(world: &Arc<World>, who: &Who) -> tokio::task::JoinHandle<Vec<Told>> {
    let app = world.app.clone();
    let Who::Certificate(certificate) = who else { panic!("the administrator has a certificate") };
    let presented = Presented { certificate: Some(certificate.as_slice().into()), token: Token::None };
    let caller = app.kubernetes().kube_caller(world.cluster.id, presented, None).unwrap();
    let resource = Resource { group: "", plural: "configmaps", kind: "ConfigMap", namespaced: true };
    let target = Target::Resource {
        group: String::new(),
        version: "v1".into(),
        resource: "configmaps".into(),
        subresource: String::new(),
        namespace: "default".into(),
        name: String::new(),
    };
    let asked = RequestedAccess { verb: "watch".into(), target };
    let place = ObjectReference { resource, namespace: "default", name: "" };
    let mut watch =
        app.kubernetes().watch_objects(&caller, &asked, &place, app.whole_snapshot().revision()).unwrap();
    tokio::spawn(async move {
        let mut told = Vec::new();
        loop {
            let events = watch.next(&|_| true).await.unwrap();
            for Event { kind, object } in events {
                let name = object.key.name.to_string();
                let is_last = name == "the-last";
                told.push((format!("{kind:?}"), name, object.revision));
                if is_last {
                    return told;
                }
            }
            told.push(("BOOKMARK".to_owned(), String::new(), watch.revision()));
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_watcher_hears_of_every_new_object_once_and_in_order() {
    let world = Arc::new(World::new().await);
    let (who, _) = world.administrator().await;
    let followers: Vec<_> = (0..WATCHERS).map(|_| follower(&world, &who)).collect();
    let written = write_at_once(&world, &who, |number| {
        let body = json!({"metadata": {"name": format!("n{number}")}});
        (Method::POST, CONFIG_MAPS.to_owned(), body)
    });
    let written = written.await;
    assert_eq!(written.len(), WRITERS + 1);
    for follower in followers {
        check(&follower.await.unwrap(), &written);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_one_object_are_each_told_the_revision_of_their_own_write() {
    let world = Arc::new(World::new().await);
    let (who, _) = world.administrator().await;
    world.post(&who, CONFIG_MAPS, &json!({"metadata": {"name": "one"}})).await.expect(StatusCode::CREATED);
    // Most of them below the surface, where they cost less.
    let mut watchers: Vec<_> = (1..WATCHERS).map(|_| follower(&world, &who)).collect();
    watchers.push(watcher(&world, &who, "the-last").await);
    let written = write_at_once(&world, &who, |number| {
        let body = json!({"data": {"writer": number.to_string()}});
        (Method::PATCH, format!("{CONFIG_MAPS}/one"), body)
    });
    let written = written.await;
    assert_eq!(written.len(), WRITERS + 1);
    for watcher in watchers {
        check(&watcher.await.unwrap(), &written);
    }
}

/// Changes that come as fast as the store takes them, every second one without anything to tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_watch_misses_nothing_however_fast_changes_come() {
    let world = Arc::new(World::new().await);
    let (who, _) = world.administrator().await;
    let one = json!({"metadata": {"name": "one"}, "data": {"k": "v"}});
    world.post(&who, CONFIG_MAPS, &one).await.expect(StatusCode::CREATED);
    let entries = world.store.read(Range::prefix("/live/object/"), At::Latest).await.unwrap().entries;
    let entry = entries.iter().find(|entry| entry.key.ends_with(b"/one")).unwrap();
    let followers: Vec<_> = (0..WATCHERS).map(|_| follower(&world, &who)).collect();
    let mut written = BTreeMap::new();
    let mut seen = world.app.whole_state().revisions();
    for number in 0..FAST {
        let noise = Write::Put("/live/unique/noise/name".into(), Bytes::new());
        world.store.commit(Txn { guards: vec![], writes: vec![noise] }).await.unwrap();
        let write = Write::Put(entry.key.clone(), entry.value.clone());
        let revision = world.store.commit(Txn { guards: vec![], writes: vec![write] }).await.unwrap();
        written.insert(revision.0, "one".to_owned());
        if number % 500 == 0 {
            // So that a slow machine does not fall behind for ever.
            seen.wait_for(|seen| *seen >= revision.0).await.unwrap();
        }
    }
    let newest = written.keys().next_back().copied().unwrap();
    seen.wait_for(|seen| *seen >= newest).await.unwrap();
    let last = world.post(&who, CONFIG_MAPS, &json!({"metadata": {"name": "the-last"}})).await;
    written.insert(revision(&last.expect(StatusCode::CREATED)), "the-last".to_owned());
    for follower in followers {
        check(&follower.await.unwrap(), &written);
    }
}

/// Fewer than are remembered, so that nobody has to list again.
const FAST: usize = 10_000;
const WRITERS: usize = 1000;
const WATCHERS: usize = 100;
const NOISE: usize = 500;
