//! The output of a client-go credential plugin (`client.authentication.k8s.io`, v1 and v1beta1).

use jiff::Timestamp;
use serde_json::{Value, json};

/// The version that kubectl requests in `KUBERNETES_EXEC_INFO`; v1beta1 if it is not set.
pub(crate) fn version() -> &'static str {
    let asked = std::env::var("KUBERNETES_EXEC_INFO").ok();
    let parsed: Option<Value> = asked.and_then(|text| serde_json::from_str(&text).ok());
    match parsed.as_ref().and_then(|info| info.get("apiVersion")).and_then(Value::as_str) {
        Some(V1) => V1,
        _ => V1BETA1,
    }
}

pub(crate) fn render(version: &str, token: &str, expires: Timestamp) -> String {
    json!({
        "kind": "ExecCredential",
        "apiVersion": version,
        "spec": {"interactive": false},
        "status": {"expirationTimestamp": format!("{expires:.0}"), "token": token},
    })
    .to_string()
}

const V1: &str = "client.authentication.k8s.io/v1";
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_the_version_that_was_asked_for() {
        let end: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let answer: Value = serde_json::from_str(&render(V1, "t", end)).unwrap();
        assert_eq!(answer["apiVersion"], V1);
        assert_eq!(answer["status"]["expirationTimestamp"], "2026-01-02T03:04:05Z");
    }
}
