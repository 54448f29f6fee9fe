//! Maps of sprig. Every function returns a new map; none changes its argument.

use super::{Args, Function, FunctionError, MANY, truth, value};
use crate::template::limits::ITEMS_MAX;
use crate::template::value::Entries;
use gotmpl::Value;
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Function] = &[
    value("dict", 0..=MANY, dict),
    value("get", 2..=2, |args| {
        let found = args.map(0)?.get(&*args.text(1)?).cloned();
        Ok(found.unwrap_or_else(|| Value::from("")))
    }),
    truth("hasKey", 2..=2, |args| Ok(Value::Bool(args.map(0)?.contains_key(&*args.text(1)?)))),
    value("keys", 1..=MANY, keys),
    value("values", 1..=1, |args| Ok(args.map(0)?.values().cloned().collect::<Vec<_>>().into())),
    value("pick", 1..=MANY, |args| chosen(args, true)),
    value("omit", 1..=MANY, |args| chosen(args, false)),
    value("pluck", 1..=MANY, pluck),
];

/// `dict key value ...`; a last key without a value gets "".
fn dict(args: &Args<'_>) -> Result<Value, FunctionError> {
    let mut entries = Entries::new();
    for position in (0..args.len()).step_by(2) {
        let found = args.from(position + 1).first().cloned();
        let found = found.unwrap_or_else(|| Value::from(""));
        entries.insert(Arc::from(&*args.text(position)?), found);
    }
    Ok(Value::Map(Arc::new(entries)))
}

/// The keys of all arguments, in the order of each map.
fn keys(args: &Args<'_>) -> Result<Value, FunctionError> {
    let mut names = Vec::new();
    for position in 0..args.len() {
        names.extend(args.map(position)?.keys().map(|key| Value::String(Arc::clone(key))));
        if names.len() > ITEMS_MAX {
            return Err(FunctionError::TooManyItems);
        }
    }
    Ok(names.into())
}

/// The entries whose key the other arguments name (`pick`) or do not name (`omit`).
fn chosen(args: &Args<'_>, is_kept: bool) -> Result<Value, FunctionError> {
    let names = args.from(1);
    let is_named = |key: &str| names.iter().any(|name| name.as_str() == Some(key));
    let entries = args.map(0)?.iter().filter(|(key, _)| is_named(key) == is_kept);
    let entries = entries.map(|(key, value)| (Arc::clone(key), value.clone()));
    Ok(Value::Map(Arc::new(entries.collect())))
}

/// `pluck key map ...`: the values under one key, from the maps that have it.
fn pluck(args: &Args<'_>) -> Result<Value, FunctionError> {
    let key = args.text(0)?;
    let mut found = Vec::new();
    for position in 1..args.len() {
        found.extend(args.map(position)?.get(&*key).cloned());
    }
    Ok(found.into())
}
