//! Checks strings with a format: bytes (base64), quantities and times. What Go's decoders refuse is refused here with
//! their messages, because one object that clients cannot decode breaks every list that contains it. Accepted values
//! are normalized to the form that Go writes.

use base64::{
    Engine, alphabet,
    engine::general_purpose::{GeneralPurpose, PAD, STANDARD},
};
use jiff::{Timestamp, civil::Date};

/// Base64 as Go's `encoding/base64` reads it: line ends and the bits after the last byte are ignored. The error gives
/// the offset of the first wrong byte.
pub fn bytes(text: &str) -> Result<String, String> {
    if STANDARD.decode(text).is_ok() {
        return Ok(text.to_owned());
    }
    match LENIENT.decode(text.replace(['\n', '\r'], "")) {
        Ok(bytes) => Ok(STANDARD.encode(bytes)),
        Err(_) => Err(format!("illegal base64 data at input byte {}", first_wrong(text.as_bytes()))),
    }
}

/// Checks a quantity as `resource.ParseQuantity` does; surrounding white space is ignored.
pub fn quantity(text: &str) -> Result<(), &'static str> {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{a0}']);
    if text.is_empty() {
        return Err(QUANTITY_FORMAT);
    }
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_digit = |each: char| each.is_ascii_digit();
    let suffix = rest.trim_start_matches(is_digit);
    // ParseQuantity reads a quantity without digits as zero.
    let suffix = suffix.strip_prefix('.').map_or(suffix, |more| more.trim_start_matches(is_digit));
    let exponent = suffix.trim_start_matches(|each| "eEinumkKMGTP".contains(each));
    let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    if !digits.chars().all(is_digit) {
        return Err(QUANTITY_FORMAT);
    }
    let is_power = |suffix: &str| {
        // Bounded, because clients that list the object would have to expand the exponent.
        let number = suffix.strip_prefix(['e', 'E']).and_then(|number| number.parse::<i64>().ok());
        number.is_some_and(|number| number.abs() <= LARGEST_EXPONENT)
    };
    if !SUFFIXES.contains(&suffix) && !is_power(suffix) {
        return Err("unable to parse quantity's suffix");
    }
    Ok(())
}

/// The sign of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    Negative,
    Zero,
    Positive,
}

/// The sign of a quantity that [`quantity`] accepts; a tiny value is still positive or negative, not zero.
pub fn sign(text: &str) -> Sign {
    let text = text.trim();
    let mantissa = text.trim_start_matches(['-', '+']);
    let mut digits = mantissa.chars().take_while(|each| each.is_ascii_digit() || *each == '.');
    if !digits.any(|digit| ('1'..='9').contains(&digit)) {
        Sign::Zero
    } else if text.starts_with('-') {
        Sign::Negative
    } else {
        Sign::Positive
    }
}

/// A time of RFC 3339 as `metav1.Time` reads and writes it: in UTC, whole seconds.
pub fn time(text: &str) -> Result<String, String> {
    let time = parse_time(text, Layout::Seconds)?;
    Ok(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The same with exactly six digits of a second, as `metav1.MicroTime`.
pub fn micro_time(text: &str) -> Result<String, String> {
    let time = parse_time(text, Layout::Microseconds)?;
    Ok(time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
}

/// The offset that Go's `encoding/base64` reports for a malformed text.
fn first_wrong(text: &[u8]) -> usize {
    let mut signs = text.iter().enumerate().filter(|(_, sign)| !matches!(**sign, b'\n' | b'\r'));
    let is_letter = |sign: u8| sign.is_ascii_alphanumeric() || sign == b'+' || sign == b'/';
    let mut letters: usize = 0;
    let found = signs.by_ref().find(|(_, sign)| {
        letters += usize::from(is_letter(**sign));
        !is_letter(**sign)
    });
    match (found, letters % 4) {
        (None, left) => text.len().saturating_sub(left),
        (Some((_, b'=')), 3) => signs.next().map_or(text.len(), |(after, _)| after),
        (Some((_, b'=')), 2) => match (signs.next(), signs.next()) {
            (Some((_, b'=')), Some((after, _))) => after,
            (Some((_, b'=')) | None, _) => text.len(),
            (Some((next, _)), _) => next.saturating_sub(1),
        },
        (Some((at, _)), _) => at,
    }
}

const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, PAD.with_decode_allow_trailing_bits(true));

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Seconds,
    Microseconds,
}

impl Layout {
    fn text(self) -> &'static str {
        match self {
            Self::Seconds => "2006-01-02T15:04:05Z07:00",
            Self::Microseconds => "2006-01-02T15:04:05.000000Z07:00",
        }
    }
}

/// Parses element by element as Go's `time.Parse` does, so that the error names the same element.
struct Elements<'a> {
    whole: &'a str,
    rest: &'a str,
    layout: Layout,
}

fn parse_time(text: &str, layout: Layout) -> Result<Timestamp, String> {
    let mut elements = Elements { whole: text, rest: text, layout };
    let year = elements.number("2006", 4, 4, 0..=9999, "year")?;
    elements.literal("-")?;
    let month = elements.number("01", 2, 2, 1..=12, "month")?;
    elements.literal("-")?;
    let day = elements.number("02", 2, 2, 0..=99, "day")?;
    elements.literal("T")?;
    let hour = elements.number("15", 1, 2, 0..=23, "hour")?;
    elements.literal(":")?;
    let minute = elements.number("04", 2, 2, 0..=59, "minute")?;
    elements.literal(":")?;
    let second = elements.number("05", 2, 2, 0..=59, "second")?;
    let nanosecond = elements.fraction()?;
    let offset = elements.offset()?;
    if !elements.rest.is_empty() {
        return Err(format!("parsing time {text:?}: extra text: {:?}", elements.rest));
    }
    let small = |number: i64| i8::try_from(number).unwrap_or_default();
    let date = Date::new(i16::try_from(year).unwrap_or_default(), small(month), small(day))
        .map_err(|_| format!("parsing time {text:?}: day out of range"))?;
    let local = date.at(small(hour), small(minute), small(second), nanosecond);
    let outside = || "Time.MarshalJSON: year outside of range [0,9999]".to_owned();
    let utc = local.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| outside())?.timestamp();
    let time = utc.checked_sub(jiff::SignedDuration::from_secs(offset)).map_err(|_| outside())?;
    let year = jiff::tz::TimeZone::UTC.to_datetime(time).year();
    if (0..=9999).contains(&year) { Ok(time) } else { Err(outside()) }
}

impl Elements<'_> {
    fn literal(&mut self, wanted: &str) -> Result<(), String> {
        self.rest = self.rest.strip_prefix(wanted).ok_or_else(|| self.unreadable(wanted))?;
        Ok(())
    }

    fn number(
        &mut self,
        element: &str,
        least: usize,
        most: usize,
        range: std::ops::RangeInclusive<i64>,
        name: &str,
    ) -> Result<i64, String> {
        let count = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(count);
        let number = digits.parse().ok().filter(|_| count >= least);
        let number = number.ok_or_else(|| self.unreadable(element))?;
        self.rest = rest;
        if range.contains(&number) { Ok(number) } else { Err(self.out_of_range(name)) }
    }

    /// Nanoseconds.
    fn fraction(&mut self) -> Result<i32, String> {
        let digits = self.rest.strip_prefix(['.', ',']).unwrap_or_default();
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        let count = match self.layout {
            Layout::Seconds if count == 0 => return Ok(0),
            Layout::Seconds => count,
            Layout::Microseconds if count < 6 => return Err(self.unreadable(".000000")),
            Layout::Microseconds => 6,
        };
        let (digits, rest) = digits.split_at(count);
        self.rest = rest;
        let nine: String = digits.chars().chain(std::iter::repeat('0')).take(9).collect();
        Ok(nine.parse().unwrap_or_default())
    }

    /// Seconds east of UTC.
    fn offset(&mut self) -> Result<i64, String> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(0);
        }
        let unreadable = || self.unreadable("Z07:00");
        let sign = if self.rest.starts_with('-') { -1 } else { 1 };
        let text = self.rest.strip_prefix(['-', '+']).ok_or_else(unreadable)?;
        let (hours, rest) = text.split_at_checked(2).ok_or_else(unreadable)?;
        let rest = rest.strip_prefix(':').ok_or_else(unreadable)?;
        let (minutes, rest) = rest.split_at_checked(2).ok_or_else(unreadable)?;
        let number = |text: &str| {
            let digits = text.bytes().all(|each| each.is_ascii_digit());
            text.parse::<i64>().ok().filter(|_| digits).ok_or_else(unreadable)
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        for (value, most, name) in [(hours, 24, "hour"), (minutes, 59, "minute")] {
            if value > most {
                return Err(self.out_of_range(&format!("time zone offset {name}")));
            }
        }
        self.rest = rest;
        Ok(sign * (hours * 3600 + minutes * 60))
    }

    fn unreadable(&self, element: &str) -> String {
        let Self { whole, rest, layout } = self;
        format!("parsing time {whole:?} as {:?}: cannot parse {rest:?} as {element:?}", layout.text())
    }

    fn out_of_range(&self, name: &str) -> String {
        format!("parsing time {:?}: {name} out of range", self.whole)
    }
}

const QUANTITY_FORMAT: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const SUFFIXES: [&str; 16] =
    ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const LARGEST_EXPONENT: i64 = 100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("", Ok("")),
            ("aGk=", Ok("aGk=")),
            ("aG\nk=\r\n", Ok("aGk=")),
            // Bits behind the end do not count.
            ("aGl=", Ok("aGk=")),
            ("***", Err(0)),
            ("aGk", Err(0)),
            ("aGkaG", Err(4)),
            ("a=", Err(1)),
            ("aG=", Err(3)),
            ("aG=x", Err(2)),
            ("aGk=x", Err(4)),
            ("aGk=\naGk=", Err(5)),
            ("aG_k", Err(2)),
        ] {
            let expected = expected
                .map(str::to_owned)
                .map_err(|at: usize| format!("illegal base64 data at input byte {at}"));
            assert_eq!(bytes(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_quantity_has_a_sign() {
        for (text, expected) in [
            ("-1", Sign::Negative),
            (" -0.5Gi ", Sign::Negative),
            ("-1e3", Sign::Negative),
            ("-0", Sign::Zero),
            ("0.00Ki", Sign::Zero),
            ("0e3", Sign::Zero),
            ("-", Sign::Zero),
            ("Ki", Sign::Zero),
            ("+.5", Sign::Positive),
            ("1e-3", Sign::Positive),
        ] {
            assert_eq!((quantity(text), sign(text)), (Ok(()), expected), "{text:?}");
        }
    }

    #[test]
    fn quantities_are_read_as_go_reads_them() {
        for text in [
            "0", "1", "100m", "1.5Gi", "1e3", "1E-3", "+.5", "-1", "1.", "1.G", " 1 ", "3E", "007", "-", "Ki",
        ] {
            assert_eq!(quantity(text), Ok(()), "{text:?}");
        }
        for text in ["", "a", "1 1", "1x", "1.2.3", "1m5x", "0x10", "1,5", "NaN", "1KiB"] {
            assert_eq!(quantity(text), Err(QUANTITY_FORMAT), "{text:?}");
        }
        for text in ["1K", "1ee3", "1m5", "1e", "1e999999999", "1e99999999999999999999", "1Ki1"] {
            assert_eq!(quantity(text), Err("unable to parse quantity's suffix"), "{text:?}");
        }
    }

    #[test]
    fn times_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("2026-11-30T17:00:00Z", "2026-11-30T17:00:00Z"),
            ("2026-11-30T17:00:00.123456789Z", "2026-11-30T17:00:00Z"),
            ("2026-11-30T17:00:00+02:30", "2026-11-30T14:30:00Z"),
            ("2024-02-29T7:00:00Z", "2024-02-29T07:00:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(time(text).as_deref(), Ok(expected));
        }
        let layout = "2006-01-02T15:04:05Z07:00";
        for (text, rest, element) in [
            ("", "", "2006"),
            ("tomorrow", "tomorrow", "2006"),
            ("2026-1-01T00:00:00Z", "1-01T00:00:00Z", "01"),
            ("2026-11-30 17:00:00Z", " 17:00:00Z", "T"),
            ("2026-11-30T17:00:00", "", "Z07:00"),
            ("2026-11-30T17:00:00+0100", "+0100", "Z07:00"),
            ("2026-11-30", "", "T"),
        ] {
            assert_eq!(
                time(text).unwrap_err(),
                format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {element:?}")
            );
        }
        for (text, said) in [
            ("2026-13-01T00:00:00Z", "month out of range"),
            ("2026-02-30T00:00:00Z", "day out of range"),
            ("2026-02-00T00:00:00Z", "day out of range"),
            ("2026-02-20T24:00:00Z", "hour out of range"),
            ("2026-02-20T23:60:00Z", "minute out of range"),
            ("2026-02-20T23:00:00+25:00", "time zone offset hour out of range"),
            ("2026-02-20T23:00:00Z ", "extra text: \" \""),
        ] {
            assert_eq!(time(text).unwrap_err(), format!("parsing time {text:?}: {said}"));
        }
        assert_eq!(
            micro_time("2026-11-30T17:00:00.120000+01:00").as_deref(),
            Ok("2026-11-30T16:00:00.120000Z")
        );
        assert!(
            micro_time("2026-11-30T17:00:00Z").unwrap_err().ends_with(r#"cannot parse "Z" as ".000000""#)
        );
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_accepted_again_and_stays(text in "[-+0-9A-Za-z=.:, \n]{0,30}") {
            if let Ok(first) = bytes(&text) {
                prop_assert_eq!(bytes(&first), Ok(first.clone()));
            }
            if let Ok(first) = time(&text) {
                prop_assert_eq!(time(&first), Ok(first.clone()));
            }
            if let Ok(first) = micro_time(&text) {
                prop_assert_eq!(micro_time(&first), Ok(first.clone()));
            }
        }

        #[test]
        fn every_time_comes_back(seconds in 0_i64..253_402_300_799, micros in 0_i32..1_000_000) {
            let moment = Timestamp::new(seconds, micros * 1000).unwrap();
            let written = moment.to_string();
            prop_assert_eq!(time(&written), Ok(moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
        }
    }
}
