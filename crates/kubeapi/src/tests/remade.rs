//! What is made again under a name is another thing: nothing that was given out before counts for it.

use app::resource_manager::clusters::NewCluster;
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    cluster::{Cluster, ObjectsForm, Serving},
    object::ObjectKey,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{Who, World};

const WHOAMI: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// What is deleted and made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    Namespace,
    Account,
    Pod,
    BoundSecret,
    TokenSecret,
}

/// A credential, and what it needs.
struct Credential {
    name: &'static str,
    who: Who,
    needs: &'static [Gone],
}

async fn made(world: &World, who: &Who, path: &str, body: Value) -> Value {
    world.post(who, path, &body).await.expect(StatusCode::CREATED)
}

async fn deleted(world: &World, who: &Who, path: &str) {
    world.send(who, Method::DELETE, path, &[], vec![]).await.expect(StatusCode::OK);
}

/// Whatever of the namespace `team` is not there.
async fn fill(world: &World, who: &Who) {
    let team = "/api/v1/namespaces/team";
    let annotations = json!({"kubernetes.io/service-account.name": "robot"});
    for (path, body) in [
        ("/api/v1/namespaces".to_owned(), json!({"metadata": {"name": "team"}})),
        (format!("{team}/serviceaccounts"), json!({"metadata": {"name": "robot"}})),
        (
            format!("{team}/pods"),
            json!({"metadata": {"name": "pod"}, "spec": {"serviceAccountName": "robot",
                "containers": [{"name": "c", "image": "i"}]}}),
        ),
        (format!("{team}/secrets"), json!({"metadata": {"name": "bound"}})),
        (
            format!("{team}/secrets"),
            json!({"metadata": {"name": "token", "annotations": annotations},
                "type": "kubernetes.io/service-account-token"}),
        ),
    ] {
        let answer = world.post(who, &path, &body).await;
        let there = answer.status == StatusCode::CREATED || answer.status == StatusCode::CONFLICT;
        assert!(there, "{}", answer.text);
    }
}

async fn credentials(world: &World, who: &Who) -> Vec<Credential> {
    let accounts = "/api/v1/namespaces/team/serviceaccounts";
    let token = async |account: &str, bound: Value| {
        let asked = json!({"spec": {"boundObjectRef": bound}});
        let issued = made(world, who, &format!("{accounts}/{account}/token"), asked).await;
        Who::Token(issued["status"]["token"].as_str().unwrap().to_owned())
    };
    let bound = |kind: &str, name: &str| json!({"kind": kind, "apiVersion": "v1", "name": name});
    let secret = world.get(who, "/api/v1/namespaces/team/secrets/token").await.expect(StatusCode::OK);
    let kept = STANDARD.decode(secret["data"]["token"].as_str().unwrap()).unwrap();
    vec![
        Credential {
            name: "a token of the default account",
            who: token("default", Value::Null).await,
            needs: &[Gone::Namespace],
        },
        Credential {
            name: "a token of an account",
            who: token("robot", Value::Null).await,
            needs: &[Gone::Namespace, Gone::Account],
        },
        Credential {
            name: "a token bound to a pod",
            who: token("robot", bound("Pod", "pod")).await,
            needs: &[Gone::Namespace, Gone::Account, Gone::Pod],
        },
        Credential {
            name: "a token bound to a Secret",
            who: token("robot", bound("Secret", "bound")).await,
            needs: &[Gone::Namespace, Gone::Account, Gone::BoundSecret],
        },
        Credential {
            name: "the token in a Secret",
            who: Who::Token(String::from_utf8(kept).unwrap()),
            needs: &[Gone::Namespace, Gone::Account, Gone::TokenSecret],
        },
    ]
}

#[tokio::test]
async fn what_is_made_again_has_none_of_the_credentials_that_were_given_out_before() {
    for gone in [Gone::Namespace, Gone::Account, Gone::Pod, Gone::BoundSecret, Gone::TokenSecret] {
        let world = World::new().await;
        let (administrator, _) = world.administrator().await;
        fill(&world, &administrator).await;
        let before = credentials(&world, &administrator).await;
        for each in &before {
            world.post(&each.who, WHOAMI, &json!({})).await.expect(StatusCode::CREATED);
        }
        let path = match gone {
            Gone::Namespace => "/api/v1/namespaces/team",
            Gone::Account => "/api/v1/namespaces/team/serviceaccounts/robot",
            Gone::Pod => "/api/v1/namespaces/team/pods/pod",
            Gone::BoundSecret => "/api/v1/namespaces/team/secrets/bound",
            Gone::TokenSecret => "/api/v1/namespaces/team/secrets/token",
        };
        deleted(&world, &administrator, path).await;
        fill(&world, &administrator).await;
        // Signing gives the same bytes for the same claims: a Secret of the same account holds the same token again.
        let same = |each: &Credential| gone == Gone::TokenSecret && each.name == "the token in a Secret";
        for each in before.iter().filter(|each| !same(each)) {
            let answer = world.post(&each.who, WHOAMI, &json!({})).await;
            let expected =
                if each.needs.contains(&gone) { StatusCode::UNAUTHORIZED } else { StatusCode::CREATED };
            assert_eq!(answer.status, expected, "{} after {gone:?}", each.name);
        }
        for each in credentials(&world, &administrator).await {
            world.post(&each.who, WHOAMI, &json!({})).await.expect(StatusCode::CREATED);
        }
    }
}

fn uid(world: &World, cluster: &Cluster, resource: &str, namespace: &str, name: &str) -> String {
    let group = if resource.starts_with("cluster") { "rbac.authorization.k8s.io" } else { "" };
    let snapshot = world.app.whole_snapshot();
    let object = snapshot.object(&ObjectKey::new(cluster.id, group, resource, namespace, name)).unwrap();
    object.value["metadata"]["uid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_object_that_the_server_makes_has_an_id_of_its_own() {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    let role = |world: &World| uid(world, &world.cluster, "clusterroles", "", "view");
    let before = role(&world);
    deleted(&world, &administrator, "/apis/rbac.authorization.k8s.io/v1/clusterroles/view").await;
    world.app.kubernetes().restore_bootstrap_objects().await.unwrap();
    let after = role(&world);
    assert_ne!(after, before);
    // What is there keeps its own, whatever form it has.
    world.app.kubernetes().restore_bootstrap_objects().await.unwrap();
    assert_eq!(role(&world), after);
    assert_eq!(
        after.split('-').nth(2).unwrap().chars().next(),
        Some('4'),
        "{after}: a random one is of version 4"
    );
    let snapshot = world.app.whole_snapshot();
    let all: Vec<_> = snapshot.cluster_objects(world.cluster.id).collect();
    let ids: std::collections::BTreeSet<_> =
        all.iter().map(|object| object.value["metadata"]["uid"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), all.len());
    assert_eq!(world.cluster.objects_form, ObjectsForm::CURRENT);
}

#[tokio::test]
async fn a_cluster_that_is_made_again_is_another_one() {
    let world = World::new().await;
    let (administrator, _) = world.administrator().await;
    let asked = json!({"spec": {}});
    let account =
        made(&world, &administrator, "/api/v1/namespaces/default/serviceaccounts/default/token", asked);
    let account = Who::Token(account.await["status"]["token"].as_str().unwrap().to_owned());
    let old = world.cluster.clone();
    let whatever = app::state::precondition::Precondition::default();
    world.app.resource_manager().delete_cluster(&world.home.admin, &world.name(), &whatever).await.unwrap();
    let (new, _) = world
        .app
        .resource_manager()
        .put_cluster(&world.home.admin, &world.name(), NewCluster::new(Serving::Embedded, "local"))
        .await
        .unwrap();
    assert_eq!(new.name, old.name);
    assert_ne!(
        world.app.sign_in().service_account_issuer(new.id),
        world.app.sign_in().service_account_issuer(old.id)
    );
    let world = World { cluster: new, ..world };
    for who in [&administrator, &account] {
        world.post(who, WHOAMI, &json!({})).await.expect(StatusCode::UNAUTHORIZED);
    }
    let again = world.administrator().await.0;
    world.post(&again, WHOAMI, &json!({})).await.expect(StatusCode::CREATED);
    let world = World { cluster: old, ..world };
    for who in [&administrator, &account, &again] {
        let answer = world.post(who, WHOAMI, &json!({})).await;
        assert!(answer.status.is_client_error(), "{}", answer.text);
    }
}
