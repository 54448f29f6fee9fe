//! Arithmetic of sprig: on 64-bit whole numbers that wrap around, as in Go, unless stated.

use super::args::{to_integer, to_number};
use super::{Args, Function, FunctionError, MANY, function, integer};
use crate::template::shape::Shape;
use gotmpl::Value;

/// Digits after the point that `round` can keep of a 64-bit number.
const DIGITS_MAX: i64 = 300;

pub(super) const FUNCTIONS: &[Function] = &[
    integer("add", 1..=MANY, |args| fold(args, i64::wrapping_add)),
    integer("add1", 1..=1, |args| Ok(Value::Int(args.integer(0)?.wrapping_add(1)))),
    integer("sub", 2..=2, |args| fold(args, i64::wrapping_sub)),
    integer("mul", 1..=MANY, |args| fold(args, i64::wrapping_mul)),
    integer("div", 2..=2, |args| divided(args, i64::wrapping_div)),
    integer("mod", 2..=2, |args| divided(args, i64::wrapping_rem)),
    integer("max", 1..=MANY, |args| fold(args, i64::max)),
    integer("min", 1..=MANY, |args| fold(args, i64::min)),
    integer("int", 1..=1, |args| Ok(Value::Int(to_integer(args.value(0)).unwrap_or(0)))),
    integer("int64", 1..=1, |args| Ok(Value::Int(to_integer(args.value(0)).unwrap_or(0)))),
    integer("atoi", 1..=1, |args| Ok(Value::Int(args.text(0)?.parse().unwrap_or(0)))),
    number("float64", 1..=1, |args| Ok(Value::Float(to_number(args.value(0)).unwrap_or(0.0)))),
    number("floor", 1..=1, |args| Ok(Value::Float(args.number(0)?.floor()))),
    number("ceil", 1..=1, |args| Ok(Value::Float(args.number(0)?.ceil()))),
    number("round", 1..=2, round),
];

const fn number(
    name: &'static str,
    args: std::ops::RangeInclusive<usize>,
    call: super::Call,
) -> Function {
    function(name, args, Shape::Number, call)
}

fn fold(args: &Args<'_>, step: fn(i64, i64) -> i64) -> Result<Value, FunctionError> {
    let mut result = args.integer(0)?;
    for position in 1..args.len() {
        result = step(result, args.integer(position)?);
    }
    Ok(Value::Int(result))
}

fn divided(args: &Args<'_>, step: fn(i64, i64) -> i64) -> Result<Value, FunctionError> {
    if args.integer(1)? == 0 {
        return Err(FunctionError::DivisionByZero);
    }
    fold(args, step)
}

/// `round number digits`: keeps that many digits after the point, 0 by default.
fn round(args: &Args<'_>) -> Result<Value, FunctionError> {
    let digits = if args.len() > 1 { args.integer(1)? } else { 0 };
    let digits = i32::try_from(digits.clamp(-DIGITS_MAX, DIGITS_MAX)).unwrap_or(0);
    let number = args.number(0)?;
    let scale = 10_f64.powi(digits);
    let rounded = (number * scale).round() / scale;
    // The number has no digits at this precision.
    Ok(Value::Float(if rounded.is_finite() { rounded } else { number }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_wraps_instead_of_panicking() {
        let ends = [Value::Int(i64::MIN), Value::Int(-1)];
        let divided = divided(&Args::new(&ends), i64::wrapping_div).unwrap();
        assert_eq!(divided, Value::Int(i64::MIN));
        let sum = fold(&Args::new(&ends), i64::wrapping_add).unwrap();
        assert_eq!(sum, Value::Int(i64::MAX));
    }

    #[test]
    fn whole_parts_are_held_at_the_ends() {
        use super::super::args::cut;
        assert_eq!(cut(1e300), i64::MAX);
        assert_eq!(cut(f64::NAN), 0);
    }
}
