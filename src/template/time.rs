//! Times and durations as in Go: the zero time, differences, rounding, and the default text forms.
//! All times are UTC; there is no clock here.

use super::layout::format_time;
use crate::clock::Timestamp;
use std::time::Duration;

/// Go's zero time, 0001-01-01T00:00:00Z, in milliseconds since 1970. It means "unknown".
pub(super) const ZERO_TIME_MS: i64 = -62_135_596_800_000;

/// Latest moment of a template, 9999-12-30T22:00:00Z: the last second that the calendar can show in
/// every zone.
pub(super) const TIME_MS_MAX: i64 = 253_402_207_200_000;

pub(super) const NANOS_PER_MS: i64 = 1_000_000;
const NANOS_PER_MICRO: u64 = 1_000;
const NANOS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_MINUTE: u64 = 60;
const SECONDS_PER_HOUR: u64 = 3_600;

/// The layout behind Go's `Time.String`.
const TIME_LAYOUT: &str = "2006-01-02 15:04:05.999999999 -0700 MST";

/// A replicated moment as templates see it.
pub(super) fn millis_of(moment: Timestamp) -> i64 {
    if !moment.is_known() {
        return ZERO_TIME_MS;
    }
    i64::try_from(moment.0).unwrap_or(TIME_MS_MAX).min(TIME_MS_MAX)
}

/// The text of a time.
pub(super) fn time_text(millis: i64) -> String {
    format_time(millis, 0, TIME_LAYOUT)
}

/// `later - earlier` in nanoseconds, clamped to the range as in Go.
pub(super) fn difference(later: i64, earlier: i64) -> i64 {
    later.saturating_sub(earlier).saturating_mul(NANOS_PER_MS)
}

/// `millis` moved by a duration, clamped to the years a time can have.
pub(super) fn moved(millis: i64, nanos: i64) -> i64 {
    millis.saturating_add(nanos / NANOS_PER_MS).clamp(ZERO_TIME_MS, TIME_MS_MAX)
}

/// The duration cut towards zero to a multiple of `unit`; unchanged if `unit` is not positive.
pub(super) fn truncated(nanos: i64, unit: i64) -> i64 {
    if unit <= 0 { nanos } else { nanos - nanos % unit }
}

/// The duration rounded to the nearest multiple of `unit`, halves away from zero.
pub(super) fn rounded(nanos: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return nanos;
    }
    let rest = nanos % unit;
    let cut = nanos - rest;
    if rest.unsigned_abs() < unit.unsigned_abs().div_ceil(2) {
        return cut;
    }
    cut.saturating_add(unit * rest.signum())
}

/// The text of a duration, as Go prints it: `1h2m3.5s`, `350ms`, `0s`.
pub(super) fn duration_text(nanos: i64) -> String {
    let size = nanos.unsigned_abs();
    let sign = if nanos < 0 { "-" } else { "" };
    if size == 0 {
        return "0s".to_owned();
    }
    if size < NANOS_PER_SECOND {
        return format!("{sign}{}", fraction_text(size));
    }
    let seconds = size / NANOS_PER_SECOND;
    let hours = seconds / SECONDS_PER_HOUR;
    let minutes = seconds % SECONDS_PER_HOUR / SECONDS_PER_MINUTE;
    let rest = decimal(size % (SECONDS_PER_MINUTE * NANOS_PER_SECOND), NANOS_PER_SECOND);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{rest}s"),
        (0, minutes) => format!("{sign}{minutes}m{rest}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{rest}s"),
    }
}

/// Reads a duration as Go's `ParseDuration` does: `1h30m`, `1.5h`, `-90s`, `0`. `None` if the text
/// is not a duration or is beyond the range.
pub(super) fn parse_duration(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 8] = [
        ("h", 3.6e12),
        ("ms", 1e6),
        ("m", 6e10),
        ("us", 1e3),
        ("µs", 1e3),
        ("μs", 1e3),
        ("ns", 1.0),
        ("s", 1e9),
    ];
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut nanos = 0_i64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let (unit, size) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        let part = number.parse::<f64>().ok()? * size;
        nanos = nanos.checked_add(whole(part)?)?;
        rest = after.get(unit.len()..)?;
    }
    (nanos != 0 || text.contains('0')).then_some(if is_negative { -nanos } else { nanos })
}

/// A number of nanoseconds within the range of a duration.
#[expect(clippy::cast_possible_truncation, reason = "checked to be within the range")]
fn whole(nanos: f64) -> Option<i64> {
    const LIMIT: f64 = 9e18;
    (nanos < LIMIT).then_some(nanos.round() as i64)
}

/// A run's duration to the second, as summaries show it.
pub(super) fn short_duration(duration: Duration) -> String {
    let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    let second = i64::try_from(NANOS_PER_SECOND).unwrap_or(1);
    duration_text(rounded(nanos, second))
}

fn fraction_text(nanos: u64) -> String {
    let per_ms = NANOS_PER_MS.unsigned_abs();
    if nanos < NANOS_PER_MICRO {
        format!("{nanos}ns")
    } else if nanos < per_ms {
        format!("{}µs", decimal(nanos, NANOS_PER_MICRO))
    } else {
        format!("{}ms", decimal(nanos, per_ms))
    }
}

/// `count / unit` with the shortest exact fraction; `unit` is a power of ten.
fn decimal(count: u64, unit: u64) -> String {
    let digits = unit.to_string().len() - 1;
    let fraction = format!("{:0digits$}", count % unit);
    let fraction = fraction.trim_end_matches('0');
    let whole = count / unit;
    if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_in_go() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (350_000_000, "350ms"),
            (1_500_000_000, "1.5s"),
            (83_000_000_000, "1m23s"),
            (3_600_000_000_000, "1h0m0s"),
            (-90_500_000_000, "-1m30.5s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(duration_text(nanos), text);
        }
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, nanos) in [
            ("2h10m5s", Some(7_805_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            ("250ms", Some(250_000_000)),
            ("-90s", Some(-90_000_000_000)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("", None),
            ("-", None),
            ("2 hours", None),
            ("90", None),
            ("h", None),
            ("9999999999h", None),
        ] {
            assert_eq!(parse_duration(text), nanos, "{text}");
        }
    }

    #[test]
    fn rounding_goes_to_the_nearest_and_halves_away_from_zero() {
        assert_eq!(rounded(1_499, 1_000), 1_000);
        assert_eq!(rounded(1_500, 1_000), 2_000);
        assert_eq!(rounded(-1_500, 1_000), -2_000);
        assert_eq!(rounded(7, 3), 6);
        assert_eq!(rounded(8, 3), 9);
        assert_eq!(rounded(5, 0), 5);
        assert_eq!(truncated(-1_999, 1_000), -1_000);
        assert_eq!(truncated(5, -1), 5);
    }

    #[test]
    fn an_unknown_moment_is_gos_zero_time() {
        assert_eq!(millis_of(Timestamp::UNKNOWN), ZERO_TIME_MS);
        assert_eq!(time_text(ZERO_TIME_MS), "0001-01-01 00:00:00 +0000 UTC");
        assert_eq!(millis_of(Timestamp(u64::MAX)), TIME_MS_MAX);
    }

    #[test]
    fn differences_are_held_at_the_ends() {
        assert_eq!(difference(2_000, 500), 1_500_000_000);
        assert_eq!(difference(0, ZERO_TIME_MS), i64::MAX);
        assert_eq!(moved(0, i64::MIN), -9_223_372_036_854);
        assert_eq!(moved(ZERO_TIME_MS, -NANOS_PER_MS), ZERO_TIME_MS);
    }

    #[test]
    fn summaries_show_whole_seconds() {
        assert_eq!(short_duration(Duration::from_millis(83_400)), "1m23s");
        assert_eq!(short_duration(Duration::from_millis(400)), "0s");
    }
}
