//! Large answers and large bodies: sent piece by piece, counted together, refused before anything is done.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use web::{
    memory_budget::MemoryBudget,
    stream::{SLICE, WINDOW},
};

use super::world::{Answer, Who, World};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A world with large objects, and room for so many bytes of one caller.
async fn large_world(objects: usize, room: usize) -> (World, Who) {
    let mut world = World::new().await;
    let (who, _) = world.administrator().await;
    for number in 0..objects {
        let answer = world.post(&who, CONFIG_MAPS, &large(&format!("large-{number:03}"))).await;
        answer.expect(StatusCode::CREATED);
    }
    gone(&world.room).await;
    world.room = Arc::new(MemoryBudget::new(2 * room, Duration::from_secs(30)));
    (world, who)
}

fn large(name: &str) -> Value {
    json!({"metadata": {"name": name}, "data": {"k": "0123456789".repeat(90_000)}})
}

async fn open(world: &World, who: &Who, path: &str, accept: &str) -> Body {
    let path = format!("/clusters/{}{path}", world.cluster.id);
    let (parts, body) = world.open(who, Method::GET, &path, &[("accept", accept)], Vec::new()).await;
    assert_eq!(parts.status, StatusCode::OK);
    body
}

/// Waits until every place is given back, by tasks that need their turn.
async fn gone(room: &MemoryBudget) {
    for _ in 0..100_000 {
        if room.taken() == 0 {
            return;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(room.taken(), 0);
}

fn is_refused(answer: &Answer) {
    assert_eq!(
        answer.said(),
        "429 TooManyRequests: too many large requests are under way: try again in 2 seconds"
    );
    assert_eq!(answer.headers["retry-after"], "2");
    assert_eq!(answer.json()["details"], json!({"retryAfterSeconds": 2}));
}

const OBJECT: &str = "application/json";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
const METADATA: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

#[tokio::test]
async fn a_list_is_written_as_it_is_taken() {
    let (world, who) = large_world(12, WINDOW).await;
    let mut body = open(&world, &who, CONFIG_MAPS, OBJECT).await;
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let slice = frame.unwrap().into_data().unwrap();
        assert!(slice.len() <= SLICE);
        assert!(world.room.taken() <= WINDOW);
        text.extend(slice);
    }
    drop(body);
    gone(&world.room).await;
    let list: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("ConfigMapList"), &json!("v1")));
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 12);
    for (number, item) in items.iter().enumerate() {
        assert_eq!(item["metadata"]["name"], format!("large-{number:03}"));
        assert_eq!(item["data"], large("")["data"]);
        assert!(item["metadata"]["resourceVersion"].is_string());
        assert_eq!(item.get("kind"), None);
    }
}

#[tokio::test]
async fn each_form_of_a_list_has_everything() {
    let (world, who) = large_world(3, WINDOW).await;
    for (accept, items) in [(OBJECT, "items"), (METADATA, "items"), (TABLE, "rows")] {
        let path = format!("{CONFIG_MAPS}?includeObject=Object");
        let body = open(&world, &who, &path, accept).await;
        let list: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!(list[items].as_array().unwrap().len(), 3, "{accept}");
        assert!(list["metadata"]["resourceVersion"].is_string());
        gone(&world.room).await;
    }
}

#[tokio::test]
async fn pages_follow_each_other_as_they_did() {
    let (world, who) = large_world(5, WINDOW).await;
    let mut names = Vec::new();
    let mut path = format!("{CONFIG_MAPS}?limit=2");
    loop {
        let body = open(&world, &who, &path, OBJECT).await;
        let page: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        let items = page["items"].as_array().unwrap();
        names.extend(items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()));
        let left = page["metadata"]["remainingItemCount"].as_u64().unwrap_or(0);
        assert_eq!(left, 5 - names.len() as u64);
        let Some(token) = page["metadata"]["continue"].as_str() else { break };
        path = format!("{CONFIG_MAPS}?limit=2&continue={token}");
        gone(&world.room).await;
    }
    assert_eq!(names.len(), 5);
    assert!(names.is_sorted());
}

#[tokio::test]
async fn lists_beyond_the_room_are_refused_and_small_answers_are_not() {
    let (world, who) = large_world(4, WINDOW).await;
    let mut held = open(&world, &who, CONFIG_MAPS, OBJECT).await;
    held.frame().await.unwrap().unwrap();
    is_refused(&world.get(&who, CONFIG_MAPS).await);
    is_refused(&world.get(&who, &format!("{CONFIG_MAPS}/large-001")).await);
    is_refused(&world.get(&who, &format!("{CONFIG_MAPS}?watch=true")).await);
    world.get(&who, "/api/v1/namespaces/default/secrets").await.expect(StatusCode::OK);
    drop(held);
    gone(&world.room).await;
    world.get(&who, &format!("{CONFIG_MAPS}/large-001")).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn large_writes_beyond_the_room_are_refused_before_anything_is_done() {
    let (world, who) = large_world(1, 4 * WINDOW).await;
    let held = world.room.take_anyway("somebody", 8 * WINDOW);
    is_refused(&world.post(&who, CONFIG_MAPS, &large("new")).await);
    let one = format!("{CONFIG_MAPS}/large-000");
    is_refused(&world.patch(&who, &one, "merge-patch+json", &json!({"data": {"l": "1"}})).await);
    world.post(&who, CONFIG_MAPS, &json!({"metadata": {"name": "small"}})).await.expect(StatusCode::CREATED);
    drop(held);
    assert_eq!(world.get(&who, &format!("{CONFIG_MAPS}/new")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get(&who, &one).await.expect(StatusCode::OK)["data"].get("l"), None);
    gone(&world.room).await;
    world.post(&who, CONFIG_MAPS, &large("new")).await.expect(StatusCode::CREATED);
    gone(&world.room).await;
}

#[tokio::test]
async fn a_watch_that_begins_with_much_holds_a_window_of_it() {
    let (world, who) = large_world(6, WINDOW).await;
    let query = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut body = open(&world, &who, &format!("{CONFIG_MAPS}?watch=true{query}"), OBJECT).await;
    let mut text = Vec::new();
    let mut events = Vec::new();
    while events.len() < 7 {
        let slice = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(slice.len() <= SLICE);
        assert!(world.room.taken() <= WINDOW);
        text.extend(slice);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            events.push(serde_json::from_slice::<Value>(&line).unwrap()["type"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(events, [["ADDED"; 6].as_slice(), &["BOOKMARK"]].concat());
    gone(&world.room).await;
    // A change of a large object takes room while it is told, and gives it back.
    let one = format!("{CONFIG_MAPS}/large-000");
    let change = json!({"data": {"l": "1"}});
    world.patch(&who, &one, "merge-patch+json", &change).await.expect(StatusCode::OK);
    gone(&world.room).await;
    let mut told = 0;
    while told < 900_000 {
        told += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
    gone(&world.room).await;
}
