//! Azure RBAC: role definitions, assignments and deny assignments at scopes, and the decision over them.

use std::fmt;

/// What decided in Azure RBAC, or what was lacking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {}

impl fmt::Display for Reason {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
