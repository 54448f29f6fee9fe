//! Text functions of sprig. Positions and lengths count characters, never bytes.

use super::{Args, Function, FunctionError, MANY, text, truth, value};
use crate::template::limits::{BoundedText, ITEMS_MAX, truncate_chars};
use crate::template::value::{ValueKind, text_of};
use gotmpl::Value;
use std::collections::BTreeMap;

pub(super) const FUNCTIONS: &[Function] = &[
    text("trim", 1..=1, |args| made(args.text(0)?.trim())),
    text("trimAll", 2..=2, trim_all),
    text("trimall", 2..=2, trim_all),
    text("trimPrefix", 2..=2, |args| {
        let (prefix, text) = (args.text(0)?, args.text(1)?);
        made(text.strip_prefix(&*prefix).unwrap_or(&text))
    }),
    text("trimSuffix", 2..=2, |args| {
        let (suffix, text) = (args.text(0)?, args.text(1)?);
        made(text.strip_suffix(&*suffix).unwrap_or(&text))
    }),
    text("upper", 1..=1, |args| made(&args.text(0)?.to_uppercase())),
    text("lower", 1..=1, |args| made(&args.text(0)?.to_lowercase())),
    text("repeat", 2..=2, repeat),
    text("substr", 3..=3, substring),
    text("trunc", 2..=2, truncate),
    text("abbrev", 2..=2, abbreviate),
    text("Truncate", 2..=2, |args| made(&truncate_chars(&args.text(0)?, args.count(1)?))),
    text("nospace", 1..=1, |args| {
        made(&args.text(0)?.chars().filter(|next| !next.is_whitespace()).collect::<String>())
    }),
    truth("contains", 2..=2, |args| Ok(Value::Bool(args.text(1)?.contains(&*args.text(0)?)))),
    truth("hasPrefix", 2..=2, |args| Ok(Value::Bool(args.text(1)?.starts_with(&*args.text(0)?)))),
    truth("hasSuffix", 2..=2, |args| Ok(Value::Bool(args.text(1)?.ends_with(&*args.text(0)?)))),
    text("quote", 0..=MANY, |args| each(args, |value| quoted(&text_of(value)))),
    text("squote", 0..=MANY, |args| each(args, |value| format!("'{}'", text_of(value)))),
    text("cat", 0..=MANY, |args| each(args, text_of)),
    text("indent", 2..=2, |args| indent(args, "")),
    text("nindent", 2..=2, |args| indent(args, "\n")),
    text("replace", 3..=3, replace),
    text("plural", 3..=3, |args| {
        made(&if args.integer(2)? == 1 { args.text(0)? } else { args.text(1)? })
    }),
    value("splitList", 2..=2, |args| {
        let (separator, text) = (args.text(0)?, args.text(1)?);
        Ok(split(&text, &separator).map(Value::from).collect::<Vec<_>>().into())
    }),
    value("split", 2..=2, |args| {
        let (separator, text) = (args.text(0)?, args.text(1)?);
        let parts = split(&text, &separator).enumerate();
        let parts = parts.map(|(number, part)| (format!("_{number}"), Value::from(part)));
        Ok(parts.collect::<BTreeMap<_, _>>().into())
    }),
    text("toString", 1..=1, |args| made(&text_of(args.value(0)))),
    // As the last function of an action it turns off the escaping of its output.
    text("raw", 1..=1, |args| made(&text_of(args.value(0)))),
];

fn made(text: &str) -> Result<Value, FunctionError> {
    Ok(Value::from(text))
}

fn trim_all(args: &Args<'_>) -> Result<Value, FunctionError> {
    let (cutset, text) = (args.text(0)?, args.text(1)?);
    made(text.trim_matches(|next| cutset.contains(next)))
}

fn repeat(args: &Args<'_>) -> Result<Value, FunctionError> {
    let (count, text) = (args.count(0)?, args.text(1)?);
    let mut repeated = BoundedText::default();
    if text.is_empty() {
        return made("");
    }
    for _ in 0..count {
        repeated.push(&text)?;
    }
    made(&repeated.into_string())
}

/// `substr start end text`; a negative start means the beginning, a negative end the end.
fn substring(args: &Args<'_>) -> Result<Value, FunctionError> {
    let (start, end, text) = (args.count(0)?, args.integer(1)?, args.text(2)?);
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    made(&text.chars().take(end).skip(start).collect::<String>())
}

/// `trunc n text`: the first n characters, or the last -n.
fn truncate(args: &Args<'_>) -> Result<Value, FunctionError> {
    let (count, text) = (args.integer(0)?, args.text(1)?);
    let kept = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count >= 0 {
        return made(&text.chars().take(kept).collect::<String>());
    }
    let skipped = text.chars().count().saturating_sub(kept);
    made(&text.chars().skip(skipped).collect::<String>())
}

/// `abbrev n text`; like sprig it leaves the text as it is below four characters.
fn abbreviate(args: &Args<'_>) -> Result<Value, FunctionError> {
    const WIDTH_MIN: usize = 4;
    let (width, text) = (args.count(0)?, args.text(1)?);
    if width < WIDTH_MIN { made(&text) } else { made(&truncate_chars(&text, width)) }
}

/// The arguments that are not nil, each converted by `form`, with spaces between.
fn each(args: &Args<'_>, form: fn(&Value) -> String) -> Result<Value, FunctionError> {
    let mut joined = BoundedText::default();
    let present =
        args.from(0).iter().filter(|value| !matches!(ValueKind::of(value), ValueKind::Nil));
    for (position, value) in present.enumerate() {
        joined.push(if position == 0 { "" } else { " " })?;
        joined.push(&form(value))?;
    }
    made(&joined.into_string())
}

/// A text as a Go string literal.
fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => literal.extend(['\\', character]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            control if control.is_control() => {
                literal.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

/// `indent n text`: every line starts with n spaces.
fn indent(args: &Args<'_>, before: &str) -> Result<Value, FunctionError> {
    let (width, text) = (args.count(0)?, args.text(1)?);
    let mut pad = BoundedText::default();
    for _ in 0..width {
        pad.push(" ")?;
    }
    let pad = pad.into_string();
    let mut indented = BoundedText::default();
    indented.push(before)?;
    for (position, line) in text.split('\n').enumerate() {
        indented.push(if position == 0 { "" } else { "\n" })?;
        indented.push(&pad)?;
        indented.push(line)?;
    }
    made(&indented.into_string())
}

/// `replace old new text`. The bound applies while the result is built: a short `old` and a long
/// `new` multiply.
fn replace(args: &Args<'_>) -> Result<Value, FunctionError> {
    let (old, new, text) = (args.text(0)?, args.text(1)?, args.text(2)?);
    let mut replaced = BoundedText::default();
    let mut last = 0;
    for (start, found) in text.match_indices(&*old) {
        replaced.push(text.get(last..start).unwrap_or_default())?;
        replaced.push(&new)?;
        last = start + found.len();
    }
    replaced.push(text.get(last..).unwrap_or_default())?;
    made(&replaced.into_string())
}

/// Go's `strings.Split`: without a separator it splits into characters. Stops one past the bound of
/// a list; the result is then refused.
fn split<'a>(text: &'a str, separator: &'a str) -> impl Iterator<Item = &'a str> {
    let drops_ends = separator.is_empty();
    let parts = text.split(separator).filter(move |part| !drops_ends || !part.is_empty());
    parts.take(ITEMS_MAX + 1)
}
