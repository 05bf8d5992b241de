//! Role assignments and deny assignments: who has, or is refused, what, and where.

use serde::{Deserialize, Serialize};

use crate::{
    azure::text::shortened,
    condition::Condition,
    id::{AssignmentId, ObjectId, RoleId},
    role::{Permission, RoleError, Stamp, check_permissions},
    scope::Scope,
};

/// Gives a principal a role at a scope and everywhere below it (`Microsoft.Authorization/roleAssignments`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleAssignment {
    pub id: AssignmentId,
    pub principal: ObjectId,
    pub principal_kind: PrincipalKind,
    pub role: RoleId,
    pub scope: Scope,
    /// Limits this assignment alone. Stored as its text and read again.
    #[serde(default)]
    pub condition: Option<Condition>,
    #[serde(default)]
    pub description: Option<String>,
    pub created: Stamp,
    pub updated: Stamp,
}

/// What the assignment was told its principal is; decisions do not look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrincipalKind {
    User,
    Group,
    ServicePrincipal,
}

/// Refuses actions at a scope and below it, whatever is granted (`Microsoft.Authorization/denyAssignments`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenyAssignment {
    pub id: AssignmentId,
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub principals: Vec<ObjectId>,
    pub exclude_principals: Vec<ObjectId>,
    /// All principals are meant, less the excluded ones.
    pub everyone: bool,
    pub scope: Scope,
    pub permissions: Vec<Permission>,
    /// Counts at the scope itself only.
    pub does_not_apply_to_children: bool,
    pub created: Stamp,
    pub updated: Stamp,
}

/// Why an assignment is not well formed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentError {
    #[error(
        "\"{0}\" is not the name of a deny assignment: expected 1 to 256 characters without control characters"
    )]
    Name(String),
    #[error("the description has {0} characters: expected at most 2,048")]
    Description(usize),
    #[error("a deny assignment needs a principal, or everyone")]
    Nobody,
    #[error("{0} principals: expected at most 10,000")]
    TooManyPrincipals(usize),
    #[error(transparent)]
    Permissions(#[from] RoleError),
}

impl RoleAssignment {
    /// The checks that every new or changed assignment passes and that its types do not make.
    pub fn check(&self) -> Result<(), AssignmentError> {
        check_description(self.description.as_deref().unwrap_or(""))
    }

    /// The full resource id, `{scope}/providers/Microsoft.Authorization/roleAssignments/{id}`.
    pub fn resource_id(&self) -> String {
        resource_id(&self.scope, "roleAssignments", self.id)
    }

    /// Whether both give the same principal the same role at the same scope, which may exist once only.
    pub fn is_same_grant(&self, other: &Self) -> bool {
        (self.principal, self.role) == (other.principal, other.role) && self.scope == other.scope
    }
}

impl DenyAssignment {
    /// The checks that every new or changed deny assignment passes and that its types do not make.
    pub fn check(&self) -> Result<(), AssignmentError> {
        let length = self.name.chars().count();
        if length == 0 || length > 256 || self.name.contains(char::is_control) {
            return Err(AssignmentError::Name(shortened(&self.name)));
        }
        check_description(&self.description)?;
        if self.principals.is_empty() && !self.everyone {
            return Err(AssignmentError::Nobody);
        }
        let principals = self.principals.len() + self.exclude_principals.len();
        if principals > MAX_PRINCIPALS {
            return Err(AssignmentError::TooManyPrincipals(principals));
        }
        Ok(check_permissions(&self.permissions)?)
    }

    /// The full resource id, `{scope}/providers/Microsoft.Authorization/denyAssignments/{id}`.
    pub fn resource_id(&self) -> String {
        resource_id(&self.scope, "denyAssignments", self.id)
    }
}

/// Renders an id below a scope, whose slash the root must not double.
pub(crate) fn resource_id(scope: &Scope, kind: &str, id: AssignmentId) -> String {
    let scope = if scope.is_root() { "" } else { scope.as_str() };
    format!("{scope}/providers/Microsoft.Authorization/{kind}/{id}")
}

fn check_description(description: &str) -> Result<(), AssignmentError> {
    let length = description.chars().count();
    if length > MAX_DESCRIPTION { Err(AssignmentError::Description(length)) } else { Ok(()) }
}

const MAX_DESCRIPTION: usize = 2048;
const MAX_PRINCIPALS: usize = 10_000;
