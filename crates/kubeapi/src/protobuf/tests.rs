//! Bodies in protobuf beside the messages of an independent implementation.

use std::collections::BTreeMap;

use k8s_pb::{
    api::{apps, authentication, authorization, core, rbac},
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{LabelSelector, MicroTime, ObjectMeta, OwnerReference, Time},
        runtime::{TypeMeta, Unknown},
        util::intstr::IntOrString,
    },
};
use proptest::prelude::*;
use prost::Message as _;
use serde_json::json;

use super::*;
use crate::kinds::message_of;

fn envelope(api_version: &str, kind: &str, message: &impl prost::Message) -> Vec<u8> {
    let unknown = Unknown {
        type_meta: Some(TypeMeta { api_version: Some(api_version.into()), kind: Some(kind.into()) }),
        raw: Some(message.encode_to_vec()),
        content_encoding: Some(String::new()),
        content_type: Some(String::new()),
    };
    [MAGIC, &unknown.encode_to_vec()].concat()
}

fn check(api_version: &str, kind: &str, message: &impl prost::Message, mut expected: Value) {
    expected["apiVersion"] = api_version.into();
    expected["kind"] = kind.into();
    let decoded = decode(&envelope(api_version, kind, message), message_of).unwrap();
    assert_eq!(decoded.value, expected);
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// As a Go client writes it: fields that are not pointers are there even when empty.
fn metadata(name: &str) -> Option<ObjectMeta> {
    Some(ObjectMeta {
        name: some(name),
        generate_name: some(""),
        namespace: some(""),
        self_link: some(""),
        uid: some(""),
        resource_version: some(""),
        generation: Some(0),
        creation_timestamp: Some(Time::default()),
        ..ObjectMeta::default()
    })
}

#[test]
fn the_empty_core_group_of_a_rule_is_kept() {
    let role = rbac::v1::Role {
        metadata: metadata("r"),
        rules: vec![rbac::v1::PolicyRule {
            verbs: vec!["get".into(), "list".into()],
            api_groups: vec![String::new(), "apps".into()],
            resources: vec!["pods".into()],
            ..Default::default()
        }],
    };
    let expected = json!({"metadata": {"name": "r"},
        "rules": [{"verbs": ["get", "list"], "apiGroups": ["", "apps"], "resources": ["pods"]}]});
    check("rbac.authorization.k8s.io/v1", "Role", &role, expected);
}

#[test]
fn cluster_roles_and_bindings_are_read_whole() {
    let role = rbac::v1::ClusterRole {
        metadata: metadata("c"),
        rules: vec![rbac::v1::PolicyRule {
            verbs: vec!["get".into()],
            non_resource_ur_ls: vec!["/metrics".into()],
            resource_names: vec![],
            ..Default::default()
        }],
        aggregation_rule: Some(rbac::v1::AggregationRule {
            cluster_role_selectors: vec![LabelSelector {
                match_labels: BTreeMap::from([("a".into(), "b".into())]),
                ..Default::default()
            }],
        }),
    };
    let expected = json!({"metadata": {"name": "c"},
        "rules": [{"verbs": ["get"], "nonResourceURLs": ["/metrics"]}],
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}});
    check("rbac.authorization.k8s.io/v1", "ClusterRole", &role, expected);

    let subject = |kind: &str, group: &str, name: &str, namespace: &str| rbac::v1::Subject {
        kind: some(kind),
        api_group: some(group),
        name: some(name),
        namespace: some(namespace),
    };
    let binding = rbac::v1::RoleBinding {
        metadata: metadata("b"),
        subjects: vec![
            subject("User", "rbac.authorization.k8s.io", "u", ""),
            subject("ServiceAccount", "", "s", "n"),
        ],
        role_ref: Some(rbac::v1::RoleRef {
            api_group: some("rbac.authorization.k8s.io"),
            kind: some("ClusterRole"),
            name: some("view"),
        }),
    };
    let expected = json!({"metadata": {"name": "b"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "u"},
            {"kind": "ServiceAccount", "name": "s", "namespace": "n"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}});
    check("rbac.authorization.k8s.io/v1", "RoleBinding", &binding, expected);
}

#[test]
fn bytes_are_base64_and_maps_are_objects() {
    let secret = core::v1::Secret {
        metadata: Some(ObjectMeta {
            labels: BTreeMap::from([("a".into(), String::new())]),
            creation_timestamp: Some(Time { seconds: Some(1_700_000_000), nanos: Some(5) }),
            owner_references: vec![OwnerReference {
                api_version: some("v1"),
                kind: some("Pod"),
                name: some("p"),
                uid: some("u"),
                controller: Some(false),
                block_owner_deletion: None,
            }],
            deletion_grace_period_seconds: Some(0),
            ..Default::default()
        }),
        data: BTreeMap::from([("k".into(), b"v\0".to_vec()), ("empty".into(), vec![])]),
        string_data: BTreeMap::from([("s".into(), "t".into())]),
        r#type: some("Opaque"),
        immutable: Some(false),
    };
    let expected = json!({"metadata": {"labels": {"a": ""}, "creationTimestamp": "2023-11-14T22:13:20Z",
            "deletionGracePeriodSeconds": 0,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": false}]},
        "data": {"k": "dgA=", "empty": ""}, "stringData": {"s": "t"}, "type": "Opaque", "immutable": false});
    check("v1", "Secret", &secret, expected);
}

#[test]
fn deployments_keep_pointers_and_drop_empty_parts() {
    let container = core::v1::Container {
        name: some("c"),
        image: some("i"),
        stdin: Some(false),
        resources: Some(core::v1::ResourceRequirements::default()),
        liveness_probe: Some(core::v1::Probe {
            handler: Some(core::v1::ProbeHandler {
                http_get: Some(core::v1::HttpGetAction {
                    path: some("/x"),
                    port: Some(IntOrString { r#type: Some(1), int_val: Some(0), str_val: some("http") }),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            initial_delay_seconds: Some(0),
            period_seconds: Some(7),
            ..Default::default()
        }),
        security_context: Some(core::v1::SecurityContext { run_as_user: Some(0), ..Default::default() }),
        ..Default::default()
    };
    let deployment = apps::v1::Deployment {
        metadata: metadata("d"),
        spec: Some(apps::v1::DeploymentSpec {
            replicas: Some(0),
            selector: Some(LabelSelector::default()),
            template: Some(core::v1::PodTemplateSpec {
                metadata: Some(ObjectMeta::default()),
                spec: Some(core::v1::PodSpec {
                    containers: vec![container],
                    volumes: vec![core::v1::Volume {
                        name: some("v"),
                        volume_source: Some(core::v1::VolumeSource {
                            empty_dir: Some(core::v1::EmptyDirVolumeSource {
                                medium: some(""),
                                size_limit: Some(Quantity { string: some("1Gi") }),
                            }),
                            ..Default::default()
                        }),
                    }],
                    host_network: Some(false),
                    automount_service_account_token: Some(false),
                    overhead: BTreeMap::from([("cpu".into(), Quantity { string: some("250m") })]),
                    ..Default::default()
                }),
            }),
            strategy: Some(apps::v1::DeploymentStrategy {
                r#type: some(""),
                rolling_update: Some(apps::v1::RollingUpdateDeployment {
                    max_surge: Some(IntOrString { r#type: Some(0), int_val: Some(2), str_val: some("") }),
                    max_unavailable: None,
                }),
            }),
            ..Default::default()
        }),
        status: Some(apps::v1::DeploymentStatus::default()),
    };
    let expected = json!({"metadata": {"name": "d"}, "spec": {"replicas": 0, "selector": {},
        "strategy": {"rollingUpdate": {"maxSurge": 2}},
        "template": {"spec": {
            "containers": [{"name": "c", "image": "i", "securityContext": {"runAsUser": 0},
                "livenessProbe": {"httpGet": {"path": "/x", "port": "http"}, "periodSeconds": 7}}],
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
            "automountServiceAccountToken": false, "overhead": {"cpu": "250m"}}}}});
    check("apps/v1", "Deployment", &deployment, expected);
}

#[test]
fn reviews_and_token_requests_are_read() {
    let review = authorization::v1::SelfSubjectAccessReview {
        metadata: metadata(""),
        spec: Some(authorization::v1::SelfSubjectAccessReviewSpec {
            resource_attributes: Some(authorization::v1::ResourceAttributes {
                namespace: some("n"),
                verb: some("get"),
                group: some(""),
                version: some("*"),
                resource: some("pods"),
                subresource: some("log"),
                name: some(""),
                ..Default::default()
            }),
            non_resource_attributes: None,
        }),
        status: Some(authorization::v1::SubjectAccessReviewStatus::default()),
    };
    let expected = json!({"spec": {"resourceAttributes":
        {"namespace": "n", "verb": "get", "version": "*", "resource": "pods", "subresource": "log"}}});
    check("authorization.k8s.io/v1", "SelfSubjectAccessReview", &review, expected);

    let review = authorization::v1::SubjectAccessReview {
        metadata: None,
        spec: Some(authorization::v1::SubjectAccessReviewSpec {
            user: some("u"),
            groups: vec!["g".into()],
            extra: BTreeMap::from([
                ("oid".into(), authorization::v1::ExtraValue { items: vec!["x".into(), "y".into()] }),
                ("none".into(), authorization::v1::ExtraValue { items: vec![] }),
            ]),
            ..Default::default()
        }),
        status: None,
    };
    let expected = json!({"spec": {"user": "u", "groups": ["g"], "extra": {"oid": ["x", "y"], "none": []}}});
    check("authorization.k8s.io/v1", "SubjectAccessReview", &review, expected);

    let request = authentication::v1::TokenRequest {
        metadata: metadata(""),
        spec: Some(authentication::v1::TokenRequestSpec {
            audiences: vec!["a".into()],
            expiration_seconds: Some(0),
            bound_object_ref: Some(authentication::v1::BoundObjectReference {
                kind: some("Secret"),
                api_version: some("v1"),
                name: some("s"),
                u_id: some("i"),
            }),
        }),
        status: Some(authentication::v1::TokenRequestStatus::default()),
    };
    let expected = json!({"spec": {"audiences": ["a"], "expirationSeconds": 0,
        "boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "s", "uid": "i"}}});
    check("authentication.k8s.io/v1", "TokenRequest", &request, expected);
}

#[test]
fn times_of_events_keep_microseconds() {
    let event = core::v1::Event {
        metadata: metadata("e"),
        event_time: Some(MicroTime { seconds: Some(0), nanos: Some(1_234_567) }),
        first_timestamp: Some(Time::default()),
        ..Default::default()
    };
    check(
        "v1",
        "Event",
        &event,
        json!({"metadata": {"name": "e"}, "eventTime": "1970-01-01T00:00:00.001234Z"}),
    );
}

#[test]
fn malformed_bodies_say_what_is_wrong() {
    assert_eq!(decode(b"{}", message_of), Err(DecodeError::Envelope));
    assert_eq!(decode(b"k8s\0\x12\x05a", message_of), Err(DecodeError::Truncated("a field")));
    assert_eq!(decode(b"k8s\0\x0b", message_of), Err(DecodeError::WireType));
    let unknown = envelope("v1", "Nothing", &core::v1::Pod::default());
    assert!(matches!(decode(&unknown, message_of), Err(DecodeError::UnknownKind { .. })));
    let rules = vec![rbac::v1::PolicyRule::default(); MAXIMUM_ELEMENTS + 1];
    let role = rbac::v1::Role { rules, ..Default::default() };
    assert_eq!(
        decode(&envelope("rbac.authorization.k8s.io/v1", "Role", &role), message_of),
        Err(DecodeError::Elements)
    );
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&[MAGIC, &bytes].concat(), message_of);
    }

    #[test]
    fn any_object_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0_usize..4) {
        let (api_version, kind) =
            [("v1", "Pod"), ("apps/v1", "Deployment"), ("v1", "Secret"), ("rbac.authorization.k8s.io/v1", "Role")][kind];
        let unknown = Unknown {
            type_meta: Some(TypeMeta { api_version: some(api_version), kind: some(kind) }),
            raw: Some(bytes),
            content_encoding: None,
            content_type: None,
        };
        let _ = decode(&[MAGIC, &unknown.encode_to_vec()].concat(), message_of);
    }

    /// A flipped byte in a valid body never panics, and what stays valid stays an object.
    #[test]
    fn damaged_bodies_are_decoded_or_refused(place in any::<prop::sample::Index>(), bits in 1_u8..) {
        let role = rbac::v1::Role {
            metadata: metadata("r"),
            rules: vec![rbac::v1::PolicyRule { verbs: vec!["get".into()], ..Default::default() }; 3],
        };
        let mut body = envelope("rbac.authorization.k8s.io/v1", "Role", &role);
        let place = place.index(body.len());
        body[place] ^= bits;
        if let Ok(decoded) = decode(&body, message_of) {
            prop_assert!(decoded.value.is_object());
        }
    }
}
