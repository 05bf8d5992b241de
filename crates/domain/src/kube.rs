//! Kubernetes RBAC: rules, bindings, and the decision exactly as kube-apiserver takes it.

use std::fmt;

pub mod attributes;

pub use attributes::{Attributes, Target, User};

/// What decided in Kubernetes RBAC, or what was lacking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {}

impl fmt::Display for Reason {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
