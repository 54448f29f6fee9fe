//! Values that the engine does not have: times, durations and records, as maps with a hidden key.
//! Also the text forms of all values, as Go prints them.

use super::time::{duration_text, time_text};
use gotmpl::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Hidden keys. No field name and no Kubernetes label can start with NUL.
const TIME_KEY: &str = "\0time";
const DURATION_KEY: &str = "\0duration";
const RECORD_KEY: &str = "\0record";

/// From here on, and below [`FLOAT_SMALL`], floats are printed with an exponent (Go's `%v`).
const FLOAT_LARGE: f64 = 1e21;
const FLOAT_SMALL: f64 = 1e-4;

/// The entries of a map value.
pub(super) type Entries = BTreeMap<Arc<str>, Value>;

/// A value by its meaning in a template.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueKind<'a> {
    Nil,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(&'a str),
    /// Milliseconds since 1970.
    Time(i64),
    /// Nanoseconds.
    Duration(i64),
    List(&'a [Value]),
    Map(&'a Entries),
    /// A map with a fixed set of fields.
    Record(&'a Entries),
    Function,
}

impl<'a> ValueKind<'a> {
    /// Classifies a value. Unsigned numbers beyond `i64` become its maximum.
    pub(super) fn of(value: &'a Value) -> Self {
        match value {
            Value::Nil => Self::Nil,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Int(number) => Self::Integer(*number),
            Value::Uint(number) => Self::Integer(i64::try_from(*number).unwrap_or(i64::MAX)),
            Value::Float(number) => Self::Number(*number),
            Value::String(text) => Self::Text(text),
            Value::List(items) => Self::List(items),
            Value::Map(entries) => Self::of_map(entries),
            Value::Function(_) => Self::Function,
        }
    }

    fn of_map(entries: &'a Entries) -> Self {
        if let Some(Value::Int(millis)) = entries.get(TIME_KEY) {
            return Self::Time(*millis);
        }
        if let Some(Value::Int(nanos)) = entries.get(DURATION_KEY) {
            return Self::Duration(*nanos);
        }
        if entries.contains_key(RECORD_KEY) { Self::Record(entries) } else { Self::Map(entries) }
    }

    /// The word in error messages.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a bool",
            Self::Integer(_) => "an integer",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::Time(_) => "a time",
            Self::Duration(_) => "a duration",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Record(_) => "a record",
            Self::Function => "a function",
        }
    }

    /// Whether Go's sprig calls the value empty. A zero duration is empty; a time never is.
    pub(super) fn is_empty(self) -> bool {
        match self {
            Self::Nil => true,
            Self::Bool(truth) => !truth,
            Self::Integer(number) | Self::Duration(number) => number == 0,
            Self::Number(number) => number == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
            Self::Time(_) | Self::Record(_) | Self::Function => false,
        }
    }
}

/// A moment, in milliseconds since 1970.
pub(super) fn time_value(millis: i64) -> Value {
    tagged(TIME_KEY, Value::Int(millis))
}

/// A length of time, in nanoseconds.
pub(super) fn duration_value(nanos: i64) -> Value {
    tagged(DURATION_KEY, Value::Int(nanos))
}

/// A record with the given fields.
pub(super) fn record_value<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let mut entries: Entries =
        fields.into_iter().map(|(name, value)| (Arc::from(name), value)).collect();
    entries.insert(Arc::from(RECORD_KEY), Value::Bool(true));
    Value::Map(Arc::new(entries))
}

/// The fields of a record without its hidden key, by name.
pub(super) fn fields(entries: &Entries) -> impl Iterator<Item = (&str, &Value)> {
    entries.iter().filter(|(name, _)| &***name != RECORD_KEY).map(|(name, value)| (&**name, value))
}

fn tagged(key: &str, value: Value) -> Value {
    Value::Map(Arc::new(BTreeMap::from([(Arc::from(key), value)])))
}

/// The text of a value, as Go's `%v` prints it.
pub(super) fn text_of(value: &Value) -> String {
    match ValueKind::of(value) {
        ValueKind::Nil => "<nil>".to_owned(),
        ValueKind::Bool(truth) => truth.to_string(),
        ValueKind::Integer(number) => number.to_string(),
        ValueKind::Number(number) => float_text(number),
        ValueKind::Text(text) => text.to_owned(),
        ValueKind::Time(millis) => time_text(millis),
        ValueKind::Duration(nanos) => duration_text(nanos),
        ValueKind::List(items) => format!("[{}]", spaced(items.iter().map(text_of))),
        ValueKind::Map(entries) => {
            let pairs = entries.iter().map(|(key, value)| format!("{key}:{}", text_of(value)));
            format!("map[{}]", spaced(pairs))
        }
        ValueKind::Record(entries) => {
            format!("{{{}}}", spaced(fields(entries).map(|(_, value)| text_of(value))))
        }
        ValueKind::Function => "<func>".to_owned(),
    }
}

fn spaced(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" ")
}

fn float_text(number: f64) -> String {
    let size = number.abs();
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if size == 0.0 || (FLOAT_SMALL..FLOAT_LARGE).contains(&size) {
        return number.to_string();
    }
    let scientific = format!("{number:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(rest) => ('-', rest),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_go_prints_them() {
        assert_eq!(text_of(&Value::Float(83.0)), "83");
        assert_eq!(text_of(&Value::Float(0.5)), "0.5");
        assert_eq!(text_of(&Value::Float(1e21)), "1e+21");
        assert_eq!(text_of(&Value::Float(-2.5e-7)), "-2.5e-07");
        assert_eq!(text_of(&Value::Float(f64::INFINITY)), "+Inf");
        assert_eq!(text_of(&Value::Float(f64::NAN)), "NaN");
    }

    #[test]
    fn composite_values_print_their_elements() {
        let list = Value::List(Arc::from([Value::Int(1), duration_value(2_000_000_000)]));
        assert_eq!(text_of(&list), "[1 2s]");
        let record = record_value([("Name", Value::from("url")), ("Value", Value::from("x"))]);
        assert_eq!(text_of(&Value::List(Arc::from([record]))), "[{url x}]");
        let map = Value::from(BTreeMap::from([("k".to_owned(), Value::Nil)]));
        assert_eq!(text_of(&map), "map[k:<nil>]");
    }

    #[test]
    fn emptiness_follows_sprig() {
        assert!(ValueKind::of(&duration_value(0)).is_empty());
        assert!(!ValueKind::of(&time_value(0)).is_empty());
        assert!(ValueKind::of(&Value::from("")).is_empty());
        assert!(!ValueKind::of(&Value::Bool(true)).is_empty());
    }

    #[test]
    fn huge_unsigned_numbers_are_held() {
        assert!(matches!(ValueKind::of(&Value::Uint(u64::MAX)), ValueKind::Integer(i64::MAX)));
    }
}
