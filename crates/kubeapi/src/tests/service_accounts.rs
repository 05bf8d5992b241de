//! Tokens of service accounts: bound ones, those in Secrets, and when they stop to count.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{BASE, Who, World, plain};

const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const WHOAMI: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

async fn world() -> (World, Who) {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    world
        .post(&administrator, ACCOUNTS, &json!({"metadata": {"name": "s"}}))
        .await
        .expect(StatusCode::CREATED);
    (world, administrator)
}

async fn token(world: &World, who: &Who, spec: Value) -> Value {
    let answer = world.post(who, &format!("{ACCOUNTS}/s/token"), &json!({"spec": spec})).await;
    answer.expect(StatusCode::CREATED)
}

fn bearer(answer: &Value) -> Who {
    Who::Token(answer["status"]["token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_bound_token_stands_for_its_account_until_that_is_gone() {
    let (world, administrator) = world().await;
    let mut issued = token(&world, &administrator, json!({})).await;
    let account = bearer(&issued);
    issued["status"]["token"] = "[token]".into();
    issued["spec"]["audiences"] = json!([issued["spec"]["audiences"][0]
        .as_str()
        .unwrap()
        .replace(&world.cluster.id.to_string(), "[id]")]);
    insta::assert_json_snapshot!("token", plain(issued));
    let mut me = world.post(&account, WHOAMI, &json!({})).await.expect(StatusCode::CREATED);
    me["status"]["userInfo"]["extra"]["authentication.kubernetes.io/credential-id"] = "[id]".into();
    insta::assert_json_snapshot!("whoami", plain(me));
    assert_eq!(
        world
            .get(&account, "/api/v1/namespaces/default/secrets")
            .await
            .said()
            .split(": no binding")
            .next()
            .unwrap(),
        "403 Forbidden: secrets is forbidden: User \"system:serviceaccount:default:s\" cannot list resource \
         \"secrets\" in API group \"\" in the namespace \"default\""
    );
    world
        .send(&administrator, Method::DELETE, &format!("{ACCOUNTS}/s"), &[], vec![])
        .await
        .expect(StatusCode::OK);
    world.post(&account, WHOAMI, &json!({})).await.expect(StatusCode::UNAUTHORIZED);
    // Another account of the same name is another account.
    world
        .post(&administrator, ACCOUNTS, &json!({"metadata": {"name": "s"}}))
        .await
        .expect(StatusCode::CREATED);
    world.post(&account, WHOAMI, &json!({})).await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_ends_in_time_and_with_what_it_is_bound_to() {
    let (world, administrator) = world().await;
    let secrets = "/api/v1/namespaces/default/secrets";
    world
        .post(&administrator, secrets, &json!({"metadata": {"name": "x"}}))
        .await
        .expect(StatusCode::CREATED);
    let bound = token(
        &world,
        &administrator,
        json!({"boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": "x"}}),
    )
    .await;
    let short = bearer(&token(&world, &administrator, json!({"expirationSeconds": 600})).await);
    let elsewhere = bearer(&token(&world, &administrator, json!({"audiences": ["vault"]})).await);
    world.post(&elsewhere, WHOAMI, &json!({})).await.expect(StatusCode::UNAUTHORIZED);
    let bound = bearer(&bound);
    world.post(&bound, WHOAMI, &json!({})).await.expect(StatusCode::CREATED);
    world
        .send(&administrator, Method::DELETE, &format!("{secrets}/x"), &[], vec![])
        .await
        .expect(StatusCode::OK);
    world.post(&bound, WHOAMI, &json!({})).await.expect(StatusCode::UNAUTHORIZED);
    world.post(&short, WHOAMI, &json!({})).await.expect(StatusCode::CREATED);
    world.clock.advance(jiff::SignedDuration::from_secs(600));
    world.post(&short, WHOAMI, &json!({})).await.expect(StatusCode::UNAUTHORIZED);
}

/// A minute after its deletion began, as with kube-apiserver, even where a finalizer keeps what the token rests on; a token
/// in a Secret at once.
#[tokio::test]
async fn a_token_ends_with_the_deletion_of_what_it_rests_on() {
    let core = "/api/v1/namespaces/default";
    let kept = json!({"annotations": {"kubernetes.io/service-account.name": "s"}});
    let spec = json!({"serviceAccountName": "s", "containers": [{"name": "c", "image": "i"}]});
    let (secrets, pods) = (format!("{core}/secrets"), format!("{core}/pods"));
    for (deleted, bound, at_once) in [
        (ACCOUNTS, "", false),
        (ACCOUNTS, "Secret", false),
        (&secrets, "Secret", false),
        (&pods, "Pod", false),
        ("/api/v1/nodes", "Node", false),
        (ACCOUNTS, "kept", true),
        (&secrets, "kept", true),
    ] {
        let world = World::new().await;
        let (administrator, _) = world.administrator().await;
        let made = async |path: &str, body: Value| {
            world.post(&administrator, path, &body).await.expect(StatusCode::CREATED)
        };
        let held = |name: &str| json!({"name": name, "finalizers": ["example.org/hold"]});
        made(ACCOUNTS, json!({"metadata": held("s")})).await;
        let bearer = match bound {
            "kept" => {
                let mut metadata = held("s");
                metadata["annotations"] = kept["annotations"].clone();
                let secret = json!({"metadata": metadata, "type": "kubernetes.io/service-account-token"});
                let secret = made(&secrets, secret).await;
                let token = STANDARD.decode(secret["data"]["token"].as_str().unwrap()).unwrap();
                Who::Token(String::from_utf8(token).unwrap())
            }
            "" => bearer(&token(&world, &administrator, json!({})).await),
            kind => {
                let place = match kind {
                    "Secret" => secrets.as_str(),
                    "Pod" => &pods,
                    _ => "/api/v1/nodes",
                };
                let spec = if kind == "Pod" { spec.clone() } else { json!({}) };
                made(place, json!({"metadata": held("s"), "spec": spec})).await;
                let bound = json!({"boundObjectRef": {"kind": kind, "apiVersion": "v1", "name": "s"}});
                bearer(&token(&world, &administrator, bound).await)
            }
        };
        let check = async |expected: StatusCode, when: &str| {
            let answer = world.post(&bearer, WHOAMI, &json!({})).await;
            assert_eq!(answer.status, expected, "{deleted} of {bound:?}, {when}");
        };
        check(StatusCode::CREATED, "before").await;
        let path = format!("{deleted}/s");
        world.send(&administrator, Method::DELETE, &path, &[], vec![]).await.expect(StatusCode::OK);
        check(if at_once { StatusCode::UNAUTHORIZED } else { StatusCode::CREATED }, "at once").await;
        world.clock.advance(jiff::SignedDuration::from_secs(60));
        check(if at_once { StatusCode::UNAUTHORIZED } else { StatusCode::CREATED }, "in a minute").await;
        world.clock.advance(jiff::SignedDuration::from_secs(1));
        check(StatusCode::UNAUTHORIZED, "after it").await;
    }
}

#[tokio::test]
async fn token_requests_are_checked() {
    let (world, administrator) = world().await;
    let ask = |spec: Value| {
        let (world, administrator) = (&world, &administrator);
        async move {
            world.post(administrator, &format!("{ACCOUNTS}/s/token"), &json!({"spec": spec})).await.said()
        }
    };
    assert_eq!(
        ask(json!({"expirationSeconds": 10})).await,
        "422 Invalid: TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: 10: \
         may not specify a duration less than 10 minutes"
    );
    assert_eq!(
        ask(json!({"boundObjectRef": {"kind": "Pod", "name": "none"}})).await,
        "404 NotFound: pods \"none\" not found"
    );
    assert!(ask(json!({"boundObjectRef": {"kind": "Role", "name": "r"}})).await.starts_with("422 Invalid"));
    for (metadata, text) in [
        (
            json!({"name": "other"}),
            "metadata.name: Invalid value: \"other\": must match the service account name",
        ),
        (
            json!({"name": "s", "namespace": "zz"}),
            "metadata.namespace: Invalid value: \"zz\": must match the service account namespace",
        ),
    ] {
        let body = json!({"metadata": metadata, "spec": {}});
        let said = world.post(&administrator, &format!("{ACCOUNTS}/s/token"), &body).await.said();
        let expected = "422 Invalid: TokenRequest.authentication.k8s.io \"s\" is invalid:";
        assert_eq!(said, format!("{expected} {text} if specified"));
    }
    let own = json!({"metadata": {"name": "s", "namespace": "default"}, "spec": {}});
    world.post(&administrator, &format!("{ACCOUNTS}/s/token"), &own).await.expect(StatusCode::CREATED);
    let missing = world.post(&administrator, &format!("{ACCOUNTS}/none/token"), &json!({})).await;
    assert_eq!(missing.said(), "404 NotFound: serviceaccounts \"none\" not found");
}

#[tokio::test]
async fn a_secret_for_an_account_is_filled_and_its_token_counts_while_it_is_there() {
    let (world, administrator) = world().await;
    let secrets = "/api/v1/namespaces/default/secrets";
    let secret = |account: &str| {
        json!({"metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": account}},
        "type": "kubernetes.io/service-account-token"})
    };
    let missing = world.post(&administrator, secrets, &secret("none")).await;
    assert_eq!(missing.status, StatusCode::UNPROCESSABLE_ENTITY);
    let made = world.post(&administrator, secrets, &secret("s")).await.expect(StatusCode::CREATED);
    let decoded =
        |key: &str| String::from_utf8(STANDARD.decode(made["data"][key].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!((decoded("namespace").as_str(), decoded("ca.crt").as_str()), ("default", "the authority"));
    let account = Who::Token(decoded("token"));
    let me = world.post(&account, WHOAMI, &json!({})).await.expect(StatusCode::CREATED);
    assert_eq!(me["status"]["userInfo"]["username"], "system:serviceaccount:default:s");
    world
        .send(&administrator, Method::DELETE, &format!("{secrets}/t"), &[], vec![])
        .await
        .expect(StatusCode::OK);
    world.post(&account, WHOAMI, &json!({})).await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_issuer_publishes_its_key() {
    let (world, administrator) = world().await;
    let account = bearer(&token(&world, &administrator, json!({})).await);
    let issuer = world.get(&account, "/.well-known/openid-configuration").await.expect(StatusCode::OK);
    assert_eq!(issuer["issuer"], format!("{BASE}/clusters/{}", world.cluster.id));
    let keys = world.get(&account, "/openid/v1/jwks").await.expect(StatusCode::OK);
    assert_eq!(keys["keys"][0]["kid"], world.cluster.service_account_key.kid.as_str());
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_review_tells_good_from_bad() {
    let (world, administrator) = world().await;
    let issued = token(&world, &administrator, json!({})).await;
    let reviews = "/apis/authentication.k8s.io/v1/tokenreviews";
    let review = |token: &str| json!({"spec": {"token": token}});
    let good =
        world.post(&administrator, reviews, &review(issued["status"]["token"].as_str().unwrap())).await;
    assert_eq!(good.expect(StatusCode::CREATED)["status"]["authenticated"], true);
    let bad = world.post(&administrator, reviews, &review("bad")).await.expect(StatusCode::CREATED);
    assert_eq!(bad["status"], json!({"user": {}, "error": "invalid bearer token"}));
}

#[tokio::test]
async fn a_token_counts_only_for_whom_it_was_made() {
    let (world, administrator) = world().await;
    let text = |who: &Who| match who {
        Who::Token(token) => token.clone(),
        _ => unreachable!(),
    };
    let server = format!("{BASE}/clusters/{}", world.cluster.id);
    let issue = async |audiences: Value| {
        text(&bearer(&token(&world, &administrator, json!({"audiences": audiences})).await))
    };
    let (own, vault) = (issue(json!([])).await, issue(json!(["vault"])).await);
    let both = issue(json!(["vault", server, "other"])).await;
    let secret = json!({"metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": "s"}},
        "type": "kubernetes.io/service-account-token"});
    let secret = world.post(&administrator, "/api/v1/namespaces/default/secrets", &secret).await;
    let secret = secret.expect(StatusCode::CREATED)["data"]["token"].as_str().unwrap().to_owned();
    let secret = String::from_utf8(STANDARD.decode(secret).unwrap()).unwrap();
    let person = text(&world.person("ann@example.org").await);

    let none: &[&str] = &[];
    for (name, token, asked, expected) in [
        ("own", &own, none, Some(json!([server]))),
        ("own", &own, &["vault"], None),
        ("own", &own, &["vault", &server], Some(json!([server]))),
        ("vault", &vault, none, None),
        ("vault", &vault, &["vault"], Some(json!(["vault"]))),
        ("vault", &vault, &["other", "vault"], Some(json!(["vault"]))),
        ("vault", &vault, &[&server], None),
        ("vault", &vault, &["Vault"], None),
        ("both", &both, none, Some(json!([server]))),
        ("both", &both, &["other", "vault"], Some(json!(["vault", "other"]))),
        ("secret", &secret, none, Some(json!([server]))),
        ("secret", &secret, &["vault"], None),
        ("person", &person, none, Some(json!([server]))),
        ("person", &person, &[&server], Some(json!([server]))),
        ("person", &person, &["vault"], None),
    ] {
        let review = json!({"spec": {"token": token, "audiences": asked}});
        let answer = world.post(&administrator, "/apis/authentication.k8s.io/v1/tokenreviews", &review).await;
        let status = answer.expect(StatusCode::CREATED)["status"].clone();
        match expected {
            Some(audiences) => {
                assert_eq!(status["authenticated"], true, "{name} for {asked:?}: {status}");
                assert_eq!(status["audiences"], audiences, "{name} for {asked:?}");
                let groups = status["user"]["groups"].as_array().unwrap();
                assert!(groups.contains(&json!("system:authenticated")));
            }
            None => {
                let refused = json!({"user": {}, "error": "invalid bearer token"});
                assert_eq!(status, refused, "{name} for {asked:?}");
            }
        }
    }
    for (token, expected) in [(own, true), (vault, false), (both, true), (secret, true), (person, true)] {
        let answer = world.post(&Who::Token(token), WHOAMI, &json!({})).await;
        let expected = if expected { StatusCode::CREATED } else { StatusCode::UNAUTHORIZED };
        assert_eq!(answer.status, expected, "{}", answer.text);
    }
}
