//! Which subscription the command line acts in: never another one because of what somebody made meanwhile.

use serde_json::Value;

use crate::running::{Journey, PASSWORD};

fn read(journey: &Journey, who: &str, line: &[&str]) -> Value {
    let said = journey.portcullis(who, &[line, &["-o", "json"]].concat(), None).ok();
    serde_json::from_str(&said).unwrap()
}

fn used(journey: &Journey, who: &str) -> (String, String) {
    let shown = read(journey, who, &["whoami"]);
    let text = |member: &str| shown[member].as_str().unwrap().to_owned();
    (text("subscriptionName"), text("subscriptionId"))
}

#[test]
fn a_session_keeps_its_subscription_until_it_is_told_another() {
    let journey = Journey::begin();
    let say = |line: &[&str]| journey.portcullis("admin", line, None);
    let first = journey.first("subscriptionId");
    let file = journey.path("data/first-admin.json");
    let login = ["login", "--from", file.to_str().unwrap()];
    say(&["cluster", "create", "c1", "-g", "rg"]).ok();
    // Whatever the order of their random ids, one of these comes first.
    for name in ["a1", "a2", "a3", "a4", "a5", "a6"] {
        let made = say(&["subscription", "create", name]);
        assert!(
            made.error.contains("go on acting in the subscription \"Default subscription\""),
            "{}",
            made.error
        );
    }
    assert_eq!(used(&journey, "admin"), ("Default subscription".to_owned(), first.clone()));
    assert!(say(&login).ok().contains("\"Default subscription\""));
    assert_eq!(used(&journey, "admin").1, first);
    assert!(say(&["cluster", "list"]).ok().contains("c1"));

    let chosen = say(&["subscription", "set", "A3"]).ok();
    assert!(chosen.contains("\"a3\""), "{chosen}");
    let third = used(&journey, "admin");
    assert_eq!(third.0, "a3");
    assert!(say(&["whoami"]).ok().contains("a3"));
    let listed = read(&journey, "admin", &["subscription", "list"]);
    let marked: Vec<&Value> =
        listed.as_array().unwrap().iter().filter(|each| each["isDefault"] == true).collect();
    assert!(marked.len() == 1 && marked[0]["displayName"] == "a3", "{listed}");
    say(&["cluster", "show", "c1"]).refused("in the subscription \"a3\"");
    say(&["cluster", "delete", "c1", "-g", "rg", "--yes"]).refused("no cluster named \"c1\"");
    // One command elsewhere, by name or id, before or after the verb.
    for elsewhere in ["default subscription", &first] {
        say(&["cluster", "show", "c1", "--subscription", elsewhere]).ok();
        say(&["cluster", "--subscription", elsewhere, "show", "c1", "-g", "rg"]).ok();
        assert!(say(&["resource-group", "list", "--subscription", elsewhere]).ok().contains("rg"));
        say(&["preflight", "c1", "--subscription", elsewhere]).ok();
        let given =
            ["assignment", "create", "--assignee", &journey.first("userPrincipalName"), "--role", "Reader"];
        let made =
            read(&journey, "admin", &[&given[..], &["-g", "rg", "--subscription", elsewhere]].concat());
        assert!(made["id"].as_str().unwrap().contains(&first), "{made}");
        say(&["assignment", "delete", made["name"].as_str().unwrap(), "--subscription", elsewhere]).ok();
        let roles = read(&journey, "admin", &["role", "list", "--subscription", elsewhere]);
        assert!(roles[0]["id"].as_str().unwrap().contains(&first), "{}", roles[0]);
    }
    let both = ["assignment", "list", "--scope", "/", "--subscription", "a1"];
    say(&both).refused("leave --subscription away");
    say(&["cluster", "list", "--subscription", "nosuch"])
        .refused("no subscription that you may see is named \"nosuch\"");
    say(&["subscription", "set", "nosuch"]).refused("`portcullis subscription list`");
    assert_eq!(used(&journey, "admin"), third);

    // The next sign-in at this server goes on where the last one was; a file, and a flag, say it themselves.
    let again = ["login", "--username", &journey.first("userPrincipalName"), "--password-stdin"];
    say(&["logout"]).ok();
    let password = journey.first("password");
    journey.portcullis("admin", &again, Some(&password)).ok();
    assert_eq!(used(&journey, "admin"), third);
    journey.portcullis("admin", &[&again[..], &["--subscription", "a5"]].concat(), Some(&password)).ok();
    assert_eq!(used(&journey, "admin").0, "a5");
    say(&login).ok();
    assert_eq!(used(&journey, "admin").1, first);
}

#[test]
fn of_several_subscriptions_the_one_that_is_taken_is_told() {
    let journey = Journey::begin();
    for name in ["zoo", "art"] {
        journey.portcullis("admin", &["subscription", "create", name], None).ok();
    }
    let upn = "alice@portcullis.local";
    journey.portcullis("admin", &["user", "create", upn, "--password-stdin"], Some(PASSWORD)).ok();
    let authority = journey.path("data/ca.crt");
    let start = ["login", "--url", &journey.url, "--ca-file", authority.to_str().unwrap()];
    let login = [&start[..], &["--username", upn, "--password-stdin"]].concat();
    // Nobody has a right yet; then there is no choice; then there is.
    journey.portcullis("alice", &login, Some(PASSWORD)).ok();
    journey.portcullis("alice", &["cluster", "list"], None).refused("no right in any subscription");
    let give = |place: &str| {
        let line = ["assignment", "create", "--assignee", upn, "--role", "Reader", "--subscription", place];
        journey.portcullis("admin", &line, None).ok();
    };
    give("zoo");
    assert!(!journey.portcullis("alice", &login, Some(PASSWORD)).ok().contains("subscription set"));
    assert_eq!(used(&journey, "alice").0, "zoo");
    give("art");
    give("Default subscription");
    let said = journey.portcullis("bob", &login, Some(PASSWORD)).ok();
    assert!(said.contains("\"art\"") && said.contains("one of 3"), "{said}");
    assert!(said.contains("`portcullis subscription set NAME`"), "{said}");
    assert_eq!(used(&journey, "bob").0, "art");
    // The one that was used before is gone from sight: that another is taken is told.
    journey
        .portcullis(
            "admin",
            &["assignment", "delete", "--assignee", upn, "--role", "Reader", "--subscription", "art"],
            None,
        )
        .ok();
    let said = journey.portcullis("bob", &login, Some(PASSWORD)).ok();
    assert!(said.contains("\"Default subscription\"") && said.contains("one of 2"), "{said}");
}
