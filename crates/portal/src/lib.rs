//! The web pages: signing in, the code of a device, letting a client act, one's own account.
//!
//! Pages work without scripts, at any width, in light and dark. Every form carries a value that only this
//! browser's cookie explains, so that no other site can post it. No page decides anything: that is the
//! application's.

mod assets;
mod browser;
mod pages;
mod problem;
mod routes;

pub use routes::{routes, surface};

#[cfg(test)]
mod tests;
