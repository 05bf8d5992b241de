//! Azure Resource Manager: subscriptions, resource groups, clusters, role definitions and assignments, in the format
//! that az and the SDKs use.
//!
//! It only translates: it parses ids and bodies, calls use cases and renders records. `app` does all authorization.

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
