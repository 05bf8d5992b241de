//! Writers at once, on the threads of two programs that serve one store.

use http::{StatusCode, header};
use serde_json::{Map, Value, json};
use testkit::{Client, World};

use super::versioned;

/// Clients of the administrator on several threads of two programs.
async fn clients(world: &World) -> Vec<Client> {
    let again = world.reopened().await;
    let token = world.home.token(&world.home.admin).await;
    again.caught_up().await;
    let one = |world: World| Client::new(crate::routes().with_state(world.app)).bearer(&token);
    (0..WRITERS).map(|number| one([world, &again][number % 2].for_thread())).collect()
}

/// Each writer adds tags of its own to what it has read, and reads again where another was first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_change_is_lost_where_writers_say_what_they_have_seen() {
    let world = World::new().await;
    let group = world.home.resource_group("rg").await;
    let path = versioned(&format!("{group}/providers/Microsoft.Network/virtualNetworks/net"));
    let clients = clients(&world).await;
    clients[0].put(&path, &json!({"location": "local"})).await.expect(StatusCode::CREATED);
    let writers: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(writer, client)| {
            let path = path.clone();
            tokio::spawn(async move {
                for number in 0..WRITES {
                    loop {
                        let read = client.get(&path).await;
                        if read.status == StatusCode::NOT_FOUND {
                            // The other program has not heard of it yet.
                            tokio::task::yield_now().await;
                            continue;
                        }
                        let read = read.ok();
                        let mut tags: Map<String, Value> = read["tags"].as_object().unwrap().clone();
                        tags.insert(format!("{writer}-{number}"), "x".into());
                        let tag = format!("\"{}\"", read["etag"].as_str().unwrap());
                        let body = json!({"location": "local", "tags": tags});
                        let written = client.with(header::IF_MATCH, &tag).put(&path, &body).await;
                        match written.status {
                            StatusCode::OK => break,
                            StatusCode::PRECONDITION_FAILED => tokio::task::yield_now().await,
                            _ => panic!("{} {}", written.status, written.text),
                        }
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    world.caught_up().await;
    let client = Client::new(crate::routes().with_state(world.app.clone()));
    let read = client.bearer(&world.home.token(&world.home.admin).await).get(&path).await.ok();
    assert_eq!(read["tags"].as_object().unwrap().len(), WRITERS * WRITES, "{read}");
}

/// Of many who make the same thing under the condition that it is not there, one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_made_at_once_is_made_once() {
    let world = World::new().await;
    let group = world.home.resource_group("rg").await;
    let clients = clients(&world).await;
    for round in 0..ROUNDS {
        let path = versioned(&format!("{group}/providers/Microsoft.Network/virtualNetworks/net-{round}"));
        let makers: Vec<_> = clients
            .iter()
            .map(|client| {
                let (client, path) = (client.with(header::IF_NONE_MATCH, "*"), path.clone());
                tokio::spawn(async move { client.put(&path, &json!({"location": "local"})).await.status })
            })
            .collect();
        let mut made = 0;
        for maker in makers {
            match maker.await.unwrap() {
                StatusCode::CREATED => made += 1,
                status => assert_eq!(status, StatusCode::PRECONDITION_FAILED),
            }
        }
        assert_eq!(made, 1);
    }
}

const WRITERS: usize = 6;
const WRITES: usize = 5;
const ROUNDS: usize = 5;
