//! The authority as clients see it: whole requests through the router, answers read back.

mod authorize;
mod clients;
mod consent;
mod documents;
mod federation;
mod fuzz;
mod grants;
mod input;
mod names;
mod on_behalf_of;
mod shop;
mod tokens;
mod world;
