//! Device codes with their records: those that have to go are gone from the store too.

use std::sync::Arc;

use super::*;
use crate::{FirstAdministrator, Parts, Secret, Settings, clock::ManualClock, well_known};

async fn world() -> (App, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse().unwrap()));
    let parts = Parts {
        store: store::open(&store::StoreConfig::Memory).await.unwrap(),
        clock: clock.clone(),
        random: Arc::new(crypto::random::System::default()),
        sealer: crypto::seal::Sealer::new(&Secret::new([7; 32])).unwrap(),
        settings: Settings {
            external_url: "https://localhost:8443".into(),
            authority_certificate: String::new(),
        },
    };
    let (app, follow) = App::open(parts).await.unwrap();
    tokio::spawn(follow);
    let upn = domain::name::Upn::parse("alice@example.org").unwrap();
    let password = Secret::new("correct horse battery".to_owned());
    app.install(|| Ok(FirstAdministrator { upn, password })).await.unwrap();
    (app, clock)
}

#[tokio::test]
async fn a_code_that_has_to_go_is_gone_from_the_store() {
    let (app, clock) = world().await;
    let client = AppId::new(well_known::ALL.first().unwrap().app_id);
    let address = Some("192.0.2.1".parse().unwrap());
    let start = async || app.start_device(client, None, "openid", address).await;
    let first = start().await.unwrap();
    for number in 1..waiting::MOST_PER_ADDRESS {
        if number % 100 == 0 {
            clock.advance(SignedDuration::from_secs(61));
        }
        start().await.unwrap();
    }
    let kept = async || {
        let devices = app.list_cold::<Device>(None, 1_000).await.unwrap().len();
        (devices, app.list_cold::<UserCode>(None, 1_000).await.unwrap().len())
    };
    let all = (waiting::MOST_PER_ADDRESS, waiting::MOST_PER_ADDRESS);
    assert_eq!(kept().await, all);
    clock.advance(SignedDuration::from_secs(61));
    let last = start().await.unwrap();
    assert_eq!(kept().await, all);
    let ask = async |code: &StartedDevice| app.redeem_device(client, None, &code.device_code).await;
    assert!(matches!(ask(&first).await, Err(GrantError::Invalid(_))));
    assert!(matches!(ask(&last).await, Err(GrantError::Pending)));
}
