//! Each rule finds what it is there for, and nothing in a tidy repository.

use std::fs;

use super::*;

/// A repository with these files; returns what tidy says, one line each.
fn tidied(files: &[(&str, &str)]) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    check(root.path()).unwrap().iter().map(ToString::to_string).collect()
}

fn manifest(dependencies: &str) -> String {
    format!("[package]\nname = \"x\"\n[lints]\nworkspace = true\n[dependencies]\n{dependencies}")
}

const SOURCE: &str = "//! A file.\nuse serde::Serialize;\n";

#[test]
fn a_tidy_repository_has_no_findings() {
    let manifest = manifest("serde = { workspace = true }\ndomain.workspace = true\n");
    let source = format!("{SOURCE}use domain::id;\n");
    let found = tidied(&[
        ("crates/app/Cargo.toml", &manifest),
        ("crates/app/src/lib.rs", &source),
        ("README.md", "[the code](crates/app/src/lib.rs#L1) and [elsewhere](https://example.test/)"),
        ("ARCHITECTURE.md", "`crates/app/src/lib.rs`, `crates/*/src`"),
        ("target/debug/x.rs", "no header"),
        (".tools/x.rs", "no header"),
    ]);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn imports_follow_the_table() {
    let check = |krate: &str, dependency: &str| {
        let source = format!("//! A file.\nuse {}::x;\n", dependency.replace('-', "_"));
        let manifest = manifest(&format!("{dependency} = {{ workspace = true }}\n"));
        tidied(&[
            (&format!("crates/{krate}/Cargo.toml"), &manifest),
            (&format!("crates/{krate}/src/lib.rs"), &source),
        ])
    };
    for (krate, dependency) in [
        ("domain", "store"),
        ("domain", "tokio"),
        ("store", "domain"),
        ("crypto", "app"),
        ("app", "web"),
        ("app", "http"),
        ("app", "redb"),
        ("app", "aws-lc-rs"),
        ("oauth", "graph"),
        ("graph", "crypto"),
        ("kubeapi", "store"),
        ("cli", "app"),
        ("portcullis", "app"),
        ("server", "cli"),
        ("kubeapi", "testkit"),
        ("testkit", "server"),
    ] {
        let found = check(krate, dependency);
        assert!(
            found.iter().any(|line| line.contains(&format!("{krate} must not use {dependency}"))),
            "{krate} {dependency}: {found:?}"
        );
    }
    for (krate, dependency) in [
        ("server", "store"),
        ("portcullis", "cli"),
        ("kubeapi", "web"),
        ("crypto", "rcgen"),
        ("web", "hyper"),
    ] {
        assert_eq!(check(krate, dependency), Vec::<String>::new(), "{krate} {dependency}");
    }
}

#[test]
fn a_crate_outside_the_table_is_noticed() {
    let found = tidied(&[("crates/misc/Cargo.toml", &manifest("")), ("crates/misc/src/lib.rs", SOURCE)]);
    assert_eq!(found, ["error: crates/misc/Cargo.toml: the crate misc has no place in the table of imports"]);
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
    let found = tidied(&[("crates/app/Cargo.toml", &dependencies), ("crates/app/src/lib.rs", source)]);
    assert_eq!(found, ["error: crates/app/Cargo.toml: serde is not used"]);
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
        found,
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
