//! The matcher against tables, against a naive one, and against the clock.

use proptest::prelude::*;

use super::{
    super::{
        case::Case,
        find::find,
        gaps::{Step, end_of_first},
        glob::{folded_glob_matches, glob_matches, like_matches},
    },
    naive,
};

#[test]
fn stars_span_anything_and_actions_have_no_case() {
    for (pattern, text, expected) in [
        ("*", "", true),
        ("*", "a/b", true),
        ("", "", true),
        ("", "a", false),
        ("a/read", "A/READ", true),
        ("a/read", "a/reads", false),
        ("a/*/read", "a/b/c/read", true),
        ("a/*read", "a/read", true),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("*/read", "/READ", true),
        ("a**b", "ab", true),
        ("*a*b*", "xbxaxbx", true),
        ("*a*b*", "xbxa", false),
        ("ab*bc", "abc", false),
        ("a?c", "abc", false),
        ("a?c", "a?c", true),
        ("a\\*", "a\\b", true),
        ("É*", "é", false),
        ("*é", "é", true),
        ("*\u{a9}", "é", false),
    ] {
        assert_eq!(glob_matches(pattern, text), expected, "{pattern} {text}");
    }
}

#[test]
fn a_segment_of_a_star_may_be_missing() {
    let own = "identities/assign/action";
    for (pattern, expected) in [
        ("identities/*/assign/action", true),
        ("IDENTITIES/*/assign/action", true),
        ("identities/**/assign/action", true),
        ("*/*/action", true),
        ("identities/*/*/action", true),
        ("identities/*/*/assign/action", true),
        ("identities/*/assign/*/action", true),
        ("identities/*/*/assign/read", false),
        ("identities/a*/assign/action", false),
        ("identities*/assign/action", true),
        ("identities/assign/action/*", false),
        ("*/identities/assign/action", false),
    ] {
        assert_eq!(glob_matches(pattern, own), expected, "{pattern}");
    }
    assert!(glob_matches("identities/*/assign/action", "identities/a/b/assign/action"));
    assert!(!glob_matches("identities*/assign/action", "identitiesassign/action"));
    assert!(!glob_matches("identities/*/action", "identities/"));
    assert!(!glob_matches("ab*ba", "aba"));
}

#[test]
fn like_knows_one_character_and_escapes() {
    for (pattern, text, expected) in [
        ("a*c?", "abcd", true),
        ("A*C?", "abcd", false),
        ("a*c", "abcd", false),
        ("?", "é", true),
        ("?", "", false),
        ("??", "é", false),
        ("*?", "", false),
        ("*?", "ab", true),
        ("?*", "a", true),
        ("*?b*", "bb", true),
        ("*?b*", "ba", false),
        ("a\\*b", "a*b", true),
        ("a\\*b", "axb", false),
        ("a\\?b", "a?b", true),
        ("a\\?b", "axb", false),
        ("a\\\\*", "a\\xyz", true),
        ("a\\\\*", "a*", false),
        ("a\\b", "a\\b", true),
        ("a\\", "a\\", true),
        ("*\\", "a\\", true),
        ("\\**", "*a", true),
        ("\\**", "a", false),
        ("*\\?", "a?", true),
        ("*\\?", "ab", false),
    ] {
        assert_eq!(like_matches(pattern, text, Case::Counts), expected, "{pattern} {text}");
    }
    assert!(like_matches("A*C?", "abcd", Case::Ignored));
    assert!(like_matches("*\\?B", "a?b", Case::Ignored));
}

#[test]
fn hostile_patterns_end() {
    let text = "a".repeat(4000);
    assert!(!glob_matches(&format!("{}b", "a*".repeat(2000)), &text));
    assert!(!like_matches(&format!("{}b", "a*?".repeat(1000)), &text, Case::Counts));
    assert!(!like_matches(&format!("*{}b*", "a".repeat(2000)), &text, Case::Ignored));
    assert!(!glob_matches(
        &format!("*{}b{}*", "a".repeat(100_000), "a".repeat(100_000)),
        &"a".repeat(1_000_000)
    ));
}

proptest! {
    #[test]
    fn action_patterns_agree_with_a_naive_matcher(pattern in "[aAb*/]{0,8}", text in "[aAbB/]{0,10}") {
        let expected = naive::action_like(&pattern, &text);
        prop_assert_eq!(glob_matches(&pattern, &text), expected);
        prop_assert_eq!(folded_glob_matches(&pattern.to_lowercase(), &text.to_lowercase()), expected);
    }

    #[test]
    fn like_patterns_agree_with_a_naive_matcher(pattern in r"[abé*?\\]{0,8}", text in r"[abé*?\\]{0,10}") {
        prop_assert_eq!(like_matches(&pattern, &text, Case::Counts), naive::like(&pattern, &text));
        let (pattern, text) = (pattern.replace('a', "A"), text.replace('b', "B"));
        let expected = naive::like(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase());
        prop_assert_eq!(like_matches(&pattern, &text, Case::Ignored), expected);
    }

    #[test]
    fn like_patterns_of_more_than_one_block_agree_with_a_naive_matcher(
        piece in r"[ab?]{1,9}",
        repeats in 7..25_usize,
        noise in "[abé]{0,150}",
        end in "[ab*?é]{0,3}",
    ) {
        let pattern = format!("*?{}{end}*", piece.repeat(repeats));
        let fitting = piece.replace('?', "é").repeat(repeats);
        for text in [format!("{noise}{fitting}{noise}"), format!("{fitting}{fitting}"), fitting.replacen('b', "a", 1)] {
            prop_assert_eq!(like_matches(&pattern, &text, Case::Counts), naive::like(&pattern, &text), "{} {}", pattern, text);
            let upper = text.to_ascii_uppercase();
            prop_assert_eq!(like_matches(&pattern, &upper, Case::Ignored), naive::like(&pattern, &text));
        }
    }

    #[test]
    fn the_first_place_with_gaps_is_the_first_that_fits(text in "[abé😀]{0,90}", pattern in "[abé?]{1,5}") {
        let steps = pattern.bytes().map(|byte| if byte == b'?' { Step::Gap } else { Step::Byte(byte) });
        let ends = text.char_indices().map(|(start, character)| start + character.len_utf8());
        let expected = ends.into_iter().find(|end| naive::like(&format!("*{pattern}"), &text[..*end]));
        prop_assert_eq!(end_of_first(&text, steps, Case::Counts), expected);
    }

    #[test]
    fn the_linear_search_finds_what_trying_every_place_finds(
        needle in prop_oneof!["[ab]{1,40}", "(a{1,12}b){1,8}", "(ab{1,3}a){1,9}"],
        repeats in 1..12_usize,
        noise in "[aAbB]{60,200}",
    ) {
        let upper = needle.to_uppercase();
        let near = needle.get(1..).unwrap_or_default();
        let haystack = format!("{noise}{}{}{noise}{upper}{noise}", near.repeat(repeats), upper.repeat(repeats / 4));
        let expected = haystack.to_lowercase().find(&needle);
        prop_assert_eq!(find(haystack.as_bytes(), needle.as_bytes(), Case::Ignored), expected);
        prop_assert_eq!(find(haystack.as_bytes(), upper.as_bytes(), Case::Counts), haystack.find(&upper));
        let without = haystack.replace(['b', 'B'], "a");
        prop_assert_eq!(find(without.as_bytes(), needle.as_bytes(), Case::Counts), without.find(&needle));
    }
}
