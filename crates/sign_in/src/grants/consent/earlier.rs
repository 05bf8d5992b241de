//! Consent as earlier releases kept it: by application id and by the names of services. It is taken over once, as far as
//! it names one thing for good; who agreed to a name that applications choose is asked again.

use std::collections::BTreeSet;

use domain::{
    id::{AppId, ObjectId},
    snapshot::Snapshot,
};
use serde::{Deserialize, Serialize};

use super::{Consent, Grantor, PAGE, Service, principal_of};
use crate::{SignIn, tokens::Audience};
use directory::audience::{OPENID_SCOPES, Resource, ServiceName};
use state::{Cold, Error, Swap};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct EarlierConsent {
    scopes: BTreeSet<String>,
}

/// A service, and the scope that an administrator named it by.
type Agreed = (Service, Option<String>);

impl Cold for EarlierConsent {
    const KIND: &'static str = "consent";

    fn expires(&self) -> Option<jiff::Timestamp> {
        None
    }
}

impl SignIn {
    /// Before the first look at a consent.
    pub(super) async fn take_over_earlier_consents(&self) -> Result<(), Error> {
        self.inner.consents.0.get_or_try_init(|| self.take_over()).await.copied()
    }

    async fn take_over(&self) -> Result<(), Error> {
        let mut after: Option<String> = None;
        loop {
            let page = self.state.list_cold::<EarlierConsent>(after.as_deref(), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for (id, earlier) in &page {
                // What cannot be read stays for `portcullis repair`, and counts for nothing.
                let Some(earlier) = earlier else { continue };
                if let Some((key, services)) = self.read_earlier(&self.state.snapshot(), id, earlier) {
                    let snapshot = self.state.snapshot();
                    self.state
                        .swap(&key, |known: Option<Consent>| {
                            let mut consent = known.unwrap_or_default();
                            consent.add(&snapshot, services.iter().cloned())?;
                            Ok((Swap::Put(consent), ()))
                        })
                        .await?;
                }
                self.state.swap(id, |_: Option<EarlierConsent>| Ok((Swap::Delete, ()))).await?;
            }
        }
    }

    fn read_earlier(
        &self,
        snapshot: &Snapshot,
        id: &str,
        earlier: &EarlierConsent,
    ) -> Option<(String, Vec<Agreed>)> {
        let (giver, client) = id.split_once('/')?;
        let giver = Grantor::parse(giver)?;
        let tenant = giver.tenant(snapshot)?;
        let client: ObjectId = principal_of(snapshot, tenant, AppId::parse(client).ok()?)?;
        let audience =
            Audience::with_applications(&self.state.settings().external_url, snapshot, Some(tenant));
        let texts = earlier.scopes.iter().flat_map(|text| text.split_ascii_whitespace());
        let mut services: Vec<Agreed> = texts
            .filter_map(|text| {
                let kept = matches!(giver, Grantor::Everybody(_)).then(|| text.to_owned());
                Some((lasting(&audience, text)?, kept))
            })
            .collect();
        services.sort();
        services.dedup();
        services.truncate(super::record::MOST);
        (!services.is_empty()).then(|| (giver.key(client), services))
    }
}

/// The service of a scope that names it by an id, or as part of the installation.
fn lasting(audience: &Audience<'_>, scope: &str) -> Option<Service> {
    if let Some(name) = OPENID_SCOPES.iter().find(|name| scope.eq_ignore_ascii_case(name)) {
        return Some(Service::SignIn(name));
    }
    let resource = match scope.rsplit_once('/') {
        Some((resource, _)) => audience.of_resource(resource)?,
        None => audience.of_scopes(&[scope]).ok()?,
    };
    match &resource {
        Resource::Application { name, .. } if !matches!(ServiceName::parse(name), ServiceName::Id(_)) => None,
        _ => Some(Service::of(&resource)),
    }
}
