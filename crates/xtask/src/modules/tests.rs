//! What counts as an import, which of them make a circle, and on which floor a room stands.

use std::path::Path;

use super::*;

fn krate(files: &[(&str, &str)]) -> Crate {
    Crate::read(files.iter().map(|(file, text)| (Path::new(*file), *text))).unwrap()
}

/// Each import as `from -> to`, the root as `crate`.
fn imports(files: &[(&str, &str)]) -> Vec<String> {
    let name = |path: &[String]| if path.is_empty() { "crate".to_owned() } else { path.join("::") };
    let krate = krate(files);
    let imports = krate.imports();
    imports.iter().map(|import| format!("{} -> {}", name(import.from), name(import.to))).collect()
}

fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    circles(&krate(files)).iter().map(ToString::to_string).collect()
}

const LIB: (&str, &str) = ("lib.rs", "mod a;\nmod b;\nmod c;\n");
const B: (&str, &str) = ("b.rs", "pub struct B;\npub fn f() {}\n");

#[test]
fn an_import_is_a_path_that_leads_into_another_file() {
    for text in [
        "use crate::b::B;",
        "use crate::{b::{self, B}};",
        "use super::b::*;",
        "use crate::b;\nfn g() { b::f(); }",
        "fn g() { crate::b::f(); }",
        "fn g() -> crate::b::B { todo() }",
        "impl crate::b::B {}",
        "fn g() { assert_eq!(1, { crate::b::f(); 1 }); }",
        "#[serde(with = \"crate::b\")]\nstruct A;",
        "mod inside {\n    use super::super::b::B;\n}",
    ] {
        assert_eq!(imports(&[LIB, ("a.rs", text), B]), ["a -> b"], "{text}");
    }
    for text in [
        "use crate::b;",
        "use std::b::B;",
        "// crate::b::f()\nfn g() -> &'static str { \"crate::b::f()\" }",
        "#[cfg(test)]\nuse crate::b::B;",
        "#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}",
        "impl A {\n    #[cfg(test)]\n    fn g() { crate::b::f() }\n}",
    ] {
        assert_eq!(imports(&[LIB, ("a.rs", text), B]), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_name_that_is_passed_on_leads_to_where_it_is_defined() {
    let by_name = ("lib.rs", "mod a;\nmod b;\npub use b::B;\n");
    let by_everything = ("lib.rs", "mod a;\nmod b;\npub use b::*;\n");
    let renamed = ("lib.rs", "mod a;\nmod b;\npub use b::B as Other;\n");
    for (lib, text) in [
        (by_name, "use crate::B;"),
        (by_name, "use super::B;"),
        (by_everything, "use crate::B;"),
        (renamed, "fn g(other: crate::Other) {}"),
    ] {
        let found = imports(&[lib, ("a.rs", text), B]);
        assert_eq!(found, ["crate -> b", "a -> b"], "{text}");
    }
    assert_eq!(
        imports(&[("lib.rs", "mod a;\npub struct App;"), ("a.rs", "use crate::App;")]),
        ["a -> crate"]
    );
}

#[test]
fn modules_for_tests_are_left_out_with_what_is_below_them() {
    let lib = ("lib.rs", "mod b;\n#[cfg(test)]\nmod a;\n");
    let found = krate(&[lib, ("a.rs", "mod x;\nuse crate::b::B;"), ("a/x.rs", "use crate::b::B;"), B]);
    assert_eq!(found.imports().len(), 0);
    assert_eq!(found.files().collect::<Vec<_>>(), [&[] as &[String], &["b".to_owned()]]);
}

#[test]
fn libraries_are_named_with_their_first_place() {
    let found = krate(&[
        ("lib.rs", "mod a;\nuse domain::id;\nfn f(id: id::Id) {}"),
        ("a.rs", "fn f() { store::open() }\n#[cfg(test)]\nfn g() { crypto::x() }"),
    ]);
    let named = found.libraries();
    assert_eq!(named.get("domain"), Some(&(Path::new("lib.rs"), 2)));
    assert_eq!(named.get("store"), Some(&(Path::new("a.rs"), 1)));
    assert_eq!(named.get("crypto"), None);
    assert_eq!(named.get("a"), None);
}

#[test]
fn siblings_in_a_circle_are_named_with_the_lines_that_make_it() {
    let found = circles_of(&[
        LIB,
        ("a.rs", "//! A.\nuse crate::b::B;\n"),
        ("b.rs", "use crate::c::C;\npub struct B;"),
        ("c.rs", "use crate::{\n    a::A,\n};\npub struct C;"),
    ]);
    assert_eq!(found, ["files in a circle: a.rs:2 -> b.rs:1 -> c.rs:2 -> a.rs"]);
}

#[test]
fn cousins_are_in_a_circle_wherever_they_lie() {
    let found = circles_of(&[
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "mod x;\n"),
        ("a/x.rs", "use crate::b::B;\npub struct X;"),
        ("b.rs", "use crate::a::x::X;\npub struct B;"),
    ]);
    assert_eq!(found, ["files in a circle: a/x.rs:1 -> b.rs:1 -> a/x.rs"]);
}

#[test]
fn parent_and_member_are_no_circle() {
    let found = circles_of(&[
        ("lib.rs", "mod a;\nmod b;\npub use a::x::y::Y;\npub struct App;"),
        ("a.rs", "mod x;\nuse x::y::Y;\npub struct A;"),
        ("a/x.rs", "pub mod y;\nuse super::A;"),
        ("a/x/y.rs", "use crate::{App, a::A};\npub struct Y;"),
        ("b.rs", "use crate::{App, a::A};"),
    ]);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn rooms_stand_above_what_they_import() {
    let krate = krate(&[
        ("lib.rs", "mod low;\nmod middle;\nmod top;\nmod one;\nmod two;\n"),
        ("low.rs", "pub struct Low;"),
        ("middle.rs", "mod deep;\nmod deeper;\npub struct Middle;"),
        ("middle/deep.rs", "use super::deeper::D;\nuse crate::low::Low;"),
        ("middle/deeper.rs", "pub struct D;"),
        ("top.rs", "use crate::{low::Low, middle::Middle};"),
        ("one.rs", "use crate::{low::Low, two::Two};\npub struct One;"),
        ("two.rs", "use crate::one::One;\npub struct Two;"),
    ]);
    let expected = [
        " 2 top -> low, middle",
        " 1 two (in a circle) -> one",
        " 1 one (in a circle) -> low, two",
        " 1 middle -> low",
        "     1 deep -> deeper",
        "     0 deeper",
        " 0 low",
    ];
    assert_eq!(draw(&krate).lines().collect::<Vec<_>>(), expected);
}
