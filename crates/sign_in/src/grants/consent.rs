//! What people have let clients of others do for them. Part of the installation is trusted without being asked;
//! what was registered by somebody gets a person's tokens only for services that the person was shown.
//!
//! Consent is between principals: the person, the client's and the service's, each by its object id. It goes with any of
//! them, and what is made again under a name is asked about again. Nothing else says what a client may reach: a grant
//! that outlasts the consent that it was got under gives nothing.

mod earlier;
mod record;

use state::Kind;
use std::collections::BTreeSet;

use domain::{
    id::{AppId, ObjectId, TenantId},
    snapshot::Snapshot,
};
use tokio::sync::OnceCell;

use super::{Client, GrantError, Granted, authorization::Authorization};
use crate::{SignIn, login::SignedIn, tokens::Audience};
use directory::audience::{OPENID_SCOPES, Resource, WrongScope};
pub(crate) use earlier::EarlierConsent;
pub(crate) use record::{Consent, Grantor, Service};
use state::{Caller, Cold, Error, Swap, authorize, well_known};

/// Whether the records of earlier releases were taken over.
#[derive(Debug, Default)]
pub(crate) struct ConsentState(OnceCell<()>);

impl SignIn {
    /// What a list of scopes asks to reach, in a tenant or in any.
    pub fn resource_of_scopes(
        &self,
        tenant: Option<TenantId>,
        scopes: &[&str],
    ) -> Result<Resource, WrongScope> {
        let snapshot = self.state.snapshot();
        Audience::with_applications(&self.state.settings().external_url, &snapshot, tenant).of_scopes(scopes)
    }

    /// What a version 1 client names.
    pub fn resource_of_name(&self, tenant: Option<TenantId>, name: &str) -> Option<Resource> {
        let snapshot = self.state.snapshot();
        Audience::with_applications(&self.state.settings().external_url, &snapshot, tenant).of_resource(name)
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
        let snapshot = self.state.snapshot();
        let client = principal_of(&snapshot, signed_in.tenant, authorization.client);
        let asked = self.services(&snapshot, signed_in.tenant, &authorization.scope);
        let (Some(client), Some(asked)) = (client, asked) else { return Ok(true) };
        let own = self.consent(Grantor::Person(signed_in.user), client).await?;
        let of_all = self.consent(Grantor::Everybody(signed_in.tenant), client).await?;
        Ok(!asked.iter().all(|service| own.covers(service) || of_all.covers(service)))
    }

    /// The person was shown what the client asks for, and has agreed.
    pub async fn remember_consent(
        &self,
        signed_in: &SignedIn,
        client: AppId,
        scope: &str,
    ) -> Result<(), Error> {
        if well_known::find(client).is_some() {
            return Ok(());
        }
        let snapshot = self.state.snapshot();
        let principal = principal_of(&snapshot, signed_in.tenant, client);
        let principal = principal.ok_or_else(|| Error::not_found(Kind::Application, client))?;
        let asked = self.services(&snapshot, signed_in.tenant, scope).unwrap_or_default();
        self.take_over_earlier_consents().await?;
        self.state
            .swap(&Grantor::Person(signed_in.user).key(principal), |known: Option<Consent>| {
                let mut consent = known.unwrap_or_default();
                if asked.iter().all(|service| consent.covers(service)) {
                    return Ok((Swap::Keep, ()));
                }
                consent.add(&snapshot, asked.iter().map(|service| (*service, None)))?;
                Ok((Swap::Put(consent), ()))
            })
            .await
    }

    /// Refuses a person's token for a service that neither they nor an administrator for everybody lets the client
    /// reach. A client may always have tokens for itself.
    pub async fn require_consent(
        &self,
        client: &Client,
        granted: &Granted,
        resource: &Resource,
    ) -> Result<(), GrantError> {
        let service = Service::of(resource);
        let snapshot = self.state.snapshot();
        let principal = principal_of(&snapshot, granted.tenant, client.app_id());
        let own = principal.is_some_and(|principal| service == Service::Principal(principal));
        if own || client.is_first_party() || *resource == Resource::UserInfo {
            return Ok(());
        }
        let Some(principal) = principal else { return Err(GrantError::ConsentRequired) };
        for giver in [Grantor::Person(granted.user), Grantor::Everybody(granted.tenant)] {
            if self.consent(giver, principal).await?.covers(&service) {
                return Ok(());
            }
        }
        Err(GrantError::ConsentRequired)
    }

    /// An administrator lets a client have these permissions of a service for everybody in the tenant.
    pub async fn consent_for_all(
        &self,
        caller: &Caller,
        client: AppId,
        resource: &str,
        permissions: &[&str],
    ) -> Result<(), Error> {
        let snapshot = self.state.snapshot();
        authorize::administrator(&snapshot, caller, GRANT)?;
        let principal = require_principal(&snapshot, caller, client)?;
        let scopes: BTreeSet<String> = permissions.iter().map(|name| format!("{resource}/{name}")).collect();
        let texts: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let found = self.resource_of_scopes(Some(caller.tenant), &texts);
        let found = found.map_err(|wrong| Error::invalid("scope", wrong))?;
        let service = Service::of(&found);
        self.take_over_earlier_consents().await?;
        self.state
            .swap(&Grantor::Everybody(caller.tenant).key(principal), |known: Option<Consent>| {
                let mut consent = known.unwrap_or_default();
                consent.add(&snapshot, scopes.iter().map(|scope| (service, Some(scope.clone()))))?;
                Ok((Swap::Put(consent), ()))
            })
            .await
    }

    /// Takes back what an administrator let a client do for everybody. Whoever has agreed for themselves has still.
    pub async fn withdraw_consent_for_all(&self, caller: &Caller, client: AppId) -> Result<(), Error> {
        let snapshot = self.state.snapshot();
        authorize::administrator(&snapshot, caller, GRANT)?;
        let principal = require_principal(&snapshot, caller, client)?;
        self.take_over_earlier_consents().await?;
        self.state
            .swap(&Grantor::Everybody(caller.tenant).key(principal), |known: Option<Consent>| match known {
                Some(_) => Ok((Swap::Delete, ())),
                None => Err(Error::not_found(Kind::PermissionGrant, client)),
            })
            .await
    }

    /// The scopes that an administrator has let a client have for everybody.
    pub async fn consented_for_all(&self, caller: &Caller, client: AppId) -> Result<Vec<String>, Error> {
        let snapshot = self.state.snapshot();
        let principal = require_principal(&snapshot, caller, client)?;
        let consent = self.consent(Grantor::Everybody(caller.tenant), principal).await?;
        Ok(consent.scopes(&snapshot))
    }

    /// Forgets the consents of people, clients and tenants that are gone. They have counted for nothing since.
    pub(crate) async fn forget_consents(&self) -> Result<(), Error> {
        self.take_over_earlier_consents().await?;
        let mut after: Option<String> = None;
        loop {
            let page = self.state.list_cold::<Consent>(after.as_deref(), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            let snapshot = self.state.snapshot();
            for (id, _) in page.iter().filter(|(id, _)| !record::is_between_those_there(&snapshot, id)) {
                self.state
                    .swap(id, |known: Option<Consent>| {
                        Ok((if known.is_some() { Swap::Delete } else { Swap::Keep }, ()))
                    })
                    .await?;
            }
        }
    }

    async fn consent(&self, giver: Grantor, client: ObjectId) -> Result<Consent, Error> {
        self.take_over_earlier_consents().await?;
        Ok(self.state.find_cold::<Consent>(&giver.key(client)).await?.unwrap_or_default())
    }

    /// What a list of scopes lets a client reach; nothing if one of them is of no service any more.
    fn services(&self, snapshot: &Snapshot, tenant: TenantId, scope: &str) -> Option<BTreeSet<Service>> {
        let audience =
            Audience::with_applications(&self.state.settings().external_url, snapshot, Some(tenant));
        let mut found = BTreeSet::new();
        for scope in scope.split_ascii_whitespace() {
            let openid = OPENID_SCOPES.iter().find(|each| scope.eq_ignore_ascii_case(each));
            found.insert(match openid {
                Some(name) => Service::SignIn(name),
                None => Service::of(&audience.of_scopes(&[scope]).ok()?),
            });
        }
        // Whoever names nothing signs people in.
        if found.is_empty() {
            found.insert(Service::SignIn("openid"));
        }
        Some(found)
    }
}

fn principal_of(snapshot: &Snapshot, tenant: TenantId, client: AppId) -> Option<ObjectId> {
    snapshot.directory().service_principal_by_app_id(tenant, client).map(|found| found.id)
}

fn require_principal(snapshot: &Snapshot, caller: &Caller, client: AppId) -> Result<ObjectId, Error> {
    let found = principal_of(snapshot, caller.tenant, client);
    found.ok_or_else(|| Error::not_found(Kind::Application, client))
}

impl Cold for Consent {
    const KIND: &'static str = "permission-grant";

    fn expires(&self) -> Option<jiff::Timestamp> {
        None
    }
}

const GRANT: &str = "microsoft.directory/oAuth2PermissionGrants/allProperties/update";
const PAGE: usize = 500;
