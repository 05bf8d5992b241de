//! The API of embedded clusters: each verb of each kind and subresource, and the paths beside them.

use kubeapi::kinds::{Kind, kinds};

use super::{Asked, Body, Differences, check_complete, in_turn, stage};
use testserver::Site;

const REFUSED: &str = "403 Forbidden";
const UNAUTHENTICATED: &str = "401 Unauthorized";

/// Paths that are no resources: what nobody, and somebody without rights, is answered.
const PATHS: &[(&str, &str, &str)] = &[
    ("/healthz", "200", "200"),
    ("/livez", "200", "200"),
    ("/readyz", "200", "200"),
    ("/version", "200", "200"),
    ("/api", REFUSED, "200"),
    ("/api/v1", REFUSED, "200"),
    ("/apis", REFUSED, "200"),
    ("/apis/apps", REFUSED, "200"),
    ("/apis/apps/v1", REFUSED, "200"),
    ("/openapi/v3", REFUSED, "200"),
    ("/openapi/v3/api/v1", REFUSED, "200"),
    ("/openapi/v3/apis/apps/v1", REFUSED, "200"),
    // Of use to those who trust the cluster's service accounts; its own accounts may read them.
    ("/.well-known/openid-configuration", REFUSED, REFUSED),
    ("/openid/v1/jwks", REFUSED, REFUSED),
    ("/", REFUSED, REFUSED),
    ("", REFUSED, REFUSED),
    // Not served, which those who may not look are not told.
    ("/metrics", REFUSED, REFUSED),
    ("/debug/pprof", REFUSED, REFUSED),
    ("/apis/nothing.example/v1/things", REFUSED, REFUSED),
    ("/api/v1/nothings", REFUSED, REFUSED),
];

/// Questions about oneself, which everybody who is known may ask.
const OWN: [(&str, &str); 3] = [
    ("selfsubjectreviews", "{}"),
    ("selfsubjectaccessreviews", r#"{"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}"#),
    ("selfsubjectrulesreviews", r#"{"spec": {"namespace": "default"}}"#),
];

/// One request for each verb of a kind and of its subresources.
fn requests(kind: &Kind) -> Vec<Asked> {
    let base = match kind.group {
        "" => format!("/api/{}", kind.version),
        group => format!("/apis/{group}/{}", kind.version),
    };
    let namespace = if kind.namespaced { "/namespaces/default" } else { "" };
    let all = format!("{base}{namespace}/{}", kind.plural);
    let mut asked: Vec<Asked> = kind.verbs.iter().map(|verb| request(verb, &all, "")).collect();
    for subresource in kind.subresources {
        let path = format!("/{}", subresource.name);
        asked.extend(subresource.verbs.iter().map(|verb| request(verb, &all, &path)));
    }
    asked
}

fn request(verb: &str, all: &str, subresource: &str) -> Asked {
    let one = format!("{all}/x{subresource}");
    let json = Body::Json("{}");
    let (method, path, body) = match verb {
        "get" => ("GET", one, Body::None),
        "list" => ("GET", all.to_owned(), Body::None),
        "watch" => ("GET", format!("{all}?watch=1&timeoutSeconds=1"), Body::None),
        "create" if subresource.is_empty() => ("POST", all.to_owned(), json),
        "create" => ("POST", one, json),
        "update" => ("PUT", one, json),
        "patch" => ("PATCH", one, json),
        "delete" => ("DELETE", one, Body::None),
        "deletecollection" => ("DELETE", all.to_owned(), Body::None),
        other => panic!("no request for the verb {other}"),
    };
    Asked { method, path: format!("/clusters/{{cluster}}{path}"), body }
}

#[tokio::test]
async fn every_path_of_a_cluster_is_for_those_who_may() {
    let clusters = ["/clusters/{cluster}", "/clusters/{cluster}/", "/clusters/{cluster}/{*path}"];
    let webhooks = super::webhooks::PATHS.map(|path| ("POST", path.to_owned()));
    check_complete(
        kubeapi::surface(),
        clusters.map(|path| ("*", path.to_owned())).into_iter().chain(webhooks),
    );
    let site = Site::start(|_| {}).await;
    let address = site.cluster().await;
    let mut values = stage::directory(&site).await;
    values.set("cluster", address.rsplit('/').next().unwrap());
    let people = stage::people(&site, &stage::cluster(), &stage::management(&site)).await;
    let mut differences = Differences::default();
    let anonymous = stage::anonymous();
    let mut rows: Vec<(Asked, &str, &str)> = Vec::new();
    for mut asked in kinds().iter().flat_map(requests) {
        let own = OWN.iter().find(|(name, _)| asked.path.ends_with(name));
        if let Some((_, question)) = own {
            asked.body = Body::Json(question);
        }
        rows.push((asked, REFUSED, if own.is_some() { "201" } else { REFUSED }));
    }
    for (path, unknown, known) in PATHS {
        let path = format!("/clusters/{{cluster}}{path}");
        rows.push((Asked { method: "GET", path, body: Body::None }, unknown, known));
    }
    assert!(rows.len() > 150, "only {} requests", rows.len());
    for (number, (asked, unknown, known)) in rows.into_iter().enumerate() {
        differences.refused(&site, &values, &asked, &anonymous, unknown).await;
        // They are looked at in one place, before the path: each of them is tried on some verb of each kind.
        for who in in_turn(&people.wrong, number) {
            differences.refused(&site, &values, &asked, who, UNAUTHENTICATED).await;
        }
        differences.refused(&site, &values, &asked, &people.nobody, known).await;
        // The cluster is of one tenant.
        differences.refused(&site, &values, &asked, &people.stranger, UNAUTHENTICATED).await;
    }
    differences.finish();
}
