//! A family beside a model that is too plain to be wrong: the list of all its tokens with the time of each first use.

use domain::id::{AppId, ObjectId, TenantId};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const REUSE: SignedDuration = SignedDuration::from_secs(60);

fn after(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn family(secret: &str) -> Family {
    let granted = Granted {
        tenant: TenantId::new(Uuid::from_u128(1)),
        user: ObjectId::new(Uuid::from_u128(2)),
        client: AppId::new(Uuid::from_u128(3)),
        stamp: 0,
        scope: "openid".into(),
        nonce: None,
    };
    Family::begin(granted, secret, after(1_000_000))
}

/// What follows a secret, by the key with this name.
fn successor(key: &str, secret: &str) -> String {
    digest(&format!("{key}/{secret}"))
}

fn present(family: &Family, secret: &str, seconds: i64) -> RefreshOutcome {
    family.present(secret, after(seconds), after(1_000_000), REUSE, &[successor("key", secret)])
}

/// All tokens of a family so far, the current one last, and when each of the earlier ones was first used.
#[derive(Default)]
struct Model {
    tokens: Vec<String>,
    used: Vec<i64>,
}

impl Model {
    /// What token number `index` gives at `now`; `None`: the family ends.
    fn present(&mut self, index: usize, now: i64) -> Option<String> {
        if let Some(used) = self.used.get(index) {
            return (now < used + 60).then(|| self.tokens[index + 1].clone());
        }
        if self.used.iter().filter(|used| now < *used + 60).count() >= MOST_USED {
            return Some(self.tokens[index].clone());
        }
        self.used.push(now);
        self.tokens.push(successor("key", &self.tokens[index]));
        self.tokens.last().cloned()
    }
}

proptest! {
    #[test]
    fn a_family_is_one_chain_whoever_presents_what_and_when(
        steps in prop::collection::vec((0_i64..25, 0_usize..6), 1..120)
    ) {
        let mut family = family("first");
        let mut model = Model { tokens: vec!["first".into()], used: Vec::new() };
        let mut now = 0;
        for (pause, back) in steps {
            now += if pause > 20 { pause * 2 } else { pause / 4 };
            let index = model.tokens.len().saturating_sub(1 + back);
            let secret = model.tokens[index].clone();
            let accepted = family.accepts(&secret, after(now));
            let expected = model.present(index, now);
            prop_assert_eq!(accepted, expected.is_some());
            match present(&family, &secret, now) {
                RefreshOutcome::Replaced(next, given) => {
                    prop_assert_eq!(Some(given), expected);
                    family = next;
                }
                RefreshOutcome::Again(given) => prop_assert_eq!(Some(given), expected),
                RefreshOutcome::Stolen => {
                    prop_assert_eq!(None, expected);
                    return Ok(());
                }
                RefreshOutcome::Lost => prop_assert!(false, "the key is there"),
            }
            // What is stored gives away neither the token that counts nor those that did.
            let stored = serde_json::to_string(&family).unwrap();
            prop_assert!(model.tokens.iter().all(|token| !stored.contains(token.as_str()) || token == "first"));
            prop_assert_eq!(serde_json::from_str::<Family>(&stored).unwrap(), family.clone());
        }
    }
}

#[test]
fn more_replacements_than_are_remembered_end_nothing() {
    let mut current = family("first");
    let mut secret = "first".to_owned();
    for _ in 0..MOST_USED {
        let RefreshOutcome::Replaced(next, given) = present(&current, &secret, 0) else {
            panic!("not replaced")
        };
        (current, secret) = (next, given);
    }
    assert_eq!(present(&current, &secret, 30), RefreshOutcome::Again(secret.clone()));
    assert!(matches!(present(&current, "first", 30), RefreshOutcome::Again(_)));
    assert!(matches!(present(&current, &secret, 61), RefreshOutcome::Replaced(..)));
}

#[test]
fn without_an_interval_every_reuse_ends_the_family() {
    let next = |family: &Family, secret: &str| {
        family.present(secret, after(0), after(9), SignedDuration::ZERO, &[successor("key", secret)])
    };
    let RefreshOutcome::Replaced(second, given) = next(&family("first"), "first") else {
        panic!("not replaced")
    };
    assert_eq!(next(&second, "first"), RefreshOutcome::Stolen);
    assert!(matches!(next(&second, &given), RefreshOutcome::Replaced(..)));
}

#[test]
fn a_new_sealing_key_gives_what_the_earlier_one_derived() {
    let keys = |names: [&str; 2]| names.map(|key| successor(key, "first"));
    let old = family("first").present("first", after(0), after(9), REUSE, &keys(["old", "none"]));
    let RefreshOutcome::Replaced(second, given) = old else { panic!("not replaced") };
    let again = |names| second.present("first", after(1), after(9), REUSE, &keys(names));
    assert_eq!(again(["new", "old"]), RefreshOutcome::Again(given));
    // Without the key nothing can be given, and nothing is taken for stolen.
    assert_eq!(again(["new", "newer"]), RefreshOutcome::Lost);
}

#[test]
fn a_family_that_an_earlier_release_wrote_goes_on() {
    let text = r#"{"granted":{"tenant":"00000000-0000-0000-0000-000000000001",
        "user":"00000000-0000-0000-0000-000000000002","client":"00000000-0000-0000-0000-000000000003",
        "stamp":0,"scope":"openid","nonce":null},"current":"CURRENT","expires":"2027-02-01T00:00:00Z"}"#;
    let stored: Family = serde_json::from_str(&text.replace("CURRENT", &digest("first"))).unwrap();
    assert!(matches!(present(&stored, "first", 0), RefreshOutcome::Replaced(..)));
    assert_eq!(present(&stored, "older", 0), RefreshOutcome::Stolen);
}
