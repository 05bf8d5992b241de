//! Cluster credentials: kubeconfigs for users and administrators, and the recorded administrator certificates.

use app::state::Kind;
use std::sync::Arc;

use app::resource_manager::credentials::Credential;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::cluster::{AdminCertificate, Cluster};
use serde_json::{Value, json};

use crate::{call::Call, error::ArmError, kubeconfig};

/// `listClusterUserCredential`: for users who sign in with the directory.
pub(crate) fn user(call: &Call<'_>) -> Result<Response, ArmError> {
    Ok(kubeconfigs("clusterUser", &user_kubeconfig(call, Credential::User)?.1))
}

/// `listClusterMonitoringUserCredential`: the same sign-in, behind a separate permission.
pub(crate) fn monitoring_user(call: &Call<'_>) -> Result<Response, ArmError> {
    Ok(kubeconfigs("clusterMonitoringUser", &user_kubeconfig(call, Credential::MonitoringUser)?.1))
}

/// `accessProfiles/{profile}/listCredential`: the older form. It also requires the permission for the credential
/// itself.
pub(crate) async fn access_profile(call: &Call<'_>) -> Result<Response, ArmError> {
    call.app.resource_manager().require_access_profile(&call.caller, &call.cluster()?)?;
    let profile = call.name("profile");
    let (name, (cluster, text)) = match profile.to_ascii_lowercase().as_str() {
        "clusteruser" => ("clusterUser", user_kubeconfig(call, Credential::User)?),
        "clusteradmin" => ("clusterAdmin", admin_kubeconfig(call).await?),
        _ => return Err(app::Error::not_found(Kind::AccessProfile, profile).into()),
    };
    Ok(Json(json!({
        "id": format!("{}/accessProfiles/{name}", call.cluster()?.scope()?),
        "name": name,
        "type": "Microsoft.ContainerService/ManagedClusters/AccessProfiles",
        "location": cluster.location,
        "properties": {"kubeConfig": STANDARD.encode(text)},
    }))
    .into_response())
}

fn user_kubeconfig(call: &Call<'_>, credential: Credential) -> Result<(Arc<Cluster>, String), ArmError> {
    let (cluster, endpoint) =
        call.app.resource_manager().user_endpoint(&call.caller, &call.cluster()?, credential)?;
    let text = kubeconfig::for_person(call.app, &cluster, &endpoint);
    Ok((cluster, text))
}

async fn admin_kubeconfig(call: &Call<'_>) -> Result<(Arc<Cluster>, String), ArmError> {
    let (cluster, endpoint, issued) =
        call.app.resource_manager().issue_admin_certificate(&call.caller, &call.cluster()?).await?;
    let text = kubeconfig::for_administrator(&cluster, &endpoint, &issued);
    Ok((cluster, text))
}

/// `listClusterAdminCredential`: with a new certificate for the caller.
pub(crate) async fn admin(call: &Call<'_>) -> Result<Response, ArmError> {
    Ok(kubeconfigs("clusterAdmin", &admin_kubeconfig(call).await?.1))
}

pub(crate) async fn rotate(call: &Call<'_>) -> Result<Response, ArmError> {
    call.app.resource_manager().rotate_cluster_certificates(&call.caller, &call.cluster()?).await?;
    call.accepted().await
}

pub(crate) fn list_certificates(call: &Call<'_>) -> Result<Response, ArmError> {
    let certificates = call.app.resource_manager().list_admin_certificates(&call.caller, &call.cluster()?)?;
    let value: Vec<Value> = certificates.iter().map(|certificate| render(certificate)).collect();
    Ok(Json(json!({"value": value})).into_response())
}

pub(crate) async fn revoke(call: &Call<'_>) -> Result<Response, ArmError> {
    let (cluster, serial) = (call.cluster()?, call.name("serial"));
    let certificate =
        call.app.resource_manager().revoke_admin_certificate(&call.caller, &cluster, serial).await?;
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
