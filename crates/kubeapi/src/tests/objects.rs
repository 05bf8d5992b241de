//! Objects over their life, in every form and by every kind of patch, and what bad input is answered.

use http::{Method, StatusCode};
use k8s_pb::{
    api::{core::v1::ConfigMap, rbac::v1::Role},
    apimachinery::pkg::{
        apis::meta::v1::ObjectMeta,
        runtime::{TypeMeta, Unknown},
    },
};
use prost::Message as _;
use serde_json::{Value, json};

use super::world::{Who, World, plain};

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn config_map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"l": value}}, "data": {"k": value}})
}

async fn world() -> (World, Who) {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    (world, administrator)
}

#[tokio::test]
async fn an_object_is_made_read_changed_and_deleted() {
    let (world, who) = world().await;
    let headers = [("content-type", "application/json"), ("user-agent", "tester/1.0 (linux)")];
    let body = config_map("cm", "1").to_string();
    let made =
        world.send(&who, Method::POST, CONFIG_MAPS, &headers, body.into()).await.expect(StatusCode::CREATED);
    insta::assert_json_snapshot!("made", plain(made.clone()));
    let path = format!("{CONFIG_MAPS}/cm");
    assert_eq!(world.get(&who, &path).await.expect(StatusCode::OK), made);

    let unchanged = world.json(&who, Method::PUT, &path, &made).await.expect(StatusCode::OK);
    assert_eq!(unchanged, made, "a write that changes nothing makes no version");
    let mut wanted = made.clone();
    wanted["data"]["k"] = "2".into();
    let changed = world.json(&who, Method::PUT, &path, &wanted).await.expect(StatusCode::OK);
    assert_ne!(changed["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    assert_eq!(changed["metadata"]["uid"], made["metadata"]["uid"]);
    let stale = world.json(&who, Method::PUT, &path, &wanted).await;
    assert_eq!(
        stale.said(),
        "409 Conflict: Operation cannot be fulfilled on configmaps \"cm\": the object has been modified; please \
         apply your changes to the latest version and try again"
    );
    let dry = world.json(&who, Method::DELETE, &path, &json!({"dryRun": ["All"]})).await;
    dry.expect(StatusCode::OK);
    world.get(&who, &path).await.expect(StatusCode::OK);
    let wrong = json!({"preconditions": {"uid": "other"}});
    let wrong = world.json(&who, Method::DELETE, &path, &wrong).await;
    assert!(wrong.said().starts_with(
        "409 Conflict: Operation cannot be fulfilled on ConfigMap \"cm\": the UID in the precondition (other)"
    ));
    let deleted = world.send(&who, Method::DELETE, &path, &[], Vec::new()).await.expect(StatusCode::OK);
    insta::assert_json_snapshot!("deleted", plain(deleted));
    assert_eq!(world.get(&who, &path).await.said(), "404 NotFound: configmaps \"cm\" not found");
}

#[tokio::test]
async fn every_kind_of_patch_is_applied() {
    let (world, who) = world().await;
    world.post(&who, CONFIG_MAPS, &config_map("cm", "1")).await.expect(StatusCode::CREATED);
    let path = format!("{CONFIG_MAPS}/cm");
    for (kind, patch) in [
        ("merge-patch+json", json!({"data": {"a": "1", "k": null}})),
        ("strategic-merge-patch+json", json!({"data": {"b": "2"}, "metadata": {"finalizers": []}})),
        ("json-patch+json", json!([{"op": "add", "path": "/data/c", "value": "3"}])),
    ] {
        world.patch(&who, &path, kind, &patch).await.expect(StatusCode::OK);
    }
    let apply =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": {"d": "4"}});
    let applied = world.patch(&who, &format!("{path}?fieldManager=m"), "apply-patch+yaml", &apply).await;
    assert_eq!(applied.expect(StatusCode::OK)["data"], json!({"a": "1", "b": "2", "c": "3", "d": "4"}));
    let made =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}, "data": {"d": "4"}});
    let made =
        world.patch(&who, &format!("{CONFIG_MAPS}/new?fieldManager=m"), "apply-patch+yaml", &made).await;
    made.expect(StatusCode::CREATED);
    let conflict =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}, "data": {"d": "5"}});
    let conflict =
        world.patch(&who, &format!("{CONFIG_MAPS}/new?fieldManager=o"), "apply-patch+yaml", &conflict).await;
    insta::assert_json_snapshot!(conflict.expect(StatusCode::CONFLICT));
}

#[tokio::test]
async fn bad_input_is_answered_in_kubernetes_words() {
    let (world, who) = world().await;
    world.post(&who, CONFIG_MAPS, &config_map("cm", "1")).await.expect(StatusCode::CREATED);
    let path = format!("{CONFIG_MAPS}/cm");
    let mut said = Vec::new();
    let strict = format!("{CONFIG_MAPS}?fieldValidation=Strict");
    for (method, path, kind, body) in [
        (Method::POST, CONFIG_MAPS, "application/json", "{".to_owned()),
        (Method::POST, CONFIG_MAPS, "application/json", "[".repeat(10_000)),
        (Method::POST, CONFIG_MAPS, "application/json", "[]".to_owned()),
        (Method::POST, CONFIG_MAPS, "text/plain", "{}".to_owned()),
        (Method::POST, CONFIG_MAPS, "application/vnd.kubernetes.protobuf", "{}".to_owned()),
        (Method::POST, CONFIG_MAPS, "application/json", r#"{"kind":"Secret"}"#.to_owned()),
        (Method::POST, CONFIG_MAPS, "application/json", r#"{"apiVersion":"apps/v1"}"#.to_owned()),
        (Method::POST, CONFIG_MAPS, "application/json", r#"{"metadata":{"name":"Bad_Name"}}"#.to_owned()),
        (Method::POST, CONFIG_MAPS, "application/json", r#"{"metadata":{}}"#.to_owned()),
        (
            Method::POST,
            CONFIG_MAPS,
            "application/json",
            r#"{"metadata":{"name":"a","namespace":"b"}}"#.to_owned(),
        ),
        (Method::POST, CONFIG_MAPS, "application/json", config_map("cm", "1").to_string()),
        (Method::POST, CONFIG_MAPS, "application/json", r#"{"data":{"a":1}}"#.to_owned()),
        (
            Method::POST,
            &strict,
            "application/json",
            r#"{"metadata":{"name":"a"},"nope":1,"data":{"a":"","a":""}}"#.to_owned(),
        ),
        (
            Method::POST,
            "/api/v1/namespaces/none/configmaps",
            "application/json",
            config_map("a", "1").to_string(),
        ),
        (Method::POST, "/api/v1/configmaps", "application/json", config_map("a", "1").to_string()),
        (Method::PUT, &format!("{CONFIG_MAPS}/other"), "application/json", config_map("cm", "1").to_string()),
        (
            Method::PUT,
            &format!("{CONFIG_MAPS}/none"),
            "application/json",
            config_map("none", "1").to_string(),
        ),
        (Method::PATCH, &path, "application/json", "{}".to_owned()),
        (Method::PATCH, &path, "application/merge-patch+json", "[]".to_owned()),
        (
            Method::PATCH,
            &path,
            "application/json-patch+json",
            r#"[{"op":"test","path":"/data/k","value":"x"}]"#.to_owned(),
        ),
        (Method::PATCH, &path, "application/apply-patch+yaml", "{}".to_owned()),
        (Method::PATCH, &path, "application/merge-patch+json", r#"{"metadata":{"name":"x"}}"#.to_owned()),
        (Method::DELETE, "/api/v1/namespaces/kube-system", "", String::new()),
        (Method::GET, "/api/v1/namespaces/default/configmaps?continue=x", "", String::new()),
        (Method::GET, "/api/v1/namespaces/default/configmaps?limit=-1", "", String::new()),
        (Method::GET, "/api/v1/namespaces/default/configmaps?fieldSelector=foo=1", "", String::new()),
        (Method::GET, "/api/v1/namespaces/default/configmaps?resourceVersion=x", "", String::new()),
        (Method::GET, "/api/v1/namespaces/default/configmaps/a%2Fb", "", String::new()),
        (Method::GET, "/api/v1/namespaces/../pods", "", String::new()),
        (Method::GET, "/apis/apps/v1/nosuch", "", String::new()),
        (Method::GET, "/apis/no.such/v1/things", "", String::new()),
        (Method::POST, "/api/v1/namespaces/default/pods/p/status", "application/json", "{}".to_owned()),
        (Method::GET, "/api/v1/namespaces/default/pods/p/exec", "", String::new()),
    ] {
        let headers: &[(&str, &str)] = if kind.is_empty() { &[] } else { &[("content-type", kind)] };
        let shown: String = body.chars().take(70).collect();
        let answer = world.send(&who, method.clone(), path, headers, body.into()).await;
        said.push(format!("{method} {path} {kind} {shown}\n    {}", answer.said()));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn bodies_have_a_bound() {
    let (world, who) = world().await;
    let headers = [("content-type", "application/json")];
    let answer = world.send(&who, Method::POST, CONFIG_MAPS, &headers, vec![b' '; 3 * 1024 * 1024 + 1]).await;
    assert_eq!(answer.said(), "413 RequestEntityTooLarge: Request entity too large: limit is 3145728");
}

#[tokio::test]
async fn protobuf_bodies_are_read() {
    let (world, who) = world().await;
    let metadata = Some(ObjectMeta { name: Some("pb".into()), ..ObjectMeta::default() });
    let envelope = |api_version: &str, kind: &str, raw: Vec<u8>| {
        let type_meta = Some(TypeMeta { api_version: Some(api_version.into()), kind: Some(kind.into()) });
        let unknown = Unknown { type_meta, raw: Some(raw), ..Unknown::default() };
        [b"k8s\0".as_slice(), &unknown.encode_to_vec()].concat()
    };
    let headers = [
        ("content-type", "application/vnd.kubernetes.protobuf"),
        ("accept", "application/vnd.kubernetes.protobuf,application/json"),
    ];
    let body = ConfigMap {
        metadata: metadata.clone(),
        data: [("k".into(), "v".into())].into(),
        ..Default::default()
    };
    let body = envelope("v1", "ConfigMap", body.encode_to_vec());
    let made = world.send(&who, Method::POST, CONFIG_MAPS, &headers, body).await.expect(StatusCode::CREATED);
    assert_eq!(made["data"], json!({"k": "v"}));
    let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles";
    let body = Role { metadata, ..Default::default() };
    let body = envelope("rbac.authorization.k8s.io/v1", "Role", body.encode_to_vec());
    world.send(&who, Method::POST, roles, &headers, body).await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn lists_come_in_pages_and_tables() {
    let (world, who) = world().await;
    for name in ["a", "b", "c"] {
        world.post(&who, CONFIG_MAPS, &config_map(name, name)).await.expect(StatusCode::CREATED);
    }
    let first = world.get(&who, &format!("{CONFIG_MAPS}?limit=2")).await.expect(StatusCode::OK);
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    let names = |list: &Value| -> Vec<String> {
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&first), ["a", "b"]);
    let token = first["metadata"]["continue"].as_str().unwrap();
    let rest =
        world.get(&who, &format!("{CONFIG_MAPS}?limit=2&continue={token}")).await.expect(StatusCode::OK);
    assert_eq!(names(&rest), ["c"]);
    assert_eq!(rest["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let labelled =
        world.get(&who, "/api/v1/configmaps?labelSelector=l+in+(a,c)").await.expect(StatusCode::OK);
    assert_eq!(names(&labelled), ["a", "c"]);
    let table = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let table = world.send(&who, Method::GET, &format!("{CONFIG_MAPS}?limit=1"), &table, vec![]).await;
    let mut table = plain(table.expect(StatusCode::OK));
    table["metadata"]["continue"] = "[token]".into();
    insta::assert_json_snapshot!(table);
}

#[tokio::test]
async fn finalizers_are_standard_ones_or_have_a_domain() {
    let (world, who) = world().await;
    let named = |finalizers: Value| json!({"metadata": {"name": "f", "finalizers": finalizers}});
    let said = world.post(&who, CONFIG_MAPS, &named(json!(["acme.io/a", "x"]))).await.said();
    assert_eq!(
        said,
        "422 Invalid: ConfigMap \"f\" is invalid: metadata.finalizers[1]: Invalid value: \"x\": name is neither a \
         standard finalizer name nor is it fully qualified"
    );
    let standard = json!(["kubernetes", "orphan", "foregroundDeletion", "acme.io/a"]);
    world.post(&who, CONFIG_MAPS, &named(standard)).await.expect(StatusCode::CREATED);
    let more = named(json!(["acme.io/a", "y"]));
    let patched = world.patch(&who, &format!("{CONFIG_MAPS}/f"), "merge-patch+json", &more).await;
    assert_eq!(patched.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", patched.text);
}

#[tokio::test]
async fn a_namespace_ends_with_all_that_is_in_it() {
    let (world, who) = world().await;
    let namespaces = "/api/v1/namespaces";
    let made =
        world.post(&who, namespaces, &json!({"metadata": {"name": "n"}})).await.expect(StatusCode::CREATED);
    insta::assert_json_snapshot!(plain(made));
    world.get(&who, "/api/v1/namespaces/n/serviceaccounts/default").await.expect(StatusCode::OK);
    let inside = "/api/v1/namespaces/n/configmaps";
    let mut kept = config_map("kept", "1");
    kept["metadata"]["finalizers"] = json!(["acme.io/hold"]);
    world.post(&who, inside, &config_map("free", "1")).await.expect(StatusCode::CREATED);
    world.post(&who, inside, &kept).await.expect(StatusCode::CREATED);
    let ending =
        world.send(&who, Method::DELETE, "/api/v1/namespaces/n", &[], vec![]).await.expect(StatusCode::OK);
    assert_eq!(ending["status"]["phase"], "Terminating");
    world.get(&who, &format!("{inside}/free")).await.expect(StatusCode::NOT_FOUND);
    world.get(&who, &format!("{inside}/kept")).await.expect(StatusCode::OK);
    assert_eq!(
        world.post(&who, inside, &config_map("late", "1")).await.said(),
        "403 Forbidden: configmaps \"late\" is forbidden: unable to create new content in namespace n because it is \
         being terminated"
    );
    let release = json!({"metadata": {"finalizers": null}});
    world.patch(&who, &format!("{inside}/kept"), "merge-patch+json", &release).await.expect(StatusCode::OK);
    world.get(&who, "/api/v1/namespaces/n").await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn status_and_scale_are_written_apart() {
    let (world, who) = world().await;
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let deployment = json!({"metadata": {"name": "d"}, "status": {"replicas": 9}, "spec": {"selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    let made = world.post(&who, deployments, &deployment).await.expect(StatusCode::CREATED);
    assert_eq!(made.get("status"), None);
    assert_eq!(made["metadata"]["generation"], 1);
    let path = format!("{deployments}/d");
    let scaled = world
        .patch(&who, &format!("{path}/scale"), "merge-patch+json", &json!({"spec": {"replicas": 3}}))
        .await;
    insta::assert_json_snapshot!(plain(scaled.expect(StatusCode::OK)));
    let status = json!({"status": {"replicas": 3}, "spec": {"replicas": 7}});
    let written = world
        .patch(&who, &format!("{path}/status"), "merge-patch+json", &status)
        .await
        .expect(StatusCode::OK);
    assert_eq!((&written["status"]["replicas"], &written["spec"]["replicas"]), (&json!(3), &json!(3)));
    assert_eq!(written["metadata"]["generation"], 2);
}

#[tokio::test]
async fn discovery_says_what_is_served() {
    let (world, who) = world().await;
    let aggregated =
        [("accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json")];
    let groups = world.send(&who, Method::GET, "/apis", &aggregated, vec![]).await;
    assert_eq!(
        groups.headers["content-type"],
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    );
    insta::assert_json_snapshot!("aggregated", groups.expect(StatusCode::OK)["items"][3]);
    insta::assert_json_snapshot!("apps", world.get(&who, "/apis/apps/v1").await.expect(StatusCode::OK));
    insta::assert_json_snapshot!("groups", world.get(&who, "/apis").await.expect(StatusCode::OK));
    insta::assert_json_snapshot!("version", world.get(&Who::Nobody, "/version").await.expect(StatusCode::OK));
    insta::assert_json_snapshot!("openapi", world.get(&who, "/openapi/v3").await.expect(StatusCode::OK));
}

/// A document that is deep is refused by its depth, in every form; and no row of patches builds a deeper one.
#[tokio::test]
async fn deep_documents_are_refused_in_every_form() {
    let world = World::new().await;
    let (who, _) = world.administrator().await;
    let document = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"metadata":{{"name":"deep"}},"unknown":{open}1{close}}}"#).into_bytes()
    };
    for (kind, levels) in [
        ("application/json", 64),
        ("application/json", 1900),
        ("application/yaml", 64),
        ("application/yaml", 1900),
        ("application/yaml", 100_000),
    ] {
        let headers = [("content-type", kind)];
        let answer = world.send(&who, Method::POST, CONFIG_MAPS, &headers, document(levels)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{kind} {levels}: {}", answer.text);
    }
    for kind in ["application/json", "application/yaml"] {
        let headers = [("content-type", kind)];
        let path = format!("{CONFIG_MAPS}?dryRun=All");
        let answer = world.send(&who, Method::POST, &path, &headers, document(63)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    }
    let made = json!({"metadata": {"name": "c"}, "data": {"a": "b"}});
    world.post(&who, CONFIG_MAPS, &made).await.expect(StatusCode::CREATED);
    let path = format!("{CONFIG_MAPS}/c");
    let fields = |levels: usize| (0..levels).fold(json!({}), |inner, _| json!({"f:a": inner}));
    let patch = |at: &str, levels: usize| json!([{"op": "add", "path": at, "value": fields(levels)}]);
    let at = "/metadata/managedFields/0/fieldsV1";
    let kind = "json-patch+json";
    world.patch(&who, &path, kind, &patch(at, 40)).await.expect(StatusCode::OK);
    let place = format!("{at}{}", "/f:a".repeat(40));
    let answer = world.patch(&who, &path, kind, &patch(&place, 30)).await;
    assert!(
        answer.status.is_client_error() && answer.text.contains("deeper than 64 levels"),
        "{}",
        answer.text
    );
    let label = json!([{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]);
    world.patch(&who, &path, kind, &label).await.expect(StatusCode::OK);
}
