//! Azure Resource Manager: subscriptions, resource groups, clusters, role definitions and assignments, in
//! the shapes that az and the SDKs know.
//!
//! A skin: ids are taken apart, bodies read, use cases called, records rendered. Every right is checked in
//! `app`.

mod call;
mod clusters;
mod credentials;
mod error;
mod kubeconfig;
mod metadata;
mod path;
mod resource_groups;
mod role_assignments;
mod role_definitions;
mod routes;
mod subscriptions;

pub use routes::{routes, surface};
