//! What is a condition, how it prints, and what people are told about what is none.

use proptest::prelude::*;

use super::{
    super::{
        Condition, ConditionError,
        operator::{QUANTIFIERS, RELATIONS, Relation},
    },
    parse,
};

fn error(text: &str) -> ConditionError {
    match Condition::parse(text) {
        Ok(condition) => panic!("{text} was read as {condition}"),
        Err(error) => error,
    }
}

#[track_caller]
fn check_printed(text: &str, expected: &str) {
    let condition = parse(text);
    assert_eq!(condition.to_string(), expected);
    assert_eq!(parse(expected), condition);
}

#[test]
fn every_spelling_has_one_canonical_form() {
    for (text, expected) in [
        ("((ActionMatches{'a'}))", "ActionMatches{'a'}"),
        ("NOT Exists @Request[x]", "!(Exists @Request[x])"),
        ("Not not exists @REQUEST[ x ]", "!(!(Exists @Request[x]))"),
        ("Exists @a.b[x]", ""),
        (
            "@Resource[x]StringEquals'a'&&Exists @Principal[y]",
            "@Resource[x] StringEquals 'a' AND Exists @Principal[y]",
        ),
        (
            "(Exists @Request[a] and Exists @Request[b])\r\n\tOR (Exists @Request[c])",
            "(Exists @Request[a] AND Exists @Request[b]) OR Exists @Request[c]",
        ),
        (
            "Exists @Request[a] OR (Exists @Request[b] OR Exists @Request[c])",
            "Exists @Request[a] OR (Exists @Request[b] OR Exists @Request[c])",
        ),
        ("{'a'} stringequals {'a'}", "'a' StringEquals 'a'"),
        (
            "@Request[x] foranyofanyvalues:stringequals 'a'",
            "@Request[x] ForAnyOfAnyValues:StringEquals {'a'}",
        ),
        (
            "{10, -20} ForAllOfAllValues:NumericLessThan {25,030}",
            "{10, -20} ForAllOfAllValues:NumericLessThan {25, 30}",
        ),
        ("@Environment[isPrivateLink] BoolEquals TRUE", "@Environment[isPrivateLink] BoolEquals true"),
        (
            "@Environment[utcnow] DateTimeGreaterThan '2023-05-01T13:00:00.500Z'",
            "@Environment[utcnow] DateTimeGreaterThan '2023-05-01T13:00:00.5Z'",
        ),
        (
            "@Request[x] ForAnyOfAllValues:GuidNotEquals {B24988AC-6180-42a0-ab88-20f7382dd24c, 'acdd72a7-3385-48ef-bd42-f606fba81ae7'}",
            "@Request[x] ForAnyOfAllValues:GuidNotEquals {b24988ac-6180-42a0-ab88-20f7382dd24c, acdd72a7-3385-48ef-bd42-f606fba81ae7}",
        ),
        (
            "@Request[x] GuidEquals 12345678-1234-1234-1234-123456789012",
            "@Request[x] GuidEquals 12345678-1234-1234-1234-123456789012",
        ),
        (r"@Request[x] StringEquals 'it\'s \a \\ \*'", r"@Request[x] StringEquals 'it\'s \\a \\ \\*'"),
        (r"@Request[x] StringLike 'it\'s \a \\ \* * \?'", r"@Request[x] StringLike 'it\'s \\a \\ \* * \?'"),
        (r"'a\b' StringLike 'a\b'", r"'a\\b' StringLike 'a\\b'"),
        (r"ActionMatches{'a\'b'}", r"ActionMatches{'a\'b'}"),
        ("@Request[x] StringEquals ''", "@Request[x] StringEquals ''"),
        ("@Request[x] StringEquals 'ж ]['", "@Request[x] StringEquals 'ж ]['"),
        (
            "@Resource[a/tags:My Key<$key_case_sensitive$>] StringEquals @Principal[Id:a_b]",
            "@Resource[a/tags:My Key<$key_case_sensitive$>] StringEquals @Principal[Id:a_b]",
        ),
        (
            "@Request[a/tags&$keys$&] ForAllOfAnyValues:StringEquals {'a'}",
            "@Request[a/tags&$keys$&] ForAllOfAnyValues:StringEquals {'a'}",
        ),
    ] {
        if expected.is_empty() {
            error(text);
        } else {
            check_printed(text, expected);
        }
    }
}

#[test]
fn every_documented_operator_is_read_alone_and_behind_every_quantifier() {
    assert_eq!(RELATIONS.len() * (QUANTIFIERS.len() + 1), 140);
    for (name, relation) in RELATIONS {
        let literal = match relation {
            Relation::String { .. } => "'a'",
            Relation::Numeric(_) => "1",
            Relation::Bool { .. } => "true",
            Relation::DateTime(_) => "'2022-06-01T00:00:00Z'",
            Relation::Guid { .. } => "b24988ac-6180-42a0-ab88-20f7382dd24c",
        };
        let alone = format!("@Request[x] {name} {literal}");
        check_printed(&alone.to_lowercase().replace("t00:00:00z", "T00:00:00Z"), &alone);
        for (quantifier, _) in QUANTIFIERS {
            let text = format!("@Request[x] {quantifier}:{name} {{{literal}, {literal}}}");
            check_printed(&text, &text);
            let text = format!("@Request[x] {quantifier}:{name} @Resource[x]");
            check_printed(&text, &text);
        }
    }
}

#[test]
fn errors_say_where_what_was_expected_and_what_was_found() {
    let operator = "an operator such as StringEquals";
    let operators = "an operator such as StringEquals or ForAnyOfAnyValues:StringEquals";
    let expression =
        "an expression: an attribute such as @Request[name], ActionMatches, SubOperationMatches or Exists";
    let end = "the end of the condition";
    for (text, position, message) in [
        ("", 0, format!("expected {expression}, found {end}")),
        (" \n ", 3, format!("expected {expression}, found {end}")),
        ("foo", 0, format!("expected {expression}, found \"foo\"")),
        ("()", 1, format!("expected {expression}, found \")\"")),
        ("Exists @Request[x] AND", 22, format!("expected {expression}, found {end}")),
        ("Exists @Request[x] Exists", 19, format!("expected AND, OR or {end}, found \"Exists\"")),
        ("Exists @Request[x])", 18, format!("expected AND, OR or {end}, found \")\"")),
        ("(Exists @Request[x]", 19, format!("expected AND, OR or \")\", found {end}")),
        ("Exists 'x'", 7, "expected an attribute such as @Request[name] after Exists, found the text 'x'".to_owned()),
        (
            "Exists @Request[a] AND Exists @Request[b] OR Exists @Request[c]",
            42,
            "AND and OR stand side by side, parentheses must say which of them comes first".to_owned(),
        ),
        ("@Request[x]", 11, format!("expected {operator}, found {end}")),
        ("@Request[x] is 'a'", 12, format!("expected {operators}, found \"is\"")),
        ("@Request[x] StringMatches 'a'", 12, format!("expected {operators}, found \"StringMatches\"")),
        ("@Request[x] ForSomeValues:StringEquals 'a'", 12, format!("expected {operators}, found \"ForSomeValues:StringEquals\"")),
        ("@Request[x] StringEquals", 24, format!("expected a value or an attribute to compare with, found {end}")),
        ("@Request[x] StringEquals foo", 25, "expected a value or an attribute to compare with, found \"foo\"".to_owned()),
        ("@Request[x] StringEquals 'a' 'b'", 29, format!("expected AND, OR or {end}, found the text 'b'")),
        ("@Request[x] StringEquals {}", 26, "expected a value, found \"}\"".to_owned()),
        ("{'a',} ForAnyOfAnyValues:StringEquals {'a'}", 5, "expected a value after the comma, found \"}\"".to_owned()),
        ("{'a' 'b'} ForAnyOfAnyValues:StringEquals {'a'}", 5, "expected \",\" or \"}\", found the text 'b'".to_owned()),
        ("{@Request[x]} StringEquals 'a'", 1, "expected a value, found @Request[x]".to_owned()),
        ("ActionMatches('a')", 13, "expected \"{\", found \"(\"".to_owned()),
        ("ActionMatches{a}", 14, "expected an action pattern between single quotes, found \"a\"".to_owned()),
        ("ActionMatches{''}", 14, "expected an action pattern between the quotes, found the text ''".to_owned()),
        ("SubOperationMatches{'a','b'}", 23, "expected \"}\", found \",\"".to_owned()),
        ("@Subject[x] StringEquals 'a'", 0,
         "expected @Request, @Resource, @Principal or @Environment, found \"@Subject\"".to_owned()),
        ("@Request.x StringEquals 'a'", 0,
         "expected @Request, @Resource, @Principal or @Environment, found \"@Request.x\"".to_owned()),
        ("@Request StringEquals 'a'", 8, "expected \"[\" after @Request, found \" \"".to_owned()),
        ("@Request", 8, format!("expected \"[\" after @Request, found {end}")),
        ("@Request[x StringEquals 'a'", 24, "expected the \"]\" that closes the attribute's name, found \"'\"".to_owned()),
        ("@Request[x", 10, format!("expected the \"]\" that closes the attribute's name, found {end}")),
        ("@Request[ ]", 9, "expected the name of an attribute between the brackets, found \"\"".to_owned()),
        ("@Request[a:b<$>]", 9,
         "expected <$key_case_sensitive$> or &$keys$& or nothing behind the attribute's name, found \"a:b<$>\" \
          (was a $ lost to the shell?)".to_owned()),
        ("@Request[ab<$key_case_sensitive$>]", 9,
         "expected a key after a colon before <$key_case_sensitive$>, found \"ab<$key_case_sensitive$>\"".to_owned()),
        ("Resource[x] StringEquals 'a'", 0, format!("expected {expression}, found \"Resource\"")),
        ("@Request[x] StringEquals 'a", 25,
         "the text that begins here has no closing ' (inside of a text, a quote is written \\')".to_owned()),
        ("@Request[x] StringEquals 'C:\\'", 25,
         "the text that begins here has no closing ' (inside of a text, a quote is written \\')".to_owned()),
        ("@Request[x] StringEquals 'a\nb'", 27, "expected the closing ' of the text, found the character U+000A".to_owned()),
        ("@Request[x] StringEquals 'a\\\nb'", 28, "expected the closing ' of the text, found the character U+000A".to_owned()),
        ("@Request[x] StringEquals \"a\"", 25, "found \"\"\", texts stand between single quotes".to_owned()),
        ("Exists @Request[x] & Exists @Request[y]", 19, "found \"&\", expected &&".to_owned()),
        ("Exists\u{a0}@Request[x]", 6, "found the character U+00A0".to_owned()),
        ("Exists ‘x’", 7, "found \"‘\" (U+2018)".to_owned()),
        ("@Request[x] NumericEquals '1'", 26,
         "NumericEquals compares whole numbers such as 10, without quotes, of at most 64 bits, found '1'".to_owned()),
        ("@Request[x] NumericEquals 1.5", 26,
         "NumericEquals compares whole numbers such as 10, without quotes, of at most 64 bits, found \"1.5\"".to_owned()),
        ("@Request[x] NumericEquals 9223372036854775808", 26,
         "NumericEquals compares whole numbers such as 10, without quotes, of at most 64 bits, found \"9223372036854775808\"".to_owned()),
        ("@Request[x] StringEquals 1", 25, "StringEquals compares texts between single quotes, found \"1\"".to_owned()),
        ("@Request[x] BoolEquals 'true'", 23, "BoolEquals compares true or false, without quotes, found 'true'".to_owned()),
        ("@Request[x] DateTimeEquals '2022-06-01'", 27,
         "DateTimeEquals compares date-times such as '2023-05-01T13:00:00.0Z', found '2022-06-01'".to_owned()),
        ("@Request[x] DateTimeEquals '2022-02-30T00:00:00Z'", 27,
         "DateTimeEquals compares date-times such as '2023-05-01T13:00:00.0Z', found '2022-02-30T00:00:00Z'".to_owned()),
        ("@Request[x] GuidEquals 'a'", 23,
         "GuidEquals compares GUIDs such as 00000000-0000-0000-0000-000000000000, found 'a'".to_owned()),
        ("@Request[x] ForAnyOfAnyValues:NumericEquals {1, 'a'}", 48,
         "NumericEquals compares whole numbers such as 10, without quotes, of at most 64 bits, found 'a'".to_owned()),
        ("@Request[x] StringEquals {'a', 'b'}", 25,
         "StringEquals compares one value, for a set write ForAnyOfAnyValues:StringEquals or its like".to_owned()),
        ("{1, 2} NumericEquals 1", 0,
         "NumericEquals compares one value, for a set write ForAnyOfAnyValues:NumericEquals or its like".to_owned()),
        ("@Environment[UtcNow] StringEquals 'a'", 21,
         "expected an operator that compares a date-time, which @Environment[UtcNow] is, found StringEquals".to_owned()),
        ("true BoolEquals @Environment[isprivatelink] AND 1 NumericEquals @Environment[IsPrivateLink]", 50,
         "expected an operator that compares a boolean, which @Environment[IsPrivateLink] is, found NumericEquals".to_owned()),
    ] {
        let error = error(text);
        assert_eq!((error.position, error.message.as_str()), (position, message.as_str()), "{text}");
    }
}

#[test]
fn positions_are_bytes_for_programs_and_lines_and_columns_for_people() {
    let error = error("(\n  @Request[x] StringEquals 'жук'\n  AND 'é' is 'e'\n)");
    assert_eq!((error.position, error.line, error.column), (49, 3, 11));
    assert_eq!(
        error.to_string(),
        "line 3, column 11: expected an operator such as StringEquals or ForAnyOfAnyValues:StringEquals, found \"is\""
    );
}

#[test]
fn a_condition_of_8192_bytes_is_read_and_a_longer_one_is_not() {
    let text = format!("@Request[x] StringEquals '{}'", "a".repeat(8192 - 27));
    assert_eq!(text.len(), 8192);
    parse(&text);
    let error = error(&format!("{text} "));
    assert_eq!(error.position, 8192);
    assert_eq!(error.message, "the condition is 8193 bytes long, at most 8192 are allowed");
}

#[test]
fn nesting_is_bounded_and_the_place_is_named() {
    for opening in ["(", "!", "!(", "NOT "] {
        let nested = |depth: usize| {
            let closing = if opening.ends_with('(') { ")".repeat(depth) } else { String::new() };
            format!("{}ActionMatches{{'a'}}{closing}", opening.repeat(depth))
        };
        let deepest = parse(&nested(64));
        assert_eq!(parse(&deepest.to_string()), deepest);
        for depth in [65, 1000] {
            let error = error(&nested(depth));
            assert_eq!(error.position, 64 * opening.len(), "{opening}");
            assert_eq!(error.message, "expressions are nested more than 64 deep here");
        }
    }
    // Beyond the limit of length: refused before anything is read.
    assert_eq!(error(&"(".repeat(10_000)).position, 8192);
    assert_eq!(error(&"!".repeat(8192)).position, 64);
}

proptest! {
    #[test]
    fn random_text_never_panics(text in any::<String>()) {
        read_and_print(&text)?;
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_and_print(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn random_tokens_never_panic(tokens in prop::collection::vec(prop::sample::select(TOKENS), 0..30)) {
        read_and_print(&tokens.concat())?;
        read_and_print(&tokens.join(" "))?;
    }

    #[test]
    fn damaged_conditions_never_panic(start in 0..400_usize, length in 0..20_usize, insert in "[(){}'@!\\\\é ]{0,3}") {
        let mut text: Vec<char> = super::GUARDED.chars().collect();
        let start = start.min(text.len());
        let end = (start + length).min(text.len());
        text.splice(start..end, insert.chars());
        read_and_print(&text.into_iter().collect::<String>())?;
    }
}

/// Whatever is read prints to something equal; whatever is not has a place inside of the text.
fn read_and_print(text: &str) -> Result<(), TestCaseError> {
    match Condition::parse(text) {
        Ok(condition) => prop_assert_eq!(Condition::parse(&condition.to_string()), Ok(condition)),
        Err(error) => {
            prop_assert!(text.is_char_boundary(error.position));
            let before = &text[..error.position];
            prop_assert_eq!(error.line as usize, before.matches('\n').count() + 1);
            prop_assert_eq!(
                error.column as usize,
                before.chars().rev().take_while(|c| *c != '\n').count() + 1
            );
        }
    }
    Ok(())
}

const TOKENS: &[&str] = &[
    "(",
    ")",
    "(",
    ")",
    "{",
    "}",
    ",",
    "!",
    "NOT",
    "AND",
    "OR",
    "&&",
    "||",
    "ActionMatches",
    "ActionMatches{'a*'}",
    "SubOperationMatches{'b'}",
    "Exists",
    "@Request[x]",
    "@Resource[a/b:c]",
    "@Environment[UtcNow]",
    "@Principal",
    "StringEquals",
    "StringNotLike",
    "NumericLessThan",
    "BoolEquals",
    "DateTimeEquals",
    "GuidEquals",
    "ForAnyOfAnyValues:StringEquals",
    "ForAllOfAllValues:NumericEquals",
    "ForAnyOfAnyValues:",
    "'a'",
    "'\\'",
    "''",
    "'2022-06-01T00:00:00Z'",
    "10",
    "-1",
    "1.5",
    "true",
    "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "foo",
    "é",
    "\n",
];
