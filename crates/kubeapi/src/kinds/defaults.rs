//! Default values, as kube-apiserver sets them before it stores an object.
//!
//! Each function is idempotent. Values of a wrong type are left alone: the schema check has already refused them.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

pub(super) fn namespace(value: &mut Value) {
    let name = text(value, "/metadata/name").to_owned();
    if !name.is_empty() {
        let metadata = object_at(value, "metadata");
        object_in(metadata, "labels").insert("kubernetes.io/metadata.name".into(), name.into());
    }
    set(object_at(value, "status"), "phase", || "Active".into());
}

pub(super) fn secret(value: &mut Value) {
    let Value::Object(object) = value else { return };
    set(object, "type", || "Opaque".into());
    // `stringData` is stored base64-encoded in `data` and overrides it.
    if let Some(Value::Object(texts)) = object.remove("stringData") {
        let data = object_in(object, "data");
        for (key, text) in texts {
            data.insert(key, STANDARD.encode(text.as_str().unwrap_or_default()).into());
        }
    }
}

pub(super) fn volume_claim(value: &mut Value) {
    set(object_at(value, "spec"), "volumeMode", || "Filesystem".into());
    set(object_at(value, "status"), "phase", || "Pending".into());
}

pub(super) fn binding(value: &mut Value) {
    if let Some(Value::Object(reference)) = value.get_mut("roleRef") {
        set(reference, "apiGroup", || RBAC_GROUP.into());
    }
    for subject in list_mut(value, "/subjects") {
        let Value::Object(subject) = subject else { continue };
        if matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
            set(subject, "apiGroup", || RBAC_GROUP.into());
        }
    }
}

pub(super) fn service(value: &mut Value) {
    let spec = object_at(value, "spec");
    set(spec, "type", || "ClusterIP".into());
    set(spec, "sessionAffinity", || "None".into());
    if spec.get("type").and_then(Value::as_str) != Some("ExternalName") {
        set(spec, "internalTrafficPolicy", || "Cluster".into());
        set(spec, "ipFamilies", || json!(["IPv4"]));
        set(spec, "ipFamilyPolicy", || "SingleStack".into());
    }
    if matches!(spec.get("type").and_then(Value::as_str), Some("LoadBalancer" | "NodePort")) {
        set(spec, "externalTrafficPolicy", || "Cluster".into());
    }
    for port in list_mut(value, "/spec/ports") {
        let Value::Object(port) = port else { continue };
        set(port, "protocol", || "TCP".into());
        let number = port.get("port").cloned().unwrap_or(Value::Null);
        if port.get("targetPort").is_none_or(|target| *target == 0 || *target == "") && !number.is_null() {
            port.insert("targetPort".into(), number);
        }
    }
}

pub(super) fn pod(value: &mut Value) {
    let spec = object_at(value, "spec");
    set(spec, "enableServiceLinks", || true.into());
    set(spec, "preemptionPolicy", || "PreemptLowerPriority".into());
    set(spec, "priority", || 0.into());
    pod_spec(value, "/spec");
}

/// Sets the service account `default` for a new pod that names none. Not one of the defaults, because an update must
/// not set it.
pub fn default_pod_account(value: &mut Value) {
    let spec = object_at(value, "spec");
    set(spec, "serviceAccountName", || "default".into());
    let account = spec.get("serviceAccountName").cloned().unwrap_or_default();
    spec.insert("serviceAccount".into(), account);
}

/// The status of an unscheduled pod.
pub fn default_pod_status(value: &mut Value) {
    let has_resources = list(value, "/spec/containers").iter().any(|container| {
        container.pointer("/resources/limits").is_some() || container.pointer("/resources/requests").is_some()
    });
    let quality = if has_resources { "Burstable" } else { "BestEffort" };
    if let Value::Object(object) = value {
        object.insert("status".into(), json!({"phase": "Pending", "qosClass": quality}));
    }
}

pub(super) fn deployment(value: &mut Value) {
    let spec = object_at(value, "spec");
    set(spec, "replicas", || 1.into());
    set(spec, "revisionHistoryLimit", || 10.into());
    set(spec, "progressDeadlineSeconds", || 600.into());
    let strategy = object_in(spec, "strategy");
    set(strategy, "type", || "RollingUpdate".into());
    if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
        let rolling = object_in(strategy, "rollingUpdate");
        set(rolling, "maxUnavailable", || "25%".into());
        set(rolling, "maxSurge", || "25%".into());
    }
    pod_spec(value, "/spec/template/spec");
}

pub(super) fn replica_set(value: &mut Value) {
    set(object_at(value, "spec"), "replicas", || 1.into());
    pod_spec(value, "/spec/template/spec");
}

pub(super) fn stateful_set(value: &mut Value) {
    let spec = object_at(value, "spec");
    set(spec, "replicas", || 1.into());
    set(spec, "revisionHistoryLimit", || 10.into());
    set(spec, "podManagementPolicy", || "OrderedReady".into());
    set(
        spec,
        "persistentVolumeClaimRetentionPolicy",
        || json!({"whenDeleted": "Retain", "whenScaled": "Retain"}),
    );
    let strategy = object_in(spec, "updateStrategy");
    set(strategy, "type", || "RollingUpdate".into());
    if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
        set(object_in(strategy, "rollingUpdate"), "partition", || 0.into());
    }
    pod_spec(value, "/spec/template/spec");
}

pub(super) fn daemon_set(value: &mut Value) {
    let spec = object_at(value, "spec");
    set(spec, "revisionHistoryLimit", || 10.into());
    let strategy = object_in(spec, "updateStrategy");
    set(strategy, "type", || "RollingUpdate".into());
    if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
        let rolling = object_in(strategy, "rollingUpdate");
        set(rolling, "maxUnavailable", || 1.into());
        set(rolling, "maxSurge", || 0.into());
    }
    pod_spec(value, "/spec/template/spec");
}

fn pod_spec(value: &mut Value, pointer: &str) {
    let Some(Value::Object(spec)) = value.pointer_mut(pointer) else { return };
    set(spec, "restartPolicy", || "Always".into());
    set(spec, "dnsPolicy", || "ClusterFirst".into());
    set(spec, "schedulerName", || "default-scheduler".into());
    set(spec, "terminationGracePeriodSeconds", || 30.into());
    set(spec, "securityContext", || json!({}));
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        spec.insert("serviceAccount".into(), account);
    } else if let Some(account) = spec.get("serviceAccount").cloned() {
        spec.insert("serviceAccountName".into(), account);
    }
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for each in array_mut(spec, list) {
            container(each);
        }
    }
    for each in array_mut(spec, "volumes") {
        volume(each);
    }
}

fn container(value: &mut Value) {
    let Value::Object(container) = value else { return };
    set(container, "terminationMessagePath", || "/dev/termination-log".into());
    set(container, "terminationMessagePolicy", || "File".into());
    set(container, "resources", || json!({}));
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    if !image.is_empty() {
        let policy = if is_latest(image) { "Always" } else { "IfNotPresent" };
        set(container, "imagePullPolicy", || policy.into());
    }
    for port in array_mut(container, "ports") {
        if let Value::Object(port) = port {
            set(port, "protocol", || "TCP".into());
        }
    }
    for variable in array_mut(container, "env") {
        if let Some(Value::Object(reference)) = variable.pointer_mut("/valueFrom/fieldRef") {
            set(reference, "apiVersion", || "v1".into());
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(Value::Object(probe)) = container.get_mut(name) else { continue };
        for (field, seconds) in
            [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
        {
            set(probe, field, || seconds.into());
        }
        http_get(probe);
    }
    for name in ["postStart", "preStop"] {
        if let Some(Value::Object(handler)) =
            container.get_mut("lifecycle").and_then(|lifecycle| lifecycle.get_mut(name))
        {
            http_get(handler);
        }
    }
}

fn http_get(handler: &mut Map<String, Value>) {
    if let Some(Value::Object(get)) = handler.get_mut("httpGet") {
        set(get, "path", || "/".into());
        set(get, "scheme", || "HTTP".into());
    }
}

fn volume(value: &mut Value) {
    let Value::Object(volume) = value else { return };
    if volume.keys().all(|key| key == "name") {
        volume.insert("emptyDir".into(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(Value::Object(source)) = volume.get_mut(source) {
            set(source, "defaultMode", || 0o644.into());
        }
    }
    if let Some(Value::Object(source)) = volume.get_mut("hostPath") {
        source.entry("type").or_insert_with(|| "".into());
    }
}

/// Whether the image names the tag `latest`, or neither a tag nor a digest.
fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

/// Sets a field that is absent, null or an empty string.
fn set(object: &mut Map<String, Value>, field: &str, value: impl FnOnce() -> Value) {
    if object.get(field).is_none_or(|present| present.is_null() || *present == "") {
        object.insert(field.to_owned(), value());
    }
}

fn object_at<'a>(value: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    object_in(as_object(value), field)
}

fn object_in<'a>(object: &'a mut Map<String, Value>, field: &str) -> &'a mut Map<String, Value> {
    as_object(object.entry(field).or_insert(Value::Null))
}

/// Replaces a value that is not an object by an empty object.
fn as_object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made an object a line above")
}

fn array_mut<'a>(object: &'a mut Map<String, Value>, field: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

fn list_mut<'a>(value: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    value.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

const RBAC_GROUP: &str = "rbac.authorization.k8s.io";
