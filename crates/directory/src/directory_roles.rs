//! Who holds the roles of the directory. Everybody of the tenant may see them, as in Entra; Global Administrators give
//! and take them, and the last one who can sign in stays.

use state::Kind;
use std::collections::BTreeSet;

use domain::{
    change::Record,
    directory::Principal,
    directory_role::{self, DirectoryRole, GLOBAL_ADMINISTRATOR},
    id::ObjectId,
    tenant::Tenant,
};

use crate::{Directory, users::keep_an_administrator};
use state::{Caller, Error, Tx, authorize};

impl Directory {
    /// Every role of the caller's tenant that somebody may hold.
    pub fn directory_roles(&self, caller: &Caller) -> Result<&'static [DirectoryRole], Error> {
        authorize::require_live(&self.state.snapshot(), caller)?;
        Ok(&directory_role::ALL)
    }

    /// The principals of the caller's tenant that hold a role.
    pub fn role_holders(&self, caller: &Caller, role: &DirectoryRole) -> Result<BTreeSet<ObjectId>, Error> {
        let snapshot = self.state.snapshot();
        authorize::require_live(&snapshot, caller)?;
        let tenant = snapshot.directory().tenant(caller.tenant);
        Ok(tenant.map(|tenant| (role.holders)(tenant).clone()).unwrap_or_default())
    }

    /// Gives a user or service principal a role.
    pub async fn add_role_holder(
        &self,
        caller: &Caller,
        role: &DirectoryRole,
        id: ObjectId,
    ) -> Result<(), Error> {
        self.state
            .transact(|tx| {
                tx.require_administrator(caller, ASSIGN)?;
                let principal = tx.snapshot().directory().principal(id);
                match principal.filter(|principal| principal.tenant() == caller.tenant) {
                    None => return Err(Error::not_found(Kind::Principal, id)),
                    // Its owners would decide who administers the directory.
                    Some(Principal::Group(group)) => {
                        let name = &group.display_name;
                        return Err(Error::invalid(
                            "",
                            format!("\"{name}\" is a group: expected a user or a service principal"),
                        ));
                    }
                    Some(Principal::User(_) | Principal::ServicePrincipal(_)) => {}
                }
                let mut tenant = own_tenant(tx, caller)?;
                if !(role.holders_mut)(&mut tenant).insert(id) {
                    return Err(Error::already_exists(Kind::RoleMember, id));
                }
                tx.put(&Record::Tenant(tenant))
            })
            .await
    }

    /// Takes a role from whoever holds it.
    pub async fn remove_role_holder(
        &self,
        caller: &Caller,
        role: &DirectoryRole,
        id: ObjectId,
    ) -> Result<(), Error> {
        self.state
            .transact(|tx| {
                tx.require_administrator(caller, ASSIGN)?;
                let mut tenant = own_tenant(tx, caller)?;
                if !(role.holders_mut)(&mut tenant).remove(&id) {
                    return Err(Error::not_found(Kind::RoleMember, id));
                }
                if role.template_id == GLOBAL_ADMINISTRATOR
                    && let Some(user) = tx.snapshot().directory().user(id)
                {
                    keep_an_administrator(tx, user)?;
                }
                tx.put(&Record::Tenant(tenant))
            })
            .await
    }
}

fn own_tenant(tx: &Tx, caller: &Caller) -> Result<Tenant, Error> {
    let tenant = tx.snapshot().directory().tenant(caller.tenant);
    tenant.map(|tenant| Tenant::clone(tenant)).ok_or_else(|| Error::not_found(Kind::Tenant, caller.tenant))
}

const ASSIGN: &str = "microsoft.directory/roleAssignments/allProperties/allTasks";
