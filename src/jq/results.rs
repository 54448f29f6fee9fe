//! How many results a program gives, if its text alone decides that. One result is a body; any
//! other number fails for every event.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::{Opt, Part};

/// The number of results of `text` for every input; `None` if it varies or is unknown.
pub(super) fn count_of(text: &str) -> Option<usize> {
    let term = jaq_core::load::parse(text, |parser| parser.term())?;
    count(&term)
}

fn count(term: &Term<&str>) -> Option<usize> {
    match term {
        Term::Id | Term::Num(_) | Term::Arr(_) | Term::Var(_) => Some(1),
        Term::Str(_, parts) => {
            let is_plain = parts.iter().all(|part| !matches!(part, StrPart::Term(_)));
            is_plain.then_some(1)
        }
        Term::Obj(entries) => {
            let is_single =
                |value: &Option<Term<&str>>| value.as_ref().is_none_or(|v| count(v) == Some(1));
            let are_single =
                entries.iter().all(|(key, value)| count(key) == Some(1) && is_single(value));
            are_single.then_some(1)
        }
        Term::Neg(inner) => count(inner),
        // A program may redefine a name of the language.
        Term::Def(definitions, inner) => {
            let is_redefined = definitions.iter().any(|definition| definition.name == "empty");
            count(inner).filter(|_| !is_redefined)
        }
        Term::Call("empty", arguments) if arguments.is_empty() => Some(0),
        Term::Path(base, path) => {
            let is_key = |part: &Part<Term<&str>>| match part {
                Part::Index(index) => count(index) == Some(1),
                Part::Range(..) => false,
            };
            // An optional part may give no result.
            let are_keys =
                path.0.iter().all(|(part, opt)| is_key(part) && matches!(opt, Opt::Essential));
            count(base).filter(|_| are_keys)
        }
        Term::BinOp(left, operator, right) => both(left, operator, right),
        Term::IfThenElse(branches, otherwise) => {
            let otherwise = otherwise.as_ref().map_or(Some(1), |term| count(term))?;
            let are_same = branches.iter().all(|(condition, then)| {
                count(condition) == Some(1) && count(then) == Some(otherwise)
            });
            are_same.then_some(otherwise)
        }
        Term::Recurse
        | Term::Label(..)
        | Term::Break(_)
        | Term::Fold(..)
        | Term::TryCatch(..)
        | Term::Call(..) => None,
    }
}

fn both(left: &Term<&str>, operator: &BinaryOp<&str>, right: &Term<&str>) -> Option<usize> {
    let (left, right) = (count(left), count(right));
    match operator {
        BinaryOp::Comma => left?.checked_add(right?),
        BinaryOp::Pipe(_) if left == Some(0) || right == Some(0) => Some(0),
        BinaryOp::Pipe(None) | BinaryOp::Math(_) | BinaryOp::Cmp(_) => left?.checked_mul(right?),
        BinaryOp::Pipe(Some(_))
        | BinaryOp::Alt
        | BinaryOp::Or
        | BinaryOp::And
        | BinaryOp::Assign
        | BinaryOp::Update
        | BinaryOp::UpdateMath(_)
        | BinaryOp::UpdateAlt => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Program;

    fn told(program: &str) -> String {
        let checked = Program::check_results(program);
        checked.err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn a_program_that_never_gives_one_result_is_refused() {
        let none = "1:1: the program gives no result, whatever the event is";
        let two = "1:1: the program gives 2 results; one is the body: put them into [...] or {...}";
        for (program, expected) in [
            ("empty", none),
            (".state | empty", none),
            ("empty | {a: 1}", none),
            ("if .state == \"failure\" then empty else empty end", none),
            (".state, .state", two),
            (".repo | (.owner, .name)", two),
            ("{a: 1}, \"x\"", two),
            ("def f: 1; ., .", two),
        ] {
            assert_eq!(told(program), expected, "{program}");
            let run = Program::compile(program).unwrap().run(&serde_json::json!({"state": "a"}));
            assert!(run.is_err(), "{program}: {run:?}");
        }
    }

    #[test]
    fn a_program_that_may_give_one_result_is_accepted() {
        for program in [
            ".",
            "{a: .state}",
            "select(.state == \"failure\")",
            ".state, empty",
            "[.state, .reason]",
            "if .state == \"failure\" then {a: 1} else empty end",
            ".repo[]",
            ".state.x?, {a: 1}",
            "def empty: 1; empty",
            "{a: (1, 2)}",
            "first(.a, .b)",
            ".a // empty",
            "((",
        ] {
            assert_eq!(told(program), "", "{program}");
        }
    }
}
