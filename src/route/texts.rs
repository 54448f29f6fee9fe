//! Text functions of rules whose result can be longer than their input: `split` and `replace` of
//! plain CEL's extension, with bounds. A rule is evaluated for every event, and anyone who starts
//! runs controls its input.

use super::event_vars::argument;
use cel::common::types::{CelList, CelString, STRING_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};

/// Longest text that `replace` makes: far above the longest name of any target.
const TEXT_BYTES_MAX: usize = 256 << 10;

/// Most parts that `split` makes. Loops nest at most twice, and so stay below a million steps.
const PARTS_MAX: usize = 1_000;

const REPLACE: &str = "@replace";
const SPLIT: &str = "@split";

/// The bounded function that replaces a method.
pub(super) fn bounded(method: &str) -> Option<&'static str> {
    match method {
        "replace" => Some(REPLACE),
        "split" => Some(SPLIT),
        _ => None,
    }
}

/// Declares the bounded functions.
pub(super) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    let three = vec![STRING_TYPE, STRING_TYPE, STRING_TYPE];
    env.add_overload(REPLACE, "replace_text_text_text", three, replace)?;
    env.add_overload(SPLIT, "split_text_text", vec![STRING_TYPE, STRING_TYPE], split)
}

fn replace<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text: &CelString<'v> = argument(&arguments, 0)?;
    let from: &CelString<'v> = argument(&arguments, 1)?;
    let to: &CelString<'v> = argument(&arguments, 2)?;
    let (text, from, to) = (text.inner(), from.inner(), to.inner());
    let found = text.matches(from).count();
    let longest = text.len().saturating_add(found.saturating_mul(to.len()));
    if longest > TEXT_BYTES_MAX {
        let message = format!("the text would be longer than {TEXT_BYTES_MAX} bytes");
        return Err(ExecutionError::function_error("replace", message));
    }
    Ok(CowVal::owned(CelString::from(text.replace(from, to))))
}

fn split<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text: &CelString<'v> = argument(&arguments, 0)?;
    let separator: &CelString<'v> = argument(&arguments, 1)?;
    let (text, separator) = (text.inner(), separator.inner());
    let parts: Vec<String> = match separator {
        "" => text.chars().take(PARTS_MAX + 1).map(String::from).collect(),
        _ => text.split(separator).take(PARTS_MAX + 1).map(str::to_owned).collect(),
    };
    if parts.len() > PARTS_MAX {
        let message = format!("the text has more than {PARTS_MAX} parts");
        return Err(ExecutionError::function_error("split", message));
    }
    let parts = parts.into_iter().map(|part| Box::new(CelString::from(part)) as Box<dyn Val>);
    Ok(CowVal::owned(CelList::from(parts.collect::<Vec<_>>())))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{pipeline_run, vars};
    use super::super::{Condition, EvaluateError};

    fn answer(rule: &str, message: &str) -> Result<bool, EvaluateError> {
        let event = crate::event::RunEvent { message: message.to_owned(), ..pipeline_run() };
        Condition::compile(rule).unwrap().evaluate(&vars(&event))
    }

    #[test]
    fn texts_cannot_be_made_to_grow_without_end() {
        let doubled = "event.Description.replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')";
        let grown = (0..5).fold("event.Description".to_owned(), |text, _| {
            text + &doubled["event.Description".len()..]
        });
        let error = answer(&format!("{grown} == ''"), &"a".repeat(200)).unwrap_err();
        assert!(error.to_string().contains("longer than 262144 bytes"), "{error}");
        assert_eq!(answer(&format!("{doubled} != ''"), "a"), Ok(true));
    }

    #[test]
    fn a_text_has_only_so_many_parts() {
        let rule = "size(event.RunName.replace('c', 'x,').split(',')) == 2";
        assert_eq!(answer(rule, ""), Ok(true));
        let rule = "size((event.RunName.replace('c', 'cccccccccccccccccccccccccccccccc') \
                    .replace('c', 'cccccccccccccccccccccccccccccccc')).split('')) > 0";
        let error = answer(rule, "").unwrap_err();
        assert!(error.to_string().contains("more than 1000 parts"), "{error}");
    }
}
