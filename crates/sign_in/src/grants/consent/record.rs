//! What is kept of consent: for each pair of who gives it and the client's principal, the services it is for.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    directory::Principal,
    id::{ObjectId, TenantId},
    snapshot::Snapshot,
};
use serde::{Deserialize, Serialize};

use directory::audience::Resource;
use state::Error;

/// Who lets a client act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grantor {
    Person(ObjectId),
    /// An administrator, for everybody in the tenant.
    Everybody(TenantId),
}

/// What a client may reach for a person. Tokens tell no permissions of one service apart, so consent does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    /// Something of OpenID Connect: `openid`, `offline_access`.
    SignIn(&'static str),
    Management,
    Cluster,
    /// An application, by its principal in the tenant.
    Principal(ObjectId),
}

/// The services that a client may reach, each with the scopes that an administrator wrote.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Consent {
    services: BTreeMap<String, BTreeSet<String>>,
}

impl Grantor {
    pub(crate) fn key(&self, client: ObjectId) -> String {
        match self {
            Self::Person(person) => format!("{person}/{client}"),
            Self::Everybody(tenant) => format!("{EVERYBODY}{tenant}/{client}"),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix(EVERYBODY) {
            Some(tenant) => TenantId::parse(tenant).ok().map(Self::Everybody),
            None => ObjectId::parse(text).ok().map(Self::Person),
        }
    }

    /// Where the giver is, if still there.
    pub(super) fn tenant(&self, snapshot: &Snapshot) -> Option<TenantId> {
        match self {
            Self::Person(person) => snapshot.directory().user(*person).map(|user| user.tenant),
            Self::Everybody(tenant) => snapshot.directory().tenant(*tenant).map(|tenant| tenant.id),
        }
    }
}

/// Whether giver and client of a record are there.
pub(super) fn is_between_those_there(snapshot: &Snapshot, id: &str) -> bool {
    let parsed = id
        .split_once('/')
        .and_then(|(giver, client)| Some((Grantor::parse(giver)?, ObjectId::parse(client).ok()?)));
    parsed.is_some_and(|(giver, client)| {
        let found = snapshot.directory().service_principal(client);
        found.is_some_and(|found| giver.tenant(snapshot) == Some(found.tenant))
    })
}

impl Service {
    pub(crate) fn of(resource: &Resource) -> Self {
        match resource {
            Resource::UserInfo => Self::SignIn("openid"),
            Resource::Management(_) => Self::Management,
            Resource::Cluster => Self::Cluster,
            Resource::Application { principal, .. } => Self::Principal(*principal),
        }
    }

    fn key(&self) -> String {
        match self {
            Self::SignIn(name) => (*name).to_owned(),
            Self::Management => "management".to_owned(),
            Self::Cluster => "cluster".to_owned(),
            Self::Principal(id) => id.to_string(),
        }
    }
}

impl Consent {
    pub(crate) fn covers(&self, service: &Service) -> bool {
        self.services.contains_key(&service.key())
    }

    /// Takes in services, with the scopes that they were named by; drops those of services that are gone.
    pub(super) fn add(
        &mut self,
        snapshot: &Snapshot,
        more: impl Iterator<Item = (Service, Option<String>)>,
    ) -> Result<(), Error> {
        self.services.retain(|service, _| is_there(snapshot, service));
        for (service, scope) in more {
            self.services.entry(service.key()).or_default().extend(scope);
        }
        let found: usize = self.services.values().map(|scopes| scopes.len().max(1)).sum();
        if found > MOST {
            let problem = format!("{found} services and permissions: expected at most {MOST}");
            return Err(Error::invalid("scope", problem));
        }
        Ok(())
    }

    /// As an administrator wrote them, but for services that are gone.
    pub(super) fn scopes(&self, snapshot: &Snapshot) -> Vec<String> {
        let there = self.services.iter().filter(|(service, _)| is_there(snapshot, service));
        there.flat_map(|(_, scopes)| scopes.iter().cloned()).collect()
    }
}

fn is_there(snapshot: &Snapshot, service: &str) -> bool {
    let Ok(id) = ObjectId::parse(service) else { return true };
    matches!(snapshot.directory().principal(id), Some(Principal::ServicePrincipal(_)))
}

const EVERYBODY: &str = "all-of-";
/// Of one client, with one giver.
pub(super) const MOST: usize = 500;
