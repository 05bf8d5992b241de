//! `/me`: the calling user.

use crate::{
    call::Authenticated,
    directory_objects,
    error::GraphError,
    page::{ListQuery, single},
    users,
};
use app::{App, Caller, CallerKind};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};

pub(crate) async fn show(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: ListQuery,
) -> Result<Response, GraphError> {
    require_person(&caller)?;
    let user = app.directory().find_user(&caller, &caller.object_id.to_string())?;
    Ok(Json(single(&app, "users", query.one(users::render(&user))?)).into_response())
}

/// The objects that the user owns.
pub(crate) async fn owned_objects(
    State(app): State<App>,
    Authenticated(caller): Authenticated,
    query: ListQuery,
) -> Result<Response, GraphError> {
    require_person(&caller)?;
    let directory = app.directory().of(&caller);
    let owned = directory.owned_by(caller.object_id).collect();
    Ok(Json(directory_objects::page(&app, &directory, &query, "me/ownedObjects", &owned)?).into_response())
}

pub(crate) fn require_person(caller: &Caller) -> Result<(), GraphError> {
    if caller.kind == CallerKind::User {
        return Ok(());
    }
    Err(GraphError::bad("/me request is only valid with delegated authentication flow."))
}
