//! `/organization`: what concerns the tenant as a whole. Rotation of signing keys is not in Microsoft's
//! Graph, where nobody can ask for it.

use app::App;
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{call::Authenticated, error::GraphError};

pub(crate) async fn rotate_signing_keys(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<String>,
) -> Result<Response, GraphError> {
    if !tenant.eq_ignore_ascii_case(&caller.tenant.to_string()) {
        return Err(GraphError::not_found(&tenant));
    }
    let kid = app.rotate_signing_keys(&caller).await?;
    Ok(Json(json!({"keyId": kid})).into_response())
}
