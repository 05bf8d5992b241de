//! A group of the directory and the membership in it. A membership is a record of its own, so that a group
//! of a hundred thousand members is changed by a small write.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{ObjectId, TenantId},
    name::DisplayName,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub id: ObjectId,
    pub tenant: TenantId,
    pub display_name: DisplayName,
    pub mail_nickname: String,
    pub description: Option<String>,
    /// May change the members and the group itself.
    pub owners: BTreeSet<ObjectId>,
    pub created: Timestamp,
}

/// `member` (a user, group or service principal) is directly in `group`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Membership {
    pub group: ObjectId,
    pub member: ObjectId,
}
