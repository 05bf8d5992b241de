//! Federated credentials: which tokens of which issuers are as good as an application's secret.

use domain::{
    application::Application,
    credential::FederatedCredential,
    id::{AppId, ObjectId},
};
use state::Kind;
use uuid::Uuid;

use crate::Directory;
use state::{Caller, Error, outbound::origin};

/// As a client asks for one. A name that an application has already stands for that credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFederatedCredential {
    pub name: String,
    pub issuer: String,
    pub subject: String,
    pub audiences: Vec<String>,
    pub description: Option<String>,
}

/// Whether a credential of that name must be new, or must be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    Create,
    Update,
}

impl Directory {
    /// The federated credentials of an application; everybody in its tenant may see them.
    pub fn federated_credentials(
        &self,
        caller: &Caller,
        id: ObjectId,
    ) -> Result<Vec<FederatedCredential>, Error> {
        let snapshot = self.state.snapshot();
        let found = snapshot.directory().application(id).filter(|each| each.tenant == caller.tenant);
        found.map(|each| each.federated.clone()).ok_or_else(|| Error::not_found(Kind::Application, id))
    }

    /// Gives an application a federated credential, or another meaning to one that it has.
    pub async fn put_federated_credential(
        &self,
        caller: &Caller,
        id: ObjectId,
        new: NewFederatedCredential,
        write: Write,
    ) -> Result<FederatedCredential, Error> {
        let fresh = Uuid::from_bytes(self.state.new_id::<domain::id::kind::Object>()?.uuid().into_bytes());
        let mut made = None;
        self.transact_application(caller, id, CREDENTIALS, |application| {
            made = Some(put(&mut application.federated, &new, fresh, write)?);
            Ok(())
        })
        .await?;
        made.ok_or_else(|| Error::internal("the federated credential was not made"))
    }

    pub async fn delete_federated_credential(
        &self,
        caller: &Caller,
        id: ObjectId,
        named: &str,
    ) -> Result<(), Error> {
        self.transact_application(caller, id, CREDENTIALS, |application| {
            let place = application.federated.iter().position(|each| is_named(each, named));
            let place = place.ok_or_else(|| Error::not_found(Kind::FederatedCredential, named))?;
            application.federated.remove(place);
            Ok(())
        })
        .await
    }

    /// The application of an id that clients write: its object id, or its application id.
    pub fn application_named(&self, id: &str) -> Option<std::sync::Arc<Application>> {
        let snapshot = self.state.snapshot();
        let directory = snapshot.directory();
        let by_object = ObjectId::parse(id).ok().and_then(|id| directory.application(id));
        let by_app = || AppId::parse(id).ok().and_then(|id| directory.application_by_app_id(id));
        by_object.or_else(by_app).cloned()
    }
}

/// Whether a client means this credential: by name or by id.
pub fn is_named(credential: &FederatedCredential, named: &str) -> bool {
    credential.name == named || credential.id.to_string().eq_ignore_ascii_case(named)
}

/// Puts a credential among those of one principal.
pub fn put(
    credentials: &mut Vec<FederatedCredential>,
    new: &NewFederatedCredential,
    fresh: Uuid,
    write: Write,
) -> Result<FederatedCredential, Error> {
    check(new)?;
    let known = credentials.iter().position(|each| each.name == new.name);
    let id = match (write, known) {
        (Write::Create, Some(_)) => return Err(Error::already_exists(Kind::FederatedCredential, &new.name)),
        (Write::Update, None) => return Err(Error::not_found(Kind::FederatedCredential, &new.name)),
        (_, Some(place)) => credentials.get(place).map_or(fresh, |each| each.id),
        (_, None) => fresh,
    };
    let same = |each: &&FederatedCredential| {
        each.name != new.name && each.issuer == new.issuer && each.subject == new.subject
    };
    if let Some(other) = credentials.iter().find(same) {
        let problem = format!("\"{}\" has this issuer and subject already", other.name);
        return Err(Error::invalid("subject", problem));
    }
    if known.is_none() && credentials.len() >= MOST {
        return Err(Error::invalid(
            "",
            format!("there are {MOST} federated credentials already, which is the most"),
        ));
    }
    let made = FederatedCredential {
        id,
        name: new.name.clone(),
        issuer: new.issuer.clone(),
        subject: new.subject.clone(),
        audiences: new.audiences.clone(),
        description: new.description.clone(),
    };
    match known.and_then(|place| credentials.get_mut(place)) {
        Some(place) => *place = made.clone(),
        None => credentials.push(made.clone()),
    }
    Ok(made)
}

fn check(new: &NewFederatedCredential) -> Result<(), Error> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if !(3..=120).contains(&new.name.len()) || !new.name.chars().all(plain) {
        let problem = format!("\"{}\": expected 3 to 120 letters, digits, - or _", new.name.escape_debug());
        return Err(Error::invalid("name", problem));
    }
    let clean = |text: &str| !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
    if !clean(&new.issuer) || origin(&new.issuer).is_none() || new.issuer.contains(['?', '#']) {
        let problem = format!("\"{}\": expected an https address", new.issuer.escape_debug());
        return Err(Error::invalid("issuer", problem));
    }
    if !clean(&new.subject) {
        return Err(Error::invalid("subject", format!("expected 1 to {LONGEST} characters")));
    }
    match new.audiences.as_slice() {
        [audience] if clean(audience) => Ok(()),
        audiences => Err(Error::invalid(
            "audiences",
            format!("there are {}, expected one of 1 to {LONGEST} characters", audiences.len()),
        )),
    }
}

const CREDENTIALS: &str = "microsoft.directory/applications/credentials/update";
const LONGEST: usize = 600;
const MOST: usize = 20;
