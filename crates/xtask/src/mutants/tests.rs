//! The sample is the same for the same seed, a change stands where it should, and a record is read back.

use super::*;

/// In the form of cargo-mutants 27.
fn listed(name: &str, start: (usize, usize), end: (usize, usize), replacement: &str) -> serde_json::Value {
    serde_json::json!({
        "name": name, "package": "domain", "file": "crates/domain/src/a.rs", "replacement": replacement,
        "span": {
            "start": {"line": start.0, "column": start.1},
            "end": {"line": end.0, "column": end.1},
        },
    })
}

fn mutants(list: &[serde_json::Value]) -> Vec<Mutant> {
    sample::read(&serde_json::to_vec(list).unwrap()).unwrap()
}

#[test]
fn a_change_stands_in_its_place() {
    let text = "fn f() -> bool {\n    // Größe.\n    /* ß */ 1 < 2\n}\n";
    let list = mutants(&[
        listed("operator", (3, 15), (3, 16), "=="),
        listed("body", (2, 5), (3, 18), "true"),
        listed("beyond", (9, 1), (9, 2), "x"),
    ]);
    let applied: Vec<_> = list.iter().map(|mutant| mutant.applied(text)).collect();
    assert_eq!(applied[0].as_deref(), Some("fn f() -> bool {\n    // Größe.\n    /* ß */ 1 == 2\n}\n"));
    assert_eq!(applied[1].as_deref(), Some("fn f() -> bool {\n    true\n}\n"));
    assert!(sample::read(b"[{\"name\": \"x\"}]").is_err());
}

#[test]
fn a_sample_follows_from_its_seed_and_survives_other_lines() {
    let at = |line: usize, count: usize| -> Vec<Mutant> {
        let name = |number: usize| format!("crates/domain/src/a.rs:{}:5: replace {number}", line + number);
        mutants(&(0..count).map(|number| listed(&name(number), (1, 1), (1, 1), "")).collect::<Vec<_>>())
    };
    let what = |sample: Vec<Mutant>| -> Vec<String> {
        sample.into_iter().map(|mutant| mutant.name.split_once(": ").unwrap().1.to_owned()).collect()
    };
    let first = what(sample::draw(&at(1, 100), 10, 1));
    assert_eq!(first.len(), 10);
    assert_eq!(first, what(sample::draw(&at(50, 100), 10, 1)));
    assert_ne!(first, what(sample::draw(&at(1, 100), 10, 2)));
    // Those that read alike are drawn each for itself.
    let alike: Vec<_> =
        (0..100).map(|line| listed(&format!("a.rs:{line}:5: x"), (1, 1), (1, 1), "")).collect();
    let others: Vec<_> =
        (0..100).map(|line| listed(&format!("a.rs:{line}:5: {line}"), (1, 1), (1, 1), "")).collect();
    let drawn = what(sample::draw(&mutants(&[alike, others].concat()), 100, 1));
    assert!((20..80).contains(&drawn.iter().filter(|what| *what == "x").count()), "{drawn:?}");
    let more = what(sample::draw(&at(1, 101), 11, 1));
    assert!(first.iter().filter(|name| more.contains(name)).count() >= 10, "{first:?} {more:?}");
}

#[test]
fn a_record_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("x.tsv");
    let mut record = Record::open(place.clone()).unwrap();
    assert!(record.is_empty());
    for (name, outcome) in [
        ("a", Outcome::Caught),
        ("b", Outcome::CaughtAbove),
        ("c", Outcome::Missed),
        ("d", Outcome::Unbuildable),
    ] {
        record.add(name, outcome).unwrap();
    }
    let record = Record::open(place.clone()).unwrap();
    assert!(record.has("c") && !record.has("e"));
    let summary = record.summary(5);
    assert_eq!((summary.caught(), summary.is_complete(), summary.is_enough()), ((2, 3), false, false));
    assert_eq!(
        summary.to_string(),
        format!(
            "missed: c\nmutants: 4 of 5 judged; 2 of 3 that build are caught, 1 of them by crates above ({})",
            place.display()
        )
    );
    fs::write(&place, "perhaps\ta\n").unwrap();
    assert!(Record::open(place).is_err());
}

#[test]
fn users_of_a_crate_are_found_by_way_of_others() {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let above = Above(BTreeMap::from([
        ("domain".to_owned(), set(&["serde"])),
        ("app".to_owned(), set(&["domain"])),
        ("graph".to_owned(), set(&["app"])),
        ("store".to_owned(), set(&[])),
    ]));
    assert_eq!(above.users_of("domain"), BTreeSet::from(["app", "graph"]));
    assert_eq!(above.users_of("graph"), BTreeSet::new());
}
