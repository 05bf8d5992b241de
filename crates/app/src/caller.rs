//! Who calls: a principal of the directory whose token or session was verified a moment ago.

use domain::{
    id::{AppId, ObjectId, TenantId},
    snapshot::Snapshot,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub tenant: TenantId,
    /// The user or service principal.
    pub object_id: ObjectId,
    /// The client that the principal acts through.
    pub app_id: AppId,
    pub kind: CallerKind,
    /// What people call the principal: the user principal name, or the display name.
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind {
    User,
    ServicePrincipal,
}

impl Caller {
    /// The caller as the Azure engine knows it: with the groups that the directory gives now.
    pub fn in_azure(&self, snapshot: &Snapshot) -> domain::azure::Caller {
        domain::azure::Caller::new(self.object_id, snapshot.directory().transitive_groups(self.object_id))
    }
}
