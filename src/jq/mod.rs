//! jq programs of the `transform` option: compiled at load with a located error, run under limits.
//! A program sees only its input: no environment, clock, log or files, and it cannot end the
//! process.

mod depth;
mod keys;
mod reads;
mod results;
mod transform;

pub use keys::InputKeys;
pub use reads::reads;
pub use transform::{
    ANSWER_BYTES_MAX, CPU_SECONDS_MAX, REQUEST_BYTES_MAX, Transform, TransformAnswer,
    TransformRequest,
};

use jaq_core::data::JustLut;
use jaq_core::load::{self, Arena, File, Loader, lex, parse};
use jaq_core::{Compiler, Ctx, Filter, Vars, compile, unwrap_valr};
use jaq_json::Val;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Longest program, in bytes. Transforms in use are under 1 KiB.
pub const PROGRAM_BYTES_MAX: usize = 16 * 1024;

/// Largest result, as JSON text. GitHub's and Slack's own bodies stay far below.
pub const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// Longest text of an error, in characters: it is logged, shown by a dry run and kept in a dead
/// letter.
const RAISED_CHARS_MAX: usize = 240;

/// Characters of it from the end of the text.
const RAISED_TAIL_CHARS: usize = 80;

/// Filters that read from or write to the outside. `input` and `$ENV` do not exist at all. A
/// definition that uses one of these must be listed too, or the prelude fails to load.
const DENIED: [&str; 12] = [
    "env",
    "halt",
    "halt_error",
    "debug",
    "debug_empty",
    "stderr",
    "stderr_empty",
    "now",
    "localtime",
    "strflocaltime",
    "input",
    "inputs",
];

/// Differences between jq 1.7 and the library that users of Tekton meet: results are lists of
/// `name` and `value`, and `ltrimstr` returns input that is not a string unchanged.
const PRELUDE: &str = include_str!("prelude.jq");

/// Why a program was refused at load.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// Longer than [`PROGRAM_BYTES_MAX`].
    #[error("program is longer than {PROGRAM_BYTES_MAX} bytes")]
    TooLong,
    /// Heavier than `depth::WEIGHT_MAX`.
    #[error("program is nested too deeply")]
    TooDeep,
    /// The text is not jq, or uses an unknown name. Line and column count from 1.
    #[error("{line}:{column}: {problem}")]
    At { line: usize, column: usize, problem: ProgramProblem },
    /// The library panicked on this text.
    #[error("program cannot be compiled")]
    Panicked,
}

/// What is wrong at a place of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramProblem {
    /// The parser expected something else here.
    Expected(String),
    /// Modules cannot be loaded.
    Module,
    /// An unknown variable, label or filter; for filters with the number of arguments.
    Undefined { kind: &'static str, name: String, arguments: Option<usize> },
    /// A key that the input never has, in the object `of`; `of` is empty for the input itself.
    UnknownKey { name: String, of: String, meant: Option<String> },
    /// A word that the key of the input never holds.
    UnknownWord { key: String, word: String, known: String, hint: String },
    /// Always `count` results and not one, whatever the input.
    Results { count: usize },
}

impl fmt::Display for ProgramProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expected(what) => write!(f, "expected {what}"),
            Self::Module => f.write_str("modules cannot be loaded"),
            Self::UnknownKey { name, of, meant } => {
                let path = if of.is_empty() { String::new() } else { format!("{of}.") };
                write!(f, "unknown key `{path}{name}`")?;
                meant.as_ref().map_or(Ok(()), |meant| write!(f, ", did you mean `{path}{meant}`?"))
            }
            Self::UnknownWord { key, word, known, hint } => {
                write!(f, "`.{key}` is never {word:?}: it is one of {known}{hint}")
            }
            Self::Results { count: 0 } => {
                f.write_str("the program gives no result, whatever the event is")
            }
            Self::Results { count } => {
                let advice = "one is the body: put them into [...] or {...}";
                write!(f, "the program gives {count} results; {advice}")
            }
            Self::Undefined { kind, name, arguments: None } => write!(f, "unknown {kind} `{name}`"),
            Self::Undefined { kind, name, arguments: Some(count) } => {
                write!(f, "unknown {kind} `{name}` with {count} arguments")
            }
        }
    }
}

/// Why a program gave no result for an input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The program raised an error. The library writes the whole value that it could not use, so
    /// the middle of the text is cut.
    #[error("jq error: {0}")]
    Raised(String),
    /// No result.
    #[error("jq program gave no result")]
    NoResult,
    /// More than one result.
    #[error("jq program gave more than one result")]
    SeveralResults,
    /// `null` is not a body.
    #[error("jq program gave null")]
    NullResult,
    /// A value that JSON cannot express: NaN, a key that is not a string, text that is not UTF-8.
    #[error("jq program gave a result that is no JSON")]
    NotJson,
    /// Larger than [`OUTPUT_BYTES_MAX`].
    #[error("jq result is larger than {OUTPUT_BYTES_MAX} bytes")]
    TooLarge,
    /// The library panicked.
    #[error("jq program could not be run")]
    Panicked,
}

/// A compiled program.
pub struct Program {
    text: Arc<str>,
    filter: Filter<JustLut<Val>>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Program(..)")
    }
}

impl Program {
    /// Compiles `text`.
    ///
    /// # Errors
    /// The first problem of the text, with its place.
    pub fn compile(text: &str) -> Result<Self, ProgramError> {
        if text.len() > PROGRAM_BYTES_MAX {
            return Err(ProgramError::TooLong);
        }
        if depth::weight(text) > depth::WEIGHT_MAX {
            return Err(ProgramError::TooDeep);
        }
        let filter = catch_unwind(|| compile(text)).unwrap_or(Err(ProgramError::Panicked))?;
        Ok(Self { text: Arc::from(text), filter })
    }

    /// Looks for a key that the program reads from its input and that no input has.
    ///
    /// # Errors
    /// The first one, with its place.
    pub fn check_keys(text: &str, known: InputKeys<'_>) -> Result<(), ProgramError> {
        keys::check_keys(text, known)
    }

    /// Counts the results of a program, if its text alone decides their number.
    ///
    /// # Errors
    /// Every input gives none or several.
    pub fn check_results(text: &str) -> Result<(), ProgramError> {
        match results::count_of(text) {
            Some(1) | None => Ok(()),
            Some(count) => Err(at(text, text, ProgramProblem::Results { count })),
        }
    }

    /// The program as it was written.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Runs the program on `input`.
    ///
    /// # Errors
    /// Any outcome except exactly one result that is JSON, not `null`, and within
    /// [`OUTPUT_BYTES_MAX`]. A program that loops does not return, and endless recursion overflows
    /// the stack: a relay runs programs in a separate process ([`Transform`]).
    pub fn run(&self, input: &serde_json::Value) -> Result<serde_json::Value, RunError> {
        let run = AssertUnwindSafe(|| self.run_unguarded(input));
        catch_unwind(run).unwrap_or(Err(RunError::Panicked))
    }

    fn run_unguarded(&self, input: &serde_json::Value) -> Result<serde_json::Value, RunError> {
        let input: Val = serde_json::from_value(input.clone()).map_err(|_| RunError::NotJson)?;
        let context = Ctx::<JustLut<Val>>::new(&self.filter.lut, Vars::new([]));
        let mut results = self.filter.id.run((context, input)).map(unwrap_valr);
        let first = results.next().ok_or(RunError::NoResult)?;
        let first = first.map_err(|error| raised(&error.to_string()))?;
        match results.next() {
            None => {}
            Some(Ok(_)) => return Err(RunError::SeveralResults),
            Some(Err(error)) => return Err(raised(&error.to_string())),
        }
        to_json(&first)
    }
}

/// The error with the start and the end of its text: the operation and its value.
fn raised(text: &str) -> RunError {
    let chars = text.chars().count();
    if chars <= RAISED_CHARS_MAX {
        return RunError::Raised(text.to_owned());
    }
    let head: String = text.chars().take(RAISED_CHARS_MAX - RAISED_TAIL_CHARS).collect();
    let tail: String = text.chars().skip(chars - RAISED_TAIL_CHARS).collect();
    RunError::Raised(format!("{head} [{} characters] {tail}", chars - RAISED_CHARS_MAX))
}

/// Converts the result through its JSON text, where the library differs from JSON least.
fn to_json(result: &Val) -> Result<serde_json::Value, RunError> {
    if matches!(result, Val::Null) {
        return Err(RunError::NullResult);
    }
    let text = result.to_string();
    if text.len() > OUTPUT_BYTES_MAX {
        return Err(RunError::TooLarge);
    }
    serde_json::from_str(&text).map_err(|_| RunError::NotJson)
}

fn is_allowed(name: &str) -> bool {
    !DENIED.contains(&name)
}

fn compile(text: &str) -> Result<Filter<JustLut<Val>>, ProgramError> {
    let prelude = load::parse(PRELUDE, |parser| parser.defs()).unwrap_or_default();
    let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let definitions = definitions.filter(|definition| is_allowed(definition.name)).chain(prelude);
    let natives = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let natives = natives.filter(|(name, _, _)| is_allowed(name));

    let arena = Arena::default();
    let modules = Loader::new(definitions)
        .load(&arena, File { code: text, path: () })
        .map_err(|errors| load_error(text, errors))?;
    Compiler::default()
        .with_funs(natives)
        .compile(modules)
        .map_err(|errors| compile_error(text, errors))
}

fn load_error(text: &str, errors: load::Errors<&str, ()>) -> ProgramError {
    let Some((_, error)) = errors.into_iter().next() else { return ProgramError::Panicked };
    match error {
        load::Error::Io(modules) => {
            let part = modules.first().map_or(text, |(path, _)| path);
            at(text, part, ProgramProblem::Module)
        }
        load::Error::Lex(errors) => errors.first().map_or(ProgramError::Panicked, |error| {
            let (expected, found): &lex::Error<&str> = error;
            at(text, found, ProgramProblem::Expected(expected.as_str().to_owned()))
        }),
        load::Error::Parse(errors) => errors.first().map_or(ProgramError::Panicked, |error| {
            let (expected, found): &parse::Error<&str> = error;
            at(text, found, ProgramProblem::Expected(expected.as_str().to_owned()))
        }),
    }
}

fn compile_error(text: &str, errors: compile::Errors<&str, ()>) -> ProgramError {
    let first = errors.into_iter().flat_map(|(_, errors)| errors).next();
    let Some((name, undefined)) = first else { return ProgramError::Panicked };
    let arguments =
        if let compile::Undefined::Filter(count) = undefined { Some(count) } else { None };
    at(
        text,
        name,
        ProgramProblem::Undefined { kind: undefined.as_str(), name: name.to_owned(), arguments },
    )
}

/// Places `part`, a slice of `text`, by line and column.
fn at(text: &str, part: &str, problem: ProgramProblem) -> ProgramError {
    let offset = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize);
    let before = offset.and_then(|offset| text.get(..offset)).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    ProgramError::At { line, column, problem }
}

#[cfg(test)]
#[path = "jq_test.rs"]
mod tests;
