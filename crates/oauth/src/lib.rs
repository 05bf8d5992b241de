//! The token authority with Entra's endpoints: discovery, OAuth 2.0 and OpenID Connect in version 1 and 2, and their
//! errors. It parses requests and writes responses; the application decides who gets which token, and the portal has
//! the pages for users.

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
