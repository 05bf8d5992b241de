//! Service accounts and their credentials: the `default` account of each namespace, Secrets with a token that
//! does not end, and bound tokens, which do (TokenRequest).
//!
//! Both forms are JWTs of the cluster's own key. A signature alone opens nothing: the account, and what the
//! token is bound to, must still be there with the uid that the token names.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::jwt;
use domain::{
    change::{Record, RecordKey},
    cluster::Cluster,
    id::ClusterId,
    kube::User,
    object::{Object, ObjectKey},
    snapshot::Snapshot,
    unfinished::Work,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::bootstrap::{set, set_at};
use super::identity::common_audiences;
use super::{Asked, KubeCaller, ObjectError, Place, Run, Unauthenticated, bootstrap, bound, embedded, text};
use crate::{App, Error, Tx, cluster_keys::SERVICE_ACCOUNT_KEY, reviews::ReviewedToken, unfinished};

/// What a TokenRequest asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenAsked {
    /// Empty: the API server's own.
    pub audiences: Vec<String>,
    pub expires_in: SignedDuration,
    pub bound_to: Option<BoundTo>,
}

/// The object that a token ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundTo {
    /// `Pod`, `Secret` or `Node`.
    pub kind: String,
    pub name: String,
    /// Empty: whichever is there.
    pub uid: String,
}

#[derive(Clone, Debug)]
pub struct IssuedServiceAccountToken {
    pub token: String,
    pub audiences: Vec<String>,
    pub expires: Timestamp,
}

impl App {
    /// Issues a token for the account of `place`.
    pub async fn request_token(
        &self,
        caller: &KubeCaller,
        asked: &Asked,
        place: &Place<'_>,
        wanted: &TokenAsked,
        run: Run,
    ) -> Result<IssuedServiceAccountToken, ObjectError> {
        self.allow(caller, asked)?;
        let snapshot = self.snapshot();
        let cluster = embedded(&snapshot, caller.cluster).ok_or_else(|| place.not_found())?;
        let account = snapshot.object(&place.key(caller.cluster)).ok_or_else(|| place.not_found())?;
        let issuer = self.service_account_issuer(caller.cluster);
        let audiences =
            if wanted.audiences.is_empty() { vec![issuer.clone()] } else { wanted.audiences.clone() };
        let now = self.now();
        let expires = now.checked_add(wanted.expires_in).map_err(Error::internal)?;
        let mut kubernetes = json!({
            "namespace": place.namespace,
            "serviceaccount": {"name": place.name, "uid": text(&account.value, "/metadata/uid")},
        });
        if let Some(bound) = &wanted.bound_to {
            let uid = self.bound_uid(&snapshot, caller.cluster, place, bound)?;
            set(&mut kubernetes, &bound.kind.to_lowercase(), json!({"name": bound.name, "uid": uid}));
        }
        let claims = json!({
            "iss": issuer, "aud": audiences, "sub": user_name(place.namespace, place.name),
            "iat": now.as_second(), "nbf": now.as_second(), "exp": expires.as_second(),
            "jti": self.new_object_uid()?, "kubernetes.io": kubernetes,
        });
        let token = match run {
            Run::Real => self.sign_for_cluster(cluster, claims).await?,
            Run::Dry => String::new(),
        };
        Ok(IssuedServiceAccountToken { token, audiences, expires })
    }

    /// Whether everybody may read whose tokens they are and by which keys: programs elsewhere trust them.
    pub fn publishes_issuer(&self, cluster: ClusterId) -> bool {
        self.snapshot().cluster(cluster).is_some_and(|cluster| cluster.publishes_issuer())
    }

    /// The address that signs the tokens of a cluster's service accounts.
    pub fn service_account_issuer(&self, cluster: ClusterId) -> String {
        format!("{}/clusters/{cluster}", self.settings().external_url)
    }

    /// The public half of the key of a cluster's service accounts, as a JWK set (RFC 7517).
    pub fn service_account_keys(&self, cluster: ClusterId) -> Option<Value> {
        let snapshot = self.snapshot();
        let key = &embedded(&snapshot, cluster)?.service_account_key;
        Some(json!({"keys": [
            {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.kid, "n": key.n, "e": key.e},
        ]}))
    }

    /// The account behind a token that was made for one of `audiences`. `None`: the token is not one of this
    /// cluster's accounts at all.
    pub(super) fn service_account_user(
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

    /// A Secret for a service account's token, filled in; any other object as it is.
    pub(super) fn complete_secret(
        &self,
        cluster: ClusterId,
        place: &Place<'_>,
        mut value: Value,
    ) -> Result<Value, ObjectError> {
        let is_token = place.resource.plural == "secrets" && text(&value, "/type") == TOKEN_SECRET;
        if !is_token {
            return Ok(value);
        }
        let snapshot = self.snapshot();
        let name = text(&value, NAME_ANNOTATION).to_owned();
        let account =
            snapshot.object(&ObjectKey::new(cluster, "", "serviceaccounts", place.namespace, &name));
        let account = account.ok_or_else(|| ObjectError::Invalid {
            group: String::new(),
            kind: "Secret".into(),
            name: place.name.into(),
            field: "metadata.annotations[kubernetes.io/service-account.name]".into(),
            value: name.clone(),
            detail: "there is no such service account in the namespace".into(),
        })?;
        let uid = text(&account.value, "/metadata/uid").to_owned();
        let record = embedded(&snapshot, cluster).ok_or_else(|| place.not_found())?;
        let claims = json!({
            "iss": LEGACY_ISSUER, "sub": user_name(place.namespace, &name),
            "kubernetes.io/serviceaccount/namespace": place.namespace,
            "kubernetes.io/serviceaccount/secret.name": place.name,
            "kubernetes.io/serviceaccount/service-account.name": name,
            "kubernetes.io/serviceaccount/service-account.uid": uid,
        });
        let key = self.open_key(SERVICE_ACCOUNT_KEY, &record.service_account_key)?;
        let token = jwt::sign(&key, &record.service_account_key.kid, &claims).map_err(Error::internal)?;
        set_at(&mut value, &["metadata", "annotations"], "kubernetes.io/service-account.uid", uid.into());
        let authority = &self.settings().authority_certificate;
        for (key, content) in
            [("ca.crt", authority.as_str()), ("namespace", place.namespace), ("token", &token)]
        {
            set_at(&mut value, &["data"], key, STANDARD.encode(content).into());
        }
        Ok(value)
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
    pub(crate) fn check_workload_token(
        &self,
        cluster: ClusterId,
        token: &str,
    ) -> Result<(), Unauthenticated> {
        let refused = |because: &str| Unauthenticated(because.to_owned());
        let snapshot = self.snapshot();
        let record = embedded(&snapshot, cluster).ok_or_else(|| refused("there is no such cluster"))?;
        let parsed = jwt::parse(token).map_err(|error| Unauthenticated(error.to_string()))?;
        let named = parsed.header.kid.as_deref() == Some(record.service_account_key.kid.as_str());
        if !named || parsed.header.algorithm != crypto::keys::Algorithm::Rs256 {
            return Err(refused("the cluster's key has not signed the token"));
        }
        let key = self.verifying_key(&record.service_account_key);
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
        let now = self.now().as_second();
        let time = |name: &str| claims.get(name).and_then(Value::as_i64);
        if time("exp").is_none_or(|end| now >= end) || time("nbf").is_none_or(|start| now + SKEW < start) {
            return Err(refused("the token has ended, or does not count yet"));
        }
        let kubernetes = claims.get("kubernetes.io").ok_or_else(|| refused("the token names no account"))?;
        let namespace = text(kubernetes, "/namespace");
        let account = text(kubernetes, "/serviceaccount/name");
        let ended = bound::ended_by(self.now());
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

    fn bound_uid(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        place: &Place<'_>,
        bound: &BoundTo,
    ) -> Result<String, ObjectError> {
        let (resource, namespace) = match bound.kind.as_str() {
            "Pod" => ("pods", place.namespace),
            "Secret" => ("secrets", place.namespace),
            "Node" => ("nodes", ""),
            other => {
                return Err(token_problem(
                    "spec.boundObjectRef",
                    other,
                    "cannot bind token for serviceaccount to this kind of object: expected Pod, Secret or Node",
                ));
            }
        };
        let object = snapshot.object(&ObjectKey::new(cluster, "", resource, namespace, &bound.name));
        let object = object.ok_or_else(|| ObjectError::not_found("", resource, &bound.name))?;
        if bound.kind == "Pod" && text(&object.value, "/spec/serviceAccountName") != place.name {
            let because = "cannot bind token for serviceaccount to a pod that runs as another one";
            return Err(token_problem("spec.boundObjectRef", &bound.name, because));
        }
        let uid = text(&object.value, "/metadata/uid");
        if !bound.uid.is_empty() && bound.uid != uid {
            return Err(place.conflict(
                resource,
                format!(
                    "the UID in the bound object reference ({}) does not match the UID in record",
                    bound.uid
                ),
            ));
        }
        Ok(uid.to_owned())
    }

    async fn sign_for_cluster(&self, cluster: &Arc<Cluster>, claims: Value) -> Result<String, ObjectError> {
        let key = self.open_key(SERVICE_ACCOUNT_KEY, &cluster.service_account_key)?;
        let kid = cluster.service_account_key.kid.clone();
        let signed = tokio::task::spawn_blocking(move || jwt::sign(&key, &kid, &claims)).await;
        Ok(signed.map_err(Error::internal)?.map_err(Error::internal)?)
    }
}

/// Makes the account `default` of a namespace, unless it is there.
pub(super) fn put_default(tx: &mut Tx, cluster: ClusterId, namespace: &str) -> Result<(), Error> {
    let key = ObjectKey::new(cluster, "", "serviceaccounts", namespace, "default");
    if tx.snapshot().object(&key).is_some() || tx.is_set_aside(&RecordKey::Object(key.clone())) {
        return Ok(());
    }
    let mut value = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace},
    });
    bootstrap::stamp(tx, &mut value)?;
    tx.put(&Record::Object(Object { key, revision: 0, value: Arc::new(value) }))
}

/// Deletes the Secrets that hold tokens of an account that is about to go, as Kubernetes does, as far as the transaction
/// has room; the rest goes soon after. For the next account of its name they are dead.
pub(super) fn delete_kept_tokens(tx: &mut Tx, account: &ObjectKey) -> Result<(), Error> {
    if !account.group.is_empty() || &*account.resource != "serviceaccounts" {
        return Ok(());
    }
    let Some(uid) = tx.snapshot().object(account).map(|found| text(&found.value, "/metadata/uid").to_owned())
    else {
        return Ok(());
    };
    let going: Vec<_> = tx
        .snapshot()
        .objects(account.cluster, "", "secrets", &account.namespace)
        .filter(|secret| {
            is_token_secret(&secret.value)
                && text(&secret.value, NAME_ANNOTATION) == &*account.name
                && text(&secret.value, UID_ANNOTATION) == uid
        })
        .map(|secret| RecordKey::Object(secret.key.clone()))
        .collect();
    if !tx.delete_all(going) {
        unfinished::record(tx, Work::DeleteTokenSecrets(account.cluster))?;
    }
    Ok(())
}

/// Deletes the Secrets of a cluster that hold tokens of accounts that are gone, as far as the transaction has room.
/// Whether those were all.
pub(crate) fn delete_token_secrets(tx: &mut Tx, cluster: ClusterId) -> bool {
    let base = tx.base();
    let is_left = |secret: &Object| {
        let (account, uid) = (text(&secret.value, NAME_ANNOTATION), text(&secret.value, UID_ANNOTATION));
        let account = ObjectKey::new(cluster, "", "serviceaccounts", &secret.key.namespace, account);
        !uid.is_empty()
            && base.object(&account).is_none_or(|account| text(&account.value, "/metadata/uid") != uid)
    };
    let left = base
        .objects(cluster, "", "secrets", "")
        .filter(|secret| is_token_secret(&secret.value) && is_left(secret))
        .map(|secret| RecordKey::Object(secret.key.clone()));
    tx.delete_all(left)
}

/// Whether an object holds a service account's token, and nothing keeps it.
fn is_token_secret(value: &Value) -> bool {
    text(value, "/type") == TOKEN_SECRET && value.pointer("/metadata/finalizers").is_none()
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

fn user_name(namespace: &str, account: &str) -> String {
    format!("system:serviceaccount:{namespace}:{account}")
}

fn token_problem(field: &str, value: &str, detail: &str) -> ObjectError {
    ObjectError::Invalid {
        group: "authentication.k8s.io".into(),
        kind: "TokenRequest".into(),
        name: String::new(),
        field: field.into(),
        value: value.into(),
        detail: detail.into(),
    }
}

const TOKEN_SECRET: &str = "kubernetes.io/service-account-token";
const NAME_ANNOTATION: &str = "/metadata/annotations/kubernetes.io~1service-account.name";
const UID_ANNOTATION: &str = "/metadata/annotations/kubernetes.io~1service-account.uid";
const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";
/// Seconds by which clocks may differ.
const SKEW: i64 = 60;
