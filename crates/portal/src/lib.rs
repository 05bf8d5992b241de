//! The web pages: sign-in, device code entry, consent, password change, the user's account.
//!
//! Pages work without scripts, at any width, in light and dark. Every form has a token bound to the browser's cookie,
//! so that no other site can submit it. No page decides anything: the application does.

mod assets;
mod browser;
mod pages;
mod problem;
mod routes;

pub use routes::{routes, surface};

#[cfg(test)]
mod tests;
