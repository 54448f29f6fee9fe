//! Lists of sprig. Every function returns a new list; none changes its argument.

use super::{Args, Function, FunctionError, MANY, text, truth, value};
use crate::template::limits::{BoundedText, ITEMS_MAX};
use crate::template::value::{ValueKind, text_of};
use gotmpl::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    value("list", 0..=MANY, |args| made(args.from(0).to_vec())),
    value("first", 1..=1, |args| Ok(args.list(0)?.first().cloned().unwrap_or(Value::Nil))),
    value("last", 1..=1, |args| Ok(args.list(0)?.last().cloned().unwrap_or(Value::Nil))),
    value("rest", 1..=1, |args| made(args.list(0)?.iter().skip(1).cloned().collect())),
    value("initial", 1..=1, |args| {
        let items = args.list(0)?;
        made(items.iter().take(items.len().saturating_sub(1)).cloned().collect())
    }),
    value("append", 2..=2, |args| made([args.list(0)?, args.from(1)].concat())),
    value("prepend", 2..=2, |args| made([args.from(1), args.list(0)?].concat())),
    value("concat", 1..=MANY, concat),
    value("reverse", 1..=1, |args| made(args.list(0)?.iter().rev().cloned().collect())),
    value("uniq", 1..=1, unique),
    value("without", 1..=MANY, |args| {
        let dropped = args.from(1);
        made(args.list(0)?.iter().filter(|item| !dropped.contains(item)).cloned().collect())
    }),
    value("compact", 1..=1, |args| {
        let full = args.list(0)?.iter().filter(|item| !ValueKind::of(item).is_empty());
        made(full.cloned().collect())
    }),
    truth("has", 2..=2, |args| Ok(Value::Bool(args.list(1)?.contains(args.value(0))))),
    text("join", 2..=2, join),
    value("sortAlpha", 1..=1, |args| {
        let mut texts: Vec<String> = args.list(0)?.iter().map(text_of).collect();
        texts.sort();
        made(texts.into_iter().map(Value::from).collect())
    }),
    value("toStrings", 1..=1, |args| {
        made(args.list(0)?.iter().map(|item| Value::from(text_of(item))).collect())
    }),
    value("until", 1..=1, until),
];

fn made(items: Vec<Value>) -> Result<Value, FunctionError> {
    Ok(Value::from(items))
}

fn concat(args: &Args<'_>) -> Result<Value, FunctionError> {
    let mut items = Vec::new();
    for position in 0..args.len() {
        items.extend_from_slice(args.list(position)?);
        if items.len() > ITEMS_MAX {
            return Err(FunctionError::TooManyItems);
        }
    }
    made(items)
}

fn unique(args: &Args<'_>) -> Result<Value, FunctionError> {
    let mut kept: Vec<Value> = Vec::new();
    for item in args.list(0)? {
        if !kept.contains(item) {
            kept.push(item.clone());
        }
    }
    made(kept)
}

/// `join separator list`; a single value counts as a list of one.
fn join(args: &Args<'_>) -> Result<Value, FunctionError> {
    let separator = args.text(0)?;
    let items = match args.value(1) {
        Value::List(items) => items,
        Value::Nil
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Map(_)
        | Value::Function(_) => args.from(1),
    };
    let mut joined = BoundedText::default();
    for (position, item) in items.iter().enumerate() {
        joined.push(if position == 0 { "" } else { &separator })?;
        joined.push(&text_of(item))?;
    }
    Ok(Value::from(joined.into_string()))
}

/// The whole numbers from 0 to n - 1.
fn until(args: &Args<'_>) -> Result<Value, FunctionError> {
    let end = args.integer(0)?;
    if usize::try_from(end).is_ok_and(|end| end > ITEMS_MAX) {
        return Err(FunctionError::TooManyItems);
    }
    made((0..end).map(Value::Int).collect())
}
