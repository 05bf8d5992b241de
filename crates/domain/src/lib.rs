//! What things are and what is allowed: records of the directory, roles, assignments, conditions,
//! the Azure RBAC and Kubernetes RBAC engines, and the in-memory snapshot they decide on.
//!
//! Everything here is a function of plain data. There is no IO, no async, no clock and no source of
//! randomness: the caller hands in what is needed, the time included.

pub mod azure;
pub mod condition;
pub mod decision;
pub mod id;
pub mod kube;
