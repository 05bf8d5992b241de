//! An application on a store that the test holds.

use std::sync::Arc;

use crate::{App, Parts, Secret, Settings, state::clock::ManualClock};
use crypto::{random::System, seal::Sealer};
use store::Store;

pub(crate) async fn open(store: &Arc<dyn Store>, sealer: Sealer) -> App {
    let parts = Parts {
        store: store.clone(),
        clock: Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse().unwrap())),
        random: Arc::new(System::default()),
        sealer,
        settings: Settings {
            external_url: "https://localhost:8443".into(),
            authority_certificate: String::new(),
        },
    };
    let (app, follow) = App::open(parts).await.unwrap();
    tokio::spawn(follow);
    app
}

pub(crate) fn sealer() -> Sealer {
    Sealer::new(&Secret::new([7; 32])).unwrap()
}
