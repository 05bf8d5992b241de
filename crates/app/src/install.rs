//! The first start of an installation: a tenant, a subscription and somebody who may do everything.

use state::UniqueName;
use std::collections::BTreeSet;

use crypto::secret::Secret;
use domain::{
    assignment::{PrincipalKind, RoleAssignment},
    change::{Record, RecordKey},
    id::{RoleId, SubscriptionId, TenantId},
    name::{DisplayName, Upn},
    role::Stamp,
    scope::Scope,
    subscription::Subscription,
    tenant::Tenant,
    user::User,
};

use crate::App;
use state::Error;

/// Who administers a new installation.
#[derive(Debug)]
pub struct FirstAdministrator {
    /// Its domain becomes the tenant's.
    pub upn: Upn,
    pub password: Secret<String>,
}

/// What an installation is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    pub tenant: TenantId,
    pub subscription: SubscriptionId,
    /// Whether it was made just now.
    pub is_new: bool,
}

impl App {
    /// Makes the installation if the store is empty, else tells what it is known by. There is no caller yet
    /// to be authorized: whoever starts the program on an empty store is the owner.
    pub async fn install(
        &self,
        first: impl FnOnce() -> Result<FirstAdministrator, Error>,
    ) -> Result<Installation, Error> {
        self.sign_in().ensure_signing_key().await?;
        if let Some(known) = self.known_installation() {
            return Ok(known);
        }
        if self.state().snapshot().unreadable().next().is_some() {
            return Err(Error::Internal(
                "stored records cannot be read, those of the tenant or subscription among them: see `portcullis repair`"
                    .into(),
            ));
        }
        let first = first()?;
        let password = self.directory().hash_new_password(Some(&first.password)).await?;
        let now = self.now();
        let (tenant_id, subscription_id, user_id) =
            (self.state().new_id()?, self.state().new_id()?, self.state().new_id()?);
        let (role, assignment_id) =
            (RoleId::parse(state::well_known::OWNER).map_err(Error::internal)?, self.state().new_id()?);
        let display = |text: &str| DisplayName::parse(text).map_err(Error::internal);
        let stamp = Stamp { by: None, at: now };
        let records = [
            Record::Tenant(Tenant {
                id: tenant_id,
                display_name: display("Default Directory")?,
                domains: vec![first.upn.domain().to_ascii_lowercase()],
                administrators: BTreeSet::from([user_id]),
                password_grant: false,
                created: now,
            }),
            Record::Subscription(Subscription {
                id: subscription_id,
                tenant: tenant_id,
                display_name: display("Default subscription")?,
                aliases: Vec::new(),
                created: now,
            }),
            Record::User(User {
                id: user_id,
                tenant: tenant_id,
                upn: first.upn.clone(),
                display_name: display("First administrator")?,
                mail_nickname: None,
                mail: None,
                given_name: None,
                surname: None,
                job_title: None,
                enabled: true,
                password,
                must_change_password: false,
                tokens_valid_after: now,
                created: now,
            }),
            Record::Assignment(RoleAssignment {
                id: assignment_id,
                principal: user_id,
                principal_kind: PrincipalKind::User,
                role,
                scope: Scope::root(),
                condition: None,
                description: Some("The first administrator of this installation".into()),
                created: stamp,
                updated: stamp,
            }),
        ];
        self.state()
            .transact(|tx| {
                if tx.snapshot().directory().tenants().next().is_some() {
                    return Err(Error::Conflict(
                        "the installation was made by another process meanwhile".into(),
                    ));
                }
                tx.take_name(UniqueName::UserPrincipalName, first.upn.folded());
                records.iter().try_for_each(|record| tx.create(record))
            })
            .await?;
        Ok(Installation { tenant: tenant_id, subscription: subscription_id, is_new: true })
    }

    fn known_installation(&self) -> Option<Installation> {
        let snapshot = self.state().snapshot();
        // What cannot be read is there all the same: its id is in its key.
        let unread: Vec<&RecordKey> = snapshot.unreadable().filter_map(|each| each.record.as_ref()).collect();
        let first = snapshot.directory().tenants().min_by_key(|tenant| (tenant.created, tenant.id));
        let tenant = first.map(|tenant| tenant.id).or_else(|| {
            unread.iter().find_map(|record| match record {
                RecordKey::Tenant(id) => Some(*id),
                _ => None,
            })
        })?;
        let subscriptions = snapshot.subscriptions().filter(|each| each.tenant == tenant);
        let first = subscriptions.min_by_key(|each| (each.created, each.id)).map(|each| each.id);
        let subscription = first.or_else(|| {
            unread.iter().find_map(|record| match record {
                RecordKey::Subscription(id) => Some(*id),
                _ => None,
            })
        })?;
        Some(Installation { tenant, subscription, is_new: false })
    }
}
