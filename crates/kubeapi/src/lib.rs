//! The Kubernetes API: the embedded clusters' API server, and the two webhooks of attached clusters.
//!
//! A skin like the other surfaces: it translates the wire form to application calls and back. The facts of the
//! API stand in tables (`kinds`, `schema`), so that a later kind is a row.

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
