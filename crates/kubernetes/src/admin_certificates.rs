//! Which administrator certificates of embedded clusters count.

use std::sync::Arc;

use domain::{
    azure,
    cluster::{AdminCertificate, Cluster},
    decision::Decision,
    directory::Principal,
    scope::Scope,
    snapshot::Snapshot,
};
use jiff::SignedDuration;
use state::principal_status::{is_enabled, session_stamp};

/// The record of an administrator certificate that counts now: on record, signed by the current authority,
/// neither revoked nor expired, the cluster's local accounts are enabled, and whoever pulled it could still pull it.
pub fn valid_admin_certificate<'a>(
    snapshot: &'a Snapshot,
    cluster: &Cluster,
    serial: &str,
    now: jiff::Timestamp,
) -> Option<&'a Arc<AdminCertificate>> {
    let record = snapshot.admin_certificate(cluster.id, serial)?;
    let counts = record.revoked.is_none()
        && record.generation == cluster.authority.generation
        && record.issued <= now.saturating_add(SKEW).unwrap_or(now)
        && now < record.expires
        && !cluster.local_accounts_disabled
        && is_owner_entitled(snapshot, cluster, record, now);
    counts.then_some(record)
}

/// Whether whoever pulled a certificate is there, enabled, has not been signed out everywhere since, and holds the right
/// to pull one now.
fn is_owner_entitled(
    snapshot: &Snapshot,
    cluster: &Cluster,
    record: &AdminCertificate,
    now: jiff::Timestamp,
) -> bool {
    let owner = record.object_id;
    let same_session = match (record.session, snapshot.directory().principal(owner)) {
        (Some(session), _) => session_stamp(snapshot, owner) == Some(session),
        (None, Some(Principal::User(user))) => user.tokens_valid_after <= record.issued,
        (None, Some(Principal::ServicePrincipal(principal))) => principal.tokens_valid_after <= record.issued,
        (None, Some(Principal::Group(_)) | None) => false,
    };
    let Ok(scope) = Scope::parse(&cluster.resource_id()) else { return false };
    let caller = azure::Caller::new(owner, snapshot.directory().transitive_groups(owner));
    let holds_right = || {
        let access = azure::Access::control_plane(scope, PULL);
        matches!(snapshot.azure().decide(&caller, &access, now), Decision::Allow(_))
    };
    same_session && is_enabled(snapshot, owner) && holds_right()
}

/// What somebody needs who pulls an administrator certificate, and holds on to while it counts.
pub const PULL: &str = "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action";
const SKEW: SignedDuration = SignedDuration::from_mins(5);
