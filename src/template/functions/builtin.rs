//! Go's built-in functions, with the positions of errors, and with times and durations as Go has
//! them.

use super::{Args, Function, FunctionError, MANY, integer, text, truth, value};
use crate::template::limits::BoundedText;
use crate::template::value::{ValueKind, fields, text_of};
use gotmpl::Value;
use std::cmp::Ordering;

pub(super) const FUNCTIONS: &[Function] = &[
    truth("eq", 2..=MANY, equal_to_any),
    truth("ne", 2..=2, |args| Ok(Value::Bool(!equal(args.value(0), args.value(1))?))),
    truth("lt", 2..=2, |args| Ok(Value::Bool(order(args)?.is_lt()))),
    truth("le", 2..=2, |args| Ok(Value::Bool(order(args)?.is_le()))),
    truth("gt", 2..=2, |args| Ok(Value::Bool(order(args)?.is_gt()))),
    truth("ge", 2..=2, |args| Ok(Value::Bool(order(args)?.is_ge()))),
    truth("not", 1..=1, |args| Ok(Value::Bool(!args.value(0).is_truthy()))),
    integer("len", 1..=1, length),
    value("index", 1..=MANY, index),
    value("slice", 1..=3, slice),
    text("print", 0..=MANY, print),
    text("println", 0..=MANY, print_line),
    text("html", 1..=1, |args| Ok(Value::from(gotmpl::html_escape(&text_of(args.value(0)))))),
    text("js", 1..=1, |args| Ok(Value::from(gotmpl::js_escape(&text_of(args.value(0)))))),
    text("urlquery", 1..=1, |args| Ok(Value::from(gotmpl::url_encode(&text_of(args.value(0)))))),
];

fn equal_to_any(args: &Args<'_>) -> Result<Value, FunctionError> {
    for other in args.from(1) {
        if equal(args.value(0), other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

/// Nil equals only nil; other values compare within their kind, whole numbers also with numbers.
fn equal(left: &Value, right: &Value) -> Result<bool, FunctionError> {
    match (ValueKind::of(left), ValueKind::of(right)) {
        (ValueKind::Nil, ValueKind::Nil) => Ok(true),
        (ValueKind::Nil, _) | (_, ValueKind::Nil) => Ok(false),
        (ValueKind::Bool(left), ValueKind::Bool(right)) => Ok(left == right),
        _ => compare(left, right).map(Ordering::is_eq),
    }
}

fn order(args: &Args<'_>) -> Result<Ordering, FunctionError> {
    compare(args.value(0), args.value(1))
}

#[expect(clippy::cast_precision_loss, reason = "a number is compared with a whole number")]
fn compare(left: &Value, right: &Value) -> Result<Ordering, FunctionError> {
    let (left, right) = (ValueKind::of(left), ValueKind::of(right));
    let incomparable =
        || FunctionError::Incomparable { left: left.as_str(), right: right.as_str() };
    match (left, right) {
        (ValueKind::Text(left), ValueKind::Text(right)) => Ok(left.cmp(right)),
        (ValueKind::Time(left), ValueKind::Time(right))
        | (
            ValueKind::Integer(left) | ValueKind::Duration(left),
            ValueKind::Integer(right) | ValueKind::Duration(right),
        ) => Ok(left.cmp(&right)),
        (ValueKind::Number(left), ValueKind::Number(right)) => {
            left.partial_cmp(&right).ok_or_else(incomparable)
        }
        (ValueKind::Integer(left), ValueKind::Number(right)) => {
            (left as f64).partial_cmp(&right).ok_or_else(incomparable)
        }
        (ValueKind::Number(left), ValueKind::Integer(right)) => {
            left.partial_cmp(&(right as f64)).ok_or_else(incomparable)
        }
        _ => Err(incomparable()),
    }
}

fn length(args: &Args<'_>) -> Result<Value, FunctionError> {
    let length = match ValueKind::of(args.value(0)) {
        ValueKind::Text(text) => text.len(),
        ValueKind::List(items) => items.len(),
        ValueKind::Map(entries) => entries.len(),
        ValueKind::Nil
        | ValueKind::Bool(_)
        | ValueKind::Integer(_)
        | ValueKind::Number(_)
        | ValueKind::Time(_)
        | ValueKind::Duration(_)
        | ValueKind::Record(_)
        | ValueKind::Function => {
            let got = ValueKind::of(args.value(0)).as_str();
            return Err(FunctionError::WrongKind {
                position: 1,
                wanted: "text, a list or a map",
                got,
            });
        }
    };
    Ok(Value::Int(to_int(length)))
}

fn index(args: &Args<'_>) -> Result<Value, FunctionError> {
    let mut found = args.value(0).clone();
    for (position, key) in (2..).zip(args.from(1)) {
        found = element(&found, key, position)?;
    }
    Ok(found)
}

/// An element of a list, the value of a map ("" if absent), a byte of a text. For a list of
/// results, also the value under a name, "" if absent.
fn element(value: &Value, key: &Value, position: usize) -> Result<Value, FunctionError> {
    match (ValueKind::of(value), ValueKind::of(key)) {
        (ValueKind::List(items), ValueKind::Integer(index)) => {
            at(items, index).cloned().ok_or(out_of_range(index, items.len()))
        }
        (ValueKind::Text(text), ValueKind::Integer(index)) => at(text.as_bytes(), index)
            .map(|byte| Value::Int(i64::from(*byte)))
            .ok_or(out_of_range(index, text.len())),
        (ValueKind::Map(entries), ValueKind::Text(key)) => {
            Ok(entries.get(key).cloned().unwrap_or_else(|| Value::from("")))
        }
        (ValueKind::List(items), ValueKind::Text(name)) if items.iter().all(is_named_value) => {
            Ok(value_named(items, name).unwrap_or_else(|| Value::from("")))
        }
        (ValueKind::List(_) | ValueKind::Text(_), key) => {
            Err(FunctionError::WrongKind { position, wanted: "a whole number", got: key.as_str() })
        }
        (ValueKind::Map(_), key) => {
            Err(FunctionError::WrongKind { position, wanted: "text", got: key.as_str() })
        }
        (value, _) => Err(FunctionError::WrongKind {
            position: position - 1,
            wanted: "a list, a map or text",
            got: value.as_str(),
        }),
    }
}

fn is_named_value(item: &Value) -> bool {
    match ValueKind::of(item) {
        ValueKind::Record(entries) => fields(entries).map(|(name, _)| name).eq(["Name", "Value"]),
        ValueKind::Nil
        | ValueKind::Bool(_)
        | ValueKind::Integer(_)
        | ValueKind::Number(_)
        | ValueKind::Text(_)
        | ValueKind::Time(_)
        | ValueKind::Duration(_)
        | ValueKind::List(_)
        | ValueKind::Map(_)
        | ValueKind::Function => false,
    }
}

fn value_named(items: &[Value], name: &str) -> Option<Value> {
    let item =
        items.iter().find(|item| item.field("Name").and_then(Value::as_str) == Some(name))?;
    item.field("Value").cloned()
}

fn at<T>(items: &[T], index: i64) -> Option<&T> {
    items.get(usize::try_from(index).ok()?)
}

fn out_of_range(index: i64, length: usize) -> FunctionError {
    FunctionError::OutOfRange { index, length }
}

/// Part of a list or text, from the second argument to before the third; for a text, in bytes.
fn slice(args: &Args<'_>) -> Result<Value, FunctionError> {
    let subject = args.value(0);
    let Some(length) = subject.len() else {
        let got = ValueKind::of(subject).as_str();
        return Err(FunctionError::WrongKind { position: 1, wanted: "text or a list", got });
    };
    let start = if args.len() > 1 { args.integer(1)? } else { 0 };
    let end = if args.len() > 2 { args.integer(2)? } else { to_int(length) };
    let bound = if (0..=to_int(length)).contains(&start) { end } else { start };
    subject.slice(Some(start), Some(end)).map_err(|_| out_of_range(bound, length))
}

/// Joins the arguments, with a space between two if neither is a text.
fn print(args: &Args<'_>) -> Result<Value, FunctionError> {
    let mut joined = BoundedText::default();
    let mut after_text = true;
    for argument in args.from(0) {
        let is_text = argument.as_str().is_some();
        if !after_text && !is_text {
            joined.push(" ")?;
        }
        joined.push(&text_of(argument))?;
        after_text = is_text;
    }
    Ok(Value::from(joined.into_string()))
}

fn print_line(args: &Args<'_>) -> Result<Value, FunctionError> {
    let mut joined = BoundedText::default();
    for (position, argument) in args.from(0).iter().enumerate() {
        joined.push(if position == 0 { "" } else { " " })?;
        joined.push(&text_of(argument))?;
    }
    joined.push("\n")?;
    Ok(Value::from(joined.into_string()))
}

fn to_int(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
