//! The way back in for whoever has the machine: an administrator who can sign in, whatever became of the others.

use domain::{
    assignment::{PrincipalKind, RoleAssignment},
    change::Record,
    id::{ObjectId, RoleId},
    name::{DisplayName, Upn},
    role::Stamp,
    scope::Scope,
    tenant::Tenant,
    user::User,
};
use state::{Kind, UniqueName};

use directory::{attempts::account_of, users::end_sessions};
use state::{Error, Secret, Tx, well_known::OWNER};

use crate::{App, Installation};

/// Who can sign in again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    pub upn: Upn,
    /// Whether there was no such account before.
    pub made: bool,
}

impl App {
    /// Makes sure that the account `upn`, with this password, administers the installation: makes it, or enables it and
    /// ends its sessions; gives it back the directory and every resource; forgets its failed sign-ins. There is no
    /// caller to be authorized: who starts the program with its data and its keys is the owner.
    pub async fn recover_administrator(
        &self,
        installation: &Installation,
        upn: &Upn,
        password: &Secret<String>,
    ) -> Result<Recovered, Error> {
        let hash = self.directory().hash_new_password(Some(password)).await?;
        let (new_user, new_assignment) = (self.state().new_id()?, self.state().new_id()?);
        let role = RoleId::parse(OWNER).map_err(Error::internal)?;
        let (person, recovered) = self
            .state()
            .transact(|tx| {
                let tenant = tx.snapshot().directory().tenant(installation.tenant).cloned();
                let tenant = tenant.ok_or_else(|| Error::not_found(Kind::Tenant, installation.tenant))?;
                let known = tx.snapshot().directory().user_by_upn(upn).cloned();
                let user = match &known {
                    Some(user) if user.tenant != tenant.id => {
                        let text = format!("{upn} is of another tenant than {}", tenant.id);
                        return Err(Error::invalid("userPrincipalName", text));
                    }
                    Some(user) => {
                        let mut user = User::clone(user);
                        user.enabled = true;
                        user.password.clone_from(&hash);
                        user.must_change_password = false;
                        end_sessions(tx, &mut user);
                        user
                    }
                    None => {
                        tx.take_name(UniqueName::UserPrincipalName, upn.folded());
                        User { password: hash.clone(), ..new_administrator(tx, new_user, &tenant, upn)? }
                    }
                };
                let id = user.id;
                tx.put(&Record::User(user))?;
                let mut tenant = Tenant::clone(&tenant);
                if tenant.administrators.insert(id) {
                    tx.put(&Record::Tenant(tenant))?;
                }
                let held = tx.snapshot().azure().assignments_of(id);
                let owns = held
                    .iter()
                    .any(|each| each.role == role && each.scope == Scope::root() && each.condition.is_none());
                if !owns {
                    let stamp = Stamp { by: None, at: tx.now() };
                    tx.create(&Record::Assignment(RoleAssignment {
                        id: new_assignment,
                        principal: id,
                        principal_kind: PrincipalKind::User,
                        role,
                        scope: Scope::root(),
                        condition: None,
                        description: Some("Recovered at the machine".into()),
                        created: stamp,
                        updated: stamp,
                    }))?;
                }
                Ok((id, Recovered { upn: upn.clone(), made: known.is_none() }))
            })
            .await?;
        self.directory().forgive_account(&account_of(person)).await?;
        Ok(recovered)
    }
}

fn new_administrator(tx: &Tx, id: ObjectId, tenant: &Tenant, upn: &Upn) -> Result<User, Error> {
    if !tenant.has_domain(upn.domain()) {
        let domains = tenant.domains.join(", ");
        let text = format!("\"{upn}\": the domain must be one of the tenant's domains ({domains})");
        return Err(Error::invalid("userPrincipalName", text));
    }
    Ok(User {
        id,
        tenant: tenant.id,
        upn: upn.clone(),
        display_name: DisplayName::parse("Recovered administrator").map_err(Error::internal)?,
        mail_nickname: None,
        mail: None,
        given_name: None,
        surname: None,
        job_title: None,
        enabled: true,
        password: None,
        must_change_password: false,
        tokens_valid_after: tx.now(),
        created: tx.now(),
    })
}
