//! Renders service principals.

use domain::application::{ServicePrincipal, ServicePrincipalKind};
use serde_json::{Value, json};

use crate::applications::{render_certificate, render_secret};

pub(crate) fn render(principal: &ServicePrincipal) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.servicePrincipal",
        "id": principal.id,
        "appId": principal.app_id,
        "displayName": principal.display_name,
        "appDisplayName": principal.display_name,
        "accountEnabled": principal.enabled,
        "servicePrincipalType": kind(principal),
        "servicePrincipalNames": [principal.app_id],
        "appOwnerOrganizationId": principal.tenant,
        "passwordCredentials": principal.secrets.iter().map(render_secret).collect::<Vec<_>>(),
        "keyCredentials": principal.certificates.iter().map(render_certificate).collect::<Vec<_>>(),
        "createdDateTime": principal.created,
    })
}

pub(super) fn kind(principal: &ServicePrincipal) -> &'static str {
    match principal.kind {
        ServicePrincipalKind::Application => "Application",
        ServicePrincipalKind::ManagedIdentity(_) => "ManagedIdentity",
    }
}
