//! Passwords tried one after the other, many at once, and from many places. The protocols that carry them are
//! tried elsewhere.

use std::net::IpAddr;

use jiff::SignedDuration;

use super::*;
use crate::test_world::{RIGHT, World, world};

async fn try_once(world: &World, password: &str, address: &str) -> Result<SignedIn, LoginError> {
    let address: IpAddr = address.parse().unwrap();
    world
        .sign_in
        .sign_in_with_password(None, "alice@example.org", &Secret::new(password.to_owned()), Some(address))
        .await
}

/// How many of the outcomes looked at the password.
async fn many(world: &World, password: &'static str, times: usize) -> (usize, usize) {
    let tries = (0..times).map(|_| {
        let world = world.clone();
        tokio::spawn(async move { try_once(&world, password, "192.0.2.1").await })
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
    let (world, _) = world().await;
    assert_eq!(many(&world, "wrong", 40).await, (0, 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_right_password_many_times_at_once_is_no_attack() {
    let (world, _) = world().await;
    assert_eq!(many(&world, RIGHT, 20).await, (20, 0));
}

#[tokio::test]
async fn who_tries_passwords_shuts_themselves_out_and_not_the_person() {
    let (world, clock) = world().await;
    for _ in 0..10 {
        assert!(matches!(try_once(&world, "wrong", "192.0.2.1").await, Err(LoginError::Refused)));
    }
    assert!(matches!(try_once(&world, RIGHT, "192.0.2.1").await, Err(LoginError::Throttled)));
    assert!(try_once(&world, RIGHT, "198.51.100.7").await.is_ok());
    clock.advance(SignedDuration::from_secs(601));
    assert!(try_once(&world, RIGHT, "192.0.2.1").await.is_ok());
}

#[tokio::test]
async fn an_account_is_shut_when_tries_come_from_everywhere() {
    let (world, _) = world().await;
    for number in 0..100 {
        let address = format!("192.0.2.{number}");
        assert!(matches!(try_once(&world, "wrong", &address).await, Err(LoginError::Refused)), "{number}");
    }
    assert!(matches!(try_once(&world, RIGHT, "198.51.100.7").await, Err(LoginError::Throttled)));
}

#[test]
fn one_ipv6_network_is_one_address() {
    let keys = |address: &str| {
        let source = Source::from(Some(address.parse().unwrap()));
        attempts_of("a", &source, known::Familiar::No)
    };
    assert_eq!(keys("2001:db8:0:1::1"), keys("2001:db8:0:1:ffff::2"));
    assert_ne!(keys("2001:db8:0:1::1"), keys("2001:db8:0:2::1"));
    assert_eq!(keys("::ffff:192.0.2.1"), keys("192.0.2.1"));
    assert_ne!(keys("192.0.2.1"), keys("192.0.2.2"));
}

/// Failures from a hundred places, as many as an account has.
async fn strangers(world: &World) {
    for number in 0..100 {
        let address = format!("192.0.2.{number}");
        assert!(matches!(try_once(world, "wrong", &address).await, Err(LoginError::Refused)), "{number}");
    }
    assert!(matches!(try_once(world, RIGHT, "203.0.113.9").await, Err(LoginError::Throttled)));
}

#[tokio::test]
async fn strangers_shut_nobody_out_who_was_here_before() {
    let (world, clock) = world().await;
    try_once(&world, RIGHT, "198.51.100.7").await.unwrap();
    try_once(&world, RIGHT, "2001:db8:0:1::1").await.unwrap();
    clock.advance(SignedDuration::from_hours(24 * 30));
    strangers(&world).await;
    try_once(&world, RIGHT, "198.51.100.7").await.unwrap();
    try_once(&world, RIGHT, "2001:db8:0:1::2").await.unwrap();
    // Known places have failures of their own, and no more of them than others.
    for _ in 0..10 {
        assert!(matches!(try_once(&world, "wrong", "198.51.100.7").await, Err(LoginError::Refused)));
    }
    assert!(matches!(try_once(&world, RIGHT, "198.51.100.7").await, Err(LoginError::Throttled)));
    try_once(&world, RIGHT, "2001:db8:0:1::2").await.unwrap();
}

#[tokio::test]
async fn a_known_browser_is_not_shut_out_by_its_neighbours() {
    let (world, _) = world().await;
    let address: IpAddr = "192.0.2.1".parse().unwrap();
    let by = async |browser: &'static str, name: &str, password: &str| {
        let source = Source { address: Some(address), browser: Some(browser) };
        world.sign_in.sign_in_with_password(None, name, &Secret::new(password.to_owned()), source).await
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
    let (world, _) = world().await;
    let revision = async || world.state.store().status().await.unwrap().revision.0;
    let before = revision().await;
    let address = Some("192.0.2.1".parse().unwrap());
    let wrong = Secret::new("wrong".to_owned());
    for number in 0..300 {
        let tried = world
            .sign_in
            .sign_in_with_password(None, &format!("user{number}@example.org"), &wrong, address)
            .await;
        assert!(matches!(tried, Err(LoginError::Refused)));
    }
    let full = revision().await;
    assert!(full - before <= 900, "{}", full - before);
    for number in 0..100 {
        let tried = world
            .sign_in
            .sign_in_with_password(None, &format!("other{number}@example.org"), &wrong, address)
            .await;
        assert!(matches!(tried, Err(LoginError::Throttled)));
    }
    assert_eq!(revision().await, full);
}

#[tokio::test]
async fn an_administrator_unlocks_an_account() {
    let (world, _) = world().await;
    strangers(&world).await;
    let snapshot = world.state.snapshot();
    let alice = snapshot.directory().user_by_upn(&Upn::parse("alice@example.org").unwrap()).unwrap().clone();
    let caller = state::Caller::of_user(&alice, domain::id::AppId::new(state::well_known::PORTAL));
    let nobody = state::Caller { object_id: world.state.new_id().unwrap(), ..caller.clone() };
    assert!(world.directory.unlock_user(&nobody, alice.id).await.is_err());
    assert!(matches!(try_once(&world, RIGHT, "203.0.113.9").await, Err(LoginError::Throttled)));
    world.directory.unlock_user(&caller, alice.id).await.unwrap();
    try_once(&world, RIGHT, "203.0.113.9").await.unwrap();
    try_once(&world, RIGHT, "192.0.2.1").await.unwrap();
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_from_before() {
    let (world, clock) = world().await;
    let before = try_once(&world, RIGHT, "192.0.2.1").await.unwrap();
    let session = world.sign_in.begin_session(&before).await.unwrap();
    clock.advance(SignedDuration::from_millis(1));
    let (old, new) = (Secret::new(RIGHT.to_owned()), Secret::new("a better password".to_owned()));
    let later = world.sign_in.change_password("alice@example.org", &old, &new, None).await.unwrap();
    assert_ne!(before.stamp, later.stamp);
    assert!(world.sign_in.find_session(&session).await.unwrap().is_none());
    assert!(try_once(&world, RIGHT, "192.0.2.1").await.is_err());
    assert!(try_once(&world, "a better password", "192.0.2.1").await.is_ok());
}

/// A second person, who administers nothing, with the caller who made them.
async fn person(world: &World, upn: &str) -> (state::Caller, ObjectId) {
    let snapshot = world.state.snapshot();
    let alice = snapshot.directory().user_by_upn(&Upn::parse("alice@example.org").unwrap()).unwrap();
    let caller = state::Caller::of_user(alice, domain::id::AppId::new(state::well_known::PORTAL));
    let new = directory::users::NewUser {
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
    let made = world.directory.create_user(&caller, new).await.unwrap().id;
    (caller, made)
}

const BOB: &str = "bob@example.org";

async fn bob(world: &World, password: &str, address: &str) -> Result<SignedIn, LoginError> {
    let address: IpAddr = address.parse().unwrap();
    world.sign_in.sign_in_with_password(None, BOB, &Secret::new(password.to_owned()), Some(address)).await
}

#[tokio::test]
async fn who_is_made_again_under_a_name_has_neither_places_nor_failures_of_the_one_before() {
    let (world, _) = world().await;
    let (admin, first) = person(&world, BOB).await;
    bob(&world, RIGHT, "198.51.100.7").await.unwrap();
    for number in 0..100 {
        assert!(matches!(bob(&world, "wrong", &format!("192.0.2.{number}")).await, Err(LoginError::Refused)));
    }
    bob(&world, RIGHT, "198.51.100.7").await.unwrap();
    world.directory.delete_user(&admin, first).await.unwrap();
    person(&world, BOB).await;
    // Not shut by what was tried before, and then shut for the place that only the first was known at.
    for number in 0..100 {
        assert!(matches!(bob(&world, "wrong", &format!("192.0.2.{number}")).await, Err(LoginError::Refused)));
    }
    assert!(matches!(bob(&world, RIGHT, "198.51.100.7").await, Err(LoginError::Throttled)));
}

#[tokio::test]
async fn unlocking_one_account_unlocks_no_other() {
    let (world, _) = world().await;
    let (admin, bob_id) = person(&world, BOB).await;
    strangers(&world).await;
    // Two names that nobody has, of which one begins with the other.
    world.directory.forgive_account("alice@example.or").await.unwrap();
    world.directory.unlock_user(&admin, bob_id).await.unwrap();
    assert!(matches!(try_once(&world, RIGHT, "203.0.113.9").await, Err(LoginError::Throttled)));
    let wrong = Secret::new("wrong".to_owned());
    for number in 0..100 {
        let address: IpAddr = format!("192.0.2.{number}").parse().unwrap();
        let _ = world.sign_in.sign_in_with_password(None, "who@x.organization", &wrong, Some(address)).await;
    }
    world.directory.forgive_account("who@x.org").await.unwrap();
    let address: IpAddr = "203.0.113.9".parse().unwrap();
    let again = world.sign_in.sign_in_with_password(None, "who@x.organization", &wrong, Some(address)).await;
    assert!(matches!(again, Err(LoginError::Throttled)));
}

#[tokio::test]
async fn only_the_right_password_tells_that_an_account_is_disabled() {
    let (world, _) = world().await;
    let (admin, bob_id) = person(&world, BOB).await;
    bob(&world, RIGHT, "198.51.100.7").await.unwrap();
    let disable = directory::users::UserUpdate { enabled: Some(false), ..Default::default() };
    world.directory.update_user(&admin, bob_id, disable).await.unwrap();
    assert!(matches!(bob(&world, "wrong", "198.51.100.7").await, Err(LoginError::Refused)));
    assert!(matches!(bob(&world, RIGHT, "198.51.100.7").await, Err(LoginError::Disabled)));
    // As many tries as anybody has.
    for _ in 0..10 {
        assert!(matches!(bob(&world, "wrong", "198.51.100.7").await, Err(LoginError::Refused)));
    }
    assert!(matches!(bob(&world, RIGHT, "198.51.100.7").await, Err(LoginError::Throttled)));
}

/// Whatever strangers there are: who is known is served, and who has no tries left takes no place.
#[tokio::test]
async fn strangers_in_every_place_keep_nobody_waiting_who_is_known() {
    let (world, _) = world().await;
    try_once(&world, RIGHT, "198.51.100.7").await.unwrap();
    for _ in 0..10 {
        assert!(matches!(try_once(&world, "wrong", "192.0.2.1").await, Err(LoginError::Refused)));
    }
    let queue = world.sign_in.inner.login.of(known::Familiar::No);
    let network = |number: u32| Some(IpAddr::from(std::net::Ipv4Addr::from(number)));
    let held: Vec<_> = (0..5_000).filter_map(|number| queue.enter(network(number)).ok()).collect();
    // Two of them are being checked, and do not end.
    let mut turns = Vec::new();
    for place in held.iter().take(2) {
        turns.push(place.turn().await.unwrap());
    }
    let full = |outcome| matches!(outcome, Err(LoginError::App(Error::Unavailable(_))));
    assert!(full(try_once(&world, RIGHT, "203.0.113.9").await));
    try_once(&world, RIGHT, "198.51.100.7").await.unwrap();
    assert!(matches!(try_once(&world, RIGHT, "192.0.2.1").await, Err(LoginError::Throttled)));
    drop(turns);
    drop(held);
    try_once(&world, RIGHT, "203.0.113.9").await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_set_back_shuts_nobody_out() {
    let (world, clock) = world().await;
    clock.advance(SignedDuration::from_hours(48));
    for _ in 0..10 {
        assert!(matches!(try_once(&world, "wrong", "192.0.2.1").await, Err(LoginError::Refused)));
    }
    assert!(matches!(try_once(&world, RIGHT, "192.0.2.1").await, Err(LoginError::Throttled)));
    clock.advance(SignedDuration::from_hours(-48));
    try_once(&world, RIGHT, "192.0.2.1").await.unwrap();
}
