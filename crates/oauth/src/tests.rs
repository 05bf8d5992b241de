//! The authority as clients see it: whole requests through the router, answers read back.

mod authorize;
mod clients;
mod documents;
mod grants;
mod input;
mod tokens;
mod world;
