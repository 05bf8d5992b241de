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
    object::{Object, ObjectKey},
    snapshot::Snapshot,
    unfinished::Work,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    KubeCaller, ObjectError, ObjectReference, RequestedAccess,
    values::{set, set_at, stamp, text},
};
use sign_in::tokens::service_account::{LEGACY_ISSUER, embedded, user_name};
use state::{Error, Tx, unfinished};
use state::{Run, sealed_keys::SERVICE_ACCOUNT_KEY};

use crate::Kubernetes;

/// What a TokenRequest asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccountTokenRequest {
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

impl Kubernetes {
    /// Issues a token for the account of `place`.
    pub async fn request_token(
        &self,
        caller: &KubeCaller,
        access: &RequestedAccess,
        reference: &ObjectReference<'_>,
        wanted: &ServiceAccountTokenRequest,
        run: Run,
    ) -> Result<IssuedServiceAccountToken, ObjectError> {
        self.allow(caller, access)?;
        let snapshot = self.state.snapshot();
        let cluster = embedded(&snapshot, caller.cluster).ok_or_else(|| reference.not_found())?;
        let account = snapshot.object(&reference.key(caller.cluster)).ok_or_else(|| reference.not_found())?;
        let issuer = self.sign_in.service_account_issuer(caller.cluster);
        let audiences =
            if wanted.audiences.is_empty() { vec![issuer.clone()] } else { wanted.audiences.clone() };
        let now = self.state.now();
        let expires = now.checked_add(wanted.expires_in).map_err(Error::internal)?;
        let mut kubernetes = json!({
            "namespace": reference.namespace,
            "serviceaccount": {"name": reference.name, "uid": text(&account.value, "/metadata/uid")},
        });
        if let Some(bound) = &wanted.bound_to {
            let uid = self.bound_uid(&snapshot, caller.cluster, reference, bound)?;
            set(&mut kubernetes, &bound.kind.to_lowercase(), json!({"name": bound.name, "uid": uid}));
        }
        let claims = json!({
            "iss": issuer, "aud": audiences, "sub": user_name(reference.namespace, reference.name),
            "iat": now.as_second(), "nbf": now.as_second(), "exp": expires.as_second(),
            "jti": self.new_object_uid()?, "kubernetes.io": kubernetes,
        });
        let token = match run {
            Run::Real => self.sign_for_cluster(cluster, claims).await?,
            Run::Dry => String::new(),
        };
        Ok(IssuedServiceAccountToken { token, audiences, expires })
    }

    /// A Secret for a service account's token, filled in; any other object as it is.
    pub(super) fn complete_secret(
        &self,
        cluster: ClusterId,
        reference: &ObjectReference<'_>,
        mut value: Value,
    ) -> Result<Value, ObjectError> {
        let is_token = reference.resource.plural == "secrets" && text(&value, "/type") == TOKEN_SECRET;
        if !is_token {
            return Ok(value);
        }
        let snapshot = self.state.snapshot();
        let name = text(&value, NAME_ANNOTATION).to_owned();
        let account =
            snapshot.object(&ObjectKey::new(cluster, "", "serviceaccounts", reference.namespace, &name));
        let account = account.ok_or_else(|| ObjectError::Invalid {
            group: String::new(),
            kind: "Secret".into(),
            name: reference.name.into(),
            field: "metadata.annotations[kubernetes.io/service-account.name]".into(),
            value: name.clone(),
            detail: "there is no such service account in the namespace".into(),
        })?;
        let uid = text(&account.value, "/metadata/uid").to_owned();
        let record = embedded(&snapshot, cluster).ok_or_else(|| reference.not_found())?;
        let claims = json!({
            "iss": LEGACY_ISSUER, "sub": user_name(reference.namespace, &name),
            "kubernetes.io/serviceaccount/namespace": reference.namespace,
            "kubernetes.io/serviceaccount/secret.name": reference.name,
            "kubernetes.io/serviceaccount/service-account.name": name,
            "kubernetes.io/serviceaccount/service-account.uid": uid,
        });
        let key = self.state.open_key(SERVICE_ACCOUNT_KEY, &record.service_account_key)?;
        let token = jwt::sign(&key, &record.service_account_key.kid, &claims).map_err(Error::internal)?;
        set_at(&mut value, &["metadata", "annotations"], "kubernetes.io/service-account.uid", uid.into());
        let authority = &self.state.settings().authority_certificate;
        for (key, content) in
            [("ca.crt", authority.as_str()), ("namespace", reference.namespace), ("token", &token)]
        {
            set_at(&mut value, &["data"], key, STANDARD.encode(content).into());
        }
        Ok(value)
    }

    fn bound_uid(
        &self,
        snapshot: &Snapshot,
        cluster: ClusterId,
        reference: &ObjectReference<'_>,
        bound: &BoundTo,
    ) -> Result<String, ObjectError> {
        let (resource, namespace) = match bound.kind.as_str() {
            "Pod" => ("pods", reference.namespace),
            "Secret" => ("secrets", reference.namespace),
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
        if bound.kind == "Pod" && text(&object.value, "/spec/serviceAccountName") != reference.name {
            let because = "cannot bind token for serviceaccount to a pod that runs as another one";
            return Err(token_problem("spec.boundObjectRef", &bound.name, because));
        }
        let uid = text(&object.value, "/metadata/uid");
        if !bound.uid.is_empty() && bound.uid != uid {
            return Err(reference.conflict(
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
        let key = self.state.open_key(SERVICE_ACCOUNT_KEY, &cluster.service_account_key)?;
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
    stamp(tx, &mut value)?;
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
pub fn delete_token_secrets(tx: &mut Tx, cluster: ClusterId) -> bool {
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
