//! HTTP parts shared by the surfaces: serving over TLS with client certificates and limits, reading credentials and
//! request bodies, streaming large responses within a memory budget, HTML pages, request counters.
//!
//! It knows no route, no record and no rule: the surface decides what a request means, and the application what its
//! caller may do.

pub mod bearer;
pub mod body;
pub mod cookie;
pub mod escapes;
#[cfg(test)]
mod fuzz;
mod host;
pub mod memory_budget;
pub mod page;
pub mod path;
pub mod routes;
pub mod serve;
pub mod stream;
pub mod trace;
