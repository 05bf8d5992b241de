//! What the webhooks of attached clusters answer: who a token stands for, and whether a request is allowed.
//!
//! kube-apiserver stands between us and its callers and keeps an accepted token, with its groups, for a while.
//! So the access review carries the guarantee that what is taken away is gone: it looks at the live directory,
//! and denies what names groups or an identity that the directory no longer gives. Everything that it merely has
//! no grant for is no opinion, so that the cluster's own RBAC may still grant.

use std::sync::Arc;

use crypto::cert::Certificate;
use domain::{
    azure,
    cluster::Cluster,
    decision::Decision,
    id::{ClusterId, ObjectId},
    kube::{Attributes, User, reason},
    scope::Scope,
    snapshot::Snapshot,
};

use crate::{
    App,
    tokens::{is_enabled, session_stamp},
    well_known::CLUSTER_AUDIENCE,
};

/// Why a webhook is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefused {
    #[error("a client certificate is required")]
    NoCertificate,
    #[error("the client certificate is not the one that opens this cluster's webhooks")]
    WrongCertificate,
}

/// Who a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewedToken {
    pub user: User,
    /// Those of the audiences asked for that the token is for; none where it is for none of them by name.
    pub audiences: Vec<String>,
}

/// What a SubjectAccessReview is answered. Neither allowed nor denied: no opinion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessAnswer {
    pub allowed: bool,
    pub denied: bool,
    pub reason: String,
}

impl App {
    /// The cluster whose webhooks the certificate (DER) opens. A cluster that does not exist is refused like a
    /// wrong certificate.
    pub fn webhook_cluster(
        &self,
        name: &str,
        certificate: Option<&[u8]>,
    ) -> Result<Arc<Cluster>, WebhookRefused> {
        let der = certificate.ok_or(WebhookRefused::NoCertificate)?;
        let snapshot = self.snapshot();
        let cluster = ClusterId::parse(name).ok().and_then(|id| snapshot.cluster(id).cloned());
        let cluster =
            cluster.filter(|cluster| !cluster.is_embedded()).ok_or(WebhookRefused::WrongCertificate)?;
        let on_record = cluster.webhook_certificate.as_deref().ok_or(WebhookRefused::WrongCertificate)?;
        let thumbprint = crypto::digest::sha256_hex(der);
        if !crypto::digest::equal(thumbprint.as_bytes(), on_record.as_bytes()) {
            return Err(WebhookRefused::WrongCertificate);
        }
        let certificate = Certificate::from_der(der).map_err(|_| WebhookRefused::WrongCertificate)?;
        let now = self.now();
        let in_time = certificate.not_before <= now && now <= certificate.not_after;
        if in_time { Ok(cluster) } else { Err(WebhookRefused::WrongCertificate) }
    }

    /// Who a token stands for in an attached cluster. The error is for the API server's log.
    pub fn review_token(
        &self,
        cluster: &Cluster,
        token: &str,
        audiences: &[String],
    ) -> Result<ReviewedToken, String> {
        let mut user = self.verify_cluster_token(token).map_err(|error| error.to_string())?;
        let snapshot = self.snapshot();
        let oid = user.object_id().ok_or("the token names no object of the directory")?;
        let tenant = snapshot.directory().principal(oid).map(|principal| principal.tenant());
        if tenant != Some(cluster.tenant) {
            return Err("the token is of another tenant than the cluster".into());
        }
        if is_reserved(&user.name) {
            return Err("names that begin with system: are reserved".into());
        }
        // Comes back with every access review of this session, and tells there that it has been revoked.
        if let Some(stamp) = session_stamp(&snapshot, oid) {
            user.extra.insert(SESSION.to_owned(), vec![stamp.to_string()]);
        }
        let named = |audience: &&String| audience.eq_ignore_ascii_case(CLUSTER_AUDIENCE);
        Ok(ReviewedToken { user, audiences: audiences.iter().filter(named).cloned().collect() })
    }

    /// Whether an attached cluster's request is allowed. Reads memory only.
    pub fn review_access(&self, cluster: &Cluster, attributes: &Attributes) -> AccessAnswer {
        let user = &attributes.user;
        let snapshot = self.snapshot();
        let object_id = match user.extra.get("oid").map(Vec::as_slice) {
            _ if is_reserved(&user.name) => return AccessAnswer::default(),
            None => return AccessAnswer::default(),
            Some([oid]) => ObjectId::parse(oid).ok(),
            Some(_) => None,
        };
        let Some(object_id) = object_id else {
            return denied("the user's object id is not exactly one UUID");
        };
        if let Some(because) = ended(&snapshot, cluster, user, object_id) {
            return denied(because);
        }
        let groups = snapshot.directory().transitive_groups(object_id);
        let is_gone = |group: &&String| ObjectId::parse(group).is_ok_and(|group| !groups.contains(&group));
        if let Some(gone) = user.groups.iter().find(is_gone) {
            return denied(format!(
                "the membership of group {gone} has changed: the next sign-in check, within 10 seconds, settles it"
            ));
        }
        if !cluster.azure_rbac {
            let group = cluster.admin_groups.iter().find(|group| groups.contains(group));
            return group.map_or_else(AccessAnswer::default, |group| {
                allowed(reason::Reason::AdminGroup(*group).to_string())
            });
        }
        let caller = azure::Caller::new(object_id, groups);
        self.ask_azure_for(&snapshot, cluster, attributes, &caller)
    }

    fn ask_azure_for(
        &self,
        snapshot: &Snapshot,
        cluster: &Cluster,
        attributes: &Attributes,
        caller: &azure::Caller,
    ) -> AccessAnswer {
        let scope = match Scope::parse(&cluster.resource_id()) {
            Ok(scope) => scope,
            Err(error) => return no_opinion(error.to_string()),
        };
        let settings = azure::kubernetes::Settings::new(scope);
        let policy = snapshot.azure();
        let answer = azure::kubernetes::decide_as(
            policy,
            self.operations(),
            &settings,
            attributes,
            caller,
            self.now(),
        );
        match answer.decision {
            Ok(Decision::Allow(reason)) => allowed(reason.to_string()),
            Ok(Decision::Deny(reason)) => denied(reason.to_string()),
            Ok(Decision::NoOpinion(reason)) => no_opinion(reason.to_string()),
            Err(error) => no_opinion(error.to_string()),
        }
    }
}

/// Why the identity itself does not count any more.
fn ended(snapshot: &Snapshot, cluster: &Cluster, user: &User, object_id: ObjectId) -> Option<&'static str> {
    let Some(principal) = snapshot.directory().principal(object_id) else {
        return Some("the identity does not exist in the directory any more");
    };
    if principal.tenant() != cluster.tenant {
        return Some("the identity is of another tenant than the cluster");
    }
    if !is_enabled(snapshot, object_id) {
        return Some("the identity is disabled");
    }
    let stamp = user.extra.get(SESSION).map(Vec::as_slice);
    let current = session_stamp(snapshot, object_id).map(|stamp| stamp.to_string());
    match (stamp, current) {
        // Impersonated: the API server itself has decided that the caller may.
        (None, _) => None,
        (Some([stamp]), Some(current)) if *stamp == current => None,
        (Some(_), _) => Some("the session has been revoked"),
    }
}

fn allowed(reason: impl Into<String>) -> AccessAnswer {
    AccessAnswer { allowed: true, denied: false, reason: reason.into() }
}

fn denied(reason: impl Into<String>) -> AccessAnswer {
    AccessAnswer { allowed: false, denied: true, reason: reason.into() }
}

fn no_opinion(reason: impl Into<String>) -> AccessAnswer {
    AccessAnswer { allowed: false, denied: false, reason: reason.into() }
}

fn is_reserved(name: &str) -> bool {
    name.get(.."system:".len()).is_some_and(|start| start.eq_ignore_ascii_case("system:"))
}

/// Key in `extra` of the mark that all tokens of a session carry until it is revoked.
const SESSION: &str = "portcullis/session";
