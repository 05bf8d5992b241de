//! Azure Resource Manager: subscriptions, resource groups, clusters, role definitions and assignments, in
//! the shapes that az and the SDKs know.
//!
//! A skin: ids are taken apart, bodies read, use cases called, records rendered. Every right is checked in
//! `app`.

mod agent_pools;
mod call;
mod clusters;
mod credentials;
mod error;
mod identities;
mod kubeconfig;
mod metadata;
mod operations;
mod path;
mod preflight;
mod resource_groups;
mod resources;
mod role_assignments;
mod role_definitions;
mod routes;
mod subscriptions;
mod trusted_access;

pub use routes::{routes, surface};
