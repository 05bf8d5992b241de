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

/// A second person, who administers nothing, with the caller who made them.
async fn person(app: &App, upn: &str) -> (crate::Caller, ObjectId) {
    let snapshot = app.snapshot();
    let alice = snapshot.directory().user_by_upn(&Upn::parse("alice@example.org").unwrap()).unwrap();
    let caller = crate::Caller::of_user(alice, domain::id::AppId::new(crate::well_known::PORTAL));
    let new = crate::users::NewUser {
        upn: Upn::parse(upn).unwrap(),
        display_name: domain::name::DisplayName::parse("Bob").unwrap(),
        enabled: true,
        password: Some(Secret::new(RIGHT.to_owned())),
        must_change_password: false,
        mail_nickname: None,
        mail: None,
        given_name: None,
        surname: None,
        job_title: None,
    };
    let made = app.create_user(&caller, new).await.unwrap().id;
    (caller, made)
}

const BOB: &str = "bob@example.org";

async fn bob(app: &App, password: &str, address: &str) -> Result<SignedIn, LoginError> {
    let address: IpAddr = address.parse().unwrap();
    app.sign_in(None, BOB, &Secret::new(password.to_owned()), Some(address)).await
}

#[tokio::test]
async fn who_is_made_again_under_a_name_has_neither_places_nor_failures_of_the_one_before() {
    let (app, _) = world().await;
    let (admin, first) = person(&app, BOB).await;
    bob(&app, RIGHT, "198.51.100.7").await.unwrap();
    for number in 0..100 {
        assert!(matches!(bob(&app, "wrong", &format!("192.0.2.{number}")).await, Err(LoginError::Refused)));
    }
    bob(&app, RIGHT, "198.51.100.7").await.unwrap();
    app.delete_user(&admin, first).await.unwrap();
    person(&app, BOB).await;
    // Not shut by what was tried before, and then shut for the place that only the first was known at.
    for number in 0..100 {
        assert!(matches!(bob(&app, "wrong", &format!("192.0.2.{number}")).await, Err(LoginError::Refused)));
    }
    assert!(matches!(bob(&app, RIGHT, "198.51.100.7").await, Err(LoginError::Throttled)));
}

#[tokio::test]
async fn unlocking_one_account_unlocks_no_other() {
    let (app, _) = world().await;
    let (admin, bob_id) = person(&app, BOB).await;
    strangers(&app).await;
    // Two names that nobody has, of which one begins with the other.
    app.forgive_account("alice@example.or").await.unwrap();
    app.unlock_user(&admin, bob_id).await.unwrap();
    assert!(matches!(try_once(&app, RIGHT, "203.0.113.9").await, Err(LoginError::Throttled)));
    let wrong = Secret::new("wrong".to_owned());
    for number in 0..100 {
        let address: IpAddr = format!("192.0.2.{number}").parse().unwrap();
        let _ = app.sign_in(None, "who@x.organization", &wrong, Some(address)).await;
    }
    app.forgive_account("who@x.org").await.unwrap();
    let address: IpAddr = "203.0.113.9".parse().unwrap();
    let again = app.sign_in(None, "who@x.organization", &wrong, Some(address)).await;
    assert!(matches!(again, Err(LoginError::Throttled)));
}

#[tokio::test]
async fn only_the_right_password_tells_that_an_account_is_disabled() {
    let (app, _) = world().await;
    let (admin, bob_id) = person(&app, BOB).await;
    bob(&app, RIGHT, "198.51.100.7").await.unwrap();
    let disable = crate::users::UserUpdate { enabled: Some(false), ..Default::default() };
    app.update_user(&admin, bob_id, disable).await.unwrap();
    assert!(matches!(bob(&app, "wrong", "198.51.100.7").await, Err(LoginError::Refused)));
    assert!(matches!(bob(&app, RIGHT, "198.51.100.7").await, Err(LoginError::Disabled)));
    // As many tries as anybody has.
    for _ in 0..10 {
        assert!(matches!(bob(&app, "wrong", "198.51.100.7").await, Err(LoginError::Refused)));
    }
    assert!(matches!(bob(&app, RIGHT, "198.51.100.7").await, Err(LoginError::Throttled)));
}

/// Whatever strangers there are: who is known is served, and who has no tries left takes no place.
#[tokio::test]
async fn strangers_in_every_place_keep_nobody_waiting_who_is_known() {
    let (app, _) = world().await;
    try_once(&app, RIGHT, "198.51.100.7").await.unwrap();
    for _ in 0..10 {
        assert!(matches!(try_once(&app, "wrong", "192.0.2.1").await, Err(LoginError::Refused)));
    }
    let queue = app.inner.login.of(known::Familiar::No);
    let network = |number: u32| Some(IpAddr::from(std::net::Ipv4Addr::from(number)));
    let held: Vec<_> = (0..5_000).filter_map(|number| queue.enter(network(number)).ok()).collect();
    // Two of them are being checked, and do not end.
    let mut turns = Vec::new();
    for place in held.iter().take(2) {
        turns.push(place.turn().await.unwrap());
    }
    let full = |outcome| matches!(outcome, Err(LoginError::App(Error::Unavailable(_))));
    assert!(full(try_once(&app, RIGHT, "203.0.113.9").await));
    try_once(&app, RIGHT, "198.51.100.7").await.unwrap();
    assert!(matches!(try_once(&app, RIGHT, "192.0.2.1").await, Err(LoginError::Throttled)));
    drop(turns);
    drop(held);
    try_once(&app, RIGHT, "203.0.113.9").await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_set_back_shuts_nobody_out() {
    let (app, clock) = world().await;
    clock.advance(SignedDuration::from_hours(48));
    for _ in 0..10 {
        assert!(matches!(try_once(&app, "wrong", "192.0.2.1").await, Err(LoginError::Refused)));
    }
    assert!(matches!(try_once(&app, RIGHT, "192.0.2.1").await, Err(LoginError::Throttled)));
    clock.advance(SignedDuration::from_hours(-48));
    try_once(&app, RIGHT, "192.0.2.1").await.unwrap();
}
