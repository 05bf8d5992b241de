//! What people have let clients of others do for them. Part of the installation is trusted without being asked;
//! what was registered by somebody gets a person's tokens only for services that the person was shown.

use std::collections::BTreeSet;

use domain::id::{AppId, ObjectId, TenantId};
use serde::{Deserialize, Serialize};

use super::{Client, GrantError, Granted, authorization::Authorization};
use crate::{
    App, Caller, Cold, Error, Swap, authorize,
    login::SignedIn,
    tokens::{Audience, audience::Resource},
    well_known,
};

/// Kept so that a person is not asked again for the same.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Consent {
    scopes: BTreeSet<String>,
}

impl Cold for Consent {
    const KIND: &'static str = "consent";
}

impl App {
    /// What a list of scopes asks to reach, in a tenant or in any. `Err` names the scope that no service here has, or
    /// that asks for a second service.
    pub fn resource_of_scopes(&self, tenant: Option<TenantId>, scopes: &[&str]) -> Result<Resource, String> {
        let snapshot = self.snapshot();
        Audience::with_applications(&self.settings().external_url, &snapshot, tenant).of_scopes(scopes)
    }

    /// What a version 1 client names.
    pub fn resource_of_name(&self, tenant: Option<TenantId>, name: &str) -> Option<Resource> {
        let snapshot = self.snapshot();
        Audience::with_applications(&self.settings().external_url, &snapshot, tenant).of_resource(name)
    }

    /// Whether the person must be asked before the client may act for them: never for what is part of the
    /// installation, once for what others have registered.
    pub async fn needs_consent(
        &self,
        signed_in: &SignedIn,
        authorization: &Authorization,
    ) -> Result<bool, Error> {
        if well_known::find(authorization.client).is_some() {
            return Ok(false);
        }
        let known = self.consent(signed_in.user, authorization.client).await?;
        let of_all = self.consent_of_all(signed_in.tenant, authorization.client).await?;
        let agreed = |scope: &str| known.scopes.contains(scope) || of_all.contains(scope);
        Ok(!authorization.scope.split(' ').all(agreed))
    }

    pub(super) async fn remember_consent(
        &self,
        signed_in: &SignedIn,
        authorization: &Authorization,
    ) -> Result<(), Error> {
        if well_known::find(authorization.client).is_some() {
            return Ok(());
        }
        self.swap(&id(signed_in.user, authorization.client), |known: Option<Consent>| {
            let mut consent = known.unwrap_or_default();
            consent.scopes.extend(authorization.scope.split(' ').map(str::to_owned));
            Ok((Swap::Put(consent), ()))
        })
        .await
    }

    /// Refuses a person's token for a service that they were not asked about: neither in this grant nor in an
    /// earlier one. A client may always have tokens for itself.
    pub async fn require_consent(
        &self,
        client: &Client,
        granted: &Granted,
        resource: &Resource,
    ) -> Result<(), GrantError> {
        let free = match resource {
            Resource::UserInfo => true,
            Resource::Application { app_id, .. } => *app_id == client.app_id(),
            Resource::Management(_) | Resource::Cluster => false,
        };
        if free || client.is_first_party() || self.covers(granted.tenant, &granted.scope, resource) {
            return Ok(());
        }
        let own = self.consent(granted.user, client.app_id()).await?;
        let of_all = self.consent_of_all(granted.tenant, client.app_id()).await?;
        let mut scopes = own.scopes.iter().chain(&of_all);
        let asked = scopes.any(|scope| self.covers(granted.tenant, scope, resource));
        if asked { Ok(()) } else { Err(GrantError::ConsentRequired) }
    }

    /// An administrator lets a client reach a service for everybody in the tenant.
    pub async fn consent_for_all(&self, caller: &Caller, client: AppId, scope: &str) -> Result<(), Error> {
        authorize::administrator(&self.snapshot(), caller, GRANT)?;
        self.require_client_of(caller, client)?;
        self.resource_of_scopes(Some(caller.tenant), &[scope]).map_err(|wrong| {
            Error::invalid("scope", format!("\"{wrong}\" is of no service in this tenant"))
        })?;
        self.swap(&id_of_all(caller.tenant, client), |known: Option<Consent>| {
            let mut consent = known.unwrap_or_default();
            consent.scopes.insert(scope.to_owned());
            Ok((Swap::Put(consent), ()))
        })
        .await
    }

    /// Takes back what an administrator let a client do for everybody. Whoever has agreed for themselves has still.
    pub async fn withdraw_consent_for_all(&self, caller: &Caller, client: AppId) -> Result<(), Error> {
        authorize::administrator(&self.snapshot(), caller, GRANT)?;
        self.swap(&id_of_all(caller.tenant, client), |known: Option<Consent>| match known {
            Some(_) => Ok((Swap::Delete, ())),
            None => Err(Error::not_found("permission grant", client)),
        })
        .await
    }

    /// The scopes that an administrator has let a client have for everybody.
    pub async fn consented_for_all(&self, caller: &Caller, client: AppId) -> Result<Vec<String>, Error> {
        self.require_client_of(caller, client)?;
        Ok(self.consent_of_all(caller.tenant, client).await?.into_iter().collect())
    }

    fn require_client_of(&self, caller: &Caller, client: AppId) -> Result<(), Error> {
        let snapshot = self.snapshot();
        let found = snapshot.directory().service_principal_by_app_id(caller.tenant, client);
        found.map(drop).ok_or_else(|| Error::not_found("application", client))
    }

    async fn consent_of_all(&self, tenant: TenantId, client: AppId) -> Result<BTreeSet<String>, Error> {
        let known = self.find_cold::<Consent>(&id_of_all(tenant, client)).await?;
        Ok(known.unwrap_or_default().scopes)
    }

    fn covers(&self, tenant: TenantId, scope: &str, resource: &Resource) -> bool {
        let scopes: Vec<&str> = scope.split_ascii_whitespace().collect();
        self.resource_of_scopes(Some(tenant), &scopes).is_ok_and(|found| found.is_same_service(resource))
    }

    async fn consent(&self, user: ObjectId, client: AppId) -> Result<Consent, Error> {
        Ok(self.find_cold::<Consent>(&id(user, client)).await?.unwrap_or_default())
    }
}

fn id(user: ObjectId, client: AppId) -> String {
    format!("{user}/{client}")
}

fn id_of_all(tenant: TenantId, client: AppId) -> String {
    format!("all-of-{tenant}/{client}")
}

const GRANT: &str = "microsoft.directory/oAuth2PermissionGrants/allProperties/update";
