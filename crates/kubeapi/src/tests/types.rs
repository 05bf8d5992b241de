//! Values are decoded as the types of their fields before anything is kept, on every way in; what was kept before
//! they were is mended.

use domain::{
    change::Record,
    cluster::{Cluster, ObjectsForm},
    object::{Object, ObjectKey},
};
use http::{Method, StatusCode};
use k8s_pb::{
    api::core::v1::{Container, Pod, PodSpec, ResourceRequirements},
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::ObjectMeta,
        runtime::{TypeMeta, Unknown},
    },
};
use prost::Message as _;
use serde_json::{Value, json};

use super::world::{Answer, Who, World};

const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const PODS: &str = "/api/v1/namespaces/default/pods";

async fn world() -> (World, Who) {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    (world, administrator)
}

fn pod(spec: Value) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}]}});
    json_patch::merge(&mut pod, &spec);
    pod
}

async fn make(world: &World, who: &Who, path: &str, body: &Value) -> Answer {
    world.post(who, path, body).await
}

#[tokio::test]
async fn a_value_that_is_not_of_its_type_is_refused_in_the_words_of_kubernetes() {
    let (world, who) = world().await;
    let container = |fields: Value| {
        let mut container = json!({"name": "c", "image": "i"});
        json_patch::merge(&mut container, &fields);
        pod(json!({"spec": {"containers": [container]}}))
    };
    let services = "/api/v1/namespaces/default/services";
    let service = |port: Value| json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80, "targetPort": port}]}});
    let quantity =
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    let time = |text: &str| {
        format!("parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \"2006\"")
    };
    for (path, kind, body, said) in [
        (
            SECRETS,
            "Secret",
            json!({"metadata": {"name": "s"}, "data": {"a": "***"}}),
            "illegal base64 data at input byte 0".to_owned(),
        ),
        (
            "/api/v1/namespaces/default/configmaps",
            "ConfigMap",
            json!({"metadata": {"name": "s"}, "binaryData": {"a": "aGk"}}),
            "illegal base64 data at input byte 0".to_owned(),
        ),
        (PODS, "Pod", container(json!({"resources": {"limits": {"cpu": "much"}}})), quantity.to_owned()),
        (
            PODS,
            "Pod",
            container(json!({"resources": {"limits": {"cpu": "1e999999999"}}})),
            "unable to parse quantity's suffix".to_owned(),
        ),
        (PODS, "Pod", pod(json!({"metadata": {"creationTimestamp": "now"}})), time("now")),
        (
            PODS,
            "Pod",
            pod(json!({"spec": {"priority": 3_000_000_000_i64}})),
            "json: cannot unmarshal number 3000000000 into Go struct field PodSpec.spec.priority of type int32"
                .to_owned(),
        ),
        (
            PODS,
            "Pod",
            container(json!({"name": 7})),
            "json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string"
                .to_owned(),
        ),
        (
            services,
            "Service",
            service(json!(true)),
            "json: cannot unmarshal bool into Go struct field ServicePort.spec.ports.targetPort of type int32"
                .to_owned(),
        ),
        (
            services,
            "Service",
            service(json!(1.5)),
            "json: cannot unmarshal number 1.5 into Go struct field ServicePort.spec.ports.targetPort of type int32"
                .to_owned(),
        ),
    ] {
        let expected = format!("400 BadRequest: {kind} in version \"v1\" cannot be handled as a {kind}: {said}");
        assert_eq!(make(&world, &who, path, &body).await.said(), expected);
        let list = world.get(&who, path).await.expect(StatusCode::OK);
        assert_eq!(list["items"].as_array().unwrap().len(), 0, "{path}");
    }
}

#[tokio::test]
async fn no_way_in_keeps_what_cannot_be_decoded() {
    let (world, who) = world().await;
    let path = format!("{SECRETS}/s");
    let good =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "aGk="}});
    let bad = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "***"}});
    let made = make(&world, &who, SECRETS, &good).await.expect(StatusCode::CREATED);
    let apply = [("content-type", "application/apply-patch+yaml")];
    let answers = [
        world.json(&who, Method::PUT, &path, &bad).await,
        world.patch(&who, &path, "merge-patch+json", &json!({"data": {"a": "***"}})).await,
        world.patch(&who, &path, "strategic-merge-patch+json", &json!({"data": {"a": "***"}})).await,
        world
            .patch(
                &who,
                &path,
                "json-patch+json",
                &json!([{"op": "replace", "path": "/data/a", "value": "***"}]),
            )
            .await,
        world
            .send(
                &who,
                Method::PATCH,
                &format!("{path}?fieldManager=m&force=true"),
                &apply,
                bad.to_string().into(),
            )
            .await,
        world
            .send(
                &who,
                Method::PATCH,
                &format!("{SECRETS}/other?fieldManager=m"),
                &apply,
                bad.to_string().replace("\"s\"", "\"other\"").into(),
            )
            .await,
    ];
    for answer in &answers {
        assert_eq!(
            answer.said(),
            "400 BadRequest: Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data at input byte 0"
        );
    }
    assert_eq!(world.get(&who, &path).await.expect(StatusCode::OK), made);
    world.get(&who, &format!("{SECRETS}/other")).await.expect(StatusCode::NOT_FOUND);

    // Protobuf carries quantities as text.
    let quantity = |text: &str| Quantity { string: Some(text.into()) };
    let body = |text: &str| {
        let resources = ResourceRequirements {
            limits: [("cpu".to_owned(), quantity(text))].into(),
            ..ResourceRequirements::default()
        };
        let container = Container {
            name: Some("c".into()),
            image: Some("i".into()),
            resources: Some(resources),
            ..Container::default()
        };
        let pod = Pod {
            metadata: Some(ObjectMeta { name: Some("p".into()), ..ObjectMeta::default() }),
            spec: Some(PodSpec { containers: vec![container], ..PodSpec::default() }),
            ..Pod::default()
        };
        let unknown = Unknown {
            type_meta: Some(TypeMeta { api_version: Some("v1".into()), kind: Some("Pod".into()) }),
            raw: Some(pod.encode_to_vec()),
            ..Unknown::default()
        };
        [b"k8s\0".as_slice(), &unknown.encode_to_vec()].concat()
    };
    let protobuf = [("content-type", "application/vnd.kubernetes.protobuf")];
    let refused = world.send(&who, Method::POST, PODS, &protobuf, body("much")).await;
    assert!(
        refused.said().starts_with("400 BadRequest: Pod in version \"v1\" cannot be handled as a Pod: quant")
    );
    world.send(&who, Method::POST, PODS, &protobuf, body("100m")).await.expect(StatusCode::CREATED);

    // The status and the number of replicas are ways in of their own.
    let status = world
        .patch(&who, &format!("{PODS}/p/status"), "merge-patch+json", &json!({"status": {"startTime": "x"}}))
        .await;
    assert_eq!(status.status, StatusCode::BAD_REQUEST, "{}", status.text);
    let deployment = json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    make(&world, &who, deployments, &deployment).await.expect(StatusCode::CREATED);
    let scale = world
        .patch(
            &who,
            &format!("{deployments}/d/scale"),
            "merge-patch+json",
            &json!({"spec": {"replicas": 3_000_000_000_i64}}),
        )
        .await;
    assert_eq!(scale.status, StatusCode::BAD_REQUEST, "{}", scale.text);
}

#[tokio::test]
async fn values_are_kept_in_the_form_in_which_a_go_server_writes_them() {
    let (world, who) = world().await;
    let secret = json!({"metadata": {"name": "s"}, "data": {"a": "aG\nk=", "b": null}});
    let made = make(&world, &who, SECRETS, &secret).await.expect(StatusCode::CREATED);
    assert_eq!(made["data"], json!({"a": "aGk=", "b": ""}));
    let event = json!({"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "namespace": "default"},
        "firstTimestamp": "2026-11-30T18:00:00.5+01:00", "eventTime": "2026-11-30T18:00:00.500000+01:00"});
    let made =
        make(&world, &who, "/api/v1/namespaces/default/events", &event).await.expect(StatusCode::CREATED);
    assert_eq!(made["firstTimestamp"], "2026-11-30T17:00:00Z");
    assert_eq!(made["eventTime"], "2026-11-30T17:00:00.500000Z");
}

/// Writes an object as an earlier program did, which looked at no value.
async fn keep(world: &World, resource: &str, value: &Value) {
    let name = value["metadata"]["name"].as_str().unwrap();
    let key = ObjectKey::new(world.cluster.id, "", resource, "default", name);
    world
        .app
        .whole_state()
        .transact(|tx| {
            let value = std::sync::Arc::new(value.clone());
            tx.put(&Record::Object(Object { key: key.clone(), revision: 0, value }))
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn what_an_earlier_program_kept_is_mended_and_breaks_nobody() {
    let (world, who) = world().await;
    for number in 0..200 {
        let name = format!("s{number}");
        keep(&world, "secrets", &json!({"metadata": {"name": name}, "data": {"a": "***", "b": "aGk="}}))
            .await;
    }
    let limits = json!({"cpu": "much", "memory": "1Gi"});
    let odd = json!({"metadata": {"name": "odd", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "i", "resources": {"limits": limits}}]}});
    keep(&world, "pods", &odd).await;
    crate::mend::mend_stored_objects(&world.app).await.unwrap();
    let secret = world.get(&who, &format!("{SECRETS}/s0")).await.expect(StatusCode::OK);
    assert_eq!(secret["data"]["a"], "***", "a cluster of this program has been looked at already");

    let cluster = Cluster { objects_form: ObjectsForm::Roles, ..Cluster::clone(&world.cluster) };
    world.app.whole_state().transact(|tx| tx.put(&Record::Cluster(Box::new(cluster.clone())))).await.unwrap();
    crate::mend::mend_stored_objects(&world.app).await.unwrap();
    let list = world.get(&who, SECRETS).await.expect(StatusCode::OK);
    let list = list["items"].as_array().unwrap().clone();
    assert_eq!(list.len(), 200);
    assert!(list.iter().all(|secret| secret["data"] == json!({"a": "Kioq", "b": "aGk="})));
    let odd = world.get(&who, &format!("{PODS}/odd")).await.expect(StatusCode::OK);
    assert_eq!(odd["spec"]["containers"][0]["resources"]["limits"], json!({"memory": "1Gi"}));
    let moved = odd["metadata"]["annotations"]["portcullis/unreadable-fields"].as_str().unwrap();
    assert_eq!(moved, r#"{"spec.containers[0].resources.limits.cpu":"much"}"#);
    world.send(&who, Method::DELETE, &format!("{PODS}/odd"), &[], vec![]).await.expect(StatusCode::OK);
    let snapshot = world.app.whole_snapshot();
    assert_eq!(snapshot.cluster(world.cluster.id).unwrap().objects_form, ObjectsForm::Types);
}

/// Whatever there is of it: a transaction has an end, and so has what one object may hold.
#[tokio::test]
async fn large_objects_of_an_earlier_program_are_mended_one_after_the_other() {
    let (world, who) = world().await;
    let made = |name: &str, bytes: usize| json!({"metadata": {"name": name, "namespace": "default"}, "binaryData": {"a": "*".repeat(bytes)}});
    for name in ["a", "b", "d"] {
        keep(&world, "configmaps", &made(name, 600_000)).await;
    }
    for number in 0..60 {
        keep(&world, "configmaps", &made(&format!("small-{number}"), 12_000)).await;
    }
    // In its new form it would be larger than an object may be.
    keep(&world, "configmaps", &made("c", 1_300_000)).await;
    let form = |form: ObjectsForm| Cluster { objects_form: form, ..Cluster::clone(&world.cluster) };
    let now = || world.app.whole_snapshot().cluster(world.cluster.id).unwrap().objects_form;
    let put = async |cluster: Cluster| {
        world
            .app
            .whole_state()
            .transact(|tx| tx.put(&Record::Cluster(Box::new(cluster.clone()))))
            .await
            .unwrap();
    };
    // Objects are mended before the default roles are, and what the roles still need is not forgotten.
    put(form(ObjectsForm::First)).await;
    crate::mend::mend_stored_objects(&world.app).await.unwrap();
    assert_eq!(now(), ObjectsForm::First);
    let list = world.get(&who, "/api/v1/namespaces/default/configmaps").await.expect(StatusCode::OK);
    let unlike: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| !item["binaryData"]["a"].as_str().unwrap().starts_with("Kio"))
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(unlike, ["c"]);
    put(form(ObjectsForm::Roles)).await;
    crate::mend::mend_stored_objects(&world.app).await.unwrap();
    assert_eq!(now(), ObjectsForm::Types);
}
