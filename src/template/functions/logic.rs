//! Defaults and choices of sprig.

use super::{Args, Function, FunctionError, MANY, truth, value};
use crate::template::value::{ValueKind, text_of};
use gotmpl::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    value("default", 1..=2, default),
    truth("empty", 1..=1, |args| Ok(Value::Bool(ValueKind::of(args.value(0)).is_empty()))),
    value("coalesce", 0..=MANY, |args| {
        Ok(args.from(0).iter().find(is_full).cloned().unwrap_or(Value::Nil))
    }),
    truth("all", 0..=MANY, |args| {
        Ok(Value::Bool(args.from(0).iter().all(|value| is_full(&value))))
    }),
    truth("any", 0..=MANY, |args| {
        Ok(Value::Bool(args.from(0).iter().any(|value| is_full(&value))))
    }),
    value("ternary", 3..=3, |args| {
        Ok(args.value(if args.value(2).is_truthy() { 0 } else { 1 }).clone())
    }),
    value("fail", 1..=1, |args| Err(FunctionError::Failed { message: text_of(args.value(0)) })),
];

fn is_full(value: &&Value) -> bool {
    !ValueKind::of(value).is_empty()
}

/// `default fallback value`; returns the fallback without a value.
fn default(args: &Args<'_>) -> Result<Value, FunctionError> {
    let is_given = args.len() > 1 && is_full(&args.value(1));
    Ok(args.value(usize::from(is_given)).clone())
}
