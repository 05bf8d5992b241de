//! Long-running operations: the URLs that clients poll after a 202.

use app::{resource_manager::operations::Operation, state::unfinished::WorkReference};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::{call::Call, error::ArmError};

impl Call<'_> {
    /// 202 with both polling URLs, for an operation that has already succeeded.
    pub(crate) async fn accepted(&self) -> Result<Response, ArmError> {
        self.accepted_until(None).await
    }

    /// As [`Call::accepted`], for an operation that succeeds when `awaited` has ended.
    pub(crate) async fn accepted_until(&self, awaited: Option<WorkReference>) -> Result<Response, ArmError> {
        let subscription = self.subscription()?;
        let id = self.app.resource_manager().record_operation(&self.caller, subscription, awaited).await?;
        let base = &self.app.settings().external_url;
        let version = self.parameter("api-version").unwrap_or_default();
        let address = |kind: &str| {
            let text = format!(
                "{base}/subscriptions/{subscription}/providers/Microsoft.ContainerService/locations/local/{kind}/{id}?api-version={version}"
            );
            HeaderValue::from_str(&text)
                .map_err(|_| ArmError::bad("InvalidUri", "The query is not well formed."))
        };
        let mut response = StatusCode::ACCEPTED.into_response();
        let headers = response.headers_mut();
        headers.insert("azure-asyncoperation", address("operations")?);
        headers.insert(header::LOCATION, address("operationresults")?);
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(PAUSE));
        Ok(response)
    }
}

pub(crate) async fn status(call: &Call<'_>) -> Result<Response, ArmError> {
    let id = call.name("operation");
    let operation =
        call.app.resource_manager().find_operation(&call.caller, call.subscription()?, id).await?;
    let body = match is_under_way(call, &operation) {
        true => json!({"name": id, "status": "InProgress", "startTime": operation.ended}),
        false => {
            json!({"name": id, "status": "Succeeded", "startTime": operation.ended, "endTime": operation.ended})
        }
    };
    Ok(([(header::RETRY_AFTER, PAUSE)], Json(body)).into_response())
}

pub(crate) async fn result(call: &Call<'_>) -> Result<Response, ArmError> {
    let id = call.name("operation");
    let operation =
        call.app.resource_manager().find_operation(&call.caller, call.subscription()?, id).await?;
    if !is_under_way(call, &operation) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let location = format!("{}{}", call.app.settings().external_url, call.uri);
    let location = HeaderValue::from_str(&location)
        .map_err(|_| ArmError::bad("InvalidUri", "The query is not well formed."))?;
    let headers = [(header::LOCATION, location), (header::RETRY_AFTER, HeaderValue::from_static(PAUSE))];
    Ok((StatusCode::ACCEPTED, headers).into_response())
}

fn is_under_way(call: &Call<'_>, operation: &Operation) -> bool {
    operation.awaited.as_ref().is_some_and(|awaited| call.app.is_under_way(awaited))
}

/// Seconds between polls (`Retry-After`); without it clients wait half a minute.
const PAUSE: &str = "1";
