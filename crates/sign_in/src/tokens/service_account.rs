//! Tokens of clusters' service accounts: bound ones, which end (TokenRequest), and those that Secrets hold, which do not.
//!
//! Both forms are JWTs of the cluster's own key. A signature alone opens nothing: the account, and what the
//! token is bound to, must still be there with the uid that the token names.

pub mod bound;

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::jwt;
use domain::{
    cluster::Cluster,
    id::ClusterId,
    kube::User,
    object::{Object, ObjectKey},
    snapshot::Snapshot,
};
use serde_json::{Value, json};

use crate::SignIn;

/// Who a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewedToken {
    pub user: User,
    /// Those of the audiences asked for that the token is for; none where it is for none of them by name.
    pub audiences: Vec<String>,
}

/// The credentials do not count. What is wrong with them goes to the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unauthenticated(pub String);

impl SignIn {
    /// Whether everybody may read whose tokens they are and by which keys: programs elsewhere trust them.
    pub fn publishes_issuer(&self, cluster: ClusterId) -> bool {
        self.state.snapshot().cluster(cluster).is_some_and(|cluster| cluster.publishes_issuer())
    }

    /// The address that signs the tokens of a cluster's service accounts.
    pub fn service_account_issuer(&self, cluster: ClusterId) -> String {
        format!("{}/clusters/{cluster}", self.state.settings().external_url)
    }

    /// The public half of the key of a cluster's service accounts, as a JWK set (RFC 7517).
    pub fn service_account_keys(&self, cluster: ClusterId) -> Option<Value> {
        let snapshot = self.state.snapshot();
        let key = &embedded(&snapshot, cluster)?.service_account_key;
        Some(json!({"keys": [
            {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.kid, "n": key.n, "e": key.e},
        ]}))
    }

    /// The account behind a token that was made for one of `audiences`. `None`: the token is not one of this
    /// cluster's accounts at all.
    pub fn service_account_user(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        token: &str,
        audiences: &[String],
    ) -> Result<Option<ReviewedToken>, Unauthenticated> {
        let Some(record) = embedded(snapshot, cluster) else { return Ok(None) };
        let refused = |because: &str| Unauthenticated(because.to_owned());
        let parsed = jwt::parse(token).map_err(|error| Unauthenticated(error.to_string()))?;
        if parsed.header.kid.as_deref() != Some(record.service_account_key.kid.as_str()) {
            return Ok(None);
        }
        if parsed.header.algorithm != crypto::keys::Algorithm::Rs256 {
            return Err(refused("the token's algorithm is not accepted"));
        }
        let key = self
            .state
            .verifying_key(&record.service_account_key)
            .map_err(|error| Unauthenticated(error.to_string()))?;
        let claims = Value::Object(parsed.verify(&key).map_err(|error| Unauthenticated(error.to_string()))?);
        if text(&claims, "/iss") == LEGACY_ISSUER {
            // A token in a Secret names no audience: it is for the API server alone.
            let audiences = common_audiences(&[self.service_account_issuer(cluster)], audiences)?;
            let user = legacy_user(snapshot, cluster, &claims, token)?;
            return Ok(Some(ReviewedToken { user, audiences }));
        }
        self.bound_user(snapshot, cluster, &claims, audiences).map(Some)
    }

    fn bound_user(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        claims: &Value,
        audiences: &[String],
    ) -> Result<ReviewedToken, Unauthenticated> {
        if text(claims, "/iss") != self.service_account_issuer(cluster) {
            return Err(Unauthenticated("the token's issuer is not this cluster".into()));
        }
        let own: Vec<String> = match claims.get("aud") {
            Some(Value::Array(several)) => {
                several.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            Some(Value::String(audience)) => vec![audience.clone()],
            _ => Vec::new(),
        };
        let audiences = common_audiences(&own, audiences)?;
        Ok(ReviewedToken { user: self.account_of_bound(snapshot, cluster, claims)?, audiences })
    }

    /// Whether a token of the cluster's accounts, for whomever, stands for one that is there: workload identity.
    pub fn check_workload_token(&self, cluster: ClusterId, token: &str) -> Result<(), Unauthenticated> {
        let refused = |because: &str| Unauthenticated(because.to_owned());
        let snapshot = self.state.snapshot();
        let record = embedded(&snapshot, cluster).ok_or_else(|| refused("there is no such cluster"))?;
        let parsed = jwt::parse(token).map_err(|error| Unauthenticated(error.to_string()))?;
        let named = parsed.header.kid.as_deref() == Some(record.service_account_key.kid.as_str());
        if !named || parsed.header.algorithm != crypto::keys::Algorithm::Rs256 {
            return Err(refused("the cluster's key has not signed the token"));
        }
        let key = self.state.verifying_key(&record.service_account_key);
        let key = key.map_err(|error| Unauthenticated(error.to_string()))?;
        let claims = Value::Object(parsed.verify(&key).map_err(|error| Unauthenticated(error.to_string()))?);
        if text(&claims, "/iss") != self.service_account_issuer(cluster) {
            return Err(refused("the token's issuer is not this cluster"));
        }
        self.account_of_bound(&snapshot, cluster, &claims).map(drop)
    }

    /// The account of a bound token's claims, if they count now and all that they name is there.
    fn account_of_bound(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        claims: &Value,
    ) -> Result<User, Unauthenticated> {
        let refused = |because: &str| Unauthenticated(because.to_owned());
        let now = self.state.now().as_second();
        let time = |name: &str| claims.get(name).and_then(Value::as_i64);
        if time("exp").is_none_or(|end| now >= end) || time("nbf").is_none_or(|start| now + SKEW < start) {
            return Err(refused("the token has ended, or does not count yet"));
        }
        let kubernetes = claims.get("kubernetes.io").ok_or_else(|| refused("the token names no account"))?;
        let namespace = text(kubernetes, "/namespace");
        let account = text(kubernetes, "/serviceaccount/name");
        let ended = bound::ended_by(self.state.now());
        let there = |resource: &str, namespace: &str, name: &str, uid: &str| {
            let key = ObjectKey::new(cluster, "", resource, namespace, name);
            bound::check_there(snapshot, &key, uid, &ended)
        };
        there("serviceaccounts", namespace, account, text(kubernetes, "/serviceaccount/uid"))?;
        let mut extra =
            vec![("authentication.kubernetes.io/credential-id", format!("JTI={}", text(claims, "/jti")))];
        for (kind, resource) in bound::KINDS {
            let Some(bound) = kubernetes.get(kind) else { continue };
            let (name, uid) = (text(bound, "/name"), text(bound, "/uid"));
            there(resource, if kind == "node" { "" } else { namespace }, name, uid)?;
            if kind == "pod" {
                extra.push(("authentication.kubernetes.io/pod-name", name.to_owned()));
                extra.push(("authentication.kubernetes.io/pod-uid", uid.to_owned()));
            }
        }
        let mut user = account_user(namespace, account, text(kubernetes, "/serviceaccount/uid"));
        user.extra = extra.into_iter().map(|(key, value)| (key.to_owned(), vec![value])).collect();
        Ok(user)
    }
}

/// Those of a token's own audiences that are asked for; none is an error, in the words of kube-apiserver.
pub fn common_audiences(own: &[String], asked: &[String]) -> Result<Vec<String>, Unauthenticated> {
    let common: Vec<String> = own.iter().filter(|each| asked.contains(each)).cloned().collect();
    if common.is_empty() {
        let list = |audiences: &[String]| {
            let quoted: Vec<String> = audiences.iter().map(|each| format!("{each:?}")).collect();
            quoted.join(" ")
        };
        return Err(Unauthenticated(format!(
            "token audiences [{}] is invalid for the target audiences [{}]",
            list(own),
            list(asked)
        )));
    }
    Ok(common)
}

fn legacy_user(
    snapshot: &Snapshot,
    cluster: ClusterId,
    claims: &Value,
    token: &str,
) -> Result<User, Unauthenticated> {
    let claim = |name: &str| bound::legacy_claim(claims, name);
    let (namespace, account, uid) =
        (claim("namespace"), claim("service-account.name"), claim("service-account.uid"));
    // Without delay, as kube-apiserver does with these.
    let ended = |object: &Object| object.value.pointer("/metadata/deletionTimestamp").is_some();
    let key = ObjectKey::new(cluster, "", "serviceaccounts", namespace, account);
    bound::check_there(snapshot, &key, uid, &ended)?;
    let secret = snapshot.object(&ObjectKey::new(cluster, "", "secrets", namespace, claim("secret.name")));
    let secret = secret.filter(|secret| !ended(secret));
    let stored = secret.and_then(|secret| STANDARD.decode(text(&secret.value, "/data/token")).ok());
    if !stored.is_some_and(|stored| crypto::digest::equal(&stored, token.trim_ascii().as_bytes())) {
        return Err(Unauthenticated("the token's Secret is gone, or holds another token".into()));
    }
    Ok(account_user(namespace, account, uid))
}

fn account_user(namespace: &str, account: &str, uid: &str) -> User {
    User {
        name: user_name(namespace, account),
        uid: uid.to_owned(),
        groups: ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")].into(),
        ..User::default()
    }
}

pub fn user_name(namespace: &str, account: &str) -> String {
    format!("system:serviceaccount:{namespace}:{account}")
}

/// The embedded cluster of an id.
pub fn embedded(snapshot: &Snapshot, cluster: ClusterId) -> Option<&Arc<Cluster>> {
    snapshot.cluster(cluster).filter(|cluster| cluster.is_embedded())
}

fn text<'a>(value: &'a Value, place: &str) -> &'a str {
    value.pointer(place).and_then(Value::as_str).unwrap_or_default()
}

pub const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";
/// Seconds by which the clocks of two machines may differ.
const SKEW: i64 = 60;
