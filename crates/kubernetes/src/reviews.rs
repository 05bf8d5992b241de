//! What the webhooks of attached clusters answer: who a token stands for, and whether a request is allowed.
//!
//! kube-apiserver stands between us and its callers and keeps an accepted token, with its groups, for a while.
//! So the access review carries the guarantee that what is taken away is gone: it looks at the live directory,
//! and denies an identity that is good no longer, and what only groups could allow that the directory no longer
//! gives. What the live directory grants is allowed, and everything that it merely has no grant for is no opinion, so
//! that the cluster's own RBAC may still grant.

mod certificate_uses;
pub(crate) mod refusals;
pub(crate) mod seen_certificates;

use std::{
    fmt::{Display, Write},
    net::IpAddr,
};

use domain::{
    decision::Decision,
    id::{ClusterId, TenantId},
    kube::Attributes,
    review::{IdentityState, WebhookPlace},
};

use crate::{Kubernetes, engines::PrincipalStatus};
use sign_in::tokens::{SessionMark, kube_user, service_account::ReviewedToken};
use state::well_known::CLUSTER_AUDIENCE;

/// Why a webhook is not opened. Only who holds a certificate of the cluster's own authority learns what became of the
/// certificate or the cluster; every other one hears the same, whatever there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum WebhookRefused {
    #[error("a client certificate is required")]
    NoCertificate,
    #[error(
        "the client certificate is of no cluster that there is, or its time has run out: the cluster was deleted, or \
         its certificates were made anew"
    )]
    UnknownCertificate,
    #[error("the client certificate is not the one that opens this cluster's webhooks")]
    WrongCertificate,
    #[error(
        "the client certificate has ended: give the API server the file of `portcullis cluster certificate rotate`"
    )]
    EndedCertificate,
    #[error("the cluster no longer exists")]
    ClusterDeleted,
}

/// What the far end has shown of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresentedCertificate<'a> {
    Nothing,
    /// A certificate that no authority of a cluster vouches for.
    Unverified,
    /// `authority` is the id of the cluster whose authority has signed it.
    Certificate {
        authority: &'a str,
        der: &'a [u8],
    },
}

/// A cluster that asks, known by its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallingCluster {
    pub id: ClusterId,
    pub tenant: TenantId,
}

/// What a SubjectAccessReview is answered. Neither allowed nor denied: no opinion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessAnswer {
    pub allowed: bool,
    pub denied: bool,
    pub reason: String,
}

impl Kubernetes {
    /// The cluster whose webhooks the certificate opens. What is refused is counted, and logged from time to time.
    pub fn webhook_cluster(
        &self,
        named: Option<ClusterId>,
        shown: PresentedCertificate<'_>,
        from: IpAddr,
    ) -> Result<CallingCluster, WebhookRefused> {
        let opened = self.open_webhook(named, shown);
        if let Err(refused) = opened {
            self.note_refusal(refused, named, shown, from);
        }
        opened
    }

    fn open_webhook(
        &self,
        named: Option<ClusterId>,
        shown: PresentedCertificate<'_>,
    ) -> Result<CallingCluster, WebhookRefused> {
        let (authority, der) = match shown {
            PresentedCertificate::Nothing => return Err(WebhookRefused::NoCertificate),
            PresentedCertificate::Unverified => return Err(WebhookRefused::UnknownCertificate),
            PresentedCertificate::Certificate { authority, der } => (authority, der),
        };
        let is_its_own = || named.is_some() && ClusterId::parse(authority).ok() == named;
        let snapshot = self.state.look();
        let Some(cluster) = named.and_then(|id| snapshot.cluster(id)) else {
            let is_holder = is_its_own();
            return Err(if is_holder {
                WebhookRefused::ClusterDeleted
            } else {
                WebhookRefused::WrongCertificate
            });
        };
        if cluster.is_embedded() {
            return Err(WebhookRefused::WrongCertificate);
        }
        let now = self.state.now();
        let certificates = &cluster.webhook_certificates;
        let opens = self.inner.known.with_certificate(cluster.id, der, |shown| {
            let record = certificates.find(&shown.thumbprint);
            let counts = record.filter(|record| record.counts(now) && shown.is_in_time(now));
            if counts.is_some_and(|record| record.seen.is_none()) {
                self.inner.known.note_first_use(shown);
            }
            counts.is_some()
        });
        match opens {
            Ok(true) => Ok(CallingCluster { id: cluster.id, tenant: cluster.tenant }),
            _ if is_its_own() => Err(WebhookRefused::EndedCertificate),
            _ => Err(WebhookRefused::WrongCertificate),
        }
    }

    /// How many requests of webhooks were refused for want of a certificate that counts, by reason.
    pub fn webhook_refusals(&self) -> impl Iterator<Item = (WebhookRefused, u64)> {
        self.inner.refusals.counts()
    }

    fn note_refusal(
        &self,
        refused: WebhookRefused,
        named: Option<ClusterId>,
        shown: PresentedCertificate<'_>,
        from: IpAddr,
    ) {
        let vouched = match shown {
            PresentedCertificate::Certificate { authority, .. } => ClusterId::parse(authority).ok(),
            PresentedCertificate::Nothing | PresentedCertificate::Unverified => None,
        };
        let Some(times) = self.inner.refusals.note(refused, vouched, self.state.now()) else { return };
        let named = named.map(|id| id.to_string()).unwrap_or_default();
        tracing::warn!(
            cluster.id = named,
            peer.address = %from,
            reason = %refused,
            times,
            "a webhook was not opened"
        );
    }

    /// Who a token stands for in an attached cluster: somebody of the directory, or of an external issuer that
    /// counts. The error is for the API server's log.
    pub async fn review_token(
        &self,
        cluster: CallingCluster,
        token: &str,
        audiences: &[String],
    ) -> Result<ReviewedToken, String> {
        self.sign_in.recognize_external(token).await?;
        let Some(found) = self.sign_in.external_user(token) else {
            return self.review_own_token(cluster, token, audiences);
        };
        let named = |audience: &&String| audience.eq_ignore_ascii_case(&found.audience);
        let audiences = audiences.iter().filter(named).cloned().collect();
        Ok(ReviewedToken { user: found.user.clone(), audiences })
    }

    fn review_own_token(
        &self,
        cluster: CallingCluster,
        token: &str,
        audiences: &[String],
    ) -> Result<ReviewedToken, String> {
        if self.state.is_stale() {
            return Err("the state is stale".into());
        }
        let snapshot = self.state.look();
        let verified = self.sign_in.verify_cluster_session(&snapshot, token);
        let (caller, mark) = verified.map_err(|error| error.to_string())?;
        if caller.tenant != cluster.tenant {
            return Err("the token is of another tenant than the cluster".into());
        }
        let mut user = kube_user(&snapshot, caller);
        if is_reserved(&user.name) {
            return Err("names that begin with system: are reserved".into());
        }
        // Comes back with every access review of this session, and tells there that it counts no longer.
        user.extra.insert(SESSION.to_owned(), mark.into_values());
        let named = |audience: &&String| audience.eq_ignore_ascii_case(CLUSTER_AUDIENCE);
        Ok(ReviewedToken { user, audiences: audiences.iter().filter(named).cloned().collect() })
    }

    /// Whether an attached cluster's request is allowed. Reads memory only.
    pub fn review_access(&self, cluster: CallingCluster, attributes: &Attributes) -> AccessAnswer {
        if self.state.is_stale() {
            return denied("the state is stale");
        }
        let user = &attributes.user;
        let snapshot = self.state.look();
        // Without a mark: impersonated, and the API server itself has decided that the caller may.
        let mark = user.extra.get(SESSION);
        let stamp = mark.map(|mark| SessionMark::stamp_of(mark, &snapshot, cluster.tenant, self.state.now()));
        // Without an object id nobody of the directory is meant, and the principal status is never looked at.
        let standing = user.object_id().map(|id| PrincipalStatus::of(&snapshot, cluster.tenant, id, stamp));
        let state = standing.as_ref().map_or(IdentityState::Unknown, PrincipalStatus::state);
        let review = self.with_engines(&snapshot, cluster.id, |engines| {
            engines.attached(attributes, state, WebhookPlace::BeforeRbac).decision
        });
        match review {
            Some(Ok(Decision::Allow(reason))) => allowed(reason),
            Some(Ok(Decision::Deny(reason))) => denied(reason),
            Some(Ok(Decision::NoOpinion(reason))) => no_opinion(reason),
            // What cannot be put as a question is not granted; RBAC may know it.
            Some(Err(error)) => no_opinion(error),
            None => denied("the cluster has no resource id"),
        }
    }
}

fn allowed(reason: impl Display) -> AccessAnswer {
    AccessAnswer { allowed: true, denied: false, reason: written(reason) }
}

fn denied(reason: impl Display) -> AccessAnswer {
    AccessAnswer { allowed: false, denied: true, reason: written(reason) }
}

fn no_opinion(reason: impl Display) -> AccessAnswer {
    AccessAnswer { allowed: false, denied: false, reason: written(reason) }
}

fn written(reason: impl Display) -> String {
    let mut text = String::with_capacity(USUAL_REASON_BYTES);
    // Writing to a string does not fail.
    let _ = write!(text, "{reason}");
    text
}

fn is_reserved(name: &str) -> bool {
    name.get(.."system:".len()).is_some_and(|start| start.eq_ignore_ascii_case("system:"))
}

/// Of one with an assignment, its role and its scope: written piece by piece, it need not grow.
const USUAL_REASON_BYTES: usize = 512;
/// Key in `extra` of a token's [`SessionMark`].
const SESSION: &str = "portcullis/session";
