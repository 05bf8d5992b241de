//! Writers at once, on the threads of two programs that serve one store.

use http::StatusCode;
use serde_json::json;
use testkit::{Client, World};
use tokio::task::JoinHandle;

/// Clients of the administrator on several threads of two programs that know the same.
async fn clients(world: &World) -> Vec<Client> {
    let again = world.reopened().await;
    let token = world.home.token(&world.home.admin).await;
    again.caught_up().await;
    let one = |world: World| Client::new(crate::routes().with_state(world.app)).bearer(&token);
    (0..WRITERS).map(|number| one([world, &again][number % 2].for_thread())).collect()
}

async fn all<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// Each writer changes a property of its own of one user, again and again: each keeps what it has written.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_of_several_properties_do_not_undo_each_other() {
    let world = World::new().await;
    let user = world.home.user("ann@example.org").await;
    let path = format!("/v1.0/users/{user}");
    let properties = ["displayName", "givenName", "surname", "jobTitle"];
    let clients = clients(&world).await;
    let writers: Vec<_> = properties
        .into_iter()
        .zip(clients)
        .map(|(property, client)| {
            let path = path.clone();
            tokio::spawn(async move {
                for number in 0..WRITES {
                    let value = format!("{property} {number}");
                    let change = json!({(property): value});
                    client.patch(&path, &change).await.expect(StatusCode::NO_CONTENT);
                    assert_eq!(client.get(&path).await.ok()[property], json!(value));
                }
            })
        })
        .collect();
    all(writers).await;
    world.caught_up().await;
    let client = Client::new(crate::routes().with_state(world.app.clone()));
    let read = client.bearer(&world.home.token(&world.home.admin).await).get(&path).await.ok();
    for property in properties {
        assert_eq!(read[property], json!(format!("{property} {}", WRITES - 1)), "{read}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_name_is_given_once() {
    let world = World::new().await;
    let clients = clients(&world).await;
    for round in 0..ROUNDS {
        let new = json!({"userPrincipalName": format!("ann-{round}@example.org"), "displayName": "Ann"});
        let makers = clients.iter().cloned().map(|client| {
            let new = new.clone();
            tokio::spawn(async move { client.post("/v1.0/users", &new).await.status })
        });
        let statuses = all(makers.collect()).await;
        let made = statuses.iter().filter(|status| **status == StatusCode::CREATED).count();
        let refused = statuses.iter().filter(|status| **status == StatusCode::BAD_REQUEST).count();
        assert_eq!((made, refused), (1, WRITERS - 1), "{statuses:?}");
    }
}

/// Members are added by some and taken out by others, all at once: those are left who were meant to stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_that_come_and_go_at_once_are_those_that_were_meant() {
    let world = World::new().await;
    let (mut staying, mut going) = (Vec::new(), Vec::new());
    for number in 0..WRITERS {
        staying.push(world.home.user(&format!("staying-{number}@example.org")).await);
        going.push(world.home.user(&format!("going-{number}@example.org")).await);
    }
    let group = world.home.group("crew", &going).await;
    let clients = clients(&world).await;
    let writers = clients.into_iter().zip(staying.iter().zip(going)).map(|(client, (add, remove))| {
        let path = format!("/v1.0/groups/{group}/members");
        let member = json!({"@odata.id": format!("{}/v1.0/directoryObjects/{add}", testkit::BASE)});
        tokio::spawn(async move {
            client.post(&format!("{path}/$ref"), &member).await.expect(StatusCode::NO_CONTENT);
            client.delete(&format!("{path}/{remove}/$ref")).await.expect(StatusCode::NO_CONTENT);
        })
    });
    all(writers.collect()).await;
    world.caught_up().await;
    let snapshot = world.app.whole_snapshot();
    let mut members: Vec<_> = snapshot.directory().members(group).collect();
    members.sort_unstable();
    staying.sort_unstable();
    assert_eq!(members, staying);
}

const WRITERS: usize = 6;
const WRITES: usize = 10;
const ROUNDS: usize = 5;
