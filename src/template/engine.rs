//! [`Template`]: a Go template, checked when compiled and rendered under limits.

use super::check::{Located, TemplateFault, check, check_balance};
use super::constants::constant_variables;
use super::data::Data;
use super::escape::{Markup, escape_marked};
use super::functions::engine_functions;
use super::limits::{
    BoundedText, ELSE_MAX, OUTPUT_BYTES_MAX, RANGE_ITERATIONS_MAX, TEMPLATE_BYTES_MAX,
};
use super::place::Place;
use super::rewrite::Rewriter;
use super::shape::DataKind;
use crate::event::Keep;
use gotmpl::parse::{DefineNode, ListNode, Parser};
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Name of the text itself among the templates it defines. No quoted name equals it: it contains a
/// NUL, which a config file cannot hold.
const MAIN: &str = "\0main";

/// A template whose syntax, names and functions have been checked.
#[derive(Clone)]
pub struct Template {
    text: Arc<str>,
    compiled: Arc<gotmpl::Template>,
    keep: Keep,
}

/// Why a text is not a valid template, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct TemplateError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub message: String,
}

/// Why a template could not be rendered. Rendering again with the same data fails again.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A call failed; line and column are those of the template text, from 1.
    #[error("{line}:{column}: {message}")]
    Failed { line: usize, column: usize, message: String },
    #[error("the output is longer than {OUTPUT_BYTES_MAX} bytes")]
    OutputTooLong,
    #[error("`range` runs more than {RANGE_ITERATIONS_MAX} times")]
    TooManyIterations,
    /// A defect of the relay or of its template engine.
    #[error("rendering panicked: {message}")]
    Panicked { message: String },
    /// Any other error of the engine; it gives no position.
    #[error(transparent)]
    Engine(gotmpl::TemplateError),
}

impl Template {
    /// Parses a text and checks every name, function and block of it.
    ///
    /// # Errors
    /// The first fault, with its line and column.
    pub fn compile(text: &str, kind: DataKind) -> Result<Self, TemplateError> {
        check_size(text)?;
        let (main, defines) = parse(text)?;
        check_balance(text)?;
        let keep = check(text, &main, &defines, kind.shape())?;
        let compiled = Arc::new(assemble(text, main, defines));
        Ok(Self { text: Arc::from(text), compiled, keep })
    }

    /// Renders the template with `data` as plain text.
    ///
    /// # Errors
    /// The data does not fit a call of the template, or a limit is reached. No partial output is
    /// returned.
    pub fn render(&self, data: &Data) -> Result<String, RenderError> {
        self.render_for(data, Markup::Plain)
    }

    /// Renders the template with `data`. All printed data is escaped, except by `raw`; the
    /// template's own text stays as it is.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_for(&self, data: &Data, markup: Markup) -> Result<String, RenderError> {
        guarded(|| {
            let mut output = BoundedText::default();
            self.compiled.execute_template_fmt(&mut output, MAIN, &data.0)?;
            Ok(escape_marked(&output.into_string(), markup))
        })
    }

    /// What the text reads of params, results, labels and annotations.
    #[must_use]
    pub fn reads(&self) -> &Keep {
        &self.keep
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("text", &self.text).finish_non_exhaustive()
    }
}

impl From<Located> for TemplateError {
    fn from(located: Located) -> Self {
        Self {
            line: usize::try_from(located.place.line).unwrap_or(usize::MAX),
            column: usize::try_from(located.place.column).unwrap_or(usize::MAX),
            message: located.fault.to_string(),
        }
    }
}

impl From<gotmpl::TemplateError> for RenderError {
    fn from(error: gotmpl::TemplateError) -> Self {
        use gotmpl::TemplateError as Engine;
        if let Engine::Parse { line, col, message, .. } = error {
            return Self::Failed { line, column: col, message };
        }
        if let Engine::FuncPanic { message, .. } = error {
            return Self::Panicked { message };
        }
        if matches!(error, Engine::Write) {
            return Self::OutputTooLong;
        }
        if matches!(error, Engine::RangeIterLimit) {
            return Self::TooManyIterations;
        }
        Self::Engine(error)
    }
}

/// The parser recurses once per `else if`, so their number is bounded before it runs.
fn check_size(text: &str) -> Result<(), Located> {
    if text.len() > TEMPLATE_BYTES_MAX {
        return Err(Located { place: Place::START, fault: TemplateFault::TooLong });
    }
    if let Some((offset, _)) = text.match_indices("else").nth(ELSE_MAX) {
        let place = Place::of_offset(text, offset);
        return Err(Located { place, fault: TemplateFault::TooManyBranches });
    }
    Ok(())
}

fn parse(text: &str) -> Result<(ListNode, Vec<DefineNode>), TemplateError> {
    use gotmpl::TemplateError as Engine;
    let parsed = Parser::new(text, "{{", "}}").and_then(Parser::parse);
    parsed.map_err(|error| {
        let unlocated = error.to_string();
        // The parser reports position 0 if it knows none.
        if let Engine::Parse { line, col, message, .. } | Engine::Lex { line, col, message, .. } =
            error
        {
            return TemplateError { line: line.max(1), column: col.max(1), message };
        }
        TemplateError { line: 1, column: 1, message: unlocated }
    })
}

fn assemble(text: &str, main: ListNode, defines: Vec<DefineNode>) -> gotmpl::Template {
    let bodies = [&main].into_iter().chain(defines.iter().map(|define| &define.body));
    let constants = constant_variables(bodies);
    let rewriter = Rewriter { text, constants: &constants };
    let engine = gotmpl::Template::new(MAIN)
        .funcs(engine_functions())
        .max_range_iters(RANGE_ITERATIONS_MAX)
        .add_parse_tree(MAIN, rewriter.list(main));
    defines.into_iter().fold(engine, |engine, define| {
        engine.add_parse_tree(&define.name, rewriter.list(define.body))
    })
}

/// Turns a panic into an error: one template must not take the process down.
fn guarded<T>(render: impl FnOnce() -> Result<T, RenderError>) -> Result<T, RenderError> {
    catch_unwind(AssertUnwindSafe(render))
        .unwrap_or_else(|payload| Err(RenderError::Panicked { message: panic_text(&*payload) }))
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[cfg(test)]
#[path = "engine_test.rs"]
mod tests;
