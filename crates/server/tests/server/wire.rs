//! What Resource Manager's clients rely on beside single resources: every error is JSON, preconditions hold, small forms
//! of ids and conditions are taken.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::arm::{Arm, READER, assigning, assignment};

/// The answer to a request as it is sent.
async fn raw(
    arm: &Arm,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> (u16, String, Value) {
    let mut request = arm.site.http.request(method, arm.site.url(path)).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
    (status, kind.unwrap_or_default(), body)
}

/// Method, path, headers and body, and the status and code of the answer.
type Case<'a> = (Method, &'a str, Vec<(&'a str, &'a str)>, Vec<u8>, u16, &'a str);

#[tokio::test]
async fn every_error_is_json_with_a_code() {
    let arm = Arm::start().await;
    let bearer = format!("Bearer {}", arm.admin);
    let json = ("content-type", "application/json");
    let group = format!("{}/resourceGroups/rg?api-version=2024-11-01", arm.subscription);
    let version = "?api-version=2024-11-01";
    let large = vec![b' '; 3 << 20];
    let known = ("authorization", bearer.as_str());
    let cases: Vec<Case<'_>> = vec![
        (Method::PUT, &group, vec![known, json], large, 413, "RequestContentTooLarge"),
        (
            Method::PUT,
            &group,
            vec![known, ("content-type", "text/plain")],
            b"{}".to_vec(),
            415,
            "UnsupportedMediaType",
        ),
        (
            Method::PUT,
            &group,
            vec![known, ("content-type", "application/x-www-form-urlencoded")],
            b"location=x".to_vec(),
            415,
            "UnsupportedMediaType",
        ),
        (Method::PUT, &group, vec![known, json], b"{".to_vec(), 400, "InvalidRequestContent"),
        (Method::PUT, &group, vec![known, json], b"[]".to_vec(), 400, "InvalidRequestContent"),
        (Method::PUT, &group, vec![known, json], vec![0xff], 400, "InvalidRequestContent"),
        (Method::POST, &group, vec![known], Vec::new(), 405, "MethodNotAllowed"),
        (Method::PUT, "/subscriptions/%zz", vec![known], Vec::new(), 400, "BadRequest"),
        (Method::GET, "/subscriptions/a%2fb", vec![known], Vec::new(), 400, "BadRequest"),
        (
            Method::GET,
            "/subscriptions/x/nothing?api-version=2024-11-01",
            vec![known],
            Vec::new(),
            404,
            "InvalidResourceType",
        ),
        (
            Method::GET,
            "/providers?api-version=2024-11-01",
            vec![known],
            Vec::new(),
            404,
            "InvalidResourceType",
        ),
        (
            Method::GET,
            "/providers/?api-version=2024-11-01",
            vec![known],
            Vec::new(),
            404,
            "InvalidResourceType",
        ),
        (
            Method::GET,
            "/tenants/x?api-version=2024-11-01",
            vec![known],
            Vec::new(),
            404,
            "InvalidResourceType",
        ),
        (Method::DELETE, "/tenants?api-version=2024-11-01", vec![known], Vec::new(), 405, "MethodNotAllowed"),
        (Method::POST, "/metadata/endpoints", vec![], Vec::new(), 405, "MethodNotAllowed"),
        (
            Method::GET,
            "/metadata/endpoints?api-version=1&api-version=2",
            vec![],
            Vec::new(),
            400,
            "InvalidUri",
        ),
        (Method::GET, "/subscriptions", vec![known], Vec::new(), 400, "MissingApiVersionParameter"),
        (
            Method::GET,
            "/subscriptions?api-version=x",
            vec![known],
            Vec::new(),
            400,
            "InvalidApiVersionParameter",
        ),
        (
            Method::GET,
            "/subscriptions?api-version=2024-11-01&a=%ff",
            vec![known],
            Vec::new(),
            400,
            "InvalidUri",
        ),
        (
            Method::GET,
            "/subscriptions?api-version=2024-11-01",
            vec![],
            Vec::new(),
            401,
            "AuthenticationFailed",
        ),
        (
            Method::GET,
            "/subscriptions?api-version=2024-11-01",
            vec![known, ("authorization", "Bearer x")],
            Vec::new(),
            401,
            "AuthenticationFailed",
        ),
        (
            Method::GET,
            "/subscriptions?api-version=2024-11-01",
            vec![("authorization", "Digest x")],
            Vec::new(),
            401,
            "AuthenticationFailed",
        ),
        (
            Method::GET,
            "/subscriptions?api-version=2024-11-01",
            vec![("authorization", "Bearer x")],
            Vec::new(),
            401,
            "InvalidAuthenticationToken",
        ),
    ];
    for (method, path, headers, body, status, code) in cases {
        let what = format!("{method} {path} {headers:?}");
        let (found, kind, answer) = raw(&arm, method, path, &headers, body).await;
        assert_eq!((found, &answer["error"]["code"]), (status, &json!(code)), "{what}: {answer}");
        assert!(kind.starts_with("application/json"), "{what}: {kind}");
        assert!(answer["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{what}: {answer}");
    }
    let path = format!("{}/resourceGroups/rg{version}", arm.subscription);
    let mut request =
        arm.site.http.put(arm.site.url(&path)).bearer_auth(&arm.admin).json(&json!({"location": "local"}));
    request = request.header("if-match", reqwest::header::HeaderValue::from_bytes(b"\xff").unwrap());
    let (status, answer) = arm.site.send(request).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (400, &json!("InvalidHeaderValue")), "{answer}");
}

#[tokio::test]
async fn a_token_that_counts_no_longer_is_told_to_be_invalid() {
    let arm = Arm::start().await;
    let path = format!("{}/resourceGroups", arm.subscription);
    let signed_out = arm.someone("ada").await;
    let disabled = arm.someone("bob").await;
    let deleted = arm.someone("eve").await;
    let app = &arm.site.running.app;
    app.directory().revoke_sessions(&arm.site.admin, signed_out.id).await.unwrap();
    let disable = app::directory::users::UserUpdate {
        enabled: Some(false),
        ..app::directory::users::UserUpdate::default()
    };
    app.directory().update_user(&arm.site.admin, disabled.id, disable).await.unwrap();
    app.directory().delete_user(&arm.site.admin, deleted.id).await.unwrap();
    for who in [&signed_out, &disabled, &deleted] {
        let refused = arm.refusal(&who.token, Method::GET, &path, Value::Null).await;
        assert_eq!(refused, (401, "InvalidAuthenticationToken".into()));
    }
}

#[tokio::test]
async fn a_resource_group_takes_changes_of_its_tags() {
    let arm = Arm::start().await;
    let group = arm.resource_group("rg").await;
    let changed = arm.ok(Method::PATCH, &group, json!({"tags": {"team": "till"}})).await;
    assert_eq!((&changed["tags"], &changed["location"]), (&json!({"team": "till"}), &json!("local")));
    assert_eq!(arm.ok(Method::PATCH, &group, json!({})).await["tags"], json!({"team": "till"}));
    assert_eq!(
        arm.ok(Method::PATCH, &group, json!({"tags": {}, "location": "LOCAL"})).await["tags"],
        json!({})
    );
    assert_eq!(arm.get(&group).await["tags"], json!({}));
    for body in [json!({"location": "elsewhere"}), json!({"managedBy": "/subscriptions/x"})] {
        let refused = arm.refusal(&arm.admin, Method::PATCH, &group, body).await;
        assert_eq!(refused, (409, "Conflict".into()));
    }
    let none = format!("{}/resourceGroups/none", arm.subscription);
    let refused = arm.refusal(&arm.admin, Method::PATCH, &none, json!({"tags": {}})).await;
    assert_eq!(refused, (404, "ResourceGroupNotFound".into()));
    let ada = arm.someone("ada").await;
    arm.assign(ada.id, READER, &group).await;
    for path in [&group, &none] {
        let refused = arm.refusal(&ada.token, Method::PATCH, path, json!({"tags": {}})).await;
        assert_eq!(refused, (403, "AuthorizationFailed".into()));
    }
}

/// A resource whose state clients name in `If-Match` and `If-None-Match`.
struct Tagged {
    path: String,
    body: Value,
    /// Where it has its tag.
    tag: &'static str,
}

#[tokio::test]
async fn a_write_counts_only_on_the_state_that_it_names() {
    let arm = Arm::start().await;
    let group = arm.resource_group("rg").await;
    let cluster = format!("{group}/providers/Microsoft.ContainerService/managedClusters/c1");
    let system = json!({"agentPoolProfiles": [{"name": "sys", "count": 1, "mode": "System"}]});
    let tagged = |path: &str, body: Value, tag| Tagged { path: path.to_owned(), body, tag };
    let resources = [
        tagged(&cluster, json!({"location": "local", "properties": system}), "/eTag"),
        tagged(
            &format!("{cluster}/agentPools/extra"),
            json!({"properties": {"count": 1, "mode": "User"}}),
            "/properties/eTag",
        ),
        tagged(
            &format!("{group}/providers/Microsoft.Network/virtualNetworks/v"),
            json!({"location": "local"}),
            "/etag",
        ),
    ];
    let ask = async |method: Method, path: &str, header: (&str, &str), body: &Value| {
        let url = arm.site.url(&format!("{path}?api-version=2026-06-01"));
        let mut request =
            arm.site.http.request(method, url).bearer_auth(&arm.admin).header(header.0, header.1);
        if !body.is_null() {
            request = request.json(body);
        }
        let (status, answer) = arm.site.send(request).await;
        let refused = status == StatusCode::PRECONDITION_FAILED;
        assert_eq!(
            refused,
            answer["error"]["code"] == "PreconditionFailed",
            "{path} {header:?}: {status} {answer}"
        );
        assert!(refused || status.is_success(), "{path} {header:?}: {status} {answer}");
        !refused
    };
    for Tagged { path, body, tag } in &resources {
        let tag_now = async || arm.get(path).await.pointer(tag).unwrap().as_str().unwrap().to_owned();
        let put = async |header: (&str, &str)| ask(Method::PUT, path, header, body).await;
        assert!(!put(("if-match", "*")).await, "{path}");
        assert!(!put(("if-match", "\"x\"")).await, "{path}");
        assert!(put(("if-none-match", "*")).await, "{path}");
        assert!(!put(("if-none-match", "*")).await, "{path}");
        let first = tag_now().await;
        assert_eq!(first, tag_now().await);
        assert!(put(("if-match", format!("\"{first}\"").as_str())).await, "{path}");
        let changed = if path == &cluster {
            json!({"location": "local", "tags": {"a": "b"}, "properties": system})
        } else if path.contains("agentPools") {
            json!({"properties": {"count": 2, "mode": "User"}})
        } else {
            json!({"location": "local", "tags": {"a": "b"}})
        };
        assert!(ask(Method::PUT, path, ("if-match", "*"), &changed).await);
        let second = tag_now().await;
        assert_ne!(first, second, "{path}");
        for stale in [first.clone(), format!("\"{first}\""), format!("W/\"{first}\", \"y\"")] {
            assert!(!put(("if-match", stale.as_str())).await, "{path} {stale}");
            assert!(
                !ask(Method::DELETE, path, ("if-match", stale.as_str()), &Value::Null).await,
                "{path} {stale}"
            );
        }
        assert!(!put(("if-none-match", second.as_str())).await, "{path}");
        // A weak tag says too little to write by, and enough not to.
        assert!(!put(("if-match", format!("W/\"{second}\"").as_str())).await, "{path}");
        assert!(!put(("if-none-match", format!("W/\"{second}\"").as_str())).await, "{path}");
    }
    assert!(!ask(Method::PATCH, &cluster, ("if-match", "x"), &json!({"tags": {}})).await);
    for Tagged { path, tag, .. } in resources.iter().rev() {
        let now = arm.get(path).await.pointer(tag).unwrap().as_str().unwrap().to_owned();
        assert!(
            ask(Method::DELETE, path, ("if-match", format!("x, {now}").as_str()), &Value::Null).await,
            "{path}"
        );
    }
    // What is not there is in no state that a writer could know.
    for Tagged { path, .. } in resources.iter().filter(|each| !each.path.contains("agentPools")) {
        assert!(!ask(Method::DELETE, path, ("if-match", "*"), &Value::Null).await, "{path}");
        assert!(ask(Method::DELETE, path, ("if-none-match", "*"), &Value::Null).await, "{path}");
    }
}

#[tokio::test]
async fn who_is_not_known_is_told_where_to_sign_in() {
    let arm = Arm::start().await;
    for token in [None, Some("x")] {
        let mut request = arm.site.http.get(arm.site.url("/subscriptions?api-version=2022-12-01"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        let challenge = response.headers()["www-authenticate"].to_str().unwrap().to_owned();
        let expected = format!(
            "Bearer authorization_uri=\"{}/{}\", error=\"invalid_token\"",
            arm.site.running.url, arm.tenant
        );
        assert!(challenge.starts_with(&expected), "{challenge}");
    }
}

#[tokio::test]
async fn a_condition_is_of_version_2_unless_another_is_said() {
    let arm = Arm::start().await;
    let ada = arm.someone("ada").await;
    let path = assignment(ada.id, READER, &arm.subscription);
    let mut body = assigning(ada.id, READER);
    body["properties"]["condition"] = json!("@Request[a] StringEquals 'b'");
    for version in [Value::Null, json!(""), json!("2.0")] {
        body["properties"]["conditionVersion"] = version.clone();
        let answer = arm.ok(Method::PUT, &path, body.clone()).await;
        assert_eq!(answer["properties"]["conditionVersion"], "2.0", "{version}");
        assert_eq!(answer["properties"]["condition"], body["properties"]["condition"], "{version}");
    }
    body["properties"].as_object_mut().unwrap().remove("conditionVersion");
    arm.ok(Method::PUT, &path, body.clone()).await;
    for version in ["1.0", "2", "3.0"] {
        body["properties"]["conditionVersion"] = json!(version);
        let refused = arm.refusal(&arm.admin, Method::PUT, &path, body.clone()).await;
        assert_eq!(refused, (400, "ConditionVersionInvalid".into()));
    }
}

#[tokio::test]
async fn a_slash_at_the_end_is_no_part_of_a_scope() {
    let arm = Arm::start().await;
    let here = arm.subscription.as_str();
    let group = arm.resource_group("rg").await;
    let id = "11111111-2222-3333-4444-555555555555";
    let role = json!({"properties": {"roleName": "Till", "assignableScopes": [format!("{here}/"), format!("{group}/")],
        "permissions": [{"actions": ["*/read"]}]}});
    let path = format!("{here}/providers/Microsoft.Authorization/roleDefinitions/{id}");
    let made = arm.ok(Method::PUT, &path, role).await;
    assert_eq!(made["properties"]["assignableScopes"], json!([here, group]));
    assert_eq!(arm.get(&format!("{path}/")).await["name"], id);
    let ada = arm.someone("ada").await;
    let given = arm.assign(ada.id, id, &group).await;
    assert_eq!(arm.get(&format!("{given}/")).await["properties"]["scope"], group);
    let asked = json!({"Subject": {"Attributes": {"ObjectId": ada.id}}, "Resource": {"Id": format!("{group}/")},
        "Actions": [{"Id": "Microsoft.Resources/subscriptions/resourceGroups/read", "IsDataAction": false}]});
    let check = format!("{group}/providers/Microsoft.Authorization/checkAccess");
    assert_eq!(arm.ok(Method::POST, &check, asked).await[0]["accessDecision"], "Allowed");
}

#[tokio::test]
async fn the_slash_of_a_base_address_or_of_a_scope_may_stand_twice() {
    let arm = Arm::start().await;
    let here = arm.subscription.as_str();
    let group = arm.resource_group("rg").await;
    let ada = arm.someone("ada").await;
    let given = assignment(ada.id, READER, &group);
    let twice = |path: &str| path.replacen("/providers/", "//providers/", 1);
    let forms = [format!("/{given}"), format!("//{}", twice(&given)), twice(&given).replace("/sub", "//SUB")];
    for form in &forms {
        let made = arm.ok(Method::PUT, form, assigning(ada.id, READER)).await;
        assert_eq!((&made["id"], &made["properties"]["scope"]), (&json!(given), &json!(group)), "{form}");
        assert_eq!(arm.get(form).await["id"], json!(given), "{form}");
        // What may not be done is not done in any form of the address.
        let refused = arm.refusal(&ada.token, Method::DELETE, form, Value::Null).await;
        assert_eq!(refused, (403, "AuthorizationFailed".into()), "{form}");
        arm.ok(Method::DELETE, form, Value::Null).await;
        let refused = arm.refusal(&arm.admin, Method::GET, form, Value::Null).await;
        assert_eq!(refused, (404, "RoleAssignmentNotFound".into()), "{form}");
    }
    let roles = "/providers/Microsoft.Authorization/roleDefinitions";
    let expected = arm.get(&format!("{here}{roles}")).await["value"].as_array().unwrap().len();
    for path in [format!("/{here}{roles}"), format!("{here}/{roles}"), format!("/{roles}")] {
        let (status, answer) = arm.ask(&arm.admin, Method::GET, &path, Value::Null).await;
        let count = answer["value"].as_array().map(Vec::len);
        assert_eq!((status, count), (StatusCode::OK, Some(expected)), "{path}: {answer}");
    }
    for path in [
        format!("{here}///{roles}"),
        format!("{here}/%2f{roles}"),
        format!("/%2f{here}{roles}"),
        format!("{here}//resourceGroups/rg"),
    ] {
        let (status, _) = arm.ask(&arm.admin, Method::GET, &path, Value::Null).await;
        assert!(status.is_client_error(), "{path}: {status}");
    }
}

#[tokio::test]
async fn whether_something_is_there_can_be_asked_by_whoever_may_read_it() {
    let arm = Arm::start().await;
    let group = arm.resource_group("rg").await;
    let cluster = format!("{group}/providers/Microsoft.ContainerService/managedClusters/c1");
    let network = format!("{group}/providers/Microsoft.Network/virtualNetworks/v");
    let identity = format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i");
    let body = json!({"location": "local"});
    let ada = arm.someone("ada").await;
    let head = async |who: &str, path: &str| arm.ask(who, Method::HEAD, path, Value::Null).await.0.as_u16();
    for path in [&cluster, &network, &identity] {
        assert_eq!(head(&arm.admin, path).await, 404, "{path}");
        arm.ok(Method::PUT, path, body.clone()).await;
    }
    for path in [&cluster, &network, &identity, &group, &format!("/{cluster}")] {
        assert_eq!((head(&arm.admin, path).await, head(&ada.token, path).await), (204, 403), "{path}");
    }
    assert_eq!(head(&arm.admin, &format!("{group}/resources")).await, 405);
    assert_eq!(head("x", &cluster).await, 401);
}

#[tokio::test]
async fn a_path_that_nothing_is_at_is_answered_with_json() {
    let arm = Arm::start().await;
    for path in ["/nope", "//nope"] {
        let (status, kind, answer) = raw(&arm, Method::GET, path, &[], Vec::new()).await;
        assert_eq!((status, &answer["error"]["code"]), (404, &json!("InvalidResourceType")), "{path}");
        assert!(kind.starts_with("application/json"), "{path}: {kind}");
    }
}
