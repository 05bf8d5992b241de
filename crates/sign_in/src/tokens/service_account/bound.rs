//! What a service account's token ends with: its account, and the Secret, Pod or Node that it is kept in or was made
//! for. Which objects those are, and when one that is being deleted has ended.

use crypto::jwt;
use domain::{
    id::ClusterId,
    object::{Object, ObjectKey},
    snapshot::Snapshot,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Unauthenticated, text};

/// The objects that a token was made for or is kept in. Its account is not among them: accounts bear on access. What
/// the token claims is taken as it is: whether it counts is not asked here.
pub fn objects_of(cluster: ClusterId, token: &str) -> Vec<ObjectKey> {
    let claims = jwt::parse(token).ok().and_then(|parsed| parsed.claims_before_verification().ok());
    let Some(claims) = claims.map(Value::Object) else { return Vec::new() };
    let mut objects = Vec::new();
    let secret = legacy_claim(&claims, "secret.name");
    if !secret.is_empty() {
        objects.push(ObjectKey::new(cluster, "", "secrets", legacy_claim(&claims, "namespace"), secret));
    }
    let Some(kubernetes) = claims.get("kubernetes.io") else { return objects };
    for (kind, resource) in KINDS {
        let Some(bound) = kubernetes.get(kind) else { continue };
        let namespace = if kind == "node" { "" } else { text(kubernetes, "/namespace") };
        objects.push(ObjectKey::new(cluster, "", resource, namespace, text(bound, "/name")));
    }
    objects
}

/// Refuses unless an object is there, has the uid that the token names, and has not `ended`.
pub fn check_there(
    snapshot: &Snapshot,
    key: &ObjectKey,
    uid: &str,
    ended: &dyn Fn(&Object) -> bool,
) -> Result<(), Unauthenticated> {
    let ObjectKey { resource, namespace, name, .. } = key;
    let object = snapshot.object(key);
    let same = object.filter(|object| !uid.is_empty() && text(&object.value, "/metadata/uid") == uid);
    match same {
        Some(object) if ended(object) => {
            Err(Unauthenticated(format!("{resource} {namespace}/{name} is being deleted")))
        }
        Some(_) => Ok(()),
        None => Err(Unauthenticated(format!("{resource} {namespace}/{name} is gone, or another one"))),
    }
}

/// Whether an object's deletion began more than a minute before `now`: so long a token goes on counting while something
/// keeps the object, as with kube-apiserver. A time that cannot be read has passed.
pub fn ended_by(now: Timestamp) -> impl Fn(&Object) -> bool {
    move |object| match object.value.pointer("/metadata/deletionTimestamp") {
        None | Some(Value::Null) => false,
        Some(time) => {
            let began = time.as_str().and_then(|time| time.parse::<Timestamp>().ok());
            began.is_none_or(|began| now.duration_since(began) > LEEWAY)
        }
    }
}

pub fn legacy_claim<'a>(claims: &'a Value, name: &str) -> &'a str {
    let name = format!("kubernetes.io/serviceaccount/{name}");
    claims.get(&name).and_then(Value::as_str).unwrap_or_default()
}

/// As claims name them, and as paths do.
pub const KINDS: [(&str, &str); 3] = [("pod", "pods"), ("secret", "secrets"), ("node", "nodes")];
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);
