//! How much one record may collect: Entra's and Azure's own numbers, so that what works there works here, and no record
//! grows until it can neither be written nor changed.
//!
//! Every write passes here. What is beyond a limit already may be changed as long as it does not grow: records of
//! earlier releases stay repairable.

use std::collections::BTreeMap;

use domain::{
    application::{Application, ServicePrincipal},
    change::Record,
    cluster::Cluster,
    group::Group,
    snapshot::Snapshot,
    user::User,
};
use serde_json::Value;

use crate::{Error, Problem};

/// Refuses a record with more of something than it may have.
pub(crate) fn check(snapshot: &Snapshot, record: &Record) -> Result<(), Error> {
    let beyond: Vec<Count> = counts(record).into_iter().filter(|count| count.found > count.most).collect();
    if beyond.is_empty() {
        return Ok(());
    }
    let before = find(snapshot, record).map(|old| counts(&old)).unwrap_or_default();
    let grew = |count: &Count| {
        let old = before.iter().find(|old| old.field == count.field);
        old.is_none_or(|old| count.found > old.found)
    };
    let problems: Vec<Problem> = beyond.into_iter().filter(grew).map(Count::problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
}

/// The record as it is now, for those kinds that collect something.
pub(crate) fn find(snapshot: &Snapshot, record: &Record) -> Option<Record> {
    let directory = snapshot.directory();
    Some(match record {
        Record::User(new) => Record::User(User::clone(directory.user(new.id)?)),
        Record::Group(new) => Record::Group(Group::clone(directory.group(new.id)?)),
        Record::Application(new) => Record::Application(Application::clone(directory.application(new.id)?)),
        Record::ServicePrincipal(new) => {
            Record::ServicePrincipal(ServicePrincipal::clone(directory.service_principal(new.id)?))
        }
        Record::ResourceGroup(new) => {
            Record::ResourceGroup((**snapshot.resource_group(new.subscription, new.name.as_str())?).clone())
        }
        Record::Resource(new) => Record::Resource((**snapshot.resource(&new.id)?).clone()),
        Record::Cluster(new) => {
            Record::Cluster(Box::new(Cluster::clone(snapshot.cluster_on_record(new.id)?)))
        }
        Record::Object(new) => Record::Object((**snapshot.object(&new.key)?).clone()),
        Record::Tenant(new) => Record::Tenant((**directory.tenant(new.id)?).clone()),
        Record::Role(new) => Record::Role((**snapshot.azure().role(new.id)?).clone()),
        Record::ManagementGroup(new) => {
            Record::ManagementGroup((**snapshot.management_group(new.name.as_str())?).clone())
        }
        Record::Subscription(new) => Record::Subscription((**snapshot.subscription(new.id)?).clone()),
        Record::Membership(_)
        | Record::Assignment(_)
        | Record::DenyAssignment(_)
        | Record::Lock(_)
        | Record::AdminCertificate(_)
        | Record::Unfinished(_)
        | Record::SigningKey(_) => return None,
    })
}

/// How much there is of something, and how much there may be.
struct Count {
    field: &'static str,
    /// What is counted: `entries`, `characters`.
    of: &'static str,
    found: usize,
    most: usize,
}

impl Count {
    fn problem(self) -> Problem {
        let Self { field, of, found, most } = self;
        Problem { field: field.to_owned(), message: format!("{found} {of}: expected at most {most}") }
    }
}

fn entries(field: &'static str, found: usize, most: usize) -> Count {
    Count { field, of: "entries", found, most }
}

/// The longest of some texts.
fn characters<'a>(field: &'static str, texts: impl IntoIterator<Item = &'a String>, most: usize) -> Count {
    let found = texts.into_iter().map(|text| text.chars().count()).max().unwrap_or(0);
    Count { field, of: "characters", found, most }
}

fn counts(record: &Record) -> Vec<Count> {
    match record {
        Record::User(user) => vec![
            characters("mailNickname", &user.mail_nickname, 64),
            characters("mail", &user.mail, 256),
            characters("givenName", &user.given_name, 64),
            characters("surname", &user.surname, 64),
            characters("jobTitle", &user.job_title, 128),
        ],
        Record::Group(group) => vec![
            characters("mailNickname", [&group.mail_nickname], 64),
            characters("description", &group.description, 1024),
            entries("owners", group.owners.len(), MOST_OWNERS),
        ],
        Record::Application(application) => of_application(application),
        Record::ServicePrincipal(principal) => vec![
            entries("owners", principal.owners.len(), MOST_OWNERS),
            entries("passwordCredentials", principal.secrets.len(), MOST_CREDENTIALS),
            entries("keyCredentials", principal.certificates.len(), MOST_CREDENTIALS),
            characters("passwordCredentials.displayName", names(&principal.secrets), MOST_NAME),
        ],
        Record::ResourceGroup(group) => of_tags(&group.tags),
        Record::Resource(resource) => of_tags(&resource.tags),
        Record::Cluster(cluster) => of_cluster(cluster),
        _ => Vec::new(),
    }
}

fn of_application(application: &Application) -> Vec<Count> {
    let Application { redirect_uris, identifier_uris, secrets, certificates, owners, other, .. } =
        application;
    let kept: usize = other.values().map(items).sum();
    let all = redirect_uris.len() + identifier_uris.len() + secrets.len() + certificates.len() + kept;
    vec![
        entries("redirectUris", redirect_uris.len(), 256),
        entries("identifierUris", identifier_uris.len(), 50),
        characters("identifierUris", identifier_uris, 255),
        entries("passwordCredentials", secrets.len(), MOST_CREDENTIALS),
        characters("passwordCredentials.displayName", names(secrets), MOST_NAME),
        entries("keyCredentials", certificates.len(), MOST_CREDENTIALS),
        characters("keyCredentials.key", certificates.iter().map(|each| &each.der), MOST_CERTIFICATE),
        entries("owners", owners.len(), MOST_OWNERS),
        entries("all collections of the application", all, 1200),
    ]
}

fn names(secrets: &[domain::credential::ClientSecret]) -> impl Iterator<Item = &String> {
    secrets.iter().filter_map(|each| each.display_name.as_ref())
}

/// Entries of all lists within a value.
fn items(value: &Value) -> usize {
    match value {
        Value::Array(list) => list.len() + list.iter().map(items).sum::<usize>(),
        Value::Object(members) => members.values().map(items).sum(),
        _ => 0,
    }
}

fn of_cluster(cluster: &Cluster) -> Vec<Count> {
    let pools = cluster.properties.get("agentPoolProfiles").and_then(Value::as_array).map_or(0, Vec::len);
    let mut counts = of_tags(&cluster.tags);
    counts.extend([
        entries("properties.agentPoolProfiles", pools, 100),
        entries("properties.aadProfile.adminGroupObjectIDs", cluster.admin_groups.len(), 1000),
        entries("trustedAccessRoleBindings", cluster.trusted_access.len(), 200),
    ]);
    counts
}

fn of_tags(tags: &BTreeMap<String, String>) -> Vec<Count> {
    vec![
        entries("tags", tags.len(), 50),
        characters("names of tags", tags.keys(), 512),
        characters("values of tags", tags.values(), 256),
    ]
}

const MOST_OWNERS: usize = 100;
/// Of secrets, and of certificates: far more than anybody rotates.
const MOST_CREDENTIALS: usize = 100;
/// Of a credential.
const MOST_NAME: usize = 256;
/// Base64 of the largest certificate that is kept.
const MOST_CERTIFICATE: usize = 8 * 1024;

#[cfg(test)]
mod tests;
