//! Functions that users cannot name. The rewritten tree calls them where the engine's own behaviour
//! differs from Go's or lacks a position. Their names start with NUL, which an identifier cannot.

use super::{Args, Function, FunctionError, MANY, text, value};
use crate::template::escape::{marked, unmarked};
use crate::template::limits::{PRINTF_DIRECTIVES_MAX, PRINTF_WIDTH_MAX};
use crate::template::member::read_member;
use crate::template::shape::Shape;
use crate::template::value::{ValueKind, text_of};
use gotmpl::Value;
use std::sync::Arc;

/// Reads a chain of names. Arguments: the number of names, the value, the names, the arguments of
/// the last one.
pub(in crate::template) const MEMBER: &str = "\0member";
/// Turns what an action prints into text.
pub(in crate::template) const PRINT: &str = "\0print";
/// Turns what an action prints into text that is marked as data.
pub(in crate::template) const PRINT_DATA: &str = "\0print-data";
/// Checks the format of a `printf`.
pub(in crate::template) const FORMAT: &str = "\0format";
/// Makes an argument of `printf` printable by the engine.
pub(in crate::template) const SHOWN: &str = "\0shown";
/// The same, with its text marked as data.
pub(in crate::template) const SHOWN_DATA: &str = "\0shown-data";
/// Checks the result of a `printf`.
pub(in crate::template) const PRINTED: &str = "\0printed";
/// Checks that `range` can iterate over a value.
pub(in crate::template) const WALK: &str = "\0walk";

pub(super) const FUNCTIONS: &[Function] = &[
    value(MEMBER, 2..=MANY, members),
    text(PRINT, 1..=1, |args| Ok(Value::from(unmarked(&text_of(args.value(0)))))),
    text(PRINT_DATA, 1..=1, |args| Ok(Value::from(marked(&text_of(args.value(0)))))),
    text(FORMAT, 1..=1, format),
    value(SHOWN, 1..=1, |args| Ok(shown(args.value(0)))),
    value(SHOWN_DATA, 1..=1, |args| Ok(shown_data(args.value(0)))),
    text(PRINTED, 1..=1, |args| Ok(args.value(0).clone())),
    super::function(WALK, 1..=1, Shape::Any, walkable),
];

fn members(args: &Args<'_>) -> Result<Value, FunctionError> {
    let names = args.count(0)?;
    let last = names + 1;
    let mut found = args.value(1).clone();
    for index in 2..=last {
        let name = args.text(index)?;
        let rest = if index == last { args.from(last + 1) } else { &[] };
        found = read_member(&found, &name, &Args::new(rest))?;
    }
    Ok(found)
}

fn format(args: &Args<'_>) -> Result<Value, FunctionError> {
    let format = args.text(0)?;
    check_format(&format)?;
    Ok(Value::from(&*format))
}

/// Checks that a format is text without a width or precision beyond the bound. A width or precision
/// from an argument (`*`) is refused, because its value is unknown here.
pub(super) fn check_format(format: &str) -> Result<(), FunctionError> {
    if format.matches('%').count() > PRINTF_DIRECTIVES_MAX {
        return Err(FunctionError::TooManyDirectives);
    }
    let mut directive = false;
    let mut number = 0_usize;
    for character in format.chars() {
        match character {
            '%' => (directive, number) = (!directive, 0),
            '*' if directive => return Err(FunctionError::WidthTooLarge),
            '0'..='9' if directive => {
                let digit = usize::try_from(character.to_digit(10).unwrap_or(0)).unwrap_or(0);
                number = number.saturating_mul(10).saturating_add(digit);
                if number > PRINTF_WIDTH_MAX {
                    return Err(FunctionError::WidthTooLarge);
                }
            }
            ' ' | '+' | '-' | '#' | '.' | '[' | ']' => number = 0,
            _ => directive = false,
        }
    }
    Ok(())
}

/// Whether a format has nothing but `%s`, `%v`, `%d`, `%t` and `%%`: it prints its arguments whole.
pub(in crate::template) fn is_plain_format(format: &str) -> bool {
    let mut characters = format.chars();
    while let Some(next) = characters.next() {
        if next == '%' && !characters.next().is_some_and(|verb| "svdt%".contains(verb)) {
            return false;
        }
    }
    true
}

/// The engine prints only plain values: other values become text.
fn shown(value: &Value) -> Value {
    match ValueKind::of(value) {
        ValueKind::Time(_) | ValueKind::Duration(_) | ValueKind::Record(_) => {
            Value::from(text_of(value))
        }
        ValueKind::List(items) => Value::List(items.iter().map(shown).collect()),
        ValueKind::Map(entries) => Value::Map(Arc::new(
            entries.iter().map(|(key, value)| (Arc::clone(key), shown(value))).collect(),
        )),
        ValueKind::Nil
        | ValueKind::Bool(_)
        | ValueKind::Integer(_)
        | ValueKind::Number(_)
        | ValueKind::Text(_)
        | ValueKind::Function => value.clone(),
    }
}

/// Numbers and truth values cannot hold text of a user.
fn shown_data(value: &Value) -> Value {
    match ValueKind::of(value) {
        ValueKind::Nil
        | ValueKind::Bool(_)
        | ValueKind::Integer(_)
        | ValueKind::Number(_)
        | ValueKind::Time(_)
        | ValueKind::Duration(_)
        | ValueKind::Function => shown(value),
        ValueKind::Text(_) | ValueKind::List(_) | ValueKind::Map(_) | ValueKind::Record(_) => {
            Value::from(marked(&text_of(value)))
        }
    }
}

fn walkable(args: &Args<'_>) -> Result<Value, FunctionError> {
    let value = args.value(0);
    let kind = ValueKind::of(value);
    match kind {
        ValueKind::Nil | ValueKind::Integer(_) | ValueKind::List(_) | ValueKind::Map(_) => {
            Ok(value.clone())
        }
        ValueKind::Bool(_)
        | ValueKind::Number(_)
        | ValueKind::Text(_)
        | ValueKind::Time(_)
        | ValueKind::Duration(_)
        | ValueKind::Record(_)
        | ValueKind::Function => Err(FunctionError::NotIterable { got: kind.as_str() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> bool {
        check_format(text).is_ok()
    }

    #[test]
    fn wide_directives_are_refused_and_numbers_in_text_are_not() {
        assert!(checked("%.200s in 2026, 100000%% of %[1]v"));
        assert!(checked("%999d"));
        assert!(!checked("%1000d"));
        assert!(!checked("%.65535f"));
        assert!(!checked("%*d"));
        assert!(!checked("%+-5.1000f"));
    }

    #[test]
    fn directives_are_counted() {
        assert!(checked(&"%s".repeat(64)));
        assert!(!checked(&"%[1]s".repeat(65)));
    }

    #[test]
    fn only_what_go_ranges_over_is_walkable() {
        assert!(walkable(&Args::new(&[Value::Int(3)])).is_ok());
        let error = walkable(&Args::new(&[Value::from("text")])).unwrap_err();
        assert_eq!(error.to_string(), "cannot range over text");
    }
}
