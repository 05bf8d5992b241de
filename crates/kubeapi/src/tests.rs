//! The API and the webhooks through the router, in process: whole answers, and who may get them.

mod access;
mod contention;
mod default_roles;
mod objects;
mod pages;
mod remade;
mod service_accounts;
mod streams;
mod types;
mod watches;
mod webhooks;
mod world;
mod writes_at_once;
