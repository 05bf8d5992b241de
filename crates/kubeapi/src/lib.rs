//! The Kubernetes API: the embedded clusters' API server, and the two webhooks of attached clusters.
//!
//! A skin like the other surfaces: it translates the wire form to application calls and back. The facts of the
//! API stand in tables (`kinds`, `schema`), so that a later kind is a row.

pub mod apply;
pub mod discovery;
pub mod fields;
pub mod json;
pub mod kinds;
pub mod names;
pub mod openapi;
pub mod patch;
pub mod protobuf;
pub mod request;
pub mod schema;
pub mod selectors;
pub mod status;
pub mod table;
