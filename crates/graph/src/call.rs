//! Extractors for every handler: the caller of the bearer token, and the JSON body.

use app::{App, Caller};
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use serde::de::DeserializeOwned;
use web::{
    bearer::{Credentials, credentials},
    body::{BodyError, BudgetedBody, USUAL_LIMIT},
    trace::RequestContext,
};

use crate::error::GraphError;

/// The authenticated caller.
#[derive(Debug)]
pub(crate) struct Authenticated(pub(crate) Caller);

impl FromRequestParts<App> for Authenticated {
    type Rejection = GraphError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, GraphError> {
        let Credentials::Bearer(token) = credentials(&parts.headers) else {
            return Err(GraphError::unauthenticated("Access token is empty."));
        };
        app.sign_in().verify_management_token(token).map(Self).map_err(|rejection| {
            if rejection == app::sign_in::tokens::Rejection::Stale {
                return GraphError::App(app::Error::Unavailable(rejection.to_string()));
            }
            tracing::info!(%rejection, "a token was not accepted");
            GraphError::unauthenticated(
                "Access token validation failure: it is invalid, has ended or was revoked.",
            )
        })
    }
}

/// A JSON body. It is read after authentication; afterwards the caller is checked again, because reading may take long.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = GraphError;

    async fn from_request(request: Request, app: &App) -> Result<Self, GraphError> {
        let (mut parts, body) = request.into_parts();
        let Authenticated(caller) = Authenticated::from_request_parts(&mut parts, app).await?;
        let Ok(context) = RequestContext::from_request_parts(&mut parts, app).await;
        let name = || caller.object_id.to_string();
        let read = web::body::read_in_room(body, USUAL_LIMIT, context.peer.room(), name).await;
        let (bytes, _place) = read.map_err(|error| match error {
            BudgetedBody::BudgetExhausted(full) => GraphError::busy(full),
            BudgetedBody::Body(BodyError::TooLarge { .. }) => GraphError::too_large(),
            BudgetedBody::Body(_) => GraphError::bad("The request body could not be read."),
        })?;
        Authenticated::from_request_parts(&mut parts, app).await?;
        web::body::parse_json(&bytes).map(Self).map_err(|error| {
            let problem = match error {
                web::body::BodyError::Malformed(problem) => problem,
                error => error.to_string(),
            };
            GraphError::bad(format!("The request body is not what was expected: {problem}."))
        })
    }
}
