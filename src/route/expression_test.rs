//! Tests of rules as a whole: the answers of plain CEL, errors, limits, isolation.

use super::super::fixture::{named, pipeline_run, task_run, vars};
use super::*;
use crate::event::{Parent, Rank, RunEvent, RunState};

fn answer(rule: &str) -> Result<bool, EvaluateError> {
    Condition::compile(rule).unwrap().evaluate(&vars(&pipeline_run()))
}

#[test]
fn rules_answer_as_cel_go_does() {
    let rows = [
        ("isPipelineRun()", true),
        ("isTaskRun()", false),
        ("isPR()", true),
        ("stateIn(\"failure\",\"error\")", false),
        ("event.Namespace == \"production\"", true),
        ("event.Namespace == 'isPR()'", false),
        ("'isPR()' == \"isPR()\"", true),
        ("event.RunName.startsWith('ci-')", true),
        ("event.RunName.endsWith('-7')", true),
        ("event.RunName.contains('x')", false),
        ("event.RunName.matches('^ci-[0-9]$')", true),
        ("matches(event.RunName, '^x')", false),
        ("size(event.RunName) == 4 && event.RunName.size() == 4", true),
        ("event.State in ['success', 'failure']", true),
        ("isPR() ? event.PRNumber == 7 : false", true),
        ("has(event.Repo)", true),
        ("has(event.Nope)", false),
        ("has(event.Repo.Nope)", false),
        ("event.Results[\"IMAGE\"] == 'registry/shop:1'", true),
        ("event.Repo.Owner == 'acme'", true),
        ("event.FinishedAt > event.StartedAt", true),
        ("event.FinishedAt - event.StartedAt > duration('4m')", true),
        ("event.FinishedAt - event.StartedAt > duration('5m')", false),
        ("event.StartedAt.getHours() == 18", true),
        ("event.StartedAt.getHours('Europe/Berlin') == 19", true),
        ("[1, 2, 3].exists(x, x > 2)", true),
        ("event.RunName.upperAscii() == 'CI-7' && 'ÀB'.lowerAscii() == 'Àb'", true),
        ("event.RunName.replace('ci', 'run') == 'run-7'", true),
        ("event.RunName.substring(3) == '7' && event.RunName.substring(0, 2) == 'ci'", true),
        ("event.RunName.indexOf('-') == 2 && event.RunName.lastIndexOf('x') == -1", true),
        ("event.RunName.split('-')[0] == 'ci' && ' a '.trim() == 'a'", true),
        ("['a', 'b'].join('-') == 'a-b' && ['a', 'b'].join() == 'ab'", true),
        ("event.RunName.charAt(0) == 'c'", true),
        ("[1, 2, 3].all(x, x > 2)", false),
        ("event.PRNumber == 7.0 && 7u == event.PRNumber", true),
        ("int('x') == 1 || true", true),
        ("true || int('x') == 1", true),
        ("int('x') == 1 && false", false),
        ("type(event.PRNumber) == int && type(event.Labels) == map", true),
        ("event.Labels.exists(name, event.Labels[name] == 'shop')", true),
        ("event.Labels.team == 'shop' && event.Labels['absent'] == ''", true),
        ("event.Annotations.absent == '' && event.Params.absent == ''", true),
        ("event['State'] == 'success'", true),
        ("-event.PRNumber == 0 - 7 && event.PRNumber % 2 == 1", true),
    ];
    for (rule, expected) in rows {
        assert_eq!(answer(rule), Ok(expected), "{rule}");
    }
}

#[test]
fn a_missing_entry_of_a_plain_map_is_an_error() {
    let error = answer("{'a': true}['b']").unwrap_err();
    assert_eq!(error, EvaluateError::Failed(ExecutionError::no_such_key("b")));
    assert_eq!(error.to_string(), "rule failed: No such key: b");
}

#[test]
fn a_value_of_the_wrong_type_is_an_error_of_this_event() {
    let expected = EvaluateError::WrongType { wanted: "bool", got: "string".to_owned() };
    assert_eq!(answer("event['Sta' + 'te']"), Err(expected));
    let text = TextExpression::compile("dyn(event.PRNumber)").unwrap();
    let error = text.evaluate(&vars(&pipeline_run())).unwrap_err();
    assert_eq!(error.to_string(), "rule must yield string, yielded int");
}

#[test]
fn a_panic_is_an_answer() {
    let panicking = || -> Result<bool, EvaluateError> { panic!("evaluator defect") };
    assert_eq!(caught(panicking), Err(EvaluateError::Panicked));
    assert_eq!(caught(|| Ok(true)), Ok(true));
}

#[test]
fn interleaved_events_do_not_mix() {
    let mut other = task_run();
    other.results = vec![named("IMAGE", "registry/other:2")];
    other.scm.pr_number = None;
    other.finished_at = crate::clock::Timestamp(other.started_at.0 + 1_000);
    let (first, second) = (vars(&pipeline_run()), vars(&other));
    let text = TextExpression::compile("resultValue('IMAGE')").unwrap();
    let condition = Condition::compile("isPR() && hasResult('EMPTY') == false").unwrap();
    let slow = Condition::compile("buildTimeExceeds(60000)").unwrap();
    for _ in 0..3 {
        assert_eq!(text.evaluate(&first), Ok("registry/shop:1".to_owned()));
        assert_eq!(text.evaluate(&second), Ok("registry/other:2".to_owned()));
        assert_eq!(condition.evaluate(&first), Ok(true));
        assert_eq!(condition.evaluate(&second), Ok(false));
        assert_eq!(slow.evaluate(&first), Ok(true));
        assert_eq!(slow.evaluate(&second), Ok(false));
    }
    std::thread::scope(|threads| {
        for (vars, expected) in [(&first, "registry/shop:1"), (&second, "registry/other:2")] {
            let text = &text;
            threads.spawn(move || {
                for _ in 0..200 {
                    assert_eq!(text.evaluate(vars).as_deref(), Ok(expected));
                }
            });
        }
    });
}

#[test]
fn syntax_errors_have_a_place_and_one_line() {
    let rows = [
        ("isPR() &&\n  && isIssue()", 2, 3, "extraneous input '&&'"),
        ("'ü' == 'ü' ) ", 1, 12, "extraneous input ')' expecting <EOF>"),
        ("event.?State == 'x'", 1, 6, "unsupported syntax '.?'"),
        ("event.State = 'x'", 1, 13, "write == for ="),
        ("has(event)", 1, 5, "invalid argument to has() macro"),
        ("[1].all(1, true)", 1, 9, "argument must be a simple name"),
    ];
    for (rule, line, column, message) in rows {
        let error = Condition::compile(rule).unwrap_err();
        let expected = CelError { line, column, message: format!("syntax error: {message}") };
        assert_eq!(error, expected, "{rule}");
    }
    let nested = "(".repeat(200) + "true" + &")".repeat(200);
    let error = Condition::compile(&nested).unwrap_err();
    assert_eq!(error.message, "syntax error: brackets are nested too deep");
}

#[test]
fn the_deepest_rules_are_evaluated_on_a_worker_stack() {
    // (opening, innermost, closing). Tests run on 2 MiB of stack, as workers do.
    let rows = [
        ("1 + ", "1", "", 30),
        ("string(size(", "'x'", "))", 15),
        ("(true ? ", "true", " : false)", 30),
        ("!(true && ", "false", ")", 15),
        ("[", "true", "][0]", 15),
        ("{'a': ", "true", "}.a", 15),
    ];
    for (opening, innermost, closing, depth) in rows {
        let nested = |depth| opening.repeat(depth) + innermost + &closing.repeat(depth);
        let rule = |depth| format!("{0} == {0}", nested(depth));
        let message = Condition::compile(&rule(depth + 1)).unwrap_err().message;
        assert_eq!(message, "expression is nested deeper than 32 levels", "{opening}");
        let deepest = Condition::compile(&rule(depth)).unwrap();
        assert_eq!(deepest.evaluate(&vars(&pipeline_run())), Ok(true), "{opening}");
    }
}

#[test]
fn empty_and_overlong_rules_are_refused() {
    let message = |text: &str| Condition::compile(text).unwrap_err().to_string();
    assert_eq!(message(""), "1:1: expression is empty");
    assert_eq!(message(" \n"), "1:1: expression is empty");
    let longest = format!("{:>RULE_BYTES_MAX$}", "true");
    assert!(Condition::compile(&longest).is_ok());
    assert_eq!(message(&(longest + " ")), "1:1: expression is longer than 4096 bytes");
}

#[test]
fn a_rule_shows_as_its_text() {
    let condition = Condition::compile("isPR()").unwrap();
    assert_eq!(condition.text(), "isPR()");
    assert_eq!(format!("{:?}", condition.clone()), "Condition(\"isPR()\")");
    let text = TextExpression::compile("event.Ref").unwrap();
    assert_eq!(text.text(), "event.Ref");
    assert_eq!(format!("{text:?}"), "TextExpression(\"event.Ref\")");
}

#[test]
fn rules_as_people_write_them() {
    let mut failed = pipeline_run();
    failed.state = crate::event::RunState::Failure;
    failed.reason = "PipelineRunTimeout".into();
    failed.labels.insert("app.kubernetes.io/part-of".into(), "checkout".into());
    let conditions = [
        ("isPipelineRun() && stateIn(\"failure\", \"error\")", true),
        ("event.State == \"failure\" && event.Namespace in [\"production\", \"staging\"]", true),
        ("event.Namespace.startsWith(\"prod\") && !isFinallyTask()", true),
        ("isPR() && buildTimeExceeds(10 * 60 * 1000)", false),
        ("hasResult(\"IMAGE\") && resultValue(\"IMAGE\").startsWith(\"registry/\")", true),
        ("event.Reason == 'PipelineRunTimeout' || event.Reason.endsWith('Timeout')", true),
        ("event.Labels['app.kubernetes.io/part-of'] == 'checkout'", true),
        ("event.Ref == 'main' && event.Params.revision == event.Ref", true),
        ("event.PipelineName.matches('^(ci|release)$')\n  && event.Attempt == 0", true),
        ("event.FinishedAt - event.StartedAt > duration('1h') || changed()", false),
        ("event.Repo.Owner + '/' + event.Repo.Name == 'acme/shop'", true),
        ("event.StartedAt.getDayOfWeek('Europe/Berlin') in [0, 6]", false),
        ("event.IsFinallyTask == true", false),
    ];
    for (rule, expected) in conditions {
        let condition = Condition::compile(rule).unwrap();
        assert_eq!(condition.evaluate(&vars(&failed)), Ok(expected), "{rule}");
    }
    let texts = [
        ("event.State == 'failure' ? '#alerts' : '#builds'", "#alerts"),
        ("'#' + event.Labels.team", "#shop"),
        ("event.Labels.channel != '' ? event.Labels.channel : '#builds'", "#builds"),
        ("stateIn('error') ? 'critical' : stateIn('failure') ? 'error' : 'info'", "error"),
        ("event.Namespace", "production"),
        ("'build ' + string(event.PRNumber) + ': ' + event.State", "build 7: failure"),
    ];
    for (rule, expected) in texts {
        let text = TextExpression::compile(rule).unwrap();
        assert_eq!(text.evaluate(&vars(&failed)).as_deref(), Ok(expected), "{rule}");
    }
}

#[test]
fn one_rule_serves_many_threads() {
    let condition = Condition::compile("event.RunName.matches('^ci-[0-9]+$') && isPR()").unwrap();
    let (first, second) = (vars(&pipeline_run()), vars(&task_run()));
    std::thread::scope(|threads| {
        for (vars, expected) in [(&first, true), (&second, false), (&first, true)] {
            let condition = condition.clone();
            threads.spawn(move || {
                for _ in 0..200 {
                    assert_eq!(condition.evaluate(vars), Ok(expected));
                }
            });
        }
    });
}

#[test]
fn a_rule_that_needs_a_name_that_is_not_final_yet_decides_later() {
    let queued = RunEvent {
        rank: Rank::Queued,
        state: RunState::Pending,
        parent: Parent { uid: "11111111".to_owned(), name: "release-4".to_owned() },
        ..pipeline_run()
    };
    let runs = RunEvent { rank: Rank::Running, ..queued.clone() };
    for rule in [
        "event.PipelineName != 'x'",
        "event['PipelineName'] in ['ci']",
        "!(event.PipelineName == 'x')",
    ] {
        let rule = Condition::compile(rule).unwrap();
        assert_eq!(rule.evaluate(&vars(&queued)), Ok(false), "{rule:?}");
        assert_eq!(rule.evaluate(&vars(&runs)), Ok(true), "{rule:?}");
    }
    for rule in ["event.TaskName != 'x'", "event.RunName == 'ci-7'", "isPipelineRun()"] {
        let rule = Condition::compile(rule).unwrap();
        assert_eq!(rule.evaluate(&vars(&queued)), Ok(true), "{rule:?}");
    }
}
