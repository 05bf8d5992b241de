//! The authority as Entra presents it: discovery, the endpoints of OAuth 2.0 and OpenID Connect in version 1
//! and 2, and their errors. It reads requests and writes answers; who may have which token is the
//! application's to say, and pages for people are the portal's.

mod authority;
mod authorize;
mod device;
mod discovery;
mod error;
mod html;
mod logout;
mod realm;
mod routes;
mod token;
mod userinfo;

pub use routes::{routes, surface};

#[cfg(test)]
mod tests;
