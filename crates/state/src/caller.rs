//! Who calls: a principal of the directory whose token or session was verified a moment ago.

use domain::{
    application::ServicePrincipal,
    id::{AppId, ObjectId, TenantId},
    snapshot::Snapshot,
    user::User,
};

use crate::principal_status::stamp_of;

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
    /// Marks the sessions of the principal. Once the directory has another mark, they were ended everywhere, and what
    /// this caller has under way is refused.
    pub session: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind {
    User,
    ServicePrincipal,
}

impl Caller {
    /// A person, as the directory has them now.
    pub fn of_user(user: &User, app_id: AppId) -> Self {
        Self {
            tenant: user.tenant,
            object_id: user.id,
            app_id,
            kind: CallerKind::User,
            name: user.upn.to_string(),
            session: stamp_of(user.tokens_valid_after),
        }
    }

    /// A service principal, as the directory has it now.
    pub fn of_service_principal(principal: &ServicePrincipal, app_id: AppId) -> Self {
        Self {
            tenant: principal.tenant,
            object_id: principal.id,
            app_id,
            kind: CallerKind::ServicePrincipal,
            name: principal.display_name.to_string(),
            session: stamp_of(principal.tokens_valid_after),
        }
    }

    /// The caller as the Azure engine knows it: with the groups that the directory gives now.
    pub fn in_azure(&self, snapshot: &Snapshot) -> domain::azure::Caller {
        domain::azure::Caller::new(self.object_id, snapshot.directory().transitive_groups(self.object_id))
    }
}
