//! The functions templates may call: Go's built-ins, a part of sprig, and the relay's own. They are
//! tables of pure functions. A function that needs a clock, randomness, the network, the process
//! environment or Go's reflection is refused by name when a template is loaded.

mod args;
mod builtin;
mod dates;
mod encoding;
mod error;
mod hidden;
mod lists;
mod logic;
mod maps;
mod numbers;
mod patterns;
mod references;
mod refused;
mod strings;
mod words;

pub(super) use args::Args;
pub(super) use error::{FunctionError, argument_words};
pub(super) use hidden::{
    FORMAT, MEMBER, PRINT, PRINT_DATA, PRINTED, SHOWN, SHOWN_DATA, WALK, is_plain_format,
};
pub(super) use refused::refusal;

use super::limits::{ITEMS_MAX, OUTPUT_BYTES_MAX, PRINTF_DIRECTIVES_MAX, VALUE_DEPTH_MAX};
use super::place::Place;
use super::shape::Shape;
use super::value::ValueKind;
use gotmpl::{FuncMap, TemplateError, Value};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The largest number of arguments of a function that takes any number.
const MANY: usize = usize::MAX;

/// What a function does with its arguments.
type Call = fn(&Args<'_>) -> Result<Value, FunctionError>;

/// A function of the template language.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub name: &'static str,
    /// How many arguments it takes.
    pub args: RangeInclusive<usize>,
    /// What is known about its result.
    pub result: Shape,
    call: Call,
}

const fn function(
    name: &'static str,
    args: RangeInclusive<usize>,
    result: Shape,
    call: Call,
) -> Function {
    Function { name, args, result, call }
}

const fn text(name: &'static str, args: RangeInclusive<usize>, call: Call) -> Function {
    function(name, args, Shape::Text, call)
}

const fn truth(name: &'static str, args: RangeInclusive<usize>, call: Call) -> Function {
    function(name, args, Shape::Bool, call)
}

const fn integer(name: &'static str, args: RangeInclusive<usize>, call: Call) -> Function {
    function(name, args, Shape::Integer, call)
}

const fn value(name: &'static str, args: RangeInclusive<usize>, call: Call) -> Function {
    function(name, args, Shape::Any, call)
}

/// Every function that a user may write, except `and`, `or` and `printf`, which the engine runs.
pub(super) fn all() -> impl Iterator<Item = &'static Function> {
    [
        builtin::FUNCTIONS,
        dates::FUNCTIONS,
        encoding::FUNCTIONS,
        lists::FUNCTIONS,
        logic::FUNCTIONS,
        maps::FUNCTIONS,
        numbers::FUNCTIONS,
        patterns::FUNCTIONS,
        references::FUNCTIONS,
        strings::FUNCTIONS,
        words::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// Functions that the engine runs itself, with what the checks need to know.
const ENGINE_FUNCTIONS: &[(&str, RangeInclusive<usize>, Shape)] = &[
    ("and", 1..=MANY, Shape::Any),
    ("or", 1..=MANY, Shape::Any),
    ("printf", 1..=PRINTF_DIRECTIVES_MAX + 1, Shape::Text),
];

/// What the checks know about a function: its number of arguments and its result.
pub(super) fn signature(name: &str) -> Option<(RangeInclusive<usize>, Shape)> {
    let engine = ENGINE_FUNCTIONS.iter().find(|(known, _, _)| *known == name);
    if let Some((_, args, result)) = engine {
        return Some((args.clone(), *result));
    }
    all().find(|known| known.name == name).map(|known| (known.args.clone(), known.result))
}

/// Checks a literal first argument: a pattern or a format.
///
/// # Errors
/// The call would fail whatever the data.
pub(super) fn check_literal(name: &str, literal: &str) -> Result<(), FunctionError> {
    if name == "printf" {
        return hidden::check_format(literal);
    }
    let is_pattern = patterns::FUNCTIONS.iter().any(|known| known.name == name);
    if is_pattern && name != "regexQuoteMeta" {
        patterns::compile_pattern(literal)?;
    }
    Ok(())
}

/// Calls a function as a rendering would; `None` for a function of the engine and for an unknown
/// name.
pub(super) fn try_call(name: &str, args: &[Value]) -> Option<Result<Value, FunctionError>> {
    all().find(|known| known.name == name).map(|function| run(function, &Args::new(args)))
}

/// The names of all functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ENGINE_FUNCTIONS.iter().map(|(name, _, _)| *name).chain(all().map(|known| known.name))
}

/// The functions in the form that the engine takes. Each takes its place as first argument.
pub(super) fn engine_functions() -> FuncMap {
    all()
        .chain(hidden::FUNCTIONS)
        .map(|function| (function.name.to_owned(), bind(function)))
        .collect()
}

fn bind(function: &'static Function) -> gotmpl::ValueFunc {
    Arc::new(move |located: &[Value]| {
        let (place, args) = match located.split_first() {
            Some((place, args)) => (Place::unpack(Some(place)), args),
            None => (Place::START, located),
        };
        run(function, &Args::new(args)).map_err(|error| fault_at(place, function.name, &error))
    })
}

fn run(function: &Function, args: &Args<'_>) -> Result<Value, FunctionError> {
    if !function.args.contains(&args.len()) {
        return Err(FunctionError::ArgumentCount {
            wanted: function.args.clone(),
            got: args.len(),
        });
    }
    let made = (function.call)(args)?;
    admit(&made)?;
    Ok(made)
}

/// The engine's error type has a place only for syntax errors, and only this form returns a place
/// from a rendering.
fn fault_at(place: Place, function: &str, error: &FunctionError) -> TemplateError {
    // The hidden functions implement syntax, which has no name to show.
    let message =
        if function.starts_with('\0') { error.to_string() } else { format!("{function}: {error}") };
    TemplateError::Parse {
        name: None,
        line: usize::try_from(place.line).unwrap_or(usize::MAX),
        col: usize::try_from(place.column).unwrap_or(usize::MAX),
        message,
    }
}

/// Refuses results beyond the bounds. A shared part counts as often as it appears, because it is
/// printed that often.
fn admit(made: &Value) -> Result<(), FunctionError> {
    let mut room = Room { items: ITEMS_MAX, bytes: OUTPUT_BYTES_MAX };
    room.take(made, VALUE_DEPTH_MAX)
}

/// How much a value may still hold.
struct Room {
    items: usize,
    bytes: usize,
}

impl Room {
    fn take(&mut self, value: &Value, depth: usize) -> Result<(), FunctionError> {
        let depth = || depth.checked_sub(1).ok_or(FunctionError::TooDeep);
        self.items = self.items.checked_sub(1).ok_or(FunctionError::TooManyItems)?;
        match ValueKind::of(value) {
            ValueKind::Text(text) => {
                let rest = self.bytes.checked_sub(text.len());
                self.bytes = rest.ok_or(FunctionError::TextTooLong)?;
                Ok(())
            }
            ValueKind::List(items) => {
                let depth = depth()?;
                items.iter().try_for_each(|item| self.take(item, depth))
            }
            ValueKind::Map(entries) | ValueKind::Record(entries) => {
                let depth = depth()?;
                entries.values().try_for_each(|item| self.take(item, depth))
            }
            ValueKind::Nil
            | ValueKind::Bool(_)
            | ValueKind::Integer(_)
            | ValueKind::Number(_)
            | ValueKind::Time(_)
            | ValueKind::Duration(_)
            | ValueKind::Function => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "functions_test.rs"]
mod tests;
