//! What things are and what is allowed: records of the directory, roles, assignments, conditions,
//! the Azure RBAC and Kubernetes RBAC engines, and the in-memory snapshot they decide on.
//!
//! Everything here is a function of plain data. There is no IO, no async, no clock and no source of
//! randomness: the caller hands in what is needed, the time included.

pub mod application;
pub mod assignment;
pub mod azure;
pub mod change;
pub mod cluster;
#[cfg(test)]
mod comparisons;
pub mod condition;
pub mod credential;
pub mod decision;
pub mod directory;
pub mod directory_role;
#[cfg(test)]
mod fuzz;
pub mod group;
pub mod id;
pub mod key;
pub mod kube;
pub mod lock;
pub mod management_group;
pub mod name;
pub mod nesting;
pub mod object;
pub mod preflight;
pub mod resource;
pub mod review;
pub mod role;
pub mod scope;
pub mod snapshot;
pub mod subscription;
pub mod tenant;
pub mod unfinished;
pub mod unreadable;
pub mod user;
pub mod webhook_certificate;
pub mod world;
pub mod write_only;
