//! Each rule finds what it is there for, and nothing in a tidy repository.

use std::fs;

use super::*;

/// A repository with these files; returns what tidy says, one line each. Where no table of who may use whom is given,
/// what is said about the table is left out.
fn tidied(files: &[(&str, &str)]) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in [("ARCHITECTURE.md", ARCHITECTURE)].iter().chain(files) {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let has_table = files.iter().any(|(path, _)| *path == "ARCHITECTURE.md");
    let lines = check(root.path()).unwrap();
    lines
        .iter()
        .filter(|line| has_table || line.file != Path::new("ARCHITECTURE.md"))
        .map(ToString::to_string)
        .collect()
}

const ARCHITECTURE: &str = "## Crates\n| crate | what it holds | may use |\n| --- | --- | --- |
| [domain](crates/domain/src/lib.rs) | x | nothing of ours |
| [store](crates/store/src/lib.rs) | x | nothing of ours |
| [app](crates/app/src/lib.rs) | x | domain, store |
| [oauth](crates/oauth/src/lib.rs), [graph](crates/graph/src/lib.rs) | x | app, domain |
| [server](crates/server/src/lib.rs) | x | all of the above |
| [testkit](crates/testkit/src/lib.rs) | x; for tests alone | app |
## Libraries that only some may use\n| libraries | crates that may use them | why |\n| --- | --- | --- |
| `axum`, `http` | oauth, graph, server | HTTP is for the surfaces |
";

fn manifest(dependencies: &str) -> String {
    format!("[package]\nname = \"x\"\n[lints]\nworkspace = true\n[dependencies]\n{dependencies}")
}

const SOURCE: &str = "//! A file.\nuse serde::Serialize;\n";

#[test]
fn a_tidy_repository_has_no_findings() {
    let app = manifest("serde = { workspace = true }\ndomain.workspace = true\n");
    let oauth = manifest("app = { workspace = true }\naxum = { workspace = true }\n");
    let table = "## Crates\n| crate | what | may use |\n| --- | --- | --- |
| [domain](crates/domain/src/lib.rs) | x | nothing of ours |
| [app](crates/app/src/lib.rs) | x | domain |
| [oauth](crates/oauth/src/lib.rs) | x | all of the above |
## Libraries that only some may use\n| libraries | crates | why |\n| --- | --- | --- |
| `axum` | oauth | HTTP is for the surfaces |

`crates/app/src/lib.rs`, `crates/*/src`";
    let found = tidied(&[
        ("crates/domain/Cargo.toml", &manifest("")),
        ("crates/domain/src/lib.rs", "//! A file.\n"),
        ("crates/app/Cargo.toml", &app),
        ("crates/app/src/lib.rs", &format!("{SOURCE}use domain::id;\n")),
        ("crates/oauth/Cargo.toml", &oauth),
        ("crates/oauth/src/lib.rs", "//! A file.\nuse app::App;\nuse axum::Router;\n"),
        ("README.md", "[the code](crates/app/src/lib.rs#L1) and [elsewhere](https://example.test/)"),
        ("ARCHITECTURE.md", table),
        ("target/debug/x.rs", "no header"),
        (".tools/x.rs", "no header"),
    ]);
    assert_eq!(found, Vec::<String>::new());
}

/// What is said of a crate that depends on something, and uses it.
fn using(krate: &str, dependency: &str) -> Vec<String> {
    let source = format!("//! A file.\nuse {}::x;\n", dependency.replace('-', "_"));
    let manifest = manifest(&format!("{dependency} = {{ workspace = true }}\n"));
    tidied(&[
        (&format!("crates/{krate}/Cargo.toml"), &manifest),
        (&format!("crates/{krate}/src/lib.rs"), &source),
    ])
}

#[test]
fn imports_follow_the_table() {
    for (krate, dependency) in [
        ("domain", "store"),
        ("store", "domain"),
        ("app", "oauth"),
        ("app", "server"),
        ("oauth", "graph"),
        ("graph", "store"),
    ] {
        let expected = format!(
            "error: crates/{krate}/Cargo.toml: {krate} must not use {dependency}: see the table of crates in \
             ARCHITECTURE.md"
        );
        assert_eq!(using(krate, dependency), [expected]);
    }
    for (krate, dependency) in
        [("app", "store"), ("graph", "domain"), ("server", "store"), ("server", "oauth")]
    {
        assert_eq!(using(krate, dependency), Vec::<String>::new(), "{krate} {dependency}");
    }
}

#[test]
fn libraries_follow_the_table() {
    assert_eq!(
        using("app", "http"),
        ["error: crates/app/Cargo.toml: app must not use http: HTTP is for the surfaces"]
    );
    assert_eq!(using("graph", "http"), Vec::<String>::new());
    assert_eq!(using("app", "serde"), Vec::<String>::new());
    assert_eq!(using("testkit", "http"), Vec::<String>::new());
}

#[test]
fn a_crate_outside_the_table_is_noticed() {
    let found =
        tidied(&[("crates/misc/Cargo.toml", &manifest("")), ("crates/misc/src/lib.rs", "//! A file.\n")]);
    let message = "misc stands in no row of the table of crates in ARCHITECTURE.md";
    assert_eq!(found, [format!("error: crates/misc/Cargo.toml: {message}")]);
}

#[test]
fn the_code_of_a_crate_is_held_against_its_manifest() {
    let source = "//! A file.\n\nfn f() { domain::g() }\n";
    let found = tidied(&[("crates/app/Cargo.toml", &manifest("")), ("crates/app/src/lib.rs", source)]);
    assert_eq!(found, ["error: crates/app/src/lib.rs:3: domain is used and is no dependency of app"]);
}

#[test]
fn a_table_that_says_too_much_or_cannot_be_read_is_noticed() {
    let table = "## Crates\n| crate | what | may use |\n| --- | --- | --- |
| [domain](crates/domain/src/lib.rs) | x | nothing of ours |
| [app](crates/app/src/lib.rs) | x | domain, gone |
| [domain](crates/domain/src/lib.rs) | x | nearly nothing! |
| [domain](crates/domain/src/lib.rs) | x | nothing of ours |
## Libraries that only some may use\n| libraries | crates | why |\n| --- | --- | --- |
| `serde` | app, nobody | x |
";
    let found = tidied(&[
        ("ARCHITECTURE.md", table),
        ("crates/domain/Cargo.toml", &manifest("")),
        ("crates/domain/src/lib.rs", "//! A file.\n"),
    ]);
    assert_eq!(
        found,
        [
            "error: ARCHITECTURE.md:5: gone stands in no row",
            "error: ARCHITECTURE.md:5: there is no crate app",
            "error: ARCHITECTURE.md:5: no crate of this row uses domain",
            "error: ARCHITECTURE.md:5: no crate of this row uses gone",
            "error: ARCHITECTURE.md:5: the link to crates/app/src/lib.rs leads nowhere",
            "error: ARCHITECTURE.md:6: not names of crates: nearly nothing!",
            "error: ARCHITECTURE.md:7: domain stands in two rows",
            "error: ARCHITECTURE.md:11: nobody stands in no row of the crates",
            "error: ARCHITECTURE.md:11: app uses none of these libraries",
            "error: ARCHITECTURE.md:11: nobody uses none of these libraries",
            "error: ARCHITECTURE.md:11: none of these crates uses serde",
        ]
    );
    let found = tidied(&[("ARCHITECTURE.md", "# The map")]);
    assert_eq!(
        found,
        [
            "error: ARCHITECTURE.md: there is no table of who may use whom",
            "error: ARCHITECTURE.md: there is no table of libraries that only some may use",
        ]
    );
}

#[test]
fn files_in_a_circle_are_noticed() {
    let found = tidied(&[
        ("crates/graph/Cargo.toml", &manifest("")),
        ("crates/graph/src/lib.rs", "//! A file.\nmod a;\nmod b;\n"),
        ("crates/graph/src/a.rs", "//! A file.\nuse crate::b::B;\n"),
        ("crates/graph/src/b.rs", "//! A file.\nuse crate::a::A;\n"),
    ]);
    assert_eq!(found, ["error: crates/graph/src/a.rs:2: files in a circle: a.rs:2 -> b.rs:2 -> a.rs"]);
}

#[test]
fn manifests_inherit_versions_and_lints() {
    let found = tidied(&[
        ("crates/app/Cargo.toml", "[package]\nname = \"app\"\n[dependencies]\nserde = \"1\"\n"),
        ("crates/app/src/lib.rs", SOURCE),
    ]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("lints of the workspace"), "{found:?}");
    assert!(found[1].contains("serde: versions stand in the workspace's manifest alone"), "{found:?}");
}

#[test]
fn a_dependency_that_is_not_used_is_noticed() {
    let dependencies = manifest("serde = { workspace = true }\nserde_json = { workspace = true }\n");
    let source = "//! A file.\nfn f() -> serde_json::Value { my_serde::x() }\n";
    let tested = format!("{source}#[cfg(test)]\nuse serde::Serialize;\n");
    for source in [source, &tested] {
        let found = tidied(&[("crates/app/Cargo.toml", &dependencies), ("crates/app/src/lib.rs", source)]);
        assert_eq!(found, ["error: crates/app/Cargo.toml: serde is not used, tests aside"]);
    }
}

#[test]
fn reads_of_the_whole_snapshot_are_counted() {
    let source = "//! A file.\nfn f(app: App) {\n    app.whole_snapshot();\n    g(App::whole_snapshot);\n    \
                  h!(app.whole_snapshot());\n}\nfn whole_snapshot() {}\n#[cfg(test)]\nfn t() { app.whole_snapshot() }\n";
    let document = |path: &str| Document { path: path.into(), text: source.to_owned() };
    let documents = [document("crates/graph/src/lib.rs"), document("crates/app/src/lib.rs")];
    let crates = documents::crates_of(&documents).unwrap();
    let place = |file, reads| whole_snapshot::Place { file, reads, why: "a decision needs it" };
    let said = |places: &[whole_snapshot::Place]| -> Vec<String> {
        whole_snapshot::check_places(&crates, places).iter().map(ToString::to_string).collect()
    };
    let none = said(&[]);
    assert_eq!(none.len(), 3, "{none:?}");
    assert!(
        none[0].starts_with("error: crates/graph/src/lib.rs:3: whole_snapshot: read what the caller"),
        "{none:?}"
    );
    assert_eq!(said(&[place("crates/graph/src/lib.rs", 2)]).len(), 1);
    assert_eq!(said(&[place("crates/graph/src/lib.rs", 3)]), Vec::<String>::new());
    let message = "whole_snapshot: 4 are allowed, and there are 3: write the lower number";
    assert_eq!(
        said(&[place("crates/graph/src/lib.rs", 4)]),
        [format!("error: crates/graph/src/lib.rs: {message}")]
    );
}

#[test]
fn what_we_depend_on_is_held_against_the_rules() {
    let rules = dependencies::Rules::read(
        r#"
        graph.targets = []
        licenses.allow = ["MIT", "Apache-2.0", "MPL-2.0", "Apache-2.0 WITH LLVM-exception"]
        bans.deny = [{ crate = "ring", reason = "one library is enough" }]
        bans.skip = [{ crate = "syn@2.0.1", reason = "x" }, { crate = "gone@1.0.0", reason = "x" }]
        "#,
    )
    .unwrap();
    let packages =
        |lines: &[&str]| lines.iter().map(|line| dependencies::Package::parse(line).unwrap()).collect();
    let good = packages(&[
        "app v0.1.0 (/code/crates/app)|",
        "serde v1.0.0|MIT OR Apache-2.0",
        "serde_derive v1.0.0 (proc-macro)|MIT/Apache-2.0 (*)",
        "colored v3.0.0 (*)|MPL-2.0+",
        "wasi v0.1.0|GPL-3.0 OR Apache-2.0 WITH LLVM-exception",
    ]);
    assert_eq!(rules.judge(&good), Vec::<String>::new());
    let bad = packages(&[
        "ring v0.17.1|MIT",
        "fork v1.0.0 (https://example.test/fork?rev=1#2)|MIT",
        "copyleft v1.0.0|GPL-3.0 AND MIT",
        "silent v1.0.0|",
        "odd v1.0.0 (proc-macro)|see the file",
    ]);
    assert_eq!(
        rules.judge(&bad),
        [
            "copyleft 1.0.0: the licence GPL-3.0 AND MIT is not allowed",
            "fork 1.0.0 comes from https://example.test/fork?rev=1#2, and not from the registry",
            "odd 1.0.0: the licence \"see the file\" cannot be read",
            "ring 0.17.1 is banned: one library is enough",
            "silent 1.0.0: the licence \"\" cannot be read",
        ]
    );
    let several = packages(&["syn v2.0.1|MIT", "syn v3.0.0|MIT", "rand v1.0.0|MIT", "rand v2.0.0|MIT"]);
    assert_eq!(
        rules.duplicates(&several),
        [
            "rand is there in the versions 1.0.0 and 2.0.0",
            "gone@1.0.0 is tolerated (bans.skip), and there is no second version",
        ]
    );
    assert!(dependencies::Rules::read("[graph]\ntargets = []").is_err());
}

#[test]
fn files_have_headers_and_are_not_too_long() {
    let long = |lines: usize| format!("//! A file.\n{}", "// line\n".repeat(lines - 1));
    let with_tests = format!("{}\n#[cfg(test)]\nmod tests {{\n{}}}\n", long(390), "// case\n".repeat(400));
    let found = tidied(&[
        ("crates/app/src/bare.rs", "fn f() {}\n"),
        ("crates/app/src/fine.rs", &long(400)),
        ("crates/app/src/long.rs", &long(401)),
        ("crates/app/src/tests.rs", &long(2000)),
        ("crates/app/src/tested.rs", &with_tests),
        ("crates/app/src/too_long.rs", &long(601)),
        ("crates/app/src/x/mod.rs", &long(1)),
    ]);
    assert_eq!(
        found,
        [
            "error: crates/app/src/bare.rs:1: a file begins with `//!`: what it is, and what it deliberately does not do",
            "warning: crates/app/src/long.rs: 401 lines: more than 400 ask to be split along a noun",
            "error: crates/app/src/too_long.rs: 601 lines: split it along a noun (at most 600)",
            "error: crates/app/src/x/mod.rs: a module is `name.rs` beside `name/`, never `mod.rs`",
        ]
    );
}

#[test]
fn links_that_lead_nowhere_are_noticed() {
    let found = tidied(&[
        (
            "docs/a.md",
            "[b](b.md) [c](c.md), [up](../README.md) [out](../../x)\n[anchor](#here) [m](mailto:a@b.test)",
        ),
        ("docs/b.md", ""),
        ("README.md", ""),
        ("ARCHITECTURE.md", "`crates/none/src/lib.rs` and `docs/b.md`"),
    ]);
    assert_eq!(
        found[2..],
        [
            "error: ARCHITECTURE.md:1: crates/none/src/lib.rs does not exist",
            "error: docs/a.md:1: the link to c.md leads nowhere",
            "error: docs/a.md:1: the link to ../../x leads nowhere",
        ]
    );
}

#[test]
fn words_that_do_not_belong_are_noticed() {
    // Put together here, as the patterns are.
    let source = ["//! A file.\n#[al", "low(dead_code)]\nfn f() { tod", "o!() }\n"].concat();
    let test = ["//! Tests.\nfn f() { std::thread::sl", "eep(x) }\n"].concat();
    let page = ["see /wo", "rk/x\n"].concat();
    let found =
        tidied(&[("crates/app/src/a.rs", &source), ("crates/app/src/tests.rs", &test), ("docs/a.md", &page)]);
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found[0].starts_with("error: crates/app/src/a.rs:2:"), "{found:?}");
    assert!(found[1].starts_with("error: crates/app/src/a.rs:3:"), "{found:?}");
    assert!(found[2].starts_with("error: crates/app/src/tests.rs:2:"), "{found:?}");
    assert!(found[3].starts_with("error: docs/a.md:1:"), "{found:?}");
}

#[test]
fn promises_name_the_test_that_holds_them() {
    let page = "# Design\n## Access\n- Held ([x](../crates/a/src/x.rs#it_holds)).\n- Held by a rule\n  \
                ([x](../crates/xtask/src/tidy/x.rs)).\n- A wish\n  ([x](../crates/a/src/x.rs)).\n\n\
                - Held no more ([x](../crates/a/src/x.rs#helper)).\n## What is not guaranteed\n- Nothing.\n";
    let source = "//! A file.\n#[tokio::test]\n#[should_panic]\nasync fn it_holds() {}\nfn helper() {}\n";
    let found = tidied(&[
        ("docs/security.md", page),
        ("docs/other.md", "[line](../crates/a/src/x.rs#L2) [gone](../crates/a/src/x.rs#gone)"),
        ("crates/a/src/x.rs", source),
        ("crates/xtask/src/tidy/x.rs", "//! A rule.\n"),
    ]);
    assert_eq!(
        found,
        [
            "error: docs/other.md:1: ../crates/a/src/x.rs has no test gone",
            "error: docs/security.md:6: no test is named that holds this: link FILE.rs#TEST",
            "error: docs/security.md:9: ../crates/a/src/x.rs has no test helper",
        ]
    );
}

#[test]
fn keys_and_changes_of_the_snapshot_have_one_place() {
    let key = ["//! A file.\nconst A: &str = \"/li", "ve/x\";\n"].concat();
    let apply = "//! A file.\nfn f() {\n    next.apply(1);\n}\n#[cfg(test)]\nfn t() { x.apply(1) }\n";
    let found = tidied(&[
        ("crates/state/src/tables.rs", &key),
        ("crates/state/src/cold.rs", &key),
        ("crates/state/src/live.rs", apply),
        ("crates/state/src/tx.rs", apply),
        ("crates/directory/src/live.rs", apply),
        ("crates/kubeapi/src/patch.rs", apply),
        ("crates/state/src/tables/tests.rs", &key),
    ]);
    let change = "apply: a snapshot is changed in crates/state/src/live.rs alone";
    assert_eq!(
        found,
        [
            format!("error: crates/directory/src/live.rs:3: {change}"),
            "error: crates/state/src/cold.rs:2: keys of the store are made in crates/state/src/tables.rs alone".into(),
            format!("error: crates/state/src/tx.rs:3: {change}"),
        ]
    );
}
