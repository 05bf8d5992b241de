//! The HTTP toolkit that the surfaces share: serving over TLS with client certificates and limits, reading
//! credentials and bodies, large answers and the room for them, pages for people, counting requests.
//!
//! It knows no route, no record and no rule: what a request means is the business of the surface that it is
//! for, and what it may do that of the application.

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
