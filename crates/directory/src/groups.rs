//! Groups and who is in them. Administrators and a group's owners change it.

use state::Kind;
use std::{collections::BTreeSet, sync::Arc};

use domain::{
    change::{Record, RecordKey},
    group::{Group, Membership},
    id::ObjectId,
    name::DisplayName,
};

use crate::{Directory, owners::owned_group, users::delete_memberships_of};
use state::{Caller, Error};

#[derive(Debug)]
pub struct NewGroup {
    pub display_name: DisplayName,
    pub mail_nickname: String,
    pub description: Option<String>,
}

#[derive(Debug, Default)]
pub struct GroupUpdate {
    pub display_name: Option<DisplayName>,
    pub mail_nickname: Option<String>,
    pub description: Option<Option<String>>,
}

impl Directory {
    pub async fn create_group(&self, caller: &Caller, new: NewGroup) -> Result<Arc<Group>, Error> {
        let group = Group {
            id: self.state.new_id()?,
            tenant: caller.tenant,
            display_name: new.display_name,
            mail_nickname: new.mail_nickname,
            description: new.description,
            owners: BTreeSet::new(),
            created: self.state.now(),
        };
        self.state
            .transact(|tx| {
                tx.require_administrator(caller, "microsoft.directory/groups/create")?;
                tx.create(&Record::Group(group.clone()))
            })
            .await?;
        Ok(Arc::new(group))
    }

    pub fn find_group(&self, caller: &Caller, id: ObjectId) -> Result<Arc<Group>, Error> {
        self.of(caller).group(id).cloned().ok_or_else(|| Error::not_found(Kind::Group, id))
    }

    pub async fn update_group(
        &self,
        caller: &Caller,
        id: ObjectId,
        update: GroupUpdate,
    ) -> Result<(), Error> {
        self.state
            .transact(|tx| {
                let mut group = owned_group(tx, caller, id, "microsoft.directory/groups/basic/update")?;
                if let Some(name) = &update.display_name {
                    group.display_name = name.clone();
                }
                if let Some(nickname) = &update.mail_nickname {
                    group.mail_nickname = nickname.clone();
                }
                if let Some(description) = &update.description {
                    group.description = description.clone();
                }
                tx.put(&Record::Group(group))
            })
            .await
    }

    pub async fn delete_group(&self, caller: &Caller, id: ObjectId) -> Result<(), Error> {
        self.state
            .transact(|tx| {
                owned_group(tx, caller, id, "microsoft.directory/groups/delete")?;
                tx.delete(&RecordKey::Group(id));
                delete_memberships_of(tx, id)?;
                Ok(())
            })
            .await
    }

    /// Adds a user, group or service principal. A group that would contain itself is refused.
    pub async fn add_member(&self, caller: &Caller, group: ObjectId, member: ObjectId) -> Result<(), Error> {
        let membership = Membership { group, member };
        self.state
            .transact(|tx| {
                owned_group(tx, caller, group, "microsoft.directory/groups/members/update")?;
                let directory = tx.snapshot().directory();
                let principal =
                    directory.principal(member).filter(|principal| principal.tenant() == caller.tenant);
                let principal = principal.ok_or_else(|| Error::not_found(Kind::Principal, member))?;
                if directory.is_member(membership) {
                    return Err(Error::already_exists(Kind::GroupMember, member));
                }
                if member == group || directory.transitive_groups(group).contains(&member) {
                    return Err(Error::invalid(
                        "members",
                        format!(
                            "\"{}\" contains this group, and a group cannot contain itself",
                            principal.name()
                        ),
                    ));
                }
                tx.create(&Record::Membership(membership))
            })
            .await
    }

    pub async fn remove_member(
        &self,
        caller: &Caller,
        group: ObjectId,
        member: ObjectId,
    ) -> Result<(), Error> {
        let membership = Membership { group, member };
        self.state
            .transact(|tx| {
                owned_group(tx, caller, group, "microsoft.directory/groups/members/update")?;
                if !tx.snapshot().directory().is_member(membership) {
                    return Err(Error::not_found(Kind::GroupMember, member));
                }
                tx.delete(&RecordKey::Membership(membership));
                Ok(())
            })
            .await
    }
}
