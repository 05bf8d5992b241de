//! Which kind of sign-in a name asks for, before a client sends a password. Every name gets the same answer,
//! known or not, so that nobody learns who is in the directory.

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
