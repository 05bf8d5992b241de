//! Lists in pages, and lists of earlier versions: one state, whatever happens meanwhile.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{Who, World};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn config_map(name: &str, value: &str) -> Value {
    json!({"metadata": {"name": name}, "data": {"k": value}})
}

async fn put(world: &World, who: &Who, name: &str, value: &str) {
    let body = config_map(name, value);
    let answer = world.json(who, Method::PUT, &format!("{CONFIG_MAPS}/{name}"), &body).await;
    if answer.status == StatusCode::NOT_FOUND {
        world.post(who, CONFIG_MAPS, &body).await.expect(StatusCode::CREATED);
    } else {
        answer.expect(StatusCode::OK);
    }
}

async fn delete(world: &World, who: &Who, name: &str) {
    let path = format!("{CONFIG_MAPS}/{name}");
    world.send(who, Method::DELETE, &path, &[], vec![]).await.expect(StatusCode::OK);
}

/// Names with values and versions.
fn items(list: &Value) -> Vec<(String, String, String)> {
    let text = |item: &Value, place: &str| item.pointer(place).unwrap().as_str().unwrap().to_owned();
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            let version = text(item, "/metadata/resourceVersion");
            (text(item, "/metadata/name"), text(item, "/data/k"), version)
        })
        .collect()
}

#[tokio::test]
async fn pages_of_one_list_are_of_one_state() {
    let world = World::new().await;
    let (who, _) = world.administrator().await;
    for number in 0..12 {
        put(&world, &who, &format!("c{number:02}"), "1").await;
    }
    let whole = world.get(&who, CONFIG_MAPS).await.expect(StatusCode::OK);
    let version = whole["metadata"]["resourceVersion"].as_str().unwrap();
    let mut all = Vec::new();
    let mut path = format!("{CONFIG_MAPS}?limit=3");
    // Before the next page: gone, changed, made, gone and made again; ahead of the place and behind it.
    let mut changes = [
        vec![("c05", ""), ("c05a", "new"), ("c01", "2"), ("c11", "2")],
        vec![
            ("c07", ""),
            ("c07", "again"),
            ("c00", ""),
            ("c99", "new"),
            ("c11", ""),
            ("c08", "2"),
            ("c08", "3"),
        ],
        vec![("c05", "back"), ("c09", ""), ("c10", "2"), ("c05a", "")],
    ]
    .into_iter();
    loop {
        let page = world.get(&who, &path).await.expect(StatusCode::OK);
        assert_eq!(page["metadata"]["resourceVersion"], version);
        all.extend(items(&page));
        let left = page["metadata"]["remainingItemCount"].as_u64().unwrap_or(0);
        assert_eq!(left, 12 - all.len() as u64);
        let Some(token) = page["metadata"]["continue"].as_str() else { break };
        path = format!("{CONFIG_MAPS}?limit=3&continue={token}");
        for (name, value) in changes.next().unwrap() {
            match value {
                "" => delete(&world, &who, name).await,
                value => put(&world, &who, name, value).await,
            }
        }
    }
    assert_eq!(all, items(&whole));
    assert_eq!(changes.next(), None);
}

#[tokio::test]
async fn the_list_of_every_earlier_version_is_the_one_that_was() {
    let world = World::new().await;
    let (who, _) = world.administrator().await;
    let mut was = BTreeMap::new();
    let mut number = 1_u32;
    for _ in 0..60 {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let name = format!("c{}", (number >> 16) % 7);
        let there = world.get(&who, &format!("{CONFIG_MAPS}/{name}")).await.status == StatusCode::OK;
        if there && (number >> 24).is_multiple_of(3) {
            delete(&world, &who, &name).await;
        } else {
            put(&world, &who, &name, &number.to_string()).await;
        }
        let list = world.get(&who, CONFIG_MAPS).await.expect(StatusCode::OK);
        let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        was.insert(version, items(&list));
    }
    assert_eq!(was.len(), 60);
    for (version, was) in was {
        let query = format!("?resourceVersion={version}&resourceVersionMatch=Exact");
        let list = world.get(&who, &format!("{CONFIG_MAPS}{query}")).await.expect(StatusCode::OK);
        assert_eq!((&list["metadata"]["resourceVersion"], items(&list)), (&json!(version), was));
    }
}

#[tokio::test]
async fn a_list_whose_state_is_forgotten_can_go_on_with_what_is_there_now() {
    let world = World::new().await;
    let (who, _) = world.administrator().await;
    for name in ["a", "b", "c", "d"] {
        put(&world, &who, name, "1").await;
    }
    let first = world.get(&who, &format!("{CONFIG_MAPS}?limit=2")).await.expect(StatusCode::OK);
    let token = first["metadata"]["continue"].as_str().unwrap();
    delete(&world, &who, "c").await;
    put(&world, &who, "e", "1").await;
    // Whoever starts anew remembers no changes from before.
    let world = world.reopened().await;
    let gone = world.get(&who, &format!("{CONFIG_MAPS}?limit=2&continue={token}")).await;
    assert!(gone.said().starts_with("410 Expired: The provided continue parameter is too old"), "{gone:?}");
    let gone = gone.json();
    let token = gone["metadata"]["continue"].as_str().unwrap();
    let rest =
        world.get(&who, &format!("{CONFIG_MAPS}?limit=1&continue={token}")).await.expect(StatusCode::OK);
    let newest = world.app.whole_snapshot().revision().to_string();
    assert_eq!(rest["metadata"]["resourceVersion"], newest);
    assert_eq!(items(&rest)[0].0, "d");
    // From here on it is one state again.
    let token = rest["metadata"]["continue"].as_str().unwrap();
    put(&world, &who, "f", "1").await;
    let last =
        world.get(&who, &format!("{CONFIG_MAPS}?limit=9&continue={token}")).await.expect(StatusCode::OK);
    assert_eq!(last["metadata"]["resourceVersion"], newest);
    assert_eq!(items(&last).iter().map(|item| item.0.as_str()).collect::<Vec<_>>(), ["e"]);
    let old = format!("{CONFIG_MAPS}?resourceVersion=1&resourceVersionMatch=Exact");
    let old = world.get(&who, &old).await.said();
    assert_eq!(old, "410 Expired: The resourceVersion for the provided list is too old: 1");
}

#[tokio::test]
async fn where_a_list_goes_on_is_said_by_its_token_alone() {
    let world = World::new().await;
    let (who, _) = world.administrator().await;
    for name in ["a", "b", "c"] {
        put(&world, &who, name, "1").await;
    }
    let first = world.get(&who, &format!("{CONFIG_MAPS}?limit=1")).await.expect(StatusCode::OK);
    let token = first["metadata"]["continue"].as_str().unwrap();
    let ask = async |place: &str, query: &str| {
        world.get(&who, &format!("{place}?continue={token}{query}")).await.said()
    };
    assert_eq!(
        ask(CONFIG_MAPS, "&resourceVersion=5").await,
        "400 BadRequest: specifying resource version is not allowed when using continue"
    );
    assert_eq!(
        ask(CONFIG_MAPS, "&resourceVersion=0&resourceVersionMatch=NotOlderThan").await,
        "422 Invalid: ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: \
         resourceVersionMatch is forbidden when continue is provided"
    );
    assert_eq!(
        ask("/api/v1/namespaces/kube-system/configmaps", "").await,
        "400 BadRequest: continue key is not valid: it is of another namespace"
    );
    let all = world.get(&who, &format!("{CONFIG_MAPS}?continue={token}&resourceVersion=0")).await;
    assert_eq!(items(&all.expect(StatusCode::OK)).len(), 2);
}
