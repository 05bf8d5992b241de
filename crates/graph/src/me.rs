//! `/me`: the person who calls.

use app::{App, CallerKind};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};

use crate::{call::Authenticated, error::GraphError, page::single, users};

pub(crate) async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
) -> Result<Response, GraphError> {
    if caller.kind != CallerKind::User {
        return Err(GraphError::bad("/me request is only valid with delegated authentication flow."));
    }
    let user = app.find_user(&caller, &caller.object_id.to_string())?;
    Ok(Json(single(&app, "users", users::render(&user))).into_response())
}
