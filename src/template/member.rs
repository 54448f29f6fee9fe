//! Reads a name after a dot when rendering: fields of records, keys of maps, methods of times and
//! durations.

use super::functions::{Args, FunctionError};
use super::layout::{civil, format_time, month_name, weekday_name};
use super::shape::{DURATION_METHODS, Shape, ShapeMember, TIME_METHODS};
use super::time::{
    NANOS_PER_MS, ZERO_TIME_MS, difference, duration_text, moved, rounded, time_text, truncated,
};
use super::value::{ValueKind, duration_value, time_value};
use gotmpl::Value;

const MS_PER_SECOND: i64 = 1_000;
const NANOS_PER_MICRO: i64 = 1_000;
const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_MINUTE: i64 = 60 * NANOS_PER_SECOND;
const NANOS_PER_HOUR: i64 = 60 * NANOS_PER_MINUTE;

/// Reads `name` of `base`; `args` are the arguments of a method.
///
/// # Errors
/// The value has no such member, or the arguments do not fit it.
pub(super) fn read_member(
    base: &Value,
    name: &str,
    args: &Args<'_>,
) -> Result<Value, FunctionError> {
    let no_member =
        || FunctionError::NoMember { owner: ValueKind::of(base).as_str(), name: name.to_owned() };
    match ValueKind::of(base) {
        ValueKind::Record(entries) => {
            args.take(0)?;
            entries.get(name).cloned().ok_or_else(no_member)
        }
        ValueKind::Map(entries) => {
            args.take(0)?;
            Ok(entries.get(name).cloned().unwrap_or_else(|| Value::from("")))
        }
        ValueKind::Time(millis) => {
            args.take(method_args(Shape::Time, name).ok_or_else(no_member)?)?;
            time_method(millis, name, args)?.ok_or_else(no_member)
        }
        ValueKind::Duration(nanos) => {
            args.take(method_args(Shape::Duration, name).ok_or_else(no_member)?)?;
            duration_method(nanos, name, args)?.ok_or_else(no_member)
        }
        ValueKind::Nil
        | ValueKind::Bool(_)
        | ValueKind::Integer(_)
        | ValueKind::Number(_)
        | ValueKind::Text(_)
        | ValueKind::List(_)
        | ValueKind::Function => Err(no_member()),
    }
}

fn method_args(owner: Shape, name: &str) -> Option<usize> {
    match owner.member(name)? {
        ShapeMember::Method { args, .. } => Some(*args.end()),
        ShapeMember::Field(_) => None,
    }
}

/// The methods of [`TIME_METHODS`]; `None` for another name.
fn time_method(millis: i64, name: &str, args: &Args<'_>) -> Result<Option<Value>, FunctionError> {
    debug_assert!(TIME_METHODS.iter().any(|(known, _, _)| *known == name));
    let date = civil(millis);
    Ok(Some(match name {
        "IsZero" => Value::Bool(millis == ZERO_TIME_MS),
        "Sub" => duration_value(difference(millis, args.time(0)?)),
        "Add" => time_value(moved(millis, args.duration(0)?)),
        "Before" => Value::Bool(millis < args.time(0)?),
        "After" => Value::Bool(millis > args.time(0)?),
        "Equal" => Value::Bool(millis == args.time(0)?),
        "Format" => Value::from(format_time(millis, 0, &args.text(0)?)),
        "Unix" => Value::Int(millis.div_euclid(MS_PER_SECOND)),
        "UnixMilli" => Value::Int(millis),
        "UTC" => time_value(millis),
        "Year" => Value::Int(i64::from(date.year())),
        "Month" => Value::from(month_name(date.month())),
        "Day" => Value::Int(i64::from(date.day())),
        "Hour" => Value::Int(i64::from(date.hour())),
        "Minute" => Value::Int(i64::from(date.minute())),
        "Second" => Value::Int(i64::from(date.second())),
        "Weekday" => Value::from(weekday_name(date.weekday().to_monday_one_offset())),
        "YearDay" => Value::Int(i64::from(date.day_of_year())),
        "String" => Value::from(time_text(millis)),
        _ => return Ok(None),
    }))
}

/// The methods of [`DURATION_METHODS`]; `None` for another name.
fn duration_method(
    nanos: i64,
    name: &str,
    args: &Args<'_>,
) -> Result<Option<Value>, FunctionError> {
    debug_assert!(DURATION_METHODS.iter().any(|(known, _, _)| *known == name));
    Ok(Some(match name {
        "Hours" => Value::Float(in_units(nanos, NANOS_PER_HOUR)),
        "Minutes" => Value::Float(in_units(nanos, NANOS_PER_MINUTE)),
        "Seconds" => Value::Float(in_units(nanos, NANOS_PER_SECOND)),
        "Milliseconds" => Value::Int(nanos / NANOS_PER_MS),
        "Microseconds" => Value::Int(nanos / NANOS_PER_MICRO),
        "Nanoseconds" => Value::Int(nanos),
        "Round" => duration_value(rounded(nanos, args.duration(0)?)),
        "Truncate" => duration_value(truncated(nanos, args.duration(0)?)),
        "Abs" => duration_value(nanos.saturating_abs()),
        "String" => Value::from(duration_text(nanos)),
        _ => return Ok(None),
    }))
}

/// Whole units and the rest are converted separately, as in Go: this keeps the fraction exact.
#[expect(clippy::cast_precision_loss, reason = "Go's methods give float64 too")]
fn in_units(nanos: i64, unit: i64) -> f64 {
    (nanos / unit) as f64 + (nanos % unit) as f64 / unit as f64
}

#[cfg(test)]
#[path = "member_test.rs"]
mod tests;
