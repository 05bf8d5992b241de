//! Workload identity: a client that shows the token of an external issuer, which one of its federated credentials names
//! by issuer, subject and audience. A token that no credential names makes nobody ask its issuer for keys.

use crypto::jwt::{Claims, Unverified};
use domain::{credential::FederatedCredential, id::ClusterId};
use serde_json::Value;

use super::{
    ClientError, Mismatch, Proofs,
    assertion::{check_times, text, wrong},
};
use crate::{SignIn, issuers::IssuerError};

impl SignIn {
    pub(super) async fn check_external_token(
        &self,
        proofs: &Proofs,
        token: &str,
        parsed: &Unverified<'_>,
        claims: &Claims,
    ) -> Result<(), ClientError> {
        check_named(&proofs.federated, claims)?;
        let issuer = text(claims, "iss");
        let own = issuer.strip_prefix(&format!("{}/", self.state.settings().external_url));
        if let Some(own) = own {
            return self.check_token_of_cluster(own, token, claims);
        }
        let key = self.issuer_key(issuer, parsed).await.map_err(|error| match error {
            IssuerError::Unreachable(cause) => ClientError::IssuerUnreachable(cause),
            unknown @ IssuerError::UnknownKey(_) => wrong(unknown),
        })?;
        let claims = parsed.verify(&key).map_err(wrong)?;
        check_times(&claims, self.state.now()).map(drop)
    }

    /// A service account of an embedded cluster: its key is at hand, and the account must still be there.
    fn check_token_of_cluster(&self, path: &str, token: &str, claims: &Claims) -> Result<(), ClientError> {
        let cluster = path.strip_prefix("clusters/").and_then(|id| ClusterId::parse(id).ok());
        let cluster = cluster.ok_or_else(|| wrong("no cluster of this installation is its issuer"))?;
        check_times(claims, self.state.now())?;
        self.check_workload_token(cluster, token).map_err(wrong)
    }
}

/// Whether one credential has issuer, subject and audience as they are; if not, which of them is the first that
/// none has.
fn check_named(credentials: &[FederatedCredential], claims: &Claims) -> Result<(), ClientError> {
    let (issuer, subject) = (text(claims, "iss"), text(claims, "sub"));
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    };
    let by_issuer: Vec<_> = credentials.iter().filter(|each| each.issuer == issuer).collect();
    let by_subject: Vec<_> = by_issuer.iter().filter(|each| each.subject == subject).collect();
    let shown = |text: &str| text.chars().take(200).flat_map(char::escape_debug).collect();
    if issuer.is_empty() || by_issuer.is_empty() {
        return Err(ClientError::NotFederated(Mismatch::Issuer, shown(issuer)));
    }
    if subject.is_empty() || by_subject.is_empty() {
        return Err(ClientError::NotFederated(Mismatch::Subject, shown(subject)));
    }
    let named =
        by_subject.iter().any(|each| each.audiences.iter().any(|known| audiences.contains(&known.as_str())));
    if named {
        Ok(())
    } else {
        Err(ClientError::NotFederated(Mismatch::Audience, shown(&audiences.join(", "))))
    }
}
