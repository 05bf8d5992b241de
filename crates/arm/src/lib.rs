//! Azure Resource Manager: subscriptions, resource groups, clusters, role definitions and assignments, in
//! the shapes that az and the SDKs know.
//!
//! A skin: ids are taken apart, bodies read, use cases called, records rendered. Every right is checked in
//! `app`.

mod agent_pools;
mod aliases;
mod call;
mod check_access;
mod clusters;
mod credentials;
mod deny_assignments;
mod error;
mod filter;
#[cfg(test)]
mod fuzz;
mod identities;
mod kubeconfig;
mod locks;
mod management_groups;
mod members;
mod metadata;
mod operations;
mod page;
mod path;
mod preflight;
mod providers;
mod resource_groups;
mod resources;
mod role_assignments;
mod role_definitions;
mod routes;
mod subscriptions;
mod tags;
mod trusted_access;
mod webhooks;

pub use error::failure;
pub use routes::{in_usual_form, routes, surface, unknown};

#[cfg(test)]
mod tests;
