//! `/me`: the person who calls.

use app::{App, Caller, CallerKind};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{call::Authenticated, error::GraphError, page::single, users};

pub(crate) async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
) -> Result<Response, GraphError> {
    require_person(&caller)?;
    let user = app.find_user(&caller, &caller.object_id.to_string())?;
    Ok(Json(single(&app, "users", users::render(&user))).into_response())
}

/// All groups that the person is in, nested ones too, by object id.
pub(crate) async fn get_member_groups(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
) -> Result<Response, GraphError> {
    require_person(&caller)?;
    let groups = app.snapshot().directory().transitive_groups(caller.object_id);
    Ok(Json(json!({"value": &*groups})).into_response())
}

fn require_person(caller: &Caller) -> Result<(), GraphError> {
    if caller.kind == CallerKind::User {
        return Ok(());
    }
    Err(GraphError::bad("/me request is only valid with delegated authentication flow."))
}
