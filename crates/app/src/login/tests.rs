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
    let keys = |address: &str| {
        let source = Source::from(Some(address.parse().unwrap()));
        Subject::of_sign_in("a", &source, known::Familiar::No)
    };
    assert_eq!(keys("2001:db8:0:1::1"), keys("2001:db8:0:1:ffff::2"));
    assert_ne!(keys("2001:db8:0:1::1"), keys("2001:db8:0:2::1"));
    assert_eq!(keys("::ffff:192.0.2.1"), keys("192.0.2.1"));
    assert_ne!(keys("192.0.2.1"), keys("192.0.2.2"));
}

/// Failures from a hundred places, as many as an account has.
async fn strangers(app: &App) {
    for number in 0..100 {
        let address = format!("192.0.2.{number}");
        assert!(matches!(try_once(app, "wrong", &address).await, Err(LoginError::Refused)), "{number}");
    }
    assert!(matches!(try_once(app, RIGHT, "203.0.113.9").await, Err(LoginError::Throttled)));
}

#[tokio::test]
async fn strangers_shut_nobody_out_who_was_here_before() {
    let (app, clock) = world().await;
    try_once(&app, RIGHT, "198.51.100.7").await.unwrap();
    try_once(&app, RIGHT, "2001:db8:0:1::1").await.unwrap();
    clock.advance(SignedDuration::from_hours(24 * 30));
    strangers(&app).await;
    try_once(&app, RIGHT, "198.51.100.7").await.unwrap();
    try_once(&app, RIGHT, "2001:db8:0:1::2").await.unwrap();
    // Known places have failures of their own, and no more of them than others.
    for _ in 0..10 {
        assert!(matches!(try_once(&app, "wrong", "198.51.100.7").await, Err(LoginError::Refused)));
    }
    assert!(matches!(try_once(&app, RIGHT, "198.51.100.7").await, Err(LoginError::Throttled)));
    try_once(&app, RIGHT, "2001:db8:0:1::2").await.unwrap();
}

#[tokio::test]
async fn a_known_browser_is_not_shut_out_by_its_neighbours() {
    let (app, _) = world().await;
    let address: IpAddr = "192.0.2.1".parse().unwrap();
    let by = async |browser: &'static str, name: &str, password: &str| {
        let source = Source { address: Some(address), browser: Some(browser) };
        app.sign_in(None, name, &Secret::new(password.to_owned()), source).await
    };
    by("hers", "alice@example.org", RIGHT).await.unwrap();
    for _ in 0..10 {
        assert!(matches!(by("theirs", "alice@example.org", "wrong").await, Err(LoginError::Refused)));
    }
    assert!(matches!(by("theirs", "alice@example.org", RIGHT).await, Err(LoginError::Throttled)));
    // Until the whole address is shut, with made-up names.
    for number in 0..290 {
        let _ = by("theirs", &format!("user{number}@example.org"), "wrong").await;
    }
    assert!(matches!(by("theirs", "other@example.org", RIGHT).await, Err(LoginError::Throttled)));
    by("hers", "alice@example.org", RIGHT).await.unwrap();
    for _ in 0..10 {
        assert!(matches!(by("hers", "alice@example.org", "wrong").await, Err(LoginError::Refused)));
    }
    assert!(matches!(by("hers", "alice@example.org", RIGHT).await, Err(LoginError::Throttled)));
}

#[tokio::test]
async fn one_address_cannot_make_more_than_so_many_records() {
    let (app, _) = world().await;
    let revision = async || app.store_status().await.unwrap().revision.0;
    let before = revision().await;
    let address = Some("192.0.2.1".parse().unwrap());
    let wrong = Secret::new("wrong".to_owned());
    for number in 0..300 {
        let tried = app.sign_in(None, &format!("user{number}@example.org"), &wrong, address).await;
        assert!(matches!(tried, Err(LoginError::Refused)));
    }
    let full = revision().await;
    assert!(full - before <= 900, "{}", full - before);
    for number in 0..100 {
        let tried = app.sign_in(None, &format!("other{number}@example.org"), &wrong, address).await;
        assert!(matches!(tried, Err(LoginError::Throttled)));
    }
    assert_eq!(revision().await, full);
}

#[tokio::test]
async fn an_administrator_unlocks_an_account() {
    let (app, _) = world().await;
    strangers(&app).await;
    let snapshot = app.snapshot();
    let alice = snapshot.directory().user_by_upn(&Upn::parse("alice@example.org").unwrap()).unwrap().clone();
    let caller = crate::Caller::of_user(&alice, domain::id::AppId::new(crate::well_known::PORTAL));
    let nobody = crate::Caller { object_id: app.new_id().unwrap(), ..caller.clone() };
    assert!(app.unlock_user(&nobody, alice.id).await.is_err());
    assert!(matches!(try_once(&app, RIGHT, "203.0.113.9").await, Err(LoginError::Throttled)));
    app.unlock_user(&caller, alice.id).await.unwrap();
    try_once(&app, RIGHT, "203.0.113.9").await.unwrap();
    try_once(&app, RIGHT, "192.0.2.1").await.unwrap();
}

#[tokio::test]
async fn whoever_has_the_machine_gets_back_in_whatever_became_of_the_administrator() {
    const NEW: &str = "recovered battery";
    let (app, _) = world().await;
    let installation = app.install(|| unreachable!("there is one")).await.unwrap();
    let alice = Upn::parse("alice@example.org").unwrap();
    let session = app.begin_session(&try_once(&app, RIGHT, "198.51.100.7").await.unwrap()).await.unwrap();
    strangers(&app).await;
    // Locked, disabled, without a password, no administrator, no owner.
    app.transact(|tx| {
        let user = tx.snapshot().directory().user_by_upn(&alice).unwrap().clone();
        let mut tenant =
            domain::tenant::Tenant::clone(tx.snapshot().directory().tenant(user.tenant).unwrap());
        tenant.administrators.clear();
        for assignment in tx.snapshot().azure().assignments_of(user.id) {
            tx.delete(&domain::change::RecordKey::Assignment(assignment.id));
        }
        tx.put(&Record::Tenant(tenant))?;
        tx.put(&Record::User(User { enabled: false, password: None, ..User::clone(&user) }))
    })
    .await
    .unwrap();
    let password = Secret::new(NEW.to_owned());
    let recovered = app.recover_administrator(&installation, &alice, &password).await.unwrap();
    assert_eq!(recovered, Recovered { upn: alice.clone(), made: false });
    let signed_in = try_once(&app, NEW, "203.0.113.9").await.unwrap();
    assert!(app.find_session(&session).await.unwrap().is_none());
    let holds = |id: ObjectId| {
        let snapshot = app.snapshot();
        let tenant = snapshot.directory().tenant(installation.tenant).unwrap();
        tenant.administrators.contains(&id) && snapshot.azure().assignments_of(id).len() == 1
    };
    assert!(holds(signed_in.user));

    let other = Upn::parse("rescue@example.org").unwrap();
    let recovered = app.recover_administrator(&installation, &other, &password).await.unwrap();
    assert!(recovered.made);
    let rescue = app.sign_in(None, "rescue@example.org", &password, None).await.unwrap();
    assert!(holds(rescue.user) && holds(signed_in.user));
    // Again: nothing is given twice.
    assert!(!app.recover_administrator(&installation, &other, &password).await.unwrap().made);
    assert!(holds(rescue.user));
    let elsewhere = Upn::parse("rescue@elsewhere.example").unwrap();
    assert!(app.recover_administrator(&installation, &elsewhere, &password).await.is_err());
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
