//! Durations as Go writes them (`1h30m`, `1.5h`, `250ms`, `0`), because the files use this form. A
//! bare integer counts nanoseconds, as in Go's YAML decoder.

use std::time::Duration;

/// Go keeps a duration in a signed 64-bit count of nanoseconds: about 292 years.
const NANOSECONDS_MAX: u128 = i64::MAX as u128;

/// Digits of a fraction that can matter: an hour is 3.6e12 nanoseconds.
const FRACTION_DIGITS_MAX: usize = 18;

/// Units by name. A name matches as a whole. The order is by size, for canonical output.
const UNITS: [(&str, u128); 8] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ns", 1),
];

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Empty, or only a sign.
    #[error("is empty")]
    Empty,
    /// A number was expected here.
    #[error("expected a number at {rest:?}")]
    NoNumber { rest: String },
    /// `10` says neither seconds nor minutes.
    #[error("the unit is missing after {number:?}")]
    NoUnit { number: String },
    /// A unit that Go does not know.
    #[error("unknown unit {unit:?}")]
    UnknownUnit { unit: String },
    /// A negative wait has no meaning.
    #[error("is negative")]
    Negative,
    /// Over 292 years.
    #[error("is too long")]
    TooLong,
}

/// Parses a Go duration, or an integer count of nanoseconds.
///
/// # Errors
/// The first thing in `text` that Go's own parser would refuse, or a negative value.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if unsigned.is_empty() {
        return Err(DurationError::Empty);
    }
    if let Some(magnitude) = unsigned.strip_prefix('-') {
        parse(magnitude)?;
        return Err(DurationError::Negative);
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return from_nanoseconds(unsigned.parse().map_err(|_| DurationError::TooLong)?);
    }
    let (mut rest, mut total) = (unsigned, 0);
    while !rest.is_empty() {
        let (nanoseconds, after) = term(rest)?;
        total = nanoseconds.checked_add(total).ok_or(DurationError::TooLong)?;
        rest = after;
    }
    from_nanoseconds(total)
}

/// One number with its unit, and what follows.
fn term(text: &str) -> Result<(u128, &str), DurationError> {
    let (whole, after_whole) = split_digits(text);
    let (fraction, after_number) = match after_whole.strip_prefix('.') {
        Some(after_point) => split_digits(after_point),
        None => ("", after_whole),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationError::NoNumber { rest: text.to_owned() });
    }
    let unit_end =
        after_number.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after_number.len());
    let (unit, rest) = after_number.split_at(unit_end);
    if unit.is_empty() {
        let number = text[..text.len() - after_number.len()].to_owned();
        return Err(DurationError::NoUnit { number });
    }
    let scale = UNITS
        .into_iter()
        .find_map(|(name, scale)| (name == unit).then_some(scale))
        .ok_or_else(|| DurationError::UnknownUnit { unit: unit.to_owned() })?;
    let whole: u128 = match whole {
        "" => 0,
        digits => digits.parse().map_err(|_| DurationError::TooLong)?,
    };
    let whole = whole.checked_mul(scale).ok_or(DurationError::TooLong)?;
    Ok((whole.saturating_add(fraction_of(fraction, scale)), rest))
}

/// `0.fraction` of `scale`, cut to whole nanoseconds.
fn fraction_of(fraction: &str, scale: u128) -> u128 {
    let digits = &fraction[..fraction.len().min(FRACTION_DIGITS_MAX)];
    let numerator = digits.bytes().fold(0_u128, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    let denominator = digits.bytes().fold(1_u128, |product, _| product * 10);
    numerator * scale / denominator
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn from_nanoseconds(nanoseconds: u128) -> Result<Duration, DurationError> {
    if nanoseconds > NANOSECONDS_MAX {
        return Err(DurationError::TooLong);
    }
    u64::try_from(nanoseconds).map(Duration::from_nanos).map_err(|_| DurationError::TooLong)
}

/// Units that people write and Go does not know, each with its value in a unit that Go knows.
const FOREIGN_UNITS: [(&str, u64, &str); 19] = [
    ("d", 24, "h"),
    ("day", 24, "h"),
    ("days", 24, "h"),
    ("w", 168, "h"),
    ("week", 168, "h"),
    ("weeks", 168, "h"),
    ("h", 1, "h"),
    ("hr", 1, "h"),
    ("hrs", 1, "h"),
    ("hour", 1, "h"),
    ("hours", 1, "h"),
    ("m", 1, "m"),
    ("min", 1, "m"),
    ("mins", 1, "m"),
    ("minute", 1, "m"),
    ("minutes", 1, "m"),
    ("sec", 1, "s"),
    ("secs", 1, "s"),
    ("seconds", 1, "s"),
];

/// The duration probably meant by an invalid text: `24h` for `1d`, `10s` for `10`.
pub(crate) fn meant(text: &str) -> Option<String> {
    let (number, unit) = split_digits(text.trim());
    let number: u64 = number.parse().ok()?;
    let unit = unit.trim().to_ascii_lowercase();
    if unit.is_empty() || unit == "s" {
        return Some(format!("{number}s"));
    }
    let (_, factor, known) = FOREIGN_UNITS.iter().find(|(foreign, _, _)| *foreign == unit)?;
    Some(format!("{}{known}", number.checked_mul(*factor)?))
}

/// Writes a duration so that [`parse`] reads it back: `1h30m`, `250ms`, `0s`.
#[must_use]
pub fn format(duration: Duration) -> String {
    let mut left = duration.as_nanos();
    let mut text = String::new();
    for (name, scale) in UNITS {
        let count = left / scale;
        left %= scale;
        if count > 0 {
            text.push_str(&count.to_string());
            text.push_str(name);
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read_as_go_reads_them() {
        let cases: [(&str, u64); 11] = [
            ("0", 0),
            ("0s", 0),
            ("1h30m", 5_400_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("250ms", 250_000_000),
            ("3µs", 3_000),
            ("1m0.000000001s", 60_000_000_001),
            ("+2s", 2_000_000_000),
            ("5000000000", 5_000_000_000),
        ];
        for (text, nanoseconds) in cases {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_by_cause() {
        let unit = |unit: &str| DurationError::UnknownUnit { unit: unit.to_owned() };
        let no_number = |rest: &str| DurationError::NoNumber { rest: rest.to_owned() };
        let cases = [
            ("", DurationError::Empty),
            ("+", DurationError::Empty),
            ("-5s", DurationError::Negative),
            ("1.5", DurationError::NoUnit { number: "1.5".to_owned() }),
            ("1h30", DurationError::NoUnit { number: "30".to_owned() }),
            ("5 s", unit(" s")),
            ("1d", unit("d")),
            ("s", no_number("s")),
            ("1s.", no_number(".")),
            ("300000h1s9999999999h", DurationError::TooLong),
            ("999999999999999999999999999999999999999999h", DurationError::TooLong),
        ];
        for (text, error) in cases {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn what_people_write_in_other_programs_is_understood_and_told() {
        let rows = [
            ("1d", Some("24h")),
            ("2 days", Some("48h")),
            ("1w", Some("168h")),
            ("24hours", Some("24h")),
            ("10", Some("10s")),
            ("5 s", Some("5s")),
            ("30S", Some("30s")),
            ("5 min", Some("5m")),
            ("soon", None),
            ("1y", None),
        ];
        for (text, expected) in rows {
            assert_eq!(meant(text).as_deref(), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_duration_is_read_as_it_was_written(nanoseconds in 0..=i64::MAX as u64) {
            let duration = Duration::from_nanos(nanoseconds);
            proptest::prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn no_text_is_too_strange_to_be_refused(text in ".{0,40}") {
            if let Ok(duration) = parse(&text) {
                proptest::prop_assert_eq!(parse(&format(duration)), Ok(duration));
            }
        }
    }

    #[test]
    fn written_durations_read_back() {
        for text in ["0s", "1h30m", "250ms", "24h", "1m1ns", "10s"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
    }
}
