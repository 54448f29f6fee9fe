//! Tests of our functions, each against events on both sides of its answer.

use super::super::fixture::{named, pipeline_run, task_run, vars};
use super::super::{Condition, EventVars, TextExpression};
use crate::event::{RunContext, RunEvent, RunKind, RunState};

fn is_true(rule: &str, event: &RunEvent) -> bool {
    Condition::compile(rule).unwrap().evaluate(&vars(event)).unwrap()
}

#[test]
fn kinds_are_told_apart() {
    let rows = [
        ("isTaskRun()", RunKind::TaskRun),
        ("isPipelineRun()", RunKind::PipelineRun),
        ("isCustomRun()", RunKind::CustomRun),
        ("isEventListener()", RunKind::EventListener),
    ];
    for (rule, of) in rows {
        for kind in RunKind::ALL {
            let event = RunEvent { kind, ..pipeline_run() };
            assert_eq!(is_true(rule, &event), kind == of, "{rule} {kind}");
        }
    }
}

#[test]
fn an_issue_is_neither_pull_request_nor_discussion() {
    // (issue, pull request, discussion) and the answers of (isIssue, isPR, isDiscussion).
    let rows = [
        ((None, None, None), [false, false, false]),
        ((Some(1), None, None), [true, false, false]),
        ((Some(1), Some(2), None), [false, true, false]),
        ((Some(1), None, Some(3)), [false, false, true]),
        ((None, Some(2), Some(3)), [false, true, true]),
        ((Some(0), Some(0), Some(0)), [false, false, false]),
    ];
    for ((issue, pr, discussion), expected) in rows {
        let mut event = pipeline_run();
        event.scm.issue_number = issue;
        event.scm.pr_number = pr;
        event.scm.discussion_number = discussion;
        let answers = ["isIssue()", "isPR()", "isDiscussion()"].map(|rule| is_true(rule, &event));
        assert_eq!(answers, expected, "{issue:?} {pr:?} {discussion:?}");
    }
}

#[test]
fn webhook_events_are_told_apart() {
    let rows = [
        ("isIssueEvent()", "issues"),
        ("isPREvent()", "pull_request"),
        ("isCommentEvent()", "issue_comment"),
        ("isPushEvent()", "push"),
    ];
    for (rule, of) in rows {
        for (_, kind) in rows {
            let event = RunEvent { scm_event_type: kind.into(), ..pipeline_run() };
            assert_eq!(is_true(rule, &event), kind == of, "{rule} {kind}");
        }
        assert!(!is_true(rule, &pipeline_run()), "{rule} without webhook event");
    }
}

#[test]
fn finally_tasks_are_known_by_their_flag() {
    assert!(!is_true("isFinallyTask()", &task_run()));
    assert!(is_true("isFinallyTask()", &RunEvent { is_finally: true, ..task_run() }));
}

#[test]
fn state_in_takes_literals_and_computed_states() {
    assert!(is_true("stateIn('failure', 'success')", &pipeline_run()));
    assert!(!is_true("stateIn('failure', 'error')", &pipeline_run()));
    assert!(is_true("stateIn(event.State)", &pipeline_run()));
    assert!(is_true("!stateIn('success')", &task_run()));
}

#[test]
fn a_result_counts_as_there_when_it_has_a_value() {
    let event = pipeline_run();
    assert!(is_true("hasResult('IMAGE')", &event));
    assert!(!is_true("hasResult('EMPTY')", &event));
    assert!(!is_true("hasResult('ABSENT')", &event));
    let value = TextExpression::compile("resultValue('IMAGE') + resultValue('ABSENT')").unwrap();
    assert_eq!(value.evaluate(&vars(&event)), Ok("registry/shop:1".to_owned()));
}

#[test]
fn build_time_is_compared_in_milliseconds() {
    assert!(is_true("buildTimeExceeds(299999)", &pipeline_run()));
    assert!(!is_true("buildTimeExceeds(300000)", &pipeline_run()));
    assert!(is_true("buildTimeExceeds(60 * 1000)", &pipeline_run()));
}

#[test]
fn changed_and_fixed_compare_finished_runs_only() {
    use RunState::{Canceled, Error, Failure, Pending, Running, Success};
    // (state, previous state) and the answers of (changed, fixed).
    let rows = [
        (Success, None, (false, false)),
        (Failure, None, (false, false)),
        (Success, Some(Success), (false, false)),
        (Success, Some(Failure), (true, true)),
        (Success, Some(Error), (true, true)),
        (Success, Some(Canceled), (true, true)),
        (Failure, Some(Success), (true, false)),
        (Failure, Some(Failure), (false, false)),
        (Failure, Some(Error), (true, false)),
        (Canceled, Some(Success), (true, false)),
        (Running, Some(Failure), (false, false)),
        (Pending, Some(Success), (false, false)),
    ];
    let changed = Condition::compile("changed()").unwrap();
    let fixed = Condition::compile("fixed()").unwrap();
    for (state, previous_state, expected) in rows {
        let event = RunEvent { state, ..pipeline_run() };
        let vars = EventVars::new(&event, &RunContext { previous_state, ..Default::default() });
        let answers = (changed.evaluate(&vars).unwrap(), fixed.evaluate(&vars).unwrap());
        assert_eq!(answers, expected, "{state} after {previous_state:?}");
    }
}

#[test]
fn presence_is_asked_of_the_map_not_of_its_default() {
    let event = pipeline_run();
    assert!(is_true("has(event.Labels.team)", &event));
    assert!(!is_true("has(event.Labels.owner)", &event));
    assert!(!is_true("has(event.Results.ABSENT)", &event));
    assert!(is_true("has(event.Results.EMPTY)", &event));
    assert!(!is_true("has((isPR() ? event.Labels : event.Labels).owner)", &event));
    assert!(is_true("'team' in event.Labels && !('owner' in event.Labels)", &event));
}

#[test]
fn functions_work_inside_lists_maps_and_loops() {
    let event = pipeline_run();
    assert!(is_true("[isPR(), isTaskRun()] == [true, false]", &event));
    assert!(is_true("{'pr': isPR()}.pr", &event));
    assert!(is_true("['IMAGE', 'EMPTY'].exists(name, hasResult(name))", &event));
    assert!(is_true("['IMAGE', 'EMPTY'].filter(name, hasResult(name)) == ['IMAGE']", &event));
    assert!(is_true("['a', 'IMAGE'].exists_one(name, name.matches('^I') && isPR())", &event));
}

#[test]
fn written_out_patterns_are_compiled_at_load() {
    let event = pipeline_run();
    for (rule, expected) in [
        ("event.RunName.matches('^ci-[0-9]+$')", true),
        ("matches(event.RunName, '^ci-[a-z]+$')", false),
        ("event.RunName.matches('^ci') && event.Namespace.matches('^prod')", true),
        ("event.RunName.matches('^' + event.PipelineName)", true),
        ("event.RunName.matches(event.Namespace)", false),
    ] {
        assert_eq!(is_true(rule, &event), expected, "{rule}");
    }
    let error = Condition::compile("isPR() &&\n event.RunName.matches('ci-(')").unwrap_err();
    assert_eq!((error.line, error.column), (2, 24));
    assert_eq!(error.message, "bad regular expression: unclosed group");
}

#[test]
fn parameters_are_read_like_results() {
    let mut event = pipeline_run();
    event.params.push(named("with-dash", "yes"));
    assert!(is_true("event.Params['with-dash'] == 'yes' && event.Params.absent == ''", &event));
}

#[test]
fn functions_are_rewritten_wherever_an_expression_can_stand() {
    // Each row returns yes only if the isPR() in it was rewritten: the evaluator does not know the
    // name.
    let rows = [
        "isPR()",
        "!!isPR()",
        "isPR() && isPR() || isPR()",
        "isPR() == true",
        "isPR() ? true : false",
        "false ? false : isPR()",
        "true ? isPR() : false",
        "[isPR()][0]",
        "[true, isPR()][isPR() ? 1 : 0]",
        "{isPR(): true}[true]",
        "{'a': isPR()}['a']",
        "dyn(isPR())",
        "string(isPR()).contains('true')",
        "'true'.contains(string(isPR()))",
        "isPR() in [isPR()]",
        "[1].all(x, isPR())",
        "[isPR()].exists(x, x)",
        "[1].exists_one(x, x == 1 && isPR())",
        "[1].map(x, isPR())[0]",
        "[1].map(x, isPR(), true)[0]",
        "size([1].filter(x, isPR())) == 1",
        "has({'a': isPR()}.a)",
        "event.RunName.matches(isPR() ? '^ci' : '^x')",
        "event[isPR() ? 'State' : 'Ref'] == 'success'",
        "stateIn(isPR() ? 'success' : 'failure')",
        "buildTimeExceeds(isPR() ? 1 : 999999)",
        "hasResult(isPR() ? 'IMAGE' : 'EMPTY')",
        "resultValue(isPR() ? 'IMAGE' : 'EMPTY') != ''",
    ];
    for rule in rows {
        assert!(is_true(rule, &pipeline_run()), "{rule}");
    }
}

#[test]
fn a_text_that_looks_like_a_function_stays_a_text() {
    let event = RunEvent { message: "isPR() matches('(')".into(), ..pipeline_run() };
    assert!(is_true("event.Description == \"isPR() matches('(')\"", &event));
    assert!(is_true("event.Description.contains('isPR()')", &event));
}

#[test]
fn a_loop_variable_may_have_the_name_of_a_function() {
    assert!(is_true("[1, 2].all(isPR, isPR > 0 && isPR())", &pipeline_run()));
    assert!(is_true("[1, 2].exists(matches, matches == 2)", &pipeline_run()));
}

#[test]
fn presence_tests_work_in_loops_and_on_other_maps() {
    let event = pipeline_run();
    assert!(is_true("[1].all(x, !has(event.Labels.owner) && has(event.Labels.team))", &event));
    assert!(is_true("has({'a': 1}.a) && !has({'a': 1}.b)", &event));
    assert!(is_true("!has(event.Params.absent) && has(event.Params.revision)", &event));
    assert!(is_true("!has(event.Annotations.absent)", &event));
}
