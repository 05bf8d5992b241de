//! A tenant with one person for the tests of this crate: the areas below it, without an application around them.

use state::UniqueName;
use std::{collections::BTreeSet, sync::Arc};

use crypto::{random::System, seal::Sealer};
use directory::Directory;
use domain::{
    change::Record,
    name::{DisplayName, Upn},
    tenant::Tenant,
    user::User,
};
use state::{Error, Parts, Secret, Settings, State, clock::ManualClock};

use crate::SignIn;

/// The password of the person.
pub(crate) const RIGHT: &str = "correct horse battery";

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) directory: Directory,
    pub(crate) sign_in: SignIn,
}

/// With alice@example.org, who administers the directory.
pub(crate) async fn world() -> (World, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse().unwrap()));
    let parts = Parts {
        store: store::open(&store::StoreConfig::Memory).await.unwrap(),
        clock: clock.clone(),
        random: Arc::new(System::default()),
        sealer: Sealer::new(&Secret::new([7; 32])).unwrap(),
        settings: Settings {
            external_url: "https://localhost:8443".into(),
            authority_certificate: String::new(),
        },
    };
    let (state, follow) = State::open(parts, |_, _| Ok(true)).await.unwrap();
    tokio::spawn(follow);
    let directory = Directory::new(state.clone());
    let sign_in = SignIn::new(state.clone(), directory.clone());
    sign_in.ensure_signing_key().await.unwrap();
    let password = directory.hash_new_password(Some(&Secret::new(RIGHT.to_owned()))).await.unwrap();
    let (tenant, alice) = (state.new_id().unwrap(), state.new_id().unwrap());
    let upn = Upn::parse("alice@example.org").unwrap();
    let display_name = DisplayName::parse("Alice").unwrap();
    let created = state.now();
    state
        .transact(|tx| -> Result<_, Error> {
            tx.take_name(UniqueName::UserPrincipalName, upn.folded());
            tx.create(&Record::Tenant(Tenant {
                id: tenant,
                display_name: display_name.clone(),
                domains: vec!["example.org".into()],
                administrators: BTreeSet::from([alice]),
                password_grant: false,
                created,
            }))?;
            tx.create(&Record::User(User {
                id: alice,
                tenant,
                upn: upn.clone(),
                display_name: display_name.clone(),
                mail_nickname: None,
                mail: None,
                given_name: None,
                surname: None,
                job_title: None,
                enabled: true,
                password: password.clone(),
                must_change_password: false,
                tokens_valid_after: created,
                created,
            }))
        })
        .await
        .unwrap();
    (World { state, directory, sign_in }, clock)
}
