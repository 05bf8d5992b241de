//! `GET /metadata/endpoints`: the endpoints of this cloud, for `az cloud register`. Without authentication, because
//! it is requested before sign-in.

use app::App;
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ArmError;

#[derive(Deserialize)]
pub(crate) struct Version {
    #[serde(rename = "api-version")]
    version: Option<String>,
}

pub(crate) async fn endpoints(
    State(app): State<App>,
    method: Method,
    query: Result<Query<Version>, QueryRejection>,
) -> Response {
    if !matches!(method, Method::GET | Method::HEAD) {
        return ArmError::method_not_allowed(&method).respond();
    }
    let Ok(Query(query)) = query else {
        return ArmError::bad("InvalidUri", "The query is not well formed.").respond();
    };
    let document = document(&app.settings().external_url);
    // API versions before 2022 return an array.
    let list = query.version.as_deref().is_some_and(|version| version < "2022");
    if list { Json(json!([document])).into_response() } else { Json(document).into_response() }
}

fn document(base: &str) -> Value {
    json!({
        "name": "portcullis",
        "portal": format!("{base}/portal/"),
        "authentication": {
            "loginEndpoint": base,
            "audiences": [format!("{base}/"), base],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graph": base,
        "graphAudience": base,
        "microsoftGraphResourceId": format!("{base}/"),
        "resourceManager": format!("{base}/"),
        "media": base,
        "gallery": base,
        "batch": base,
        "vmImageAliasDoc": format!("{base}/metadata/images"),
        "sqlManagement": base,
        "activeDirectoryDataLake": base,
        "suffixes": {
            "acrLoginServer": "azurecr.portcullis",
            "storage": "core.portcullis",
            "keyVaultDns": "vault.portcullis",
            "sqlServerHostname": "database.portcullis",
        },
    })
}
