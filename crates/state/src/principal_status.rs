//! Whether a principal of the directory counts at this moment: enabled, with the sessions that it has now.

use domain::{
    directory::Principal,
    id::{AppId, ObjectId, TenantId},
    snapshot::Snapshot,
};
use jiff::Timestamp;

use crate::well_known;

/// Whether a client may act in a tenant, and tokens that it holds there count: it is part of the installation, or has an
/// enabled principal there. An application whose principal was deleted may do as little as one whose was disabled.
pub fn is_client_live(snapshot: &Snapshot, tenant: TenantId, app_id: AppId) -> bool {
    match snapshot.directory().service_principal_by_app_id(tenant, app_id) {
        Some(principal) => principal.enabled,
        None => well_known::find(app_id).is_some(),
    }
}

/// Whether a user or service principal exists and is enabled.
pub fn is_enabled(snapshot: &Snapshot, object_id: ObjectId) -> bool {
    match snapshot.directory().principal(object_id) {
        Some(Principal::User(user)) => user.enabled,
        Some(Principal::ServicePrincipal(principal)) => principal.enabled,
        Some(Principal::Group(_)) | None => false,
    }
}

/// The moment that marks the sessions of a principal: a token that names another one was revoked.
pub fn session_stamp(snapshot: &Snapshot, object_id: ObjectId) -> Option<i64> {
    match snapshot.directory().principal(object_id)? {
        Principal::User(user) => Some(stamp_of(user.tokens_valid_after)),
        Principal::ServicePrincipal(principal) => Some(stamp_of(principal.tokens_valid_after)),
        Principal::Group(_) => None,
    }
}

/// Nanoseconds: of two revocations each has its own.
pub fn stamp_of(tokens_valid_after: Timestamp) -> i64 {
    // Out of range beyond the year 2262 only.
    i64::try_from(tokens_valid_after.as_nanosecond()).unwrap_or(i64::MAX)
}
