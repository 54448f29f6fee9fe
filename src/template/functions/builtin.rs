//! Go's built-in functions, with positions and with times and durations where Go has them.

use super::{Args, Function, FunctionError, MANY, integer, text, truth, value};
use crate::template::limits::BoundedText;
use crate::template::value::{Kind, fields, text_of};
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

/// Nil equals only nil; other values compare within their kind, whole numbers with numbers too.
fn equal(left: &Value, right: &Value) -> Result<bool, FunctionError> {
    match (Kind::of(left), Kind::of(right)) {
        (Kind::Nil, Kind::Nil) => Ok(true),
        (Kind::Nil, _) | (_, Kind::Nil) => Ok(false),
        (Kind::Bool(left), Kind::Bool(right)) => Ok(left == right),
        _ => compare(left, right).map(Ordering::is_eq),
    }
}

fn order(args: &Args<'_>) -> Result<Ordering, FunctionError> {
    compare(args.value(0), args.value(1))
}

#[expect(clippy::cast_precision_loss, reason = "a number is compared with a whole number")]
fn compare(left: &Value, right: &Value) -> Result<Ordering, FunctionError> {
    let (left, right) = (Kind::of(left), Kind::of(right));
    let incomparable =
        || FunctionError::Incomparable { left: left.as_str(), right: right.as_str() };
    match (left, right) {
        (Kind::Text(left), Kind::Text(right)) => Ok(left.cmp(right)),
        (Kind::Time(left), Kind::Time(right))
        | (
            Kind::Integer(left) | Kind::Duration(left),
            Kind::Integer(right) | Kind::Duration(right),
        ) => Ok(left.cmp(&right)),
        (Kind::Number(left), Kind::Number(right)) => {
            left.partial_cmp(&right).ok_or_else(incomparable)
        }
        (Kind::Integer(left), Kind::Number(right)) => {
            (left as f64).partial_cmp(&right).ok_or_else(incomparable)
        }
        (Kind::Number(left), Kind::Integer(right)) => {
            left.partial_cmp(&(right as f64)).ok_or_else(incomparable)
        }
        _ => Err(incomparable()),
    }
}

fn length(args: &Args<'_>) -> Result<Value, FunctionError> {
    let length = match Kind::of(args.value(0)) {
        Kind::Text(text) => text.len(),
        Kind::List(items) => items.len(),
        Kind::Map(entries) => entries.len(),
        Kind::Nil
        | Kind::Bool(_)
        | Kind::Integer(_)
        | Kind::Number(_)
        | Kind::Time(_)
        | Kind::Duration(_)
        | Kind::Record(_)
        | Kind::Function => {
            let got = Kind::of(args.value(0)).as_str();
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

/// An element of a list, the value of a map ("" where absent), a byte of a text. A list of
/// results also takes the name of one, "" where absent.
fn element(value: &Value, key: &Value, position: usize) -> Result<Value, FunctionError> {
    match (Kind::of(value), Kind::of(key)) {
        (Kind::List(items), Kind::Integer(index)) => {
            at(items, index).cloned().ok_or(out_of_range(index, items.len()))
        }
        (Kind::Text(text), Kind::Integer(index)) => at(text.as_bytes(), index)
            .map(|byte| Value::Int(i64::from(*byte)))
            .ok_or(out_of_range(index, text.len())),
        (Kind::Map(entries), Kind::Text(key)) => {
            Ok(entries.get(key).cloned().unwrap_or_else(|| Value::from("")))
        }
        (Kind::List(items), Kind::Text(name)) if items.iter().all(is_named_value) => {
            Ok(value_named(items, name).unwrap_or_else(|| Value::from("")))
        }
        (Kind::List(_) | Kind::Text(_), key) => {
            Err(FunctionError::WrongKind { position, wanted: "a whole number", got: key.as_str() })
        }
        (Kind::Map(_), key) => {
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
    match Kind::of(item) {
        Kind::Record(entries) => fields(entries).map(|(name, _)| name).eq(["Name", "Value"]),
        Kind::Nil
        | Kind::Bool(_)
        | Kind::Integer(_)
        | Kind::Number(_)
        | Kind::Text(_)
        | Kind::Time(_)
        | Kind::Duration(_)
        | Kind::List(_)
        | Kind::Map(_)
        | Kind::Function => false,
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

/// Part of a list or text, from the second to before the third argument; of a text, in bytes.
fn slice(args: &Args<'_>) -> Result<Value, FunctionError> {
    let subject = args.value(0);
    let Some(length) = subject.len() else {
        let got = Kind::of(subject).as_str();
        return Err(FunctionError::WrongKind { position: 1, wanted: "text or a list", got });
    };
    let start = if args.len() > 1 { args.integer(1)? } else { 0 };
    let end = if args.len() > 2 { args.integer(2)? } else { to_int(length) };
    let bound = if (0..=to_int(length)).contains(&start) { end } else { start };
    subject.slice(Some(start), Some(end)).map_err(|_| out_of_range(bound, length))
}

/// Joined; a space stands between two arguments when neither is a text.
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
