//! The language, table by table, and its agreement with a slow evaluator (`agreement`), with a corpus that
//! other programs can read (`corpus`) and with a naive matcher (`patterns`).

mod agreement;
mod corpus;
mod facts;
mod literals;
mod naive;
mod patterns;
mod syntax;

use self::facts::TestFacts;
use super::{Condition, Facts, Source, UnsupportedVersion, Value, Values, attribute_names_match};

fn parse(text: &str) -> Condition {
    Condition::parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn check(text: &str, facts: &TestFacts, expected: bool) {
    let condition = parse(text);
    assert_eq!(condition.holds(facts), expected, "{text}\n{facts:?}");
    assert_eq!(condition.refusal(facts).is_none(), expected, "{text}\n{facts:?}");
}

const READ: &str = "Microsoft.ContainerService/managedClusters/customresources/read";
const GROUP: &str = "Microsoft.ContainerService/managedClusters/customResources:group";
const GUARDED: &str = "(
 (
  !(ActionMatches{'Microsoft.ContainerService/managedClusters/customresources/read'})
 )
 OR
 (
  @Request[Microsoft.ContainerService/managedClusters/customResources:group] StringEqualsIgnoreCase 'cert-manager.io'
  AND
  @Request[Microsoft.ContainerService/managedClusters/customResources:kind] StringEqualsIgnoreCase 'certificates'
 )
)";

fn certificates(group: &'static str) -> TestFacts {
    TestFacts::new(READ).with(Source::Request, GROUP, Value::String(group)).with(
        Source::Request,
        &GROUP.replace("group", "kind"),
        Value::String("certificates"),
    )
}

#[test]
fn a_guard_lets_other_actions_pass_and_holds_its_own_to_the_expression() {
    check(GUARDED, &certificates("Cert-Manager.io"), true);
    check(GUARDED, &certificates("kyverno.io"), false);
    check(GUARDED, &TestFacts::new(READ), false);
    check(GUARDED, &TestFacts::new("Microsoft.ContainerService/managedClusters/pods/read"), true);
}

#[test]
fn negation_never_turns_an_absent_attribute_into_access() {
    let nothing = TestFacts::new("a/read");
    for text in [
        "@Request[x] StringEquals 'a'",
        "@Request[x] StringNotEquals 'a'",
        "!(@Request[x] StringEquals 'a')",
        "!(@Request[x] StringNotEquals 'a')",
        "!(!(@Request[x] StringEquals 'a'))",
        "!(ActionMatches{'a/read'} AND @Request[x] StringEquals 'a')",
        "@Request[x] ForAllOfAllValues:StringNotEquals {'a'}",
        "@Request[x] StringEquals @Request[x]",
        "Exists @Request[x]",
    ] {
        check(text, &nothing, false);
    }
    for text in [
        "NOT Exists @Request[x]",
        "!(ActionMatches{'a/write'} AND @Request[x] StringEquals 'a')",
        "@Request[x] StringEquals 'a' OR ActionMatches{'a/*'}",
    ] {
        check(text, &nothing, true);
    }
}

#[test]
fn a_list_before_an_operator_for_one_value_is_not_compared() {
    let lists = |values: &[&'static str]| TestFacts::new("a").with_strings(Source::Principal, "p", values);
    check("@Principal[p] StringEquals 'a'", &lists(&["a"]), true);
    for text in ["@Principal[p] StringEquals 'a'", "@Principal[p] StringNotEquals 'x'"] {
        check(text, &lists(&["a", "b"]), false);
    }
    check("@Principal[p] ForAnyOfAnyValues:StringEquals {'b'}", &lists(&["a", "b"]), true);
    check("@Principal[p] ForAllOfAnyValues:StringEquals {'a', 'b', 'c'}", &lists(&["a", "b"]), true);
}

#[test]
fn a_list_without_values_is_absent_and_not_vacuously_true() {
    let empty = TestFacts::new("a").with_strings(Source::Principal, "p", &[]);
    check("@Principal[p] ForAllOfAnyValues:StringEquals {'a'}", &empty, false);
    check("@Principal[p] ForAllOfAllValues:StringNotEquals {'a'}", &empty, false);
    check("Exists @Principal[p]", &empty, false);
}

#[test]
fn facts_as_text_are_read_as_the_type_of_the_operator() {
    let text = |text: &'static str| TestFacts::new("a").with(Source::Resource, "x", Value::String(text));
    for (condition, holds, fails, not_comparable) in [
        ("@Resource[x] NumericLessThan 10", "9", "10", "nine"),
        ("@Resource[x] BoolEquals true", "True", "false", "yes"),
        (
            "@Resource[x] GuidEquals b24988ac-6180-42a0-ab88-20f7382dd24c",
            "B24988AC-6180-42A0-AB88-20F7382DD24C",
            "00000000-0000-0000-0000-000000000000",
            "{b24988ac-6180-42a0-ab88-20f7382dd24c}",
        ),
        (
            "@Resource[x] DateTimeLessThan '2023-05-01T13:00:00.5Z'",
            "2023-05-01T13:00:00Z",
            "2023-05-01T13:00:00.5Z",
            "2023-05-01T13:00:00+02:00",
        ),
    ] {
        check(condition, &text(holds), true);
        check(condition, &text(fails), false);
        check(&format!("!({condition})"), &text(fails), true);
        check(condition, &text(not_comparable), false);
        check(&format!("!({condition})"), &text(not_comparable), false);
    }
}

#[test]
fn values_of_another_type_are_not_compared() {
    let number = TestFacts::new("a").with(Source::Resource, "x", Value::Number(1));
    for text in
        ["@Resource[x] StringEquals '1'", "@Resource[x] StringNotEquals '2'", "@Resource[x] BoolEquals true"]
    {
        check(text, &number, false);
    }
    check("@Resource[x] NumericGreaterThanEquals 1", &number, true);
}

#[test]
fn a_text_beyond_8_kib_is_not_compared() {
    let long = String::leak("a".repeat(8193));
    let (within, beyond) = (&long[..8192], &long[..]);
    let facts = |text| TestFacts::new("a").with(Source::Resource, "x", Value::String(text));
    check("@Resource[x] StringStartsWith 'a'", &facts(within), true);
    check("@Resource[x] StringStartsWith 'a'", &facts(beyond), false);
    check("@Resource[x] StringNotStartsWith 'b'", &facts(beyond), false);
}

#[test]
fn the_old_form_of_a_sub_operation_is_answered_from_the_request() {
    let mut facts = TestFacts::new("a");
    let text = "@Request[subOperation] ForAnyOfAnyValues:StringEqualsIgnoreCase {'blob.list'}";
    check(text, &facts, false);
    facts.sub_operation = Some("Blob.List");
    check(text, &facts, true);
    check("SubOperationMatches{'blob.*'}", &facts, true);
}

#[test]
fn clauses_behind_the_deciding_one_are_not_asked() {
    #[derive(Debug)]
    struct Strict;
    impl Facts for Strict {
        fn action(&self) -> &str {
            "a"
        }
        fn sub_operation(&self) -> Option<&str> {
            None
        }
        fn attribute(&self, _: Source, name: &str) -> Option<Values<'_>> {
            panic!("asked for {name}")
        }
    }
    assert!(parse("ActionMatches{'a'} OR @Request[x] StringEquals 'y'").holds(&Strict));
    assert!(!parse("ActionMatches{'b'} AND @Request[x] StringEquals 'y'").holds(&Strict));
}

#[test]
fn a_refusal_names_the_clause_to_blame_and_what_is_absent() {
    let refusal =
        |text: &str, facts: &TestFacts| parse(text).refusal(facts).map(|refusal| refusal.to_string());
    let group = format!("@Request[{GROUP}]");
    assert_eq!(refusal(GUARDED, &certificates("cert-manager.io")), None);
    assert_eq!(
        refusal(GUARDED, &certificates("kyverno.io")),
        Some(format!("requires {group} StringEqualsIgnoreCase 'cert-manager.io'"))
    );
    assert_eq!(
        refusal(GUARDED, &TestFacts::new(READ)),
        Some(format!(
            "requires {group} StringEqualsIgnoreCase 'cert-manager.io', but the request has no {group}"
        ))
    );
    assert_eq!(
        refusal("ActionMatches{'*'} AND !(Exists @Resource[x] OR ActionMatches{'a'})", &TestFacts::new("a")),
        Some("requires !(ActionMatches{'a'})".to_owned())
    );
    assert_eq!(
        refusal(
            "!(ActionMatches{'a'} AND SubOperationMatches{'b'} AND Exists @Request[x])",
            &TestFacts::new("a")
        ),
        None
    );
}

#[test]
fn names_of_attributes_are_compared_without_case_except_keys_that_ask_for_it() {
    for (asked, held, expected) in [
        (GROUP, "microsoft.containerservice/managedclusters/customresources:GROUP", true),
        (GROUP, "group", false),
        ("a/tags:Project<$key_case_sensitive$>", "A/TAGS:Project", true),
        ("a/tags:Project<$key_case_sensitive$>", "a/tags:Project<$key_case_sensitive$>", true),
        ("a/tags:Project<$key_case_sensitive$>", "a/tags:project", false),
        ("a/tags:Project<$key_case_sensitive$>", "a/tags", false),
        ("a/tags:Project<$key_case_sensitive$>", "b/tags:Project", false),
        ("a/tags:Project", "a/tags:project<$key_case_sensitive$>", true),
        ("a/tags&$keys$&", "A/tags&$keys$&", true),
    ] {
        assert_eq!(attribute_names_match(asked, held), expected, "{asked} {held}");
    }
}

#[test]
fn only_version_2_0_is_read() {
    assert_eq!(Condition::check_version(None), Ok(()));
    assert_eq!(Condition::check_version(Some("2.0")), Ok(()));
    for version in ["1.0", "2", "", " 2.0", "3.0"] {
        assert_eq!(Condition::check_version(Some(version)), Err(UnsupportedVersion(version.to_owned())));
    }
    assert_eq!(
        UnsupportedVersion("1.0".to_owned()).to_string(),
        "condition version \"1.0\" is not supported, expected 2.0"
    );
}

#[test]
fn a_condition_is_stored_as_written_and_equal_by_meaning() -> Result<(), Box<dyn std::error::Error>> {
    let text = "( ! actionMATCHES {'a'}||@resource[x]stringequals'y' )";
    let condition = parse(text);
    assert_eq!(condition.text(), text);
    assert_eq!(serde_json::to_string(&condition)?, serde_json::to_string(text)?);
    let read: Condition = serde_json::from_str(&serde_json::to_string(&condition)?)?;
    assert_eq!(read.text(), text);
    assert_eq!(condition, parse("!(ActionMatches{'a'}) OR @Resource[x] StringEquals 'y'"));
    assert_ne!(condition, parse("!(ActionMatches{'a'}) OR @Resource[x] StringEquals 'Y'"));
    let error = serde_json::from_str::<Condition>("\"a\"").err().map(|error| error.to_string());
    assert!(error.is_some_and(|error| error.starts_with("line 1, column 1: expected an expression")));
    Ok(())
}

#[test]
fn facts_may_be_a_trait_object() {
    let facts: &dyn Facts = &TestFacts::new("a");
    assert!(parse("ActionMatches{'a'}").holds(facts));
}
