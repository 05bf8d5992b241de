//! A person of the directory.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    credential::PasswordHash,
    id::{ObjectId, TenantId},
    name::{DisplayName, Upn},
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: ObjectId,
    pub tenant: TenantId,
    pub upn: Upn,
    pub display_name: DisplayName,
    pub mail_nickname: Option<String>,
    pub mail: Option<String>,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    pub job_title: Option<String>,
    pub enabled: bool,
    /// Absent for people whose identity comes from elsewhere: no password opens such an account.
    pub password: Option<PasswordHash>,
    pub must_change_password: bool,
    /// Sessions and tokens from before this moment count no longer.
    pub tokens_valid_after: Timestamp,
    pub created: Timestamp,
}
