//! Writers at once, on the threads of two programs that serve one store: nobody's change is lost, and a name is given
//! once.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{Who, World};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// The administrator on several threads of two programs that know the same.
async fn threads(world: &World) -> (Vec<Arc<World>>, Who) {
    let (who, _) = world.administrator().await;
    let again = world.reopened().await;
    again.caught_up().await;
    ((0..WRITERS).map(|number| Arc::new([world, &again][number % 2].beside())).collect(), who)
}

/// Each writer counts on from what it has read, with the version that it has seen, and reads again where another was
/// first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_count_is_lost_where_writers_say_which_version_they_have_seen() {
    let world = World::new().await;
    let (threads, who) = threads(&world).await;
    let new = json!({"metadata": {"name": "counter"}, "data": {"count": "0"}});
    threads[0].post(&who, CONFIG_MAPS, &new).await.expect(StatusCode::CREATED);
    let path = format!("{CONFIG_MAPS}/counter");
    let writers: Vec<_> = threads
        .into_iter()
        .enumerate()
        .map(|(writer, world)| {
            let (who, path) = (who.clone(), path.clone());
            tokio::spawn(async move {
                let mut written = 0;
                while written < WRITES {
                    let read = world.get(&who, &path).await;
                    if read.status == StatusCode::NOT_FOUND {
                        // The other program has not heard of it yet.
                        tokio::task::yield_now().await;
                        continue;
                    }
                    let mut object = read.ok();
                    let count: usize = object["data"]["count"].as_str().unwrap().parse().unwrap();
                    let answer = if writer % 3 == 0 {
                        let version = &object["metadata"]["resourceVersion"];
                        let patch = json!({"metadata": {"resourceVersion": version},
                            "data": {"count": (count + 1).to_string()}});
                        world.patch(&who, &path, "merge-patch+json", &patch).await
                    } else {
                        object["data"]["count"] = (count + 1).to_string().into();
                        world.json(&who, Method::PUT, &path, &object).await
                    };
                    match answer.status {
                        StatusCode::OK => written += 1,
                        StatusCode::CONFLICT => tokio::task::yield_now().await,
                        _ => panic!("{} {}", answer.status, answer.text),
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    world.caught_up().await;
    let read = world.get(&who, &path).await.ok();
    assert_eq!(read["data"]["count"], (WRITERS * WRITES).to_string());
}

/// Patches say nothing of a version: each is applied to what is there, whoever was there before.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn patches_at_once_are_all_applied() {
    let world = World::new().await;
    let (threads, who) = threads(&world).await;
    let new = json!({"metadata": {"name": "shared"}});
    threads[0].post(&who, CONFIG_MAPS, &new).await.expect(StatusCode::CREATED);
    for thread in &threads {
        thread.caught_up().await;
    }
    let kinds = ["merge-patch+json", "strategic-merge-patch+json"];
    let writers: Vec<_> = threads
        .into_iter()
        .enumerate()
        .map(|(writer, world)| {
            let who = who.clone();
            tokio::spawn(async move {
                for number in 0..WRITES {
                    let patch = json!({"data": {format!("{writer}-{number}"): "x"}});
                    let path = format!("{CONFIG_MAPS}/shared");
                    let written: Value = world.patch(&who, &path, kinds[writer % 2], &patch).await.ok();
                    assert_eq!(written["data"][format!("{writer}-{number}")], "x");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    world.caught_up().await;
    let read = world.get(&who, &format!("{CONFIG_MAPS}/shared")).await.ok();
    assert_eq!(read["data"].as_object().unwrap().len(), WRITERS * WRITES, "{read}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_make_an_object_one_does() {
    let world = World::new().await;
    let (threads, who) = threads(&world).await;
    for round in 0..ROUNDS {
        let makers: Vec<_> = threads
            .iter()
            .map(|world| {
                let (world, who) = (world.clone(), who.clone());
                let new = json!({"metadata": {"name": format!("one-{round}")}});
                tokio::spawn(async move { world.post(&who, CONFIG_MAPS, &new).await.status })
            })
            .collect();
        let mut made = 0;
        for maker in makers {
            match maker.await.unwrap() {
                StatusCode::CREATED => made += 1,
                status => assert_eq!(status, StatusCode::CONFLICT),
            }
        }
        assert_eq!(made, 1);
    }
}

/// A binding that is deleted gives nothing any more, on no thread, once the deletion has been answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_binding_that_is_gone_gives_nothing_on_any_thread() {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    let mut tasks = Vec::new();
    for number in 0..WRITERS {
        let name = format!("person-{number}@example.org");
        let person = world.person(&name).await;
        let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
        let binding = json!({"metadata": {"name": format!("b-{number}")},
            "roleRef": {"kind": "ClusterRole", "name": "view", "apiGroup": "rbac.authorization.k8s.io"},
            "subjects": [{"kind": "User", "name": name}]});
        world.post(&administrator, bindings, &binding).await.expect(StatusCode::CREATED);
        let threads: Vec<World> = (0..4).map(|_| world.beside()).collect();
        let administrator = administrator.clone();
        tasks.push(tokio::spawn(async move {
            for thread in &threads {
                thread.get(&person, CONFIG_MAPS).await.ok();
            }
            let path = format!("{bindings}/b-{number}");
            threads[0].send(&administrator, Method::DELETE, &path, &[], Vec::new()).await.ok();
            for thread in &threads {
                thread.get(&person, CONFIG_MAPS).await.expect(StatusCode::FORBIDDEN);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

const WRITERS: usize = 6;
const WRITES: usize = 10;
const ROUNDS: usize = 5;
