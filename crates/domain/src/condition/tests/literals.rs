//! Texts as numbers, dates and GUIDs, and as what stands between quotes.

use jiff::Timestamp;

use super::super::literal::{parse_bool, parse_guid, parse_number, parse_time, unescape, unescape_pattern};

#[test]
fn numbers_are_whole_and_plain() {
    for (text, expected) in [
        ("0", Some(0)),
        ("-5", Some(-5)),
        ("007", Some(7)),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("+1", None),
        ("--1", None),
        ("-", None),
        ("", None),
        (" 1", None),
        ("1.0", None),
        ("1e3", None),
        ("\u{661}", None),
    ] {
        assert_eq!(parse_number(text), expected, "{text}");
    }
}

#[test]
fn times_have_one_form() {
    let noon = |nanosecond| Timestamp::new(1_654_084_800, nanosecond).ok();
    for (text, expected) in [
        ("2022-06-01T12:00:00Z", noon(0)),
        ("2022-06-01T12:00:00.0Z", noon(0)),
        ("2022-06-01T12:00:00.0000001Z", noon(100)),
        ("2022-06-01T12:00:00.123456789Z", noon(123_456_789)),
        ("2022-06-01T12:00:00.1234567890Z", None),
        ("2022-06-01T12:00:00.Z", None),
        ("2022-06-01T12:00:00", None),
        ("2022-06-01T12:00:00z", None),
        ("2022-06-01T12:00:00+00:00", None),
        ("2022-06-01T12:00:00Z[UTC]", None),
        ("2022-06-01 12:00:00Z", None),
        ("20220601T120000Z", None),
        ("2022-06-01T12:00Z", None),
        ("2022-06-01T12:00:60Z", None),
        ("2022-06-01T24:00:00Z", None),
        ("2022-02-29T12:00:00Z", None),
        ("-022-06-01T12:00:00Z", None),
        ("+022-06-01T12:00:00Z", None),
        ("\u{661}022-06-01T12:00:00Z", None),
        ("", None),
    ] {
        assert_eq!(parse_time(text), expected, "{text}");
    }
}

#[test]
fn guids_are_hyphenated() {
    let text = "b24988ac-6180-42a0-ab88-20f7382dd24c";
    let guid = parse_guid(text);
    assert_eq!(guid.map(|guid| guid.to_string()).as_deref(), Some(text));
    assert_eq!(parse_guid(&text.to_uppercase()), guid);
    let compact = text.replace('-', "");
    for other in
        [&text[1..], &compact, &format!("{{{text}}}"), &format!("urn:uuid:{text}"), &format!("{compact}    ")]
    {
        assert_eq!(parse_guid(other), None, "{other}");
    }
}

#[test]
fn booleans_are_two_words() {
    for (text, expected) in
        [("true", Some(true)), ("False", Some(false)), ("1", None), ("", None), ("true ", None)]
    {
        assert_eq!(parse_bool(text), expected, "{text}");
    }
}

#[test]
fn a_backslash_stands_for_itself_unless_it_escapes() {
    for (raw, text, pattern) in [
        (r"a\'b", "a'b", "a'b"),
        (r"a\\b", r"a\b", r"a\\b"),
        (r"a\b", r"a\b", r"a\\b"),
        (r"a\*b", r"a\*b", r"a\*b"),
        (r"a\\*b", r"a\*b", r"a\\*b"),
        (r"\\\'", r"\'", r"\\'"),
        (r"\?\x?", r"\?\x?", r"\?\\x?"),
        ("", "", ""),
    ] {
        assert_eq!(unescape(raw), text, "{raw}");
        assert_eq!(unescape_pattern(raw), pattern, "{raw}");
    }
}
