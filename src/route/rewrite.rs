//! Rewrites a checked rule into what the evaluator runs: our functions become reads of `event`,
//! literal regular expressions become compiled ones. A function becomes a read of the variable, so
//! it can answer only for the event under evaluation.

use super::check::{ExpressionFault, literal_text};
use super::event_vars::{DURATION_MS, MATCHES};
use super::pattern::{Pattern, Patterns};
use super::texts;
use super::vocabulary::EVENT;
use crate::event::{RunKind, RunState};
use cel::IdedExpr;
use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, EntryExpr, Expr, ListExpr, LiteralValue, SelectExpr};
use std::collections::BTreeSet;

/// Rewrites `rule` in place and returns the patterns that it refers to. `presence_tests` are the
/// `has()` nodes whose map would claim to have every name.
///
/// # Errors
/// A literal regular expression does not compile.
pub(super) fn rewrite(
    rule: &mut IdedExpr,
    presence_tests: &BTreeSet<u64>,
) -> Result<Patterns, ExpressionFault> {
    let mut patterns = Patterns::default();
    rewrite_node(rule, presence_tests, &mut patterns)?;
    Ok(patterns)
}

fn rewrite_node(
    node: &mut IdedExpr,
    presence_tests: &BTreeSet<u64>,
    patterns: &mut Patterns,
) -> Result<(), ExpressionFault> {
    for child in children(&mut node.expr) {
        rewrite_node(child, presence_tests, patterns)?;
    }
    let build = Build { id: node.id };
    if let Expr::Select(select) = &mut node.expr
        && presence_tests.contains(&node.id)
    {
        let map = std::mem::take(&mut *select.operand);
        node.expr = build.call(op::IN, vec![build.text(&select.field), map]).expr;
        return Ok(());
    }
    let Expr::Call(call) = &mut node.expr else { return Ok(()) };
    if call.func_name == "matches" {
        return compile_pattern(call, patterns);
    }
    if let Some(bounded) = texts::bounded(&call.func_name) {
        call.func_name = bounded.to_owned();
        if let Some(target) = call.target.take() {
            call.args.insert(0, *target);
        }
        return Ok(());
    }
    if call.target.is_none()
        && let Some(replacement) = build.replacement(&call.func_name, &mut call.args)
    {
        node.expr = replacement.expr;
    }
    Ok(())
}

/// The direct children of a node.
pub(super) fn children(expr: &mut Expr) -> Vec<&mut IdedExpr> {
    match expr {
        Expr::Call(call) => call.target.as_deref_mut().into_iter().chain(&mut call.args).collect(),
        Expr::Select(select) => vec![&mut select.operand],
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Map(map) => {
            map.entries.iter_mut().flat_map(|entry| entry_parts(&mut entry.expr)).collect()
        }
        Expr::Struct(of) => {
            of.entries.iter_mut().flat_map(|entry| entry_parts(&mut entry.expr)).collect()
        }
        Expr::Comprehension(of) => vec![
            &mut of.iter_range,
            &mut of.accu_init,
            &mut of.loop_cond,
            &mut of.loop_step,
            &mut of.result,
        ],
        Expr::Literal(_) | Expr::Ident(_) | Expr::Unspecified => Vec::new(),
    }
}

fn entry_parts(entry: &mut EntryExpr) -> Vec<&mut IdedExpr> {
    match entry {
        EntryExpr::MapEntry(pair) => vec![&mut pair.key, &mut pair.value],
        EntryExpr::StructField(field) => vec![&mut field.value],
    }
}

/// Replaces a literal pattern of `matches` by its compiled form. A computed one stays with the
/// evaluator.
fn compile_pattern(call: &mut CallExpr, patterns: &mut Patterns) -> Result<(), ExpressionFault> {
    let Some(argument) = call.args.last_mut() else { return Ok(()) };
    let Some(text) = literal_text(argument) else { return Ok(()) };
    let pattern = Pattern::compile(text).map_err(|error| {
        // The lines before the last one draw the pattern, which the position already shows.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default();
        let reason = reason.strip_prefix("error: ").unwrap_or(reason);
        ExpressionFault::new(argument.id, format!("bad regular expression: {reason}"))
    })?;
    argument.expr = Expr::Ident(patterns.add(pattern));
    call.func_name = MATCHES.to_owned();
    if let Some(target) = call.target.take() {
        call.args.insert(0, *target);
    }
    Ok(())
}

/// Builds nodes in the place of the node `id`.
#[derive(Clone, Copy)]
struct Build {
    id: u64,
}

impl Build {
    /// The replacement of a call to one of our functions; `None` for a function of plain CEL.
    fn replacement(self, function: &str, arguments: &mut Vec<IdedExpr>) -> Option<IdedExpr> {
        let replacement = match function {
            "isPR" => self.is_numbered("PRNumber"),
            "isDiscussion" => self.is_numbered("DiscussionNumber"),
            "isIssue" => self.all(vec![
                self.is_numbered("IssueNumber"),
                self.not(self.is_numbered("PRNumber")),
                self.not(self.is_numbered("DiscussionNumber")),
            ]),
            "isTaskRun" => self.is("Resource", RunKind::TaskRun.as_str()),
            "isPipelineRun" => self.is("Resource", RunKind::PipelineRun.as_str()),
            "isCustomRun" => self.is("Resource", RunKind::CustomRun.as_str()),
            "isEventListener" => self.is("Resource", RunKind::EventListener.as_str()),
            "isFinallyTask" => self.field("IsFinallyTask"),
            "isIssueEvent" => self.is("SCMEventType", "issues"),
            "isPREvent" => self.is("SCMEventType", "pull_request"),
            "isCommentEvent" => self.is("SCMEventType", "issue_comment"),
            "isPushEvent" => self.is("SCMEventType", "push"),
            "changed" => self.changed(),
            "fixed" => self.fixed(),
            "stateIn" => {
                let states = self.node(Expr::List(ListExpr::new(std::mem::take(arguments))));
                self.call(op::IN, vec![self.field("State"), states])
            }
            "buildTimeExceeds" => {
                let run = vec![self.field("StartedAt"), self.field("FinishedAt")];
                self.call(op::GREATER, vec![self.call(DURATION_MS, run), arguments.pop()?])
            }
            "hasResult" => {
                self.call(op::NOT_EQUALS, vec![self.result(arguments.pop()?), self.text("")])
            }
            "resultValue" => self.result(arguments.pop()?),
            _ => return None,
        };
        Some(replacement)
    }

    /// A finished run after one that ended differently.
    fn changed(self) -> IdedExpr {
        let previous = self.field("PreviousState");
        self.all(vec![
            self.state_among("State", RunState::is_final),
            self.call(op::NOT_EQUALS, vec![previous.clone(), self.text("")]),
            self.call(op::NOT_EQUALS, vec![previous, self.field("State")]),
        ])
    }

    /// A success after a run that was not one.
    fn fixed(self) -> IdedExpr {
        let is_bad = |state: RunState| state.is_final() && state != RunState::Success;
        self.all(vec![
            self.is("State", RunState::Success.as_str()),
            self.state_among("PreviousState", is_bad),
        ])
    }

    fn state_among(self, field: &str, is_wanted: impl Fn(RunState) -> bool) -> IdedExpr {
        let states = RunState::ALL.into_iter().filter(|state| is_wanted(*state));
        let states = states.map(|state| self.text(state.as_str())).collect();
        let states = self.node(Expr::List(ListExpr::new(states)));
        self.call(op::IN, vec![self.field(field), states])
    }

    fn is_numbered(self, field: &str) -> IdedExpr {
        let zero = self.node(Expr::Literal(LiteralValue::Int(0.into())));
        self.call(op::NOT_EQUALS, vec![self.field(field), zero])
    }

    fn is(self, field: &str, text: &str) -> IdedExpr {
        self.call(op::EQUALS, vec![self.field(field), self.text(text)])
    }

    fn result(self, name: IdedExpr) -> IdedExpr {
        self.call(op::INDEX, vec![self.field("Results"), name])
    }

    fn all(self, conditions: Vec<IdedExpr>) -> IdedExpr {
        let join = |left, right| self.call(op::LOGICAL_AND, vec![left, right]);
        conditions.into_iter().reduce(join).unwrap_or_default()
    }

    fn not(self, condition: IdedExpr) -> IdedExpr {
        self.call(op::LOGICAL_NOT, vec![condition])
    }

    fn field(self, name: &str) -> IdedExpr {
        let operand = Box::new(self.node(Expr::Ident(EVENT.to_owned())));
        self.node(Expr::Select(SelectExpr { operand, field: name.to_owned(), test: false }))
    }

    fn text(self, text: &str) -> IdedExpr {
        self.node(Expr::Literal(LiteralValue::String(text.to_owned().into())))
    }

    fn call(self, name: &str, args: Vec<IdedExpr>) -> IdedExpr {
        self.node(Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args }))
    }

    fn node(self, expr: Expr) -> IdedExpr {
        IdedExpr { id: self.id, expr }
    }
}

#[cfg(test)]
#[path = "rewrite_test.rs"]
mod tests;
