//! Rules: CEL expressions that are parsed, checked and rewritten at load, and evaluated for one
//! event at a time. A rule keeps nothing of the events it has seen, so any number of threads can
//! share it. Only this file calls the CEL parser and evaluator.

use super::check::{ExpressionFault, check};
use super::event_vars::{ENVIRONMENT, EventVars, LATE_FIELDS};
use super::pattern::Patterns;
use super::possible::{Possibility, field_of, verdict};
use super::rewrite::{children, rewrite};
use super::slips::first_slip;
use super::vocabulary::Type;
use crate::event::Keep;
use cel::common::ast::Expr;
use cel::common::types::{CelBool, CelString};
use cel::common::value::Val;
use cel::{Context, ExecutionError, IdedExpr, ParseErrors, Program, Value};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Longest rule, in bytes. The longest ones written by hand have some 500; parsing and evaluation
/// take time and stack in proportion.
pub const RULE_BYTES_MAX: usize = 4096;

/// Stack of the thread that compiles a rule. The parser reads 96 levels of brackets, each taking
/// up to 200 KiB in a debug build, and chains of any length; the check that refuses deep rules
/// comes only after it. 20 MiB was measured to suffice for the worst texts of [`RULE_BYTES_MAX`].
const COMPILE_STACK_BYTES: usize = 64 << 20;

/// The text for a rule that is false for every event.
pub(super) const NEVER_TRUE: &str = "the rule can never be true: its conditions exclude each other";

/// Why a text is not a valid rule. Nothing was built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct CelError {
    /// Line within the text, from 1.
    pub line: usize,
    /// Character within the line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

impl CelError {
    fn at_start(message: String) -> Self {
        Self { line: 1, column: 1, message }
    }
}

/// Why a rule gave no answer for an event. The rule can be evaluated again.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EvaluateError {
    /// An operation in the rule failed for this event.
    #[error("rule failed: {0}")]
    Failed(#[source] ExecutionError),
    /// The rule ended in a value of the wrong type.
    #[error("rule must yield {wanted}, yielded {got}")]
    WrongType {
        /// The type that this place of the rule needs.
        wanted: &'static str,
        /// The CEL type of the value.
        got: String,
    },
    /// The evaluator panicked; the panic was caught.
    #[error("rule evaluator panicked")]
    Panicked,
}

/// A rule that returns yes or no, as in `when`.
#[derive(Clone)]
pub struct Condition(Arc<Rule>);

impl Condition {
    /// Compiles a rule.
    ///
    /// # Errors
    /// The first mistake: syntax, an unknown name, a wrong call, a result other than bool, a bad
    /// regular expression, or a rule beyond the limits of length and nesting.
    pub fn compile(text: &str) -> Result<Self, CelError> {
        Rule::compile(text, Type::Bool).map(|rule| Self(Arc::new(rule)))
    }

    /// The answer for an event. A rule that reads a name which is not final yet returns no: a later
    /// event of the run has the name, and the rule decides on that event.
    ///
    /// # Errors
    /// The rule failed for this event, or returned something other than a bool.
    pub fn evaluate(&self, vars: &EventVars) -> Result<bool, EvaluateError> {
        let read = |value: &dyn Val| value.downcast_ref::<CelBool>().map(|bool| *bool.inner());
        let is_wanted = self.0.evaluate(vars, Type::Bool, read)?;
        Ok(is_wanted && !vars.may_change(&self.0.late_fields))
    }

    /// The rule as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What the rule may read of params, results, labels and annotations.
    #[must_use]
    pub fn reads(&self) -> &Keep {
        &self.0.keep
    }

    /// Whether the rule is true for every event, and is not just `true`.
    #[must_use]
    pub fn holds_always(&self) -> bool {
        self.0.verdict == Possibility::Always
    }

    /// Whether the rule is false without reading the event: a rule that was switched off.
    #[must_use]
    pub fn is_never(&self) -> bool {
        self.0.verdict == Possibility::Never
    }

    /// Probable mistakes in the rule, each with its place.
    #[must_use]
    pub fn doubts(&self) -> &[CelError] {
        &self.0.doubts
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.0.text).finish()
    }
}

/// A rule that computes a text, as in `channel_expr`.
#[derive(Clone)]
pub struct TextExpression(Arc<Rule>);

impl TextExpression {
    /// Compiles a rule.
    ///
    /// # Errors
    /// As [`Condition::compile`], for a result other than string.
    pub fn compile(text: &str) -> Result<Self, CelError> {
        Rule::compile(text, Type::Text).map(|rule| Self(Arc::new(rule)))
    }

    /// The text for an event.
    ///
    /// # Errors
    /// The rule failed for this event, or returned something other than a string.
    pub fn evaluate(&self, vars: &EventVars) -> Result<String, EvaluateError> {
        let read = |value: &dyn Val| {
            value.downcast_ref::<CelString<'_>>().map(|text| text.inner().to_owned())
        };
        self.0.evaluate(vars, Type::Text, read)
    }

    /// The rule as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What the rule may read of params, results, labels and annotations.
    #[must_use]
    pub fn reads(&self) -> &Keep {
        &self.0.keep
    }
}

impl fmt::Debug for TextExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TextExpression").field(&self.0.text).finish()
    }
}

struct Rule {
    text: String,
    tree: IdedExpr,
    patterns: Patterns,
    keep: Keep,
    verdict: Possibility,
    /// Which of [`LATE_FIELDS`] the rule reads.
    late_fields: Vec<&'static str>,
    doubts: Vec<CelError>,
}

impl Rule {
    fn compile(text: &str, wanted: Type) -> Result<Self, CelError> {
        if text.len() > RULE_BYTES_MAX {
            let message = format!("expression is longer than {RULE_BYTES_MAX} bytes");
            return Err(CelError::at_start(message));
        }
        if text.trim().is_empty() {
            return Err(CelError::at_start("expression is empty".to_owned()));
        }
        on_deep_stack(|| Self::compile_bounded(text, wanted))
    }

    fn compile_bounded(text: &str, wanted: Type) -> Result<Self, CelError> {
        let program = ENVIRONMENT.compile(text).map_err(|errors| syntax_error(text, &errors))?;
        let located = |fault: ExpressionFault| locate(text, &program, fault);
        let mut tree = program.expression().clone();
        let checked = check(&tree).map_err(located)?;
        if !checked.result.fits(wanted) {
            let (wanted, got) = (wanted.as_str(), checked.result.as_str());
            let message = format!("expression must yield {wanted}, yields {got}");
            return Err(CelError::at_start(message));
        }
        let patterns = rewrite(&mut tree, &checked.presence_tests).map_err(located)?;
        let verdict = match verdict(&tree) {
            Possibility::Never if wanted == Type::Bool => {
                return Err(CelError::at_start(NEVER_TRUE.to_owned()));
            }
            Possibility::Sometimes => match constant(&tree, &patterns) {
                Some(false) => Possibility::Never,
                Some(true) if !matches!(tree.expr, Expr::Literal(_)) => Possibility::Always,
                Some(true) | None => Possibility::Sometimes,
            },
            known @ (Possibility::Never | Possibility::Always) => known,
        };
        let doubts = checked.doubts.into_iter().map(located).collect();
        let mut late_fields = LATE_FIELDS.to_vec();
        late_fields.retain(|field| reads(&mut tree, field));
        let (text, keep) = (text.to_owned(), checked.keep);
        Ok(Self { text, tree, patterns, keep, verdict, late_fields, doubts })
    }

    fn evaluate<T>(
        &self,
        vars: &EventVars,
        wanted: Type,
        read: impl FnOnce(&dyn Val) -> Option<T>,
    ) -> Result<T, EvaluateError> {
        caught(|| {
            let mut scope = vars.scope().new_inner_scope();
            scope.set_variable_resolver(&self.patterns);
            let value = Value::resolve_val(&self.tree, &scope).map_err(EvaluateError::Failed)?;
            read(value.as_ref()).ok_or_else(|| EvaluateError::WrongType {
                wanted: wanted.as_str(),
                got: value.get_type().name().to_owned(),
            })
        })
    }
}

/// Whether a rule reads this field of the event by name.
fn reads(node: &mut IdedExpr, field: &str) -> bool {
    field_of(node) == Some(field) || children(&mut node.expr).into_iter().any(|n| reads(n, field))
}

/// The answer of a rule that does not read the event.
fn constant(tree: &IdedExpr, patterns: &Patterns) -> Option<bool> {
    let mut scope = Context::with_env(Arc::clone(&ENVIRONMENT));
    scope.set_variable_resolver(patterns);
    let evaluation = || Value::resolve_val(tree, &scope).map_err(EvaluateError::Failed);
    let value = caught(evaluation).ok()?;
    value.as_ref().downcast_ref::<CelBool>().map(|truth| *truth.inner())
}

/// Runs an evaluation. A panic in it becomes an answer of this rule and does not end the process:
/// the rule and the event are only read, so no data is half changed.
fn caught<T>(evaluation: impl FnOnce() -> Result<T, EvaluateError>) -> Result<T, EvaluateError> {
    catch_unwind(AssertUnwindSafe(evaluation)).unwrap_or(Err(EvaluateError::Panicked))
}

/// Runs a compilation on a stack that it cannot overflow, since an overflow would end the process.
/// A panic in the parser becomes an error.
fn on_deep_stack<T: Send>(
    compilation: impl FnOnce() -> Result<T, CelError> + Send,
) -> Result<T, CelError> {
    let refused =
        |problem: &str| CelError::at_start(format!("expression cannot be read: {problem}"));
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(COMPILE_STACK_BYTES)
            .spawn_scoped(scope, compilation)
            .map_err(|error| refused(&error.to_string()))?
            .join()
            .unwrap_or_else(|_| Err(refused("the parser panicked")))
    })
}

fn syntax_error(text: &str, errors: &ParseErrors) -> CelError {
    if let Some((offset, hint)) = first_slip(text) {
        return at_offset(text, offset, format!("syntax error: {hint}"));
    }
    let Some(first) = errors.errors.first() else {
        return CelError::at_start("syntax error".to_owned());
    };
    let message = syntax_message(&first.msg);
    // The parser reports some errors without a place, or with one outside the text.
    let place = usize::try_from(first.pos.0).ok().zip(usize::try_from(first.pos.1).ok());
    match place {
        Some((line, column)) if (1..=text.lines().count()).contains(&line) => {
            CelError { line, column: column.max(1), message }
        }
        Some(_) | None => CelError::at_start(message),
    }
}

/// The parser's message without the parts that only its authors can use: nested errors in debug
/// form, and the list of all tokens that could have followed.
fn syntax_message(parser: &str) -> String {
    if parser.contains("Recursion limit") {
        return "syntax error: brackets are nested too deep".to_owned();
    }
    let message = parser.strip_prefix("Syntax error: ").unwrap_or(parser);
    let message = message.split_once(" expecting {").map_or(message, |(start, _)| start);
    format!("syntax error: {message}")
}

/// Where in the text the node of a fault begins.
fn locate(text: &str, program: &Program, fault: ExpressionFault) -> CelError {
    let start = program.source_info().offset_for(fault.id).map_or(0, |(start, _)| start);
    at_offset(text, usize::try_from(start).unwrap_or(0), fault.message)
}

fn at_offset(text: &str, offset: usize, message: String) -> CelError {
    let before = text.get(..offset).unwrap_or("");
    let (line, column) = before.chars().fold((1, 1), |(line, column), c| match c {
        '\n' => (line + 1, 1),
        _ => (line, column + 1),
    });
    CelError { line, column, message }
}

#[cfg(test)]
#[path = "expression_test.rs"]
mod tests;
