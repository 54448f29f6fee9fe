//! Keys that a program reads from its input. jq reads an absent key as `null` without an error, so
//! this check refuses a key that no event has.

use super::{ProgramError, ProgramProblem, at};
use crate::event::{closed_field, closed_words};
use crate::spelling::{closest, did_you_mean};
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::ops::Cmp;
use jaq_core::path::{Part, Path};

/// The key of the only object in the input whose keys are also known.
const REPOSITORY: &str = "repo";

/// Filters that return their input unchanged.
const HANDING_ON: [&str; 1] = ["select"];

/// Filters whose arguments run on the input of the call.
const ON_INPUT: [&str; 5] = ["select", "first", "isempty", "error", "has"];

/// The keys of a program's input.
#[derive(Clone, Copy, Debug)]
pub struct InputKeys<'k> {
    /// Keys of the event.
    pub event: &'k [&'k str],
    /// Keys of its `repo`.
    pub repository: &'k [&'k str],
}

/// What `.` is at a place of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dot {
    /// The input of the program.
    Event,
    /// Anything else.
    Other,
}

/// Looks for a key that the input never has.
///
/// # Errors
/// The first one, with its place.
pub(super) fn check_keys(text: &str, known: InputKeys<'_>) -> Result<(), ProgramError> {
    // The compiler reports a text that is not a program.
    let Some(term) = jaq_core::load::parse(text, |parser| parser.term()) else { return Ok(()) };
    Reader { text, known }.term(&term, Dot::Event)
}

type Read = Result<(), ProgramError>;

struct Reader<'p> {
    text: &'p str,
    known: InputKeys<'p>,
}

impl<'p> Reader<'p> {
    fn term(&self, term: &Term<&'p str>, dot: Dot) -> Read {
        match term {
            Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) => Ok(()),
            Term::Str(_, parts) => self.interpolated(parts, dot),
            Term::Arr(inner) => inner.as_ref().map_or(Ok(()), |inner| self.term(inner, dot)),
            Term::Obj(entries) => entries.iter().try_for_each(|(key, value)| match value {
                Some(value) => self.term(key, dot).and_then(|()| self.term(value, dot)),
                // `{state}` is short for `{state: .state}`.
                None => self.read_key(key, dot, self.known.event, ""),
            }),
            Term::Neg(inner) | Term::Label(_, inner) => self.term(inner, dot),
            Term::Def(_, inner) => self.term(inner, dot),
            Term::BinOp(left, operator, right) => self.operation(left, operator, right, dot),
            Term::Fold(_, source, _, parts) => {
                self.term(source, dot)?;
                parts.iter().try_for_each(|part| self.term(part, Dot::Other))
            }
            Term::TryCatch(tried, caught) => {
                self.term(tried, dot)?;
                caught.as_ref().map_or(Ok(()), |caught| self.term(caught, Dot::Other))
            }
            Term::IfThenElse(branches, otherwise) => {
                for (condition, then) in branches {
                    self.term(condition, dot)?;
                    self.term(then, dot)?;
                }
                otherwise.as_ref().map_or(Ok(()), |otherwise| self.term(otherwise, dot))
            }
            Term::Call(name, arguments) => self.call(name, arguments, dot),
            Term::Path(base, path) => self.path(base, path, dot),
        }
    }

    fn interpolated(&self, parts: &[StrPart<&'p str, Term<&'p str>>], dot: Dot) -> Read {
        parts.iter().try_for_each(|part| match part {
            StrPart::Term(term) => self.term(term, dot),
            StrPart::Str(_) | StrPart::Char(_) => Ok(()),
        })
    }

    fn operation(
        &self,
        left: &Term<&'p str>,
        operator: &BinaryOp<&'p str>,
        right: &Term<&'p str>,
        dot: Dot,
    ) -> Read {
        match operator {
            BinaryOp::Pipe(None) => {
                self.term(left, dot)?;
                self.term(right, if hands_on(left) { dot } else { Dot::Other })
            }
            // The left side may be a key that the program adds.
            BinaryOp::Update => self.term(right, Dot::Other),
            BinaryOp::Assign | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => {
                self.term(right, dot)
            }
            BinaryOp::Pipe(Some(_))
            | BinaryOp::Comma
            | BinaryOp::Alt
            | BinaryOp::Or
            | BinaryOp::And
            | BinaryOp::Math(_)
            | BinaryOp::Cmp(Cmp::Lt | Cmp::Le | Cmp::Gt | Cmp::Ge) => {
                self.term(left, dot).and_then(|()| self.term(right, dot))
            }
            BinaryOp::Cmp(Cmp::Eq | Cmp::Ne) => {
                self.term(left, dot).and_then(|()| self.term(right, dot))?;
                self.comparison(left, right, dot).and_then(|()| self.comparison(right, left, dot))
            }
        }
    }

    /// Refuses a comparison of a key of the event with a word that it never holds.
    fn comparison(&self, key: &Term<&'p str>, word: &Term<&'p str>, dot: Dot) -> Read {
        let (Some(key), Some(word)) = (event_key(key), literal(word)) else { return Ok(()) };
        let field = closed_field(key).filter(|_| dot == Dot::Event);
        let Some(words) = field.and_then(closed_words) else { return Ok(()) };
        if words.contains(&word) {
            return Ok(());
        }
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let hint = did_you_mean(word, words.iter().copied());
        let (key, known) = (key.to_owned(), words.join(", "));
        let problem = ProgramProblem::UnknownWord { key, word: word.to_owned(), known, hint };
        Err(at(self.text, word, problem))
    }

    fn call(&self, name: &str, arguments: &[Term<&'p str>], dot: Dot) -> Read {
        if let ("has", [key]) = (name, arguments) {
            return self.read_key(key, dot, self.known.event, "");
        }
        let inside = if ON_INPUT.contains(&name) { dot } else { Dot::Other };
        arguments.iter().try_for_each(|argument| self.term(argument, inside))
    }

    fn path(&self, base: &Term<&'p str>, path: &Path<Term<&'p str>>, dot: Dot) -> Read {
        self.term(base, dot)?;
        for (part, _) in &path.0 {
            match part {
                Part::Index(index) => self.term(index, dot)?,
                Part::Range(from, to) => {
                    [from, to].into_iter().flatten().try_for_each(|end| self.term(end, dot))?;
                }
            }
        }
        if !matches!(base, Term::Id) {
            return Ok(());
        }
        let mut keys = path.0.iter().map(|(part, _)| match part {
            Part::Index(key) => Some(key),
            Part::Range(..) => None,
        });
        let Some(Some(first)) = keys.next() else { return Ok(()) };
        self.read_key(first, dot, self.known.event, "")?;
        match keys.next() {
            Some(Some(second)) if literal(first) == Some(REPOSITORY) => {
                self.read_key(second, dot, self.known.repository, REPOSITORY)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn read_key(&self, key: &Term<&'p str>, dot: Dot, known: &[&str], of: &str) -> Read {
        let Some(name) = literal(key).filter(|_| dot == Dot::Event) else {
            return self.term(key, dot);
        };
        if known.contains(&name) {
            return Ok(());
        }
        let meant = closest(name, known.iter().copied()).map(str::to_owned);
        let of = of.to_owned();
        Err(at(self.text, name, ProgramProblem::UnknownKey { name: name.to_owned(), of, meant }))
    }
}

/// The text of a literal term.
fn literal<'p>(term: &Term<&'p str>) -> Option<&'p str> {
    let Term::Str(None, parts) = term else { return None };
    if let [StrPart::Str(text)] = parts.as_slice() { Some(text) } else { None }
}

/// The key of a path such as `.state`.
fn event_key<'p>(term: &Term<&'p str>) -> Option<&'p str> {
    let Term::Path(base, path) = term else { return None };
    match (&**base, path.0.as_slice()) {
        (Term::Id, [(Part::Index(key), _)]) => literal(key),
        _ => None,
    }
}

fn hands_on(term: &Term<&str>) -> bool {
    matches!(term, Term::Id) || matches!(term, Term::Call(name, _) if HANDING_ON.contains(name))
}

#[cfg(test)]
mod tests {
    use super::super::Program;
    use super::InputKeys;

    const KEYS: InputKeys<'_> =
        InputKeys { event: &["run_name", "state", "repo"], repository: &["owner", "name"] };

    fn told(program: &str) -> String {
        let checked = Program::check_keys(program, KEYS);
        checked.err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn a_key_that_the_input_never_has_is_refused_with_its_place() {
        let meant =
            |place: &str| format!("{place}: unknown key `runname`, did you mean `run_name`?");
        let rows = [
            (".runname", meant("1:2")),
            ("{text: .runname}", meant("1:9")),
            ("{runname}", meant("1:2")),
            ("\"run \\(.runname)\"", meant("1:9")),
            ("select(.state == \"failure\") | .runname", meant("1:32")),
            (". | {a: (.runname | ascii_upcase)}", meant("1:11")),
            ("if .runname then 1 else 2 end", meant("1:5")),
            (".[\"runname\"]", meant("1:4")),
            ("{a: 1} as $x | .runname", meant("1:17")),
            (".x = .runname", meant("1:7")),
            ("has(\"runname\")", meant("1:6")),
            (".repo.ownr", "1:7: unknown key `repo.ownr`, did you mean `repo.owner`?".to_owned()),
            (".zzz", "1:2: unknown key `zzz`".to_owned()),
        ];
        for (program, expected) in rows {
            assert_eq!(told(program), expected, "{program}");
        }
    }

    #[test]
    fn a_word_that_the_key_never_holds_is_refused_with_its_place() {
        let known = "it is one of pending, running, success, failure, error, canceled";
        let rows = [
            (
                "if .state==\"cancelled\" then {} else {} end",
                format!(
                    "1:13: `.state` is never \"cancelled\": {known}; did you mean \"canceled\"?"
                ),
            ),
            (
                "select(\"Success\" != .state)",
                format!("1:9: `.state` is never \"Success\": {known}; did you mean \"success\"?"),
            ),
            (
                "{a: (.[\"state\"] == \"broken\")}",
                format!("1:21: `.state` is never \"broken\": {known}"),
            ),
        ];
        for (program, expected) in rows {
            assert_eq!(told(program), expected, "{program}");
        }
        for program in [
            ".state == \"failure\"",
            ".run_name == \"Success\"",
            ".repo | .state == \"Success\"",
            ".state == .run_name",
        ] {
            assert_eq!(told(program), "", "{program}");
        }
    }

    #[test]
    fn keys_of_anything_else_are_not_judged() {
        let rows = [
            ".",
            ".state, .repo.name",
            "{a: {b: 1}} | .a.b",
            ".x = 1",
            ".x |= 2",
            "[.repo] | map(.zzz)",
            ".repo | .zzz",
            "to_entries[].value",
            "del(.zzz)",
            ". + {zzz: 1} | .zzz",
            ".[$__loc__]",
            "((",
        ];
        for program in rows {
            assert_eq!(told(program), "", "{program}");
        }
    }
}
