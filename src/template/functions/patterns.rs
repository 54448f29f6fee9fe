//! Regular expressions of sprig. The syntax is RE2's, as in Go; every match is linear in time.

use super::{Args, Function, FunctionError, text, truth, value};
use crate::template::limits::{BoundedText, ITEMS_MAX, OUTPUT_BYTES_MAX, PATTERN_BYTES_MAX};
use gotmpl::Value;
use regex::{Captures, Regex, RegexBuilder};
use std::borrow::Cow;

pub(super) const FUNCTIONS: &[Function] = &[
    truth("regexMatch", 2..=2, is_match),
    truth("mustRegexMatch", 2..=2, is_match),
    text("regexFind", 2..=2, find),
    text("mustRegexFind", 2..=2, find),
    value("regexFindAll", 3..=3, find_all),
    value("mustRegexFindAll", 3..=3, find_all),
    text("regexReplaceAll", 3..=3, replace_all),
    text("mustRegexReplaceAll", 3..=3, replace_all),
    text("regexReplaceAllLiteral", 3..=3, replace_all_literal),
    text("mustRegexReplaceAllLiteral", 3..=3, replace_all_literal),
    value("regexSplit", 3..=3, split),
    value("mustRegexSplit", 3..=3, split),
    text("regexQuoteMeta", 1..=1, |args| Ok(Value::from(regex::escape(&args.text(0)?)))),
];

/// Compiles a pattern under the size bound.
///
/// # Errors
/// The pattern is invalid or too large.
pub(super) fn compile_pattern(pattern: &str) -> Result<Regex, FunctionError> {
    let compiled = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build();
    compiled.map_err(|error| FunctionError::Pattern(Box::new(error)))
}

fn is_match(args: &Args<'_>) -> Result<Value, FunctionError> {
    Ok(Value::Bool(compile_pattern(&args.text(0)?)?.is_match(&args.text(1)?)))
}

/// The first match, "" if there is none.
fn find(args: &Args<'_>) -> Result<Value, FunctionError> {
    let (pattern, text) = (compile_pattern(&args.text(0)?)?, args.text(1)?);
    Ok(Value::from(pattern.find(&text).map_or("", |found| found.as_str())))
}

/// `regexFindAll pattern text n`: the first n matches, or all if n is negative.
fn find_all(args: &Args<'_>) -> Result<Value, FunctionError> {
    let (pattern, text) = (compile_pattern(&args.text(0)?)?, args.text(1)?);
    let matches = pattern.find_iter(&text).take(at_most(args.integer(2)?));
    Ok(matches.map(|found| Value::from(found.as_str())).collect::<Vec<_>>().into())
}

/// `regexReplaceAll pattern text replacement`; `$1` and `${name}` are groups.
fn replace_all(args: &Args<'_>) -> Result<Value, FunctionError> {
    let replacement = args.text(2)?;
    // A group is at most the whole match, so this is the longest possible expansion.
    let groups = replacement.matches('$').count();
    let longest = |found: usize| groups.saturating_mul(found).saturating_add(replacement.len());
    replace(args, |captures| {
        if longest(captures.get_match().len()) > OUTPUT_BYTES_MAX {
            return Err(FunctionError::TextTooLong);
        }
        let mut expanded = String::new();
        captures.expand(&replacement, &mut expanded);
        Ok(Cow::Owned(expanded))
    })
}

fn replace_all_literal(args: &Args<'_>) -> Result<Value, FunctionError> {
    let replacement = args.text(2)?;
    replace(args, |_| Ok(Cow::Borrowed(&*replacement)))
}

/// Builds the result under the bound: an empty pattern matches everywhere.
fn replace<'a>(
    args: &Args<'_>,
    expand: impl Fn(&Captures<'_>) -> Result<Cow<'a, str>, FunctionError>,
) -> Result<Value, FunctionError> {
    let (pattern, text) = (compile_pattern(&args.text(0)?)?, args.text(1)?);
    let mut replaced = BoundedText::default();
    let mut last = 0;
    for captures in pattern.captures_iter(&text) {
        let found = captures.get_match();
        replaced.push(text.get(last..found.start()).unwrap_or_default())?;
        replaced.push(&expand(&captures)?)?;
        last = found.end();
    }
    replaced.push(text.get(last..).unwrap_or_default())?;
    Ok(Value::from(replaced.into_string()))
}

/// `regexSplit pattern text n`: at most n parts, or all if n is negative.
fn split(args: &Args<'_>) -> Result<Value, FunctionError> {
    let (pattern, text) = (compile_pattern(&args.text(0)?)?, args.text(1)?);
    let parts = pattern.splitn(&text, at_most(args.integer(2)?));
    Ok(parts.map(Value::from).collect::<Vec<_>>().into())
}

/// One more than the bound of a list is enough: the result is refused.
fn at_most(count: i64) -> usize {
    usize::try_from(count).map_or(ITEMS_MAX + 1, |count| count.min(ITEMS_MAX + 1))
}
