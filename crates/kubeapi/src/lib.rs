//! The Kubernetes API: the embedded clusters' API server, and the two webhooks of attached clusters.
//!
//! Like the other surfaces it only translates between the protocol and application calls. The facts of the API are in
//! tables (`kinds`, `schema`), so that a new kind is a new row.

mod api;
pub mod apply;
pub mod discovery;
mod error;
pub mod fields;
#[cfg(test)]
mod fuzz;
pub mod json;
pub mod kinds;
pub mod lifecycle;
pub mod mend;
pub mod openapi;
pub mod patch;
pub mod protobuf;
mod render;
pub mod request;
pub mod routes;
pub mod schema;
pub mod selectors;
pub mod status;
pub mod table;
pub mod values;
mod webhook;

#[cfg(test)]
mod tests;

pub use routes::{routes, surface};
pub use webhook::Webhook;
