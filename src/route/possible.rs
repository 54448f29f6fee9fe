//! Whether a rule can be true at all. Some fields of an event have a closed set of words, and
//! others are compared with literal texts: the check tries every combination of these. Everything
//! else that a rule reads is unknown. A rule that is false, or true, for all combinations is a
//! mistake.

use super::check::literal_text;
use super::vocabulary::EVENT;
use crate::event::closed_words;
use cel::IdedExpr;
use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, Expr, LiteralValue};
use std::collections::{BTreeMap, BTreeSet};

/// Combinations tried for one rule. The closed fields together have 5,376.
const SCENARIOS_MAX: usize = 8_192;

/// Any text that the rule does not contain.
const OTHER: &str = "\0other";

/// Fields that hold a number, 0 if absent.
const NUMBERS: [&str; 5] = ["Attempt", "DiscussionNumber", "IssueNumber", "PRNumber", "TaskCount"];

/// The result over all combinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Possibility {
    /// False for all.
    Never,
    /// True for all, although the rule reads the event.
    Always,
    /// Neither, or unknown.
    Sometimes,
}

/// What is known about a value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known<'t> {
    Text(&'t str),
    Int(i64),
    /// Some number above 0.
    Positive,
    Bool(bool),
    Unknown,
}

/// One value for each field that is tried.
type Scenario<'t> = BTreeMap<&'t str, Known<'t>>;

/// Tries a rule whose functions have been rewritten to reads of the event.
pub(super) fn verdict(rule: &IdedExpr) -> Possibility {
    let mut domains = BTreeMap::new();
    collect(rule, &mut domains);
    let is_small = |domains: &BTreeMap<&str, Vec<Known<'_>>>| {
        let count = domains.values().try_fold(1_usize, |all, of| all.checked_mul(of.len()));
        count.is_some_and(|count| count <= SCENARIOS_MAX)
    };
    if !is_small(&domains) {
        domains.retain(|field, _| closed_words(field).is_some() || NUMBERS.contains(field));
    }
    if domains.is_empty() || !is_small(&domains) {
        return Possibility::Sometimes;
    }
    let (mut can_hold, mut can_fail) = (false, false);
    for scenario in scenarios(&domains) {
        match value(rule, &scenario) {
            Known::Bool(true) => can_hold = true,
            Known::Bool(false) => can_fail = true,
            Known::Text(_) | Known::Int(_) | Known::Positive | Known::Unknown => {
                (can_hold, can_fail) = (true, true);
            }
        }
        if can_hold && can_fail {
            return Possibility::Sometimes;
        }
    }
    if can_hold { Possibility::Always } else { Possibility::Never }
}

fn scenarios<'t>(domains: &BTreeMap<&'t str, Vec<Known<'t>>>) -> Vec<Scenario<'t>> {
    domains.iter().fold(vec![Scenario::new()], |made, (field, values)| {
        let with = |scenario: &Scenario<'t>, value: &Known<'t>| {
            let mut scenario = scenario.clone();
            scenario.insert(*field, *value);
            scenario
        };
        made.iter().flat_map(|scenario| values.iter().map(|value| with(scenario, value))).collect()
    })
}

/// Notes the fields that a rule compares, with the values to try for each.
fn collect<'t>(node: &'t IdedExpr, domains: &mut BTreeMap<&'t str, Vec<Known<'t>>>) {
    if let Some(field) = field_of(node) {
        let texts = domains.entry(field).or_default();
        if texts.is_empty() {
            *texts = first_values(field);
        }
        return;
    }
    match &node.expr {
        Expr::Call(call) => {
            let target = call.target.as_deref().into_iter();
            target.chain(&call.args).for_each(|child| collect(child, domains));
            for (field, text) in compared(call) {
                if closed_words(field).is_none() {
                    let known = domains.entry(field).or_default();
                    if !known.contains(&Known::Text(text)) {
                        known.push(Known::Text(text));
                    }
                }
            }
        }
        Expr::List(list) => list.elements.iter().for_each(|child| collect(child, domains)),
        Expr::Select(select) => collect(&select.operand, domains),
        Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => {}
    }
}

fn first_values(field: &str) -> Vec<Known<'static>> {
    if let Some(words) = closed_words(field) {
        return words.into_iter().map(Known::Text).collect();
    }
    if NUMBERS.contains(&field) {
        return vec![Known::Int(0), Known::Positive];
    }
    match field {
        "IsFinallyTask" => vec![Known::Bool(false), Known::Bool(true)],
        _ => vec![Known::Text(OTHER)],
    }
}

/// The fields of a comparison with their literal texts.
fn compared(call: &CallExpr) -> BTreeSet<(&str, &str)> {
    match (call.func_name.as_str(), call.args.as_slice()) {
        (op::EQUALS | op::NOT_EQUALS, [left, right]) => [(left, right), (right, left)]
            .into_iter()
            .filter_map(|(field, text)| Some((field_of(field)?, literal_text(text)?)))
            .collect(),
        (op::IN, [field, list]) => {
            let (Some(field), Expr::List(list)) = (field_of(field), &list.expr) else {
                return BTreeSet::new();
            };
            list.elements.iter().filter_map(|text| Some((field, literal_text(text)?))).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// The field of the event that a node reads, written `event.Field` or `event["Field"]`.
pub(super) fn field_of(node: &IdedExpr) -> Option<&str> {
    let is_event = |node: &IdedExpr| matches!(&node.expr, Expr::Ident(name) if name == EVENT);
    if let Expr::Select(select) = &node.expr {
        let is_read = !select.test && is_event(&select.operand);
        return is_read.then_some(select.field.as_str());
    }
    let Expr::Call(call) = &node.expr else { return None };
    match (call.func_name.as_str(), call.args.as_slice()) {
        (op::INDEX, [map, name]) if is_event(map) => literal_text(name),
        _ => None,
    }
}

fn value<'t>(node: &'t IdedExpr, scenario: &Scenario<'t>) -> Known<'t> {
    if let Some(field) = field_of(node) {
        return scenario.get(field).copied().unwrap_or(Known::Unknown);
    }
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Known::Text(text.inner()),
        Expr::Literal(LiteralValue::Int(number)) => Known::Int(*number.inner()),
        Expr::Literal(LiteralValue::Boolean(truth)) => Known::Bool(*truth.inner()),
        Expr::Call(call) => called(call, scenario),
        Expr::Comprehension(_)
        | Expr::Ident(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_)
        | Expr::Unspecified => Known::Unknown,
    }
}

fn called<'t>(call: &'t CallExpr, scenario: &Scenario<'t>) -> Known<'t> {
    let of = |node: &'t IdedExpr| value(node, scenario);
    match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
        (op::LOGICAL_AND, None, [left, right]) => join(of(left), of(right), false),
        (op::LOGICAL_OR, None, [left, right]) => join(of(left), of(right), true),
        (op::LOGICAL_NOT, None, [operand]) => truth(negated(of(operand))),
        (op::EQUALS, None, [left, right]) => truth(equal(of(left), of(right))),
        (op::NOT_EQUALS, None, [left, right]) => {
            truth(equal(of(left), of(right)).map(|is_equal| !is_equal))
        }
        (op::NEGATE, None, [operand]) => match of(operand) {
            Known::Int(number) => number.checked_neg().map_or(Known::Unknown, Known::Int),
            Known::Text(_) | Known::Positive | Known::Bool(_) | Known::Unknown => Known::Unknown,
        },
        (op::GREATER, None, [left, right]) => truth(greater(of(left), of(right))),
        (op::LESS, None, [left, right]) => truth(greater(of(right), of(left))),
        (op::GREATER_EQUALS, None, [left, right]) => {
            truth(greater(of(right), of(left)).map(|is_less| !is_less))
        }
        (op::LESS_EQUALS, None, [left, right]) => {
            truth(greater(of(left), of(right)).map(|is_greater| !is_greater))
        }
        (op::IN, None, [key, list]) => truth(among(of(key), list, scenario)),
        (op::CONDITIONAL, None, [condition, yes, no]) => match of(condition) {
            Known::Bool(true) => of(yes),
            Known::Bool(false) => of(no),
            Known::Text(_) | Known::Int(_) | Known::Positive | Known::Unknown => {
                if of(yes) == of(no) { of(yes) } else { Known::Unknown }
            }
        },
        (method, Some(target), [part]) => truth(holds(method, of(target), of(part))),
        _ => Known::Unknown,
    }
}

fn truth<'t>(known: Option<bool>) -> Known<'t> {
    known.map_or(Known::Unknown, Known::Bool)
}

/// `&&` and `||`: one side that is `decisive` decides.
fn join<'t>(left: Known<'t>, right: Known<'t>, decisive: bool) -> Known<'t> {
    if [left, right].contains(&Known::Bool(decisive)) {
        return Known::Bool(decisive);
    }
    let are_both = [left, right] == [Known::Bool(!decisive); 2];
    truth(are_both.then_some(!decisive))
}

fn negated(operand: Known<'_>) -> Option<bool> {
    if let Known::Bool(truth) = operand { Some(!truth) } else { None }
}

fn equal(left: Known<'_>, right: Known<'_>) -> Option<bool> {
    match (left, right) {
        (Known::Text(left), Known::Text(right)) => Some(left == right),
        (Known::Int(left), Known::Int(right)) => Some(left == right),
        (Known::Bool(left), Known::Bool(right)) => Some(left == right),
        (Known::Positive, Known::Int(number)) | (Known::Int(number), Known::Positive) => {
            (number <= 0).then_some(false)
        }
        _ => None,
    }
}

fn greater(left: Known<'_>, right: Known<'_>) -> Option<bool> {
    match (left, right) {
        (Known::Int(left), Known::Int(right)) => Some(left > right),
        (Known::Positive, Known::Int(number)) => (number <= 0).then_some(true),
        (Known::Int(number), Known::Positive) => (number <= 0).then_some(false),
        _ => None,
    }
}

fn among<'t>(key: Known<'t>, list: &'t IdedExpr, scenario: &Scenario<'t>) -> Option<bool> {
    let Expr::List(list) = &list.expr else { return None };
    let found: Vec<Option<bool>> =
        list.elements.iter().map(|element| equal(key, value(element, scenario))).collect();
    if found.contains(&Some(true)) {
        return Some(true);
    }
    found.iter().all(|one| *one == Some(false)).then_some(false)
}

fn holds(method: &str, text: Known<'_>, part: Known<'_>) -> Option<bool> {
    let (Known::Text(text), Known::Text(part)) = (text, part) else { return None };
    if text == OTHER || part == OTHER {
        return None;
    }
    match method {
        "startsWith" => Some(text.starts_with(part)),
        "endsWith" => Some(text.ends_with(part)),
        "contains" => Some(text.contains(part)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Condition;
    use super::super::expression::NEVER_TRUE;

    #[test]
    fn rules_that_no_event_can_meet_are_refused() {
        let rows = [
            "isTaskRun() && isPipelineRun()",
            "isTaskRun() && event.Resource == 'pipelinerun'",
            "event.State == 'success' && event.State == 'failure'",
            "stateIn('success') && stateIn('failure', 'error')",
            "changed() && event.State == 'running'",
            "fixed() && event.State == 'failure'",
            "isPR() && isIssue()",
            "isPR() && event.PRNumber == 0",
            "event.Attempt < 0",
            "event.Attempt <= -1",
            "event.TaskCount < 0 || event.PRNumber == -7",
            "isPR() && event.PRNumber <= 0",
            "isPushEvent() && isPREvent()",
            "event.Namespace == 'a' && event.Namespace == 'b'",
            "event.Namespace in ['a'] && event.Namespace == 'b'",
            "event['State'] == 'success' && !stateIn('success')",
            "event.State.startsWith('Succ')",
            "isPR() && false || isTaskRun() && isCustomRun()",
        ];
        for rule in rows {
            let error = Condition::compile(rule).unwrap_err();
            assert_eq!(error.message, NEVER_TRUE, "{rule}");
        }
    }

    #[test]
    fn a_rule_that_every_event_meets_is_known_as_one() {
        let rows = [
            ("event.State != 'success' || event.State != 'failure'", true),
            ("isPR() || !isPR()", true),
            ("event.Attempt >= 0", true),
            ("event.Attempt > 0", false),
            ("event.Attempt <= 3", false),
            ("true", false),
            ("isPR()", false),
            ("event.Labels.team != 'a' || event.State != 'failure'", false),
        ];
        for (rule, expected) in rows {
            assert_eq!(Condition::compile(rule).unwrap().holds_always(), expected, "{rule}");
        }
    }

    #[test]
    fn what_depends_on_anything_else_is_let_through() {
        let rows = [
            "isTaskRun() || isPipelineRun()",
            "event.Labels.a == 'x' && event.Labels.b == 'y'",
            "event.Namespace == 'a' && event.RunName == 'b'",
            "event.Namespace != 'a' && event.Namespace.startsWith('a')",
            "event.PRNumber == 7 && isPR()",
            "event.Namespace == event.Labels.team && event.Namespace != 'a'",
            "[1].exists(x, x == event.PRNumber) && isPR()",
            "false",
        ];
        for rule in rows {
            assert!(Condition::compile(rule).is_ok(), "{rule}");
        }
    }
}
