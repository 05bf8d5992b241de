//! The stylesheet, compiled in.

use axum::response::IntoResponse;
use http::{HeaderValue, header};

pub(crate) async fn stylesheet() -> impl IntoResponse {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    let fresh = (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    ([kind, fresh], STYLESHEET)
}

const STYLESHEET: &str = include_str!("../assets/portal.css");
