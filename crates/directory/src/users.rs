//! People of the directory: creating, changing, disabling and deleting them.
//!
//! Any member of the tenant may read the directory, as in Entra; administrators change it.

use state::{Kind, UniqueName};
use std::sync::Arc;

use crypto::secret::Secret;
use domain::{
    change::{Record, RecordKey},
    directory,
    group::Membership,
    id::{ObjectId, TenantId},
    name::{DisplayName, Upn},
    tenant::Tenant,
    unfinished::Work,
    user::User,
};
use jiff::{SignedDuration, Timestamp};

use crate::Directory;
use crate::attempts::account_of;
use state::{Caller, Error, Tx, authorize, unfinished};

/// A person to be made.
#[derive(Debug)]
pub struct NewUser {
    pub upn: Upn,
    pub display_name: DisplayName,
    pub enabled: bool,
    pub password: Option<Secret<String>>,
    pub must_change_password: bool,
    pub mail_nickname: Option<String>,
    pub mail: Option<String>,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    pub job_title: Option<String>,
}

/// Changes to a person; what is absent stays.
#[derive(Debug, Default)]
pub struct UserUpdate {
    pub upn: Option<Upn>,
    pub display_name: Option<DisplayName>,
    pub enabled: Option<bool>,
    pub password: Option<Secret<String>>,
    pub must_change_password: Option<bool>,
    pub mail_nickname: Option<Option<String>>,
    pub mail: Option<Option<String>>,
    pub given_name: Option<Option<String>>,
    pub surname: Option<Option<String>>,
    pub job_title: Option<Option<String>>,
}

impl Directory {
    pub async fn create_user(&self, caller: &Caller, new: NewUser) -> Result<Arc<User>, Error> {
        authorize::administrator(&self.state.snapshot(), caller, USER_CREATE)?;
        let password = self.hash_new_password(new.password.as_ref()).await?;
        let now = self.state.now();
        let user = User {
            id: self.state.new_id()?,
            tenant: caller.tenant,
            upn: new.upn,
            display_name: new.display_name,
            mail_nickname: new.mail_nickname,
            mail: new.mail,
            given_name: new.given_name,
            surname: new.surname,
            job_title: new.job_title,
            enabled: new.enabled,
            password,
            must_change_password: new.must_change_password,
            tokens_valid_after: now,
            created: now,
        };
        self.state
            .transact(|tx| {
                tx.require_administrator(caller, USER_CREATE)?;
                check_domain(tx.snapshot().directory(), caller.tenant, &user.upn)?;
                tx.take_name(UniqueName::UserPrincipalName, user.upn.folded());
                tx.create(&Record::User(user.clone()))
            })
            .await
            .map_err(|error| match error {
                Error::AlreadyExists { .. } => Error::already_exists(Kind::User, &user.upn),
                other => other,
            })?;
        Ok(Arc::new(user))
    }

    /// Finds a person by object id or user principal name.
    pub fn find_user(&self, caller: &Caller, id_or_upn: &str) -> Result<Arc<User>, Error> {
        let directory = self.of(caller);
        let found = match ObjectId::parse(id_or_upn) {
            Ok(id) => directory.user(id),
            Err(_) => Upn::parse(id_or_upn).ok().and_then(|upn| directory.user_by_upn(&upn)),
        };
        found.cloned().ok_or_else(|| Error::not_found(Kind::User, id_or_upn))
    }

    /// Changes a person. An administrator may change everything.
    pub async fn update_user(&self, caller: &Caller, id: ObjectId, update: UserUpdate) -> Result<(), Error> {
        authorize::administrator(&self.state.snapshot(), caller, USER_UPDATE)?;
        let password = self.hash_new_password(update.password.as_ref()).await?;
        self.state
            .transact(|tx| {
                tx.require_administrator(caller, USER_UPDATE)?;
                let mut user = own_user(tx, caller, id)?;
                if let Some(upn) = &update.upn {
                    rename(tx, caller, &mut user, upn)?;
                }
                if let Some(name) = &update.display_name {
                    user.display_name = name.clone();
                }
                if let Some(enabled) = update.enabled {
                    if !enabled {
                        keep_an_administrator(tx, &user)?;
                        end_sessions(tx, &mut user);
                    }
                    user.enabled = enabled;
                }
                if let Some(password) = &password {
                    user.password = Some(password.clone());
                    end_sessions(tx, &mut user);
                }
                replace(&mut user.must_change_password, update.must_change_password);
                replace(&mut user.mail_nickname, update.mail_nickname.clone());
                replace(&mut user.mail, update.mail.clone());
                replace(&mut user.given_name, update.given_name.clone());
                replace(&mut user.surname, update.surname.clone());
                replace(&mut user.job_title, update.job_title.clone());
                tx.put(&Record::User(user))
            })
            .await
    }

    /// Ends every session of a person: tokens from before this moment are refused at their next use.
    pub async fn revoke_sessions(&self, caller: &Caller, id: ObjectId) -> Result<(), Error> {
        self.state
            .transact(|tx| {
                if caller.object_id != id {
                    tx.require_administrator(caller, "microsoft.directory/users/invalidateAllRefreshTokens")?;
                }
                let mut user = own_user(tx, caller, id)?;
                end_sessions(tx, &mut user);
                tx.put(&Record::User(user))
            })
            .await
    }

    /// Forgets a person's failed sign-ins, so that they may try again at once from wherever they are.
    pub async fn unlock_user(&self, caller: &Caller, id: ObjectId) -> Result<(), Error> {
        let snapshot = self.state.snapshot();
        authorize::administrator(&snapshot, caller, "microsoft.directory/users/unlock")?;
        let user = snapshot.directory().user(id).filter(|user| user.tenant == caller.tenant);
        let user = user.ok_or_else(|| Error::not_found(Kind::User, id))?;
        self.forgive_account(&account_of(user.id)).await
    }

    /// Deletes a person with all memberships. Role assignments stay on record; they grant nothing any more,
    /// because an object id never comes back.
    pub async fn delete_user(&self, caller: &Caller, id: ObjectId) -> Result<(), Error> {
        self.state
            .transact(|tx| {
                tx.require_administrator(caller, "microsoft.directory/users/delete")?;
                let user = own_user(tx, caller, id)?;
                keep_an_administrator(tx, &user)?;
                if let Some(tenant) = tx.snapshot().directory().tenant(user.tenant)
                    && tenant.administrators.contains(&id)
                {
                    let mut tenant = Tenant::clone(tenant);
                    tenant.administrators.remove(&id);
                    tx.put(&Record::Tenant(tenant))?;
                }
                delete_memberships_of(tx, id)?;
                tx.release_name(UniqueName::UserPrincipalName, user.upn.folded());
                tx.delete(&RecordKey::User(id));
                Ok(())
            })
            .await
    }
}

/// Refuses if `leaving` is the last person who administers the tenant and can sign in.
pub(crate) fn keep_an_administrator(tx: &Tx, leaving: &User) -> Result<(), Error> {
    let directory = tx.snapshot().directory();
    let Some(tenant) = directory.tenant(leaving.tenant) else { return Ok(()) };
    let can_sign_in =
        |id: &ObjectId| directory.user(*id).is_some_and(|user| user.enabled && user.password.is_some());
    let others = tenant.administrators.iter().filter(|id| **id != leaving.id).any(can_sign_in);
    if tenant.administrators.contains(&leaving.id) && !others {
        return Err(Error::Conflict(format!(
            "{} is the last administrator of the tenant who can sign in: make another one first",
            leaving.upn
        )));
    }
    Ok(())
}

/// Ends every session of a person.
pub fn end_sessions(tx: &Tx, user: &mut User) {
    user.tokens_valid_after = next_stamp(tx, user.tokens_valid_after);
}

/// What marks the sessions of a principal once those marked with `stamp` have ended. It moves on even where the clock
/// has not.
pub(crate) fn next_stamp(tx: &Tx, stamp: Timestamp) -> Timestamp {
    tx.now().max(stamp.saturating_add(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX))
}

fn own_user(tx: &Tx, caller: &Caller, id: ObjectId) -> Result<User, Error> {
    let user = tx.snapshot().directory().user(id).filter(|user| user.tenant == caller.tenant);
    user.map(|user| User::clone(user)).ok_or_else(|| Error::not_found(Kind::User, id))
}

fn rename(tx: &mut Tx, caller: &Caller, user: &mut User, upn: &Upn) -> Result<(), Error> {
    check_domain(tx.snapshot().directory(), caller.tenant, upn)?;
    if *upn != user.upn {
        tx.release_name(UniqueName::UserPrincipalName, user.upn.folded());
        tx.take_name(UniqueName::UserPrincipalName, upn.folded());
    }
    user.upn = upn.clone();
    Ok(())
}

fn check_domain(directory: &directory::Directory, tenant: TenantId, upn: &Upn) -> Result<(), Error> {
    let tenant = directory.tenant(tenant).ok_or_else(|| Error::not_found(Kind::Tenant, tenant))?;
    if tenant.has_domain(upn.domain()) {
        return Ok(());
    }
    let domains = tenant.domains.join(", ");
    Err(Error::invalid(
        "userPrincipalName",
        format!("\"{upn}\": the domain must be one of the tenant's domains ({domains})"),
    ))
}

/// Takes a principal that is being deleted out of all groups, and everybody out of it. What does not fit into the
/// transaction follows: memberships of and in nobody count for nothing.
pub(crate) fn delete_memberships_of(tx: &mut Tx, id: ObjectId) -> Result<(), Error> {
    if !forget_memberships(tx, id) {
        unfinished::record(tx, Work::ForgetMemberships(id))?;
    }
    Ok(())
}

/// Whether that were all.
pub fn forget_memberships(tx: &mut Tx, id: ObjectId) -> bool {
    let base = tx.base();
    let of = base.directory().direct_groups(id).map(|group| Membership { group, member: id });
    let within = base.directory().members(id).map(|member| Membership { group: id, member });
    tx.delete_all(of.chain(within).map(RecordKey::Membership))
}

fn replace<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

const USER_CREATE: &str = "microsoft.directory/users/create";
const USER_UPDATE: &str = "microsoft.directory/users/basic/update";
