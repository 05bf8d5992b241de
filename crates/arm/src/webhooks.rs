//! The webhook URLs of an attached cluster, and the client certificates with which its API server calls them.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{cluster::Cluster, webhook_certificate::WebhookCertificate};
use serde_json::{Map, Value, json};

use crate::{call::Call, error::ArmError};

/// `listWebhookCredential`: issues another certificate; its key is returned only once. Existing certificates stay
/// valid.
pub(crate) async fn issue(call: &Call<'_>) -> Result<Response, ArmError> {
    let issued =
        call.app.resource_manager().issue_webhook_certificate(&call.caller, &call.cluster()?).await?;
    let mut body = places(call, &issued.cluster);
    body.insert("clientCertificateData".into(), STANDARD.encode(&issued.certificate_pem).into());
    body.insert("clientKeyData".into(), STANDARD.encode(issued.key_pem.expose()).into());
    body.insert("certificate".into(), render(call, &issued.record));
    Ok(Json(body).into_response())
}

/// `webhookCertificates`: the valid certificates and the most recently ended ones, with the webhook URLs.
pub(crate) fn list(call: &Call<'_>) -> Result<Response, ArmError> {
    let cluster = call.app.resource_manager().webhook_cluster_of(&call.caller, &call.cluster()?)?;
    let mut body = places(call, &cluster);
    let newest_first = cluster.webhook_certificates.iter().rev();
    let value: Vec<Value> = newest_first.map(|certificate| render(call, certificate)).collect();
    body.insert("value".into(), value.into());
    Ok(Json(body).into_response())
}

/// `webhookCertificates/{thumbprint}/end`: revokes the certificate at once.
pub(crate) async fn end(call: &Call<'_>) -> Result<Response, ArmError> {
    let (cluster, thumbprint) = (call.cluster()?, call.name("thumbprint"));
    let ended =
        call.app.resource_manager().end_webhook_certificate(&call.caller, &cluster, thumbprint).await?;
    Ok(Json(render(call, &ended)).into_response())
}

fn places(call: &Call<'_>, cluster: &Cluster) -> Map<String, Value> {
    let settings = call.app.settings();
    let hook =
        |path: &str| json!({"url": format!("{}/webhooks/{}/{path}", settings.external_url, cluster.id)});
    Map::from_iter([
        ("authenticate".to_owned(), hook("authenticate")),
        ("authorize".to_owned(), hook("authorize")),
        ("certificateAuthorityData".to_owned(), STANDARD.encode(&settings.authority_certificate).into()),
    ])
}

fn render(call: &Call<'_>, certificate: &WebhookCertificate) -> Value {
    json!({
        "thumbprint": certificate.thumbprint,
        "issuedAt": certificate.issued,
        "issuedBy": certificate.issued_by,
        "expiresAt": certificate.expires,
        "seenAt": certificate.seen,
        "counts": certificate.counts(call.app.now()),
        "countsUntil": certificate.until(),
    })
}
