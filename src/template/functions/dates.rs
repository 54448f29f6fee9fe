//! Dates and durations of sprig. There is no clock: every date comes from the data. Times are UTC
//! unless a function takes a zone.

use super::args::to_integer;
use super::{Args, Function, FunctionError, integer, text};
use crate::template::layout::{format_in_zone, format_time};
use crate::template::time::{duration_text, parse_duration};
use crate::template::value::ValueKind;
use chrono::{DateTime, Offset as _, TimeZone as _};
use chrono_tz::{OffsetName as _, Tz};
use gotmpl::Value;

/// The layout of an HTML date input.
const HTML_DATE: &str = "2006-01-02";

const MS_PER_SECOND: i64 = 1_000;
const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_MINUTE: i64 = 60;
const SECONDS_PER_HOUR: i64 = 3_600;
const SECONDS_PER_DAY: i64 = 86_400;

/// Units of `durationRound`, largest first; a month has 30 days and a year 365, as in sprig.
const ROUND_UNITS: [(i64, &str); 6] = [
    (365 * SECONDS_PER_DAY, "y"),
    (30 * SECONDS_PER_DAY, "mo"),
    (SECONDS_PER_DAY, "d"),
    (SECONDS_PER_HOUR, "h"),
    (SECONDS_PER_MINUTE, "m"),
    (1, "s"),
];

pub(super) const FUNCTIONS: &[Function] = &[
    text("date", 2..=2, |args| date(args, 1, 0)),
    text("date_in_zone", 3..=3, date_in_zone),
    text("dateInZone", 3..=3, date_in_zone),
    text("htmlDate", 1..=1, |args| Ok(Value::from(format_time(args.time(0)?, 0, HTML_DATE)))),
    integer("unixEpoch", 1..=1, |args| Ok(Value::Int(args.time(0)?.div_euclid(MS_PER_SECOND)))),
    text("duration", 1..=1, |args| {
        let seconds = to_integer(args.value(0)).unwrap_or(0);
        Ok(Value::from(duration_text(seconds.saturating_mul(NANOS_PER_SECOND))))
    }),
    text("durationRound", 1..=1, duration_round),
];

/// `date layout time`.
fn date(args: &Args<'_>, time: usize, offset_seconds: i32) -> Result<Value, FunctionError> {
    Ok(Value::from(format_time(args.time(time)?, offset_seconds, &args.text(0)?)))
}

/// `dateInZone layout time zone`.
fn date_in_zone(args: &Args<'_>) -> Result<Value, FunctionError> {
    let zone = args.text(2)?;
    if let Some(offset_seconds) = offset(&zone) {
        return date(args, 1, offset_seconds);
    }
    let unknown = || FunctionError::UnknownZone { name: zone.to_string() };
    let named: Tz = zone.parse().map_err(|_| unknown())?;
    let millis = args.time(1)?;
    let moment = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    let offset = named.offset_from_utc_datetime(&moment.naive_utc());
    let seconds = offset.fix().local_minus_utc();
    Ok(Value::from(format_in_zone(millis, seconds, offset.abbreviation(), &args.text(0)?)))
}

/// Seconds east of UTC of `UTC`, `GMT`, `Z`, `+02:00`, `-0530` or `+02`.
fn offset(zone: &str) -> Option<i32> {
    const HOURS_MAX: i32 = 14;
    const MINUTES_MAX: i32 = 59;
    if matches!(zone, "" | "UTC" | "GMT" | "Z") {
        return Some(0);
    }
    let (sign, digits) = match zone.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, zone.strip_prefix('+')?),
    };
    let digits = digits.replacen(':', "", 1);
    let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number || !matches!(digits.len(), 2 | 4) {
        return None;
    }
    let hours: i32 = digits.get(..2)?.parse().ok()?;
    let minutes: i32 =
        digits.get(2..).filter(|rest| !rest.is_empty()).unwrap_or("0").parse().ok()?;
    let is_offset = hours <= HOURS_MAX && minutes <= MINUTES_MAX;
    is_offset.then_some(sign * (hours * 3_600 + minutes * 60))
}

/// The largest unit of a duration, also of a duration as text: `2h10m5s` is `2h`.
fn duration_round(args: &Args<'_>) -> Result<Value, FunctionError> {
    let nanos = if let ValueKind::Text(text) = ValueKind::of(args.value(0)) {
        let wrong = || FunctionError::BadDuration { text: text.to_owned() };
        parse_duration(text).ok_or_else(wrong)?
    } else {
        args.duration(0)?
    };
    let seconds = nanos.unsigned_abs() / NANOS_PER_SECOND.unsigned_abs();
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let unit = ROUND_UNITS.iter().find(|(unit, _)| seconds >= *unit);
    let text =
        unit.map_or_else(|| "0s".to_owned(), |(unit, name)| format!("{}{name}", seconds / unit));
    Ok(Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_utc_or_an_offset() {
        assert_eq!(offset("UTC"), Some(0));
        assert_eq!(offset("+02:00"), Some(7_200));
        assert_eq!(offset("-0530"), Some(-19_800));
        assert_eq!(offset("+02"), Some(7_200));
        for bad in ["Europe/Berlin", "+2", "+25:00", "+02:60", "02:00", "+é"] {
            assert_eq!(offset(bad), None, "{bad}");
        }
    }
}
