//! Tables as kubectl prints them.

use serde_json::json;

use super::*;
use crate::kinds;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[test]
fn ages_are_printed_as_kubernetes_prints_them() {
    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    for (seconds, printed) in [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (179 * 60 + 59, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + 60, "3h1m"),
        (8 * HOUR + 60, "8h"),
        (47 * HOUR, "47h"),
        (2 * DAY, "2d"),
        (2 * DAY + HOUR, "2d1h"),
        (8 * DAY + HOUR, "8d"),
        (729 * DAY, "729d"),
        (730 * DAY, "2y"),
        (731 * DAY, "2y1d"),
        (8 * 365 * DAY + DAY, "8y"),
    ] {
        assert_eq!(age(at(1_000_000_000), at(1_000_000_000 + seconds)), printed, "{seconds}");
    }
}

fn cells(group: &str, plural: &str, object: Value) -> Value {
    let kind = kinds::find_stored(group, plural).unwrap();
    let table = table(kind, &[object], &json!({}), IncludeObject::None, true, at(1_000_000_060));
    table["rows"][0]["cells"].clone()
}

#[test]
fn cells_are_read_from_objects() {
    let created = "2001-09-09T01:46:40Z";
    let metadata = json!({"name": "a", "creationTimestamp": created});
    assert_eq!(
        cells("", "namespaces", json!({"metadata": metadata, "status": {"phase": "Active"}})),
        json!(["a", "Active", "60s"])
    );
    assert_eq!(
        cells("", "secrets", json!({"metadata": metadata, "type": "Opaque", "data": {"x": "", "y": ""}})),
        json!(["a", "Opaque", "2", "60s"])
    );
    assert_eq!(
        cells(
            "rbac.authorization.k8s.io",
            "rolebindings",
            json!({"metadata": metadata, "roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [
                {"kind": "User", "name": "u"}, {"kind": "Group", "name": "g"}, {"kind": "Group", "name": "h"},
                {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]})
        ),
        json!(["a", "ClusterRole/view", "60s", "u", "g, h", "n/s"])
    );
    assert_eq!(
        cells("rbac.authorization.k8s.io", "roles", json!({"metadata": metadata})),
        json!(["a", created])
    );
    assert_eq!(
        cells(
            "apps",
            "deployments",
            json!({"metadata": metadata, "spec": {"replicas": 2, "selector": {"matchLabels": {"k": "v"}},
                "template": {"spec": {"containers": [{"name": "c", "image": "i"}, {"name": "d", "image": "j"}]}}}})
        ),
        json!(["a", "0/2", "0", "0", "60s", "c,d", "i,j", "k=v"])
    );
    assert_eq!(
        cells(
            "",
            "pods",
            json!({"metadata": metadata, "spec": {"containers": [{}]}, "status": {"phase": "Pending"}})
        ),
        json!(["a", "0/1", "Pending", "0", "60s", "<none>", "<none>", "<none>", "<none>"])
    );
}

#[test]
fn later_tables_of_a_watch_have_no_definitions() {
    let kind = kinds::find_stored("", "configmaps").unwrap();
    let object = json!({"metadata": {"name": "a"}});
    let table = table(kind, &[object], &json!({}), IncludeObject::Metadata, false, at(0));
    assert_eq!(table["columnDefinitions"], Value::Null);
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
}
