//! Watches: what they tell, in which form, and when they end.

use axum::body::Body;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::world::{Who, World, plain};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

struct Lines {
    body: Body,
    text: Vec<u8>,
}

impl Lines {
    async fn open(world: &World, who: &Who, query: &str, accept: &str) -> Self {
        let path = format!("/clusters/{}{CONFIG_MAPS}?watch=true{query}", world.cluster.id);
        let (parts, body) = world.open(who, Method::GET, &path, &[("accept", accept)], Vec::new()).await;
        assert_eq!(parts.status, StatusCode::OK);
        Self { body, text: Vec::new() }
    }

    /// The next event; none at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            self.text.extend(self.body.frame().await?.unwrap().into_data().unwrap());
        }
    }

    /// Type, name and value of the next event.
    async fn brief(&mut self) -> String {
        let event = self.next().await.unwrap();
        let text = |place: &str| event.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned();
        format!("{} {} {}", text("/type"), text("/object/metadata/name"), text("/object/data/k"))
    }
}

fn config_map(name: &str, value: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"l": value}}, "data": {"k": value}})
}

async fn put(world: &World, who: &Who, name: &str, value: &str) {
    let path = format!("{CONFIG_MAPS}/{name}");
    let answer = world.json(who, Method::PUT, &path, &config_map(name, value)).await;
    answer.expect(StatusCode::OK);
}

async fn delete(world: &World, who: &Who, name: &str) {
    world
        .send(who, Method::DELETE, &format!("{CONFIG_MAPS}/{name}"), &[], vec![])
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn a_watch_tells_what_is_there_and_every_change() {
    let world = World::new().await;
    let (who, _) = world.administrator().await;
    world.post(&who, CONFIG_MAPS, &config_map("a", "1")).await.expect(StatusCode::CREATED);
    let mut lines = Lines::open(&world, &who, "", "application/json").await;
    assert_eq!(lines.brief().await, "ADDED a 1");
    world.post(&who, CONFIG_MAPS, &config_map("b", "1")).await.expect(StatusCode::CREATED);
    // Of another resource and another namespace: not told.
    world
        .post(&who, "/api/v1/namespaces", &json!({"metadata": {"name": "n"}}))
        .await
        .expect(StatusCode::CREATED);
    world
        .post(&who, "/api/v1/namespaces/n/configmaps", &config_map("c", "1"))
        .await
        .expect(StatusCode::CREATED);
    put(&world, &who, "a", "2").await;
    delete(&world, &who, "b").await;
    assert_eq!(lines.brief().await, "ADDED b 1");
    assert_eq!(lines.brief().await, "MODIFIED a 2");
    assert_eq!(lines.brief().await, "DELETED b 1");
}

#[tokio::test]
async fn a_watch_goes_on_where_a_list_ended() {
    let world = World::new().await;
    let (who, _) = world.administrator().await;
    world.post(&who, CONFIG_MAPS, &config_map("a", "1")).await.expect(StatusCode::CREATED);
    let list = world.get(&who, CONFIG_MAPS).await.expect(StatusCode::OK);
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    put(&world, &who, "a", "2").await;
    put(&world, &who, "a", "3").await;
    let mut lines =
        Lines::open(&world, &who, &format!("&resourceVersion={version}"), "application/json").await;
    assert_eq!(lines.brief().await, "MODIFIED a 2");
    assert_eq!(lines.brief().await, "MODIFIED a 3");
}

#[tokio::test]
async fn objects_enter_and_leave_a_selection() {
    let world = World::new().await;
    let (who, _) = world.administrator().await;
    let mut lines = Lines::open(&world, &who, "&labelSelector=l%3Din", "application/json").await;
    world.post(&who, CONFIG_MAPS, &config_map("a", "out")).await.expect(StatusCode::CREATED);
    put(&world, &who, "a", "in").await;
    put(&world, &who, "a", "out").await;
    assert_eq!(lines.brief().await, "ADDED a in");
    assert_eq!(lines.brief().await, "DELETED a out");
}

#[tokio::test]
async fn initial_events_end_with_a_bookmark() {
    let world = World::new().await;
    let (who, _) = world.administrator().await;
    world.post(&who, CONFIG_MAPS, &config_map("a", "1")).await.expect(StatusCode::CREATED);
    let query = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut lines = Lines::open(&world, &who, query, "application/json").await;
    assert_eq!(lines.brief().await, "ADDED a 1");
    insta::assert_json_snapshot!(plain(lines.next().await.unwrap()));
    let path = format!("{CONFIG_MAPS}?watch=true&resourceVersionMatch=NotOlderThan");
    assert_eq!(world.get(&who, &path).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_table_watch_describes_its_columns_once() {
    let world = World::new().await;
    let (who, _) = world.administrator().await;
    for name in ["a", "b"] {
        world.post(&who, CONFIG_MAPS, &config_map(name, "1")).await.expect(StatusCode::CREATED);
    }
    let mut lines = Lines::open(&world, &who, "", "application/json;as=Table;v=v1;g=meta.k8s.io").await;
    let (first, second) = (lines.next().await.unwrap(), lines.next().await.unwrap());
    assert_eq!(first["object"]["columnDefinitions"].as_array().unwrap().len(), 3);
    assert_eq!(second["object"]["columnDefinitions"], Value::Null);
    assert_eq!(second["object"]["rows"][0]["cells"], json!(["b", "1", "0s"]));
}

#[tokio::test]
async fn a_watch_ends_when_its_binding_goes() {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    let dan = world.person("dan@example.org").await;
    world.bind("dan@example.org", "view", "default").await;
    let mut lines = Lines::open(&world, &dan, "", "application/json").await;
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
    world.send(&administrator, Method::DELETE, bindings, &[], vec![]).await.expect(StatusCode::OK);
    world.post(&administrator, CONFIG_MAPS, &config_map("secret", "1")).await.expect(StatusCode::CREATED);
    let last = lines.next().await.unwrap();
    assert_eq!((&last["type"], &last["object"]["code"]), (&json!("ERROR"), &json!(403)));
    assert_eq!(lines.next().await, None);
}

#[tokio::test]
async fn a_watch_ends_with_its_certificate_and_with_its_session() {
    let world = World::new().await;
    let (administrator, serial) = world.administrator().await;
    let mut lines = Lines::open(&world, &administrator, "", "application/json").await;
    world
        .app
        .resource_manager()
        .revoke_admin_certificate(&world.home.admin, &world.name(), &serial)
        .await
        .unwrap();
    let last = lines.next().await.unwrap();
    assert_eq!((&last["type"], &last["object"]["code"]), (&json!("ERROR"), &json!(401)));
    assert_eq!(lines.next().await, None);

    let dan = world.user("dan@example.org").await;
    world.bind("dan@example.org", "view", "default").await;
    let who = world.token(dan).await;
    let mut lines = Lines::open(&world, &who, "", "application/json").await;
    world.app.directory().revoke_sessions(&world.home.admin, dan).await.unwrap();
    assert_eq!(lines.next().await.unwrap()["object"]["code"], 401);
    assert_eq!(lines.next().await, None);
}

/// Without waiting: the time of the watch stands still and is moved.
#[tokio::test(start_paused = true)]
async fn a_watch_ends_in_its_time_and_with_the_life_of_its_credentials() {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    let mut lines = Lines::open(&world, &administrator, "&timeoutSeconds=3", "application/json").await;
    assert_eq!(lines.next().await, None);
    let mut lines = Lines::open(&world, &administrator, "", "application/json").await;
    world.clock.advance(jiff::SignedDuration::from_hours(9));
    assert_eq!(lines.next().await.unwrap()["object"]["code"], 401);
    assert_eq!(lines.next().await, None);
}

#[tokio::test]
async fn a_watch_ends_when_the_server_stops() {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    let mut lines = Lines::open(&world, &administrator, "", "application/json").await;
    world.stop.send_replace(true);
    assert_eq!(lines.next().await, None);
}

/// As kube-apiserver does: a list of a later version is refused, a watch from one waits for it.
#[tokio::test]
async fn a_watch_from_a_version_that_is_yet_to_come_tells_what_comes_after_it() {
    let world = World::new().await;
    let (who, _) = world.administrator().await;
    let newest = world.app.whole_snapshot().revision();
    let version = newest + 2;
    let refused = world.get(&who, &format!("{CONFIG_MAPS}?resourceVersion={version}")).await;
    let text = format!("504 Timeout: Too large resource version: {version}, current: {newest}");
    assert_eq!(refused.said(), text);
    let query = format!("&resourceVersion={version}");
    let mut lines = Lines::open(&world, &who, &query, "application/json").await;
    for name in ["a", "b", "c"] {
        world.post(&who, CONFIG_MAPS, &config_map(name, "1")).await.expect(StatusCode::CREATED);
    }
    assert_eq!(world.app.whole_snapshot().revision(), newest + 3);
    assert_eq!(lines.brief().await, "ADDED c 1");

    // What is there is told at once, but that it is not older than asked for only when that is so.
    let query = format!(
        "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion={}",
        newest + 4
    );
    let mut lines = Lines::open(&world, &who, &query, "application/json").await;
    for name in ["a", "b", "c"] {
        assert_eq!(lines.brief().await, format!("ADDED {name} 1"));
    }
    world.post(&who, CONFIG_MAPS, &config_map("d", "1")).await.expect(StatusCode::CREATED);
    assert_eq!(lines.brief().await, "ADDED d 1");
    let mark = lines.next().await.unwrap();
    let metadata = &mark["object"]["metadata"];
    assert_eq!(mark["type"], "BOOKMARK");
    assert_eq!(metadata["resourceVersion"], (newest + 4).to_string());
    assert_eq!(metadata["annotations"], json!({"k8s.io/initial-events-end": "true"}));
}

/// kopf and others end with an error where this comes as the status of the answer.
#[tokio::test]
async fn a_watch_from_a_version_that_is_forgotten_says_so_as_its_only_event() {
    let world = World::new().await;
    let (who, _) = world.administrator().await;
    // Whoever starts anew remembers no changes from before.
    let world = world.reopened().await;
    let newest = world.app.whole_snapshot().revision();
    let mut lines = Lines::open(&world, &who, "&resourceVersion=1", "application/json").await;
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("too old resource version: 1 ({newest})"), "reason": "Expired", "code": 410});
    assert_eq!(lines.next().await, Some(json!({"type": "ERROR", "object": status})));
    assert_eq!(lines.next().await, None);
    // Who may not watch hears of that, and what is no version is no watch.
    let path = |version: &str| format!("{CONFIG_MAPS}?watch=true&resourceVersion={version}");
    world.get(&Who::Nobody, &path("1")).await.expect(StatusCode::FORBIDDEN);
    world.get(&who, &path("x")).await.expect(StatusCode::BAD_REQUEST);
}

/// What ends a token of the account `robot`, which sees everything.
#[tokio::test]
async fn a_watch_ends_with_what_its_token_is_bound_to() {
    let core = "/api/v1/namespaces/default";
    let pod = json!({"metadata": {"name": "x"}, "spec": {"serviceAccountName": "robot",
        "containers": [{"name": "c", "image": "i"}]}});
    let kept = json!({"metadata": {"name": "x", "annotations": {"kubernetes.io/service-account.name": "robot"}},
        "type": "kubernetes.io/service-account-token"});
    let plain = json!({"metadata": {"name": "x"}});
    let mut held = kept.clone();
    held["metadata"]["finalizers"] = json!(["example.org/hold"]);
    for (bound, place, body) in [
        ("Secret", format!("{core}/secrets"), &plain),
        ("Pod", format!("{core}/pods"), &pod),
        ("Node", "/api/v1/nodes".to_owned(), &plain),
        ("", format!("{core}/secrets"), &kept),
        ("", format!("{core}/secrets"), &held),
    ] {
        let world = World::new().await;
        let (administrator, _) = world.administrator().await;
        let made = async |path: &str, body: &Value| {
            world.post(&administrator, path, body).await.expect(StatusCode::CREATED)
        };
        made(&format!("{core}/serviceaccounts"), &json!({"metadata": {"name": "robot"}})).await;
        world.bind("system:serviceaccount:default:robot", "admin", "default").await;
        let object = made(&place, body).await;
        let token = match bound {
            "" => {
                let kept = STANDARD.decode(object["data"]["token"].as_str().unwrap()).unwrap();
                String::from_utf8(kept).unwrap()
            }
            kind => {
                let spec =
                    json!({"spec": {"boundObjectRef": {"kind": kind, "apiVersion": "v1", "name": "x"}}});
                let issued = made(&format!("{core}/serviceaccounts/robot/token"), &spec).await;
                issued["status"]["token"].as_str().unwrap().to_owned()
            }
        };
        let robot = Who::Token(token);
        let mut lines = Lines::open(&world, &robot, "", "application/json").await;
        // Other changes of the object end nothing.
        let label = json!({"metadata": {"labels": {"l": "1"}}});
        let labelled = world.patch(&administrator, &format!("{place}/x"), "merge-patch+json", &label).await;
        labelled.expect(StatusCode::OK);
        made(CONFIG_MAPS, &config_map("a", "1")).await;
        assert_eq!(lines.brief().await, "ADDED a 1", "{bound} {place}");
        let path = format!("{place}/x");
        world.send(&administrator, Method::DELETE, &path, &[], vec![]).await.expect(StatusCode::OK);
        made(CONFIG_MAPS, &config_map("b", "1")).await;
        let last = lines.next().await.unwrap();
        assert_eq!(
            (&last["type"], &last["object"]["code"]),
            (&json!("ERROR"), &json!(401)),
            "{bound} {place}"
        );
        assert_eq!(lines.next().await, None);
    }
}

#[tokio::test]
async fn a_watch_ends_when_its_cluster_is_stopped() {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    let mut lines = Lines::open(&world, &administrator, "", "application/json").await;
    world.app.resource_manager().stop_cluster(&world.home.admin, &world.name()).await.unwrap();
    let last = lines.next().await.unwrap();
    assert_eq!((&last["type"], &last["object"]["code"]), (&json!("ERROR"), &json!(503)));
    assert_eq!(lines.next().await, None);
}

#[tokio::test]
async fn a_watch_that_ends_tells_no_more_of_what_was_there() {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    for name in ["a", "b", "c"] {
        let large = config_map(name, &"0123456789".repeat(20_000));
        let large = json!({"metadata": {"name": name}, "data": large["data"]});
        world.post(&administrator, CONFIG_MAPS, &large).await.expect(StatusCode::CREATED);
    }
    let dan = world.user("dan@example.org").await;
    world.bind("dan@example.org", "view", "default").await;
    let who = world.token(dan).await;
    let mut lines = Lines::open(&world, &who, "", "application/json").await;
    // So much was written before the answer began.
    assert_eq!(lines.next().await.unwrap()["object"]["metadata"]["name"], "a");
    world.app.directory().revoke_sessions(&world.home.admin, dan).await.unwrap();
    assert_eq!(lines.next().await.unwrap()["object"]["code"], 401);
    assert_eq!(lines.next().await, None);
}

#[tokio::test]
async fn thousands_of_watches_are_served_and_nobody_takes_all_places() {
    let world = World::new().await;
    let (admin, _) = world.administrator().await;
    let people = [world.person("a@example.org").await, world.person("b@example.org").await];
    let mut watches = Vec::new();
    for (upn, who) in ["a@example.org", "b@example.org"].into_iter().zip(&people) {
        world.bind(upn, "view", "default").await;
        for _ in 0..1000 {
            watches.push(Lines::open(&world, who, "", "application/json").await);
        }
        let refused = world.get(who, &format!("{CONFIG_MAPS}?watch=true")).await;
        assert_eq!(refused.expect(StatusCode::TOO_MANY_REQUESTS)["reason"], "TooManyRequests");
    }
    world.post(&admin, CONFIG_MAPS, &config_map("a", "1")).await.expect(StatusCode::CREATED);
    for watch in &mut watches {
        assert_eq!(watch.brief().await, "ADDED a 1");
    }
    // Places are given back, and those that nobody reads any more disturb nobody.
    let mut last = watches.pop().unwrap();
    drop(watches);
    for who in &people {
        assert_eq!(Lines::open(&world, who, "", "application/json").await.brief().await, "ADDED a 1");
    }
    put(&world, &admin, "a", "2").await;
    assert_eq!(last.brief().await, "MODIFIED a 2");
}

#[tokio::test]
async fn threads_that_serve_share_the_places_for_watches() {
    let world = World::new().await;
    let who = world.person("a@example.org").await;
    world.bind("a@example.org", "view", "default").await;
    let threads = [world.beside(), world.beside()];
    let mut watches = Vec::new();
    for number in 0..1000 {
        watches.push(Lines::open(&threads[number % 2], &who, "", "application/json").await);
    }
    let path = format!("/clusters/{}{CONFIG_MAPS}?watch=true", world.cluster.id);
    for thread in &threads {
        let (parts, body) = thread.open(&who, Method::GET, &path, &[], Vec::new()).await;
        assert_eq!(parts.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(parts.headers["retry-after"], "5");
        let status: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!(status["message"], "too many watches are open: end some, or try again later");
    }
    watches.truncate(999);
    Lines::open(&threads[1], &who, "", "application/json").await;
}
