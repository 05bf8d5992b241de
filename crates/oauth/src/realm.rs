//! User realm discovery: the sign-in method for a user name, requested before a client sends a password. The response
//! is the same for every name, so that it does not reveal which users exist.

use axum::{Json, extract::Path};
use serde_json::{Value, json};

pub(crate) async fn get(Path((_, user)): Path<(String, String)>) -> Json<Value> {
    let domain = user.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
    Json(json!({
        "ver": "1.0",
        "account_type": "Managed",
        "domain_name": domain,
        "cloud_audience_urn": "urn:federation:MicrosoftOnline",
    }))
}
