//! Literal arguments of a rule, checked at load by the evaluator itself.

use super::event_vars::ENVIRONMENT;
use cel::Context;
use cel::common::types::CelString;
use std::sync::Arc;

/// The name of the argument in the calls below.
const ARGUMENT: &str = "argument";

/// Refuses an argument with which `function` fails for every event.
///
/// # Errors
/// What is wrong with the argument.
pub(super) fn check_constant(function: &str, text: &str) -> Result<(), String> {
    let (call, wanted) = match function {
        "duration" => ("duration(argument)", "no duration; write for example \"90s\" or \"1h30m\""),
        "timestamp" => {
            ("timestamp(argument)", "no time; write for example \"2026-11-30T18:00:00Z\"")
        }
        name if name.starts_with("get") => (
            "timestamp('2026-01-01T00:00:00Z').getHours(argument)",
            "no time zone; write a name such as \"Europe/Berlin\", or an offset such as \"+01:00\"",
        ),
        _ => return Ok(()),
    };
    let mut scope = Context::with_env(Arc::clone(&ENVIRONMENT));
    scope.add_variable_as_val(ARGUMENT, Box::new(CelString::from(text.to_owned())));
    let works = ENVIRONMENT.compile(call).is_ok_and(|program| program.execute(&scope).is_ok());
    if works { Ok(()) } else { Err(format!("{text:?} is {wanted}")) }
}

#[cfg(test)]
mod tests {
    use super::super::Condition;

    #[test]
    fn constants_that_can_never_work_are_refused_at_load() {
        let rows = [
            ("event.FinishedAt - event.StartedAt > duration('5 min')", "is no duration"),
            ("event.FinishedAt > timestamp('yesterday')", "is no time; write"),
            ("event.StartedAt.getHours('Europe/Berlni') > 5", "is no time zone"),
            ("event.StartedAt.getDayOfWeek('CEST') == 0", "is no time zone"),
            ("event.RunName.matches('(')", "bad regular expression"),
        ];
        for (rule, message) in rows {
            let error = Condition::compile(rule).unwrap_err();
            assert!(error.message.contains(message), "{rule}: {error}");
        }
        let right = [
            "event.FinishedAt - event.StartedAt > duration('1h30m')",
            "event.FinishedAt > timestamp('2026-11-30T18:00:00+01:00')",
            "event.StartedAt.getHours('America/New_York') > 5",
            "event.StartedAt.getHours('+01:00') > 5",
            "event.StartedAt.getHours(event.Labels.zone) > 5",
        ];
        for rule in right {
            assert!(Condition::compile(rule).is_ok(), "{rule}");
        }
    }
}
