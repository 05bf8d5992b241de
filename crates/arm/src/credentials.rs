//! What opens a cluster: kubeconfigs for people and administrators, administrator certificates on record,
//! and the credentials of an attached cluster's webhooks.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::cluster::AdminCertificate;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{call::Call, error::ArmError, kubeconfig};

/// `listClusterUserCredential`: for people who sign in with the directory.
pub(crate) fn user(call: &Call<'_>) -> Result<Response, ArmError> {
    let (cluster, endpoint) = call.app.user_endpoint(&call.caller, &call.cluster()?)?;
    let text = kubeconfig::for_person(call.app, &cluster, &endpoint);
    Ok(kubeconfigs("clusterUser", &text))
}

/// `listClusterAdminCredential`: with a fresh certificate of the caller's own.
pub(crate) async fn admin(call: &Call<'_>) -> Result<Response, ArmError> {
    let (cluster, endpoint, issued) =
        call.app.issue_admin_certificate(&call.caller, &call.cluster()?).await?;
    let text = kubeconfig::for_administrator(&cluster, &endpoint, &issued);
    Ok(kubeconfigs("clusterAdmin", &text))
}

/// What an attached cluster's API server is given to call the webhooks with.
pub(crate) async fn webhook(call: &Call<'_>) -> Result<Response, ArmError> {
    let (cluster, issued) = call.app.issue_webhook_certificate(&call.caller, &call.cluster()?).await?;
    let settings = call.app.settings();
    let hook =
        |path: &str| json!({"url": format!("{}/webhooks/{}/{path}", settings.external_url, cluster.id)});
    let body = json!({
        "authenticate": hook("authenticate"),
        "authorize": hook("authorize"),
        "certificateAuthorityData": STANDARD.encode(&settings.authority_certificate),
        "clientCertificateData": STANDARD.encode(&issued.certificate_pem),
        "clientKeyData": STANDARD.encode(issued.key_pem.expose()),
    });
    Ok(Json(body).into_response())
}

pub(crate) async fn rotate(call: &Call<'_>) -> Result<Response, ArmError> {
    call.app.rotate_cluster_certificates(&call.caller, &call.cluster()?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) fn list_certificates(call: &Call<'_>) -> Result<Response, ArmError> {
    let certificates = call.app.list_admin_certificates(&call.caller, &call.cluster()?)?;
    let value: Vec<Value> = certificates.iter().map(|certificate| render(certificate)).collect();
    Ok(Json(json!({"value": value})).into_response())
}

pub(crate) async fn revoke(call: &Call<'_>) -> Result<Response, ArmError> {
    let (cluster, serial) = (call.cluster()?, call.name("serial"));
    let certificate = call.app.revoke_admin_certificate(&call.caller, &cluster, serial).await?;
    Ok(Json(render(&certificate)).into_response())
}

fn kubeconfigs(name: &str, text: &str) -> Response {
    Json(json!({"kubeconfigs": [{"name": name, "value": STANDARD.encode(text)}]})).into_response()
}

fn render(certificate: &AdminCertificate) -> Value {
    json!({
        "serialNumber": certificate.serial,
        "user": certificate.user,
        "objectId": certificate.object_id,
        "issuedAt": certificate.issued,
        "expiresAt": certificate.expires,
        "revokedAt": certificate.revoked.as_ref().map(|revoked| revoked.at),
        "revokedBy": certificate.revoked.as_ref().map(|revoked| revoked.by),
    })
}
