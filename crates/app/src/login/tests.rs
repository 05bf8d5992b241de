//! Passwords tried one after the other, many at once, and from many places. The protocols that carry them are
//! tried elsewhere.

use std::{net::IpAddr, sync::Arc};

use jiff::SignedDuration;

use super::*;
use crate::{FirstAdministrator, Parts, Settings, clock::ManualClock};

const RIGHT: &str = "correct horse battery";

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
    let upn = Upn::parse("alice@example.org").unwrap();
    app.install(|| Ok(FirstAdministrator { upn, password: Secret::new(RIGHT.to_owned()) })).await.unwrap();
    (app, clock)
}

async fn try_once(app: &App, password: &str, address: &str) -> Result<SignedIn, LoginError> {
    let address: IpAddr = address.parse().unwrap();
    app.sign_in(None, "alice@example.org", &Secret::new(password.to_owned()), Some(address)).await
}

/// How many of the outcomes looked at the password.
async fn many(app: &App, password: &'static str, times: usize) -> (usize, usize) {
    let tries = (0..times).map(|_| {
        let app = app.clone();
        tokio::spawn(async move { try_once(&app, password, "192.0.2.1").await })
    });
    let (mut right, mut refused) = (0, 0);
    for each in tries.collect::<Vec<_>>() {
        match each.await.unwrap() {
            Ok(_) => right += 1,
            Err(LoginError::Refused) => refused += 1,
            Err(_) => {}
        }
    }
    (right, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_wrong_passwords_at_once_gain_nothing() {
    let (app, _) = world().await;
    assert_eq!(many(&app, "wrong", 40).await, (0, 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_right_password_many_times_at_once_is_no_attack() {
    let (app, _) = world().await;
    assert_eq!(many(&app, RIGHT, 20).await, (20, 0));
}

#[tokio::test]
async fn who_tries_passwords_shuts_themselves_out_and_not_the_person() {
    let (app, clock) = world().await;
    for _ in 0..10 {
        assert!(matches!(try_once(&app, "wrong", "192.0.2.1").await, Err(LoginError::Refused)));
    }
    assert!(matches!(try_once(&app, RIGHT, "192.0.2.1").await, Err(LoginError::Throttled)));
    assert!(try_once(&app, RIGHT, "198.51.100.7").await.is_ok());
    clock.advance(SignedDuration::from_secs(601));
    assert!(try_once(&app, RIGHT, "192.0.2.1").await.is_ok());
}

#[tokio::test]
async fn an_account_is_shut_when_tries_come_from_everywhere() {
    let (app, _) = world().await;
    for number in 0..100 {
        let address = format!("192.0.2.{number}");
        assert!(matches!(try_once(&app, "wrong", &address).await, Err(LoginError::Refused)), "{number}");
    }
    assert!(matches!(try_once(&app, RIGHT, "198.51.100.7").await, Err(LoginError::Throttled)));
}

#[test]
fn one_ipv6_network_is_one_address() {
    let keys = |address: &str| Subject::of_sign_in("a".into(), Some(address.parse().unwrap()));
    assert_eq!(keys("2001:db8:0:1::1"), keys("2001:db8:0:1:ffff::2"));
    assert_ne!(keys("2001:db8:0:1::1"), keys("2001:db8:0:2::1"));
    assert_eq!(keys("::ffff:192.0.2.1"), keys("192.0.2.1"));
    assert_ne!(keys("192.0.2.1"), keys("192.0.2.2"));
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_from_before() {
    let (app, clock) = world().await;
    let before = try_once(&app, RIGHT, "192.0.2.1").await.unwrap();
    let session = app.begin_session(&before).await.unwrap();
    clock.advance(SignedDuration::from_millis(1));
    let (old, new) = (Secret::new(RIGHT.to_owned()), Secret::new("a better password".to_owned()));
    let later = app.change_password("alice@example.org", &old, &new, None).await.unwrap();
    assert_ne!(before.stamp, later.stamp);
    assert!(app.find_session(&session).await.unwrap().is_none());
    assert!(try_once(&app, RIGHT, "192.0.2.1").await.is_err());
    assert!(try_once(&app, "a better password", "192.0.2.1").await.is_ok());
}
