//! Kubernetes RBAC: rules, bindings, and the decision exactly as kube-apiserver takes it.
//!
//! ```text
//! manifest ─► Manifest (as written) ─► Object (checked) ─► Policy ─► Decision + Reason
//!                                                            │
//!                              aggregation, index by subject ┘
//! ```
//!
//! It holds the rules alone: who calls, which groups the directory gives and what other engines say is
//! settled by the callers (`crate::review`), members of `system:masters` included.

mod aggregation;
pub mod attributes;
mod bootstrap;
pub mod check;
pub mod escalation;
mod index;
pub mod manifest;
pub mod names;
mod object;
mod policy;
pub mod problem;
mod quote;
mod reading;
pub mod reason;
mod rule;

pub use attributes::{Attributes, Target, User};
pub use bootstrap::{bootstrap_objects, earlier_bootstrap_objects, reconciled, without_earlier_rules};
pub use escalation::Escalation;
pub use manifest::Manifest;
pub use object::{
    AggregationRule, Binding, ClusterRole, LabelSelector, LabelSelectorRequirement, Object, ObjectError,
    Role, RoleKind, RoleRef, SelectorOperator, Subject, SubjectKind,
};
pub use policy::{Held, ObjectKey, Policy};
pub use problem::Problem;
pub use reason::{Grant, Reason, Unresolved};
pub use rule::PolicyRule;

#[cfg(test)]
mod tests;
