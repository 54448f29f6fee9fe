//! The arguments of a call, converted to the kinds that a function takes.

use super::FunctionError;
use crate::template::value::{Entries, ValueKind, text_of};
use gotmpl::Value;
use std::borrow::Cow;

/// Arguments in order; a piped value is the last one.
#[derive(Clone, Copy, Debug)]
pub(in crate::template) struct Args<'a>(&'a [Value]);

impl<'a> Args<'a> {
    pub(in crate::template) fn new(values: &'a [Value]) -> Self {
        Self(values)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The arguments from `start` on.
    pub(super) fn from(&self, start: usize) -> &'a [Value] {
        self.0.get(start..).unwrap_or_default()
    }

    /// The argument at `index`; nil if absent.
    pub(super) fn value(&self, index: usize) -> &'a Value {
        self.0.get(index).unwrap_or(&Value::Nil)
    }

    /// Fails unless there are exactly `wanted` arguments.
    pub(in crate::template) fn take(&self, wanted: usize) -> Result<(), FunctionError> {
        if self.len() == wanted {
            return Ok(());
        }
        Err(FunctionError::ArgumentCount { wanted: wanted..=wanted, got: self.len() })
    }

    /// A text; numbers, truth values, times and durations count as they print.
    pub(in crate::template) fn text(&self, index: usize) -> Result<Cow<'a, str>, FunctionError> {
        let value = self.value(index);
        match ValueKind::of(value) {
            ValueKind::Text(text) => Ok(Cow::Borrowed(text)),
            ValueKind::Bool(_)
            | ValueKind::Integer(_)
            | ValueKind::Number(_)
            | ValueKind::Time(_)
            | ValueKind::Duration(_) => Ok(Cow::Owned(text_of(value))),
            ValueKind::Nil
            | ValueKind::List(_)
            | ValueKind::Map(_)
            | ValueKind::Record(_)
            | ValueKind::Function => Err(self.wrong(index, "text")),
        }
    }

    /// A whole number. Fractions are cut; a text must be a whole number.
    pub(super) fn integer(&self, index: usize) -> Result<i64, FunctionError> {
        to_integer(self.value(index)).ok_or_else(|| self.wrong(index, "a whole number"))
    }

    /// A whole number; negative ones count as 0.
    pub(super) fn count(&self, index: usize) -> Result<usize, FunctionError> {
        Ok(usize::try_from(self.integer(index)?).unwrap_or(0))
    }

    /// A number; a text must be one.
    pub(super) fn number(&self, index: usize) -> Result<f64, FunctionError> {
        to_number(self.value(index)).ok_or_else(|| self.wrong(index, "a number"))
    }

    pub(super) fn list(&self, index: usize) -> Result<&'a [Value], FunctionError> {
        match self.value(index) {
            Value::List(items) => Ok(items),
            Value::Nil
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Map(_)
            | Value::Function(_) => Err(self.wrong(index, "a list")),
        }
    }

    pub(super) fn map(&self, index: usize) -> Result<&'a Entries, FunctionError> {
        match ValueKind::of(self.value(index)) {
            ValueKind::Map(entries) => Ok(entries),
            ValueKind::Nil
            | ValueKind::Bool(_)
            | ValueKind::Integer(_)
            | ValueKind::Number(_)
            | ValueKind::Text(_)
            | ValueKind::Time(_)
            | ValueKind::Duration(_)
            | ValueKind::List(_)
            | ValueKind::Record(_)
            | ValueKind::Function => Err(self.wrong(index, "a map")),
        }
    }

    /// Milliseconds since 1970; a whole number counts as seconds since 1970, as in sprig.
    pub(in crate::template) fn time(&self, index: usize) -> Result<i64, FunctionError> {
        const MS_PER_SECOND: i64 = 1_000;
        match ValueKind::of(self.value(index)) {
            ValueKind::Time(millis) => Ok(millis),
            ValueKind::Integer(seconds) => Ok(seconds.saturating_mul(MS_PER_SECOND)),
            ValueKind::Nil
            | ValueKind::Bool(_)
            | ValueKind::Number(_)
            | ValueKind::Text(_)
            | ValueKind::Duration(_)
            | ValueKind::List(_)
            | ValueKind::Map(_)
            | ValueKind::Record(_)
            | ValueKind::Function => Err(self.wrong(index, "a time")),
        }
    }

    /// Nanoseconds; a whole number counts as nanoseconds, as in Go.
    pub(in crate::template) fn duration(&self, index: usize) -> Result<i64, FunctionError> {
        match ValueKind::of(self.value(index)) {
            ValueKind::Duration(nanos) | ValueKind::Integer(nanos) => Ok(nanos),
            ValueKind::Nil
            | ValueKind::Bool(_)
            | ValueKind::Number(_)
            | ValueKind::Text(_)
            | ValueKind::Time(_)
            | ValueKind::List(_)
            | ValueKind::Map(_)
            | ValueKind::Record(_)
            | ValueKind::Function => Err(self.wrong(index, "a duration")),
        }
    }

    fn wrong(&self, index: usize, wanted: &'static str) -> FunctionError {
        let got = ValueKind::of(self.value(index)).as_str();
        FunctionError::WrongKind { position: index + 1, wanted, got }
    }
}

/// The whole number a value stands for, if it stands for one.
pub(super) fn to_integer(value: &Value) -> Option<i64> {
    match ValueKind::of(value) {
        ValueKind::Integer(number) | ValueKind::Duration(number) => Some(number),
        ValueKind::Number(number) => Some(cut(number)),
        ValueKind::Bool(truth) => Some(i64::from(truth)),
        ValueKind::Text(text) => {
            text.parse().ok().or_else(|| text.parse().ok().map(|number: f64| cut(number)))
        }
        ValueKind::Nil
        | ValueKind::Time(_)
        | ValueKind::List(_)
        | ValueKind::Map(_)
        | ValueKind::Record(_)
        | ValueKind::Function => None,
    }
}

/// The number a value stands for, if it stands for one.
#[expect(clippy::cast_precision_loss, reason = "Go converts int64 to float64 in the same way")]
pub(super) fn to_number(value: &Value) -> Option<f64> {
    match ValueKind::of(value) {
        ValueKind::Integer(number) | ValueKind::Duration(number) => Some(number as f64),
        ValueKind::Number(number) => Some(number),
        ValueKind::Bool(truth) => Some(f64::from(u8::from(truth))),
        ValueKind::Text(text) => text.parse().ok(),
        ValueKind::Nil
        | ValueKind::Time(_)
        | ValueKind::List(_)
        | ValueKind::Map(_)
        | ValueKind::Record(_)
        | ValueKind::Function => None,
    }
}

/// The whole part, clamped to the range.
#[expect(clippy::cast_possible_truncation, reason = "`as` holds at the ends, NaN becomes 0")]
pub(super) fn cut(number: f64) -> i64 {
    number as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_taken_as_they_print() {
        let values = [Value::Int(7), Value::Bool(true), Value::Nil];
        let args = Args::new(&values);
        assert_eq!(args.text(0).unwrap(), "7");
        assert_eq!(args.text(1).unwrap(), "true");
        let error = args.text(2).unwrap_err().to_string();
        assert_eq!(error, "argument 3 must be text, not nil");
    }

    #[test]
    fn numbers_in_text_are_numbers_and_other_text_is_not() {
        assert_eq!(to_integer(&Value::from("12")), Some(12));
        assert_eq!(to_integer(&Value::from("12.9")), Some(12));
        assert_eq!(to_integer(&Value::from("many")), None);
        assert_eq!(to_number(&Value::from("0.5")), Some(0.5));
        assert_eq!(to_number(&Value::Nil), None);
    }

    #[test]
    fn negative_counts_are_zero() {
        assert_eq!(Args::new(&[Value::Int(-3)]).count(0).unwrap(), 0);
    }
}
