//! Directory roles: what somebody may do in the directory itself, as roles of Azure RBAC say it of resources. The roles
//! that there are stand in one table; who holds them stands with the tenant, in one record, so that two removals at the
//! same time cannot take away the last holder.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::{
    id::{ObjectId, RoleTemplateId},
    tenant::Tenant,
};

/// A directory role, by the id and the words that it has in Entra. Of each there is one in every tenant, and its object
/// has the id of its template.
#[derive(Debug)]
pub struct DirectoryRole {
    pub template_id: RoleTemplateId,
    pub display_name: &'static str,
    pub description: &'static str,
    /// Who holds it in a tenant.
    pub holders: fn(&Tenant) -> &BTreeSet<ObjectId>,
    pub holders_mut: fn(&mut Tenant) -> &mut BTreeSet<ObjectId>,
}

impl DirectoryRole {
    pub fn find(template: RoleTemplateId) -> Option<&'static Self> {
        ALL.iter().find(|each| each.template_id == template)
    }

    /// The id of its object.
    pub fn object_id(&self) -> ObjectId {
        ObjectId::new(self.template_id.uuid())
    }
}

/// Every role that there is.
pub static ALL: [DirectoryRole; 1] = [DirectoryRole {
    template_id: GLOBAL_ADMINISTRATOR,
    display_name: "Global Administrator",
    description: "Can manage all aspects of Microsoft Entra ID and Microsoft services that use Microsoft Entra identities.",
    holders: |tenant| &tenant.administrators,
    holders_mut: |tenant| &mut tenant.administrators,
}];

/// May do everything in the directory.
pub const GLOBAL_ADMINISTRATOR: RoleTemplateId =
    RoleTemplateId::new(Uuid::from_u128(0x62e9_0394_69f5_4237_9190_0121_7714_5e10));
