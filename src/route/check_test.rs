//! Tests of the static check: what it refuses, where, and which names it collects.

use super::super::fixture::{pipeline_run, vars};
use super::super::{CelError, Condition, RULE_BYTES_MAX, TextExpression};
use super::*;
use crate::event::{Keep, KeptNames};

fn fault(rule: &str) -> (usize, usize, String) {
    let CelError { line, column, message } = Condition::compile(rule).unwrap_err();
    (line, column, message)
}

#[test]
fn mistakes_are_named_with_their_place() {
    let rows = [
        (
            "State == 'x'",
            1,
            1,
            "unknown name \"State\"; the one variable is \"event\"; did you mean \"event.State\"?",
        ),
        ("event.Stat == 'x'", 1, 6, "unknown field \"event.Stat\"; did you mean \"State\"?"),
        ("true &&\n  event.Zzz == 'x'", 2, 8, "unknown field \"event.Zzz\""),
        ("'ü' == event.Zzz", 1, 13, "unknown field \"event.Zzz\""),
        ("event['Zzz'] == 'x'", 1, 7, "unknown field \"event.Zzz\""),
        (
            "event.Repo.Onwer == 'x'",
            1,
            11,
            "unknown field \"event.Repo.Onwer\"; known are ID, Name, Org, Owner, Project, Workspace",
        ),
        ("[1].all(x, z > 0)", 1, 12, "unknown name \"z\"; the one variable is \"event\""),
        ("[1].all(x, x > 0) && x", 1, 22, "unknown name \"x\"; the one variable is \"event\""),
        ("true && bogus(1)", 1, 14, "unknown function \"bogus\""),
        ("event.State.bogus()", 1, 18, "unknown method \"bogus\""),
        ("event.State.isPR()", 1, 17, "unknown method \"isPR\""),
        ("isPR(1)", 1, 5, "isPR takes no argument(s), 1 given"),
        ("stateIn()", 1, 8, "stateIn takes at least 1 argument(s), 0 given"),
        ("buildTimeExceeds('5m')", 1, 17, "buildTimeExceeds does not apply to (string)"),
        ("hasResult(1)", 1, 10, "hasResult does not apply to (int)"),
        ("event.State.getHours() > 1", 1, 21, "getHours does not apply to (string)"),
        ("event.State && true", 1, 13, "operator && does not apply to string and bool"),
        ("!event.PRNumber", 1, 1, "operator ! does not apply to int"),
        ("event.PRNumber > '5'", 1, 16, "operator > does not apply to int and string"),
        ("(event.State ? 1 : 2) == 1", 1, 7, "condition of ? must be bool, is string"),
        ("event.State.Name == ''", 1, 12, "string has no field \"Name\""),
        ("event.PRNumber[0] == 1", 1, 15, "int has no entries"),
        ("event.Labels[1] == ''", 1, 13, "map has no entry under a key of type int"),
        ("'x' in event.State", 1, 5, "operator in does not apply to string"),
        ("1 in event.Labels", 1, 1, "names are text, not int"),
        ("event.State.all(x, true)", 1, 6, "cannot loop over string"),
        ("[1].exists(event, isPR())", 1, 11, "loop variable cannot be named \"event\""),
        ("Point{x: 1} == 1", 1, 6, "unknown message type \"Point\""),
        ("optional.of(1) == 1", 1, 1, "unknown name \"optional\"; the one variable is \"event\""),
    ];
    for (rule, line, column, message) in rows {
        assert_eq!(fault(rule), (line, column, message.to_owned()), "{rule}");
    }
}

#[test]
fn words_that_no_field_can_hold_are_refused_and_slips_are_told() {
    let rows = [
        (
            "isPipelinerun()",
            1,
            14,
            "unknown function \"isPipelinerun\"; did you mean \"isPipelineRun\"?",
        ),
        (
            "event.State == 'cancelled'",
            1,
            16,
            "unknown state \"cancelled\"; known are pending, running, success, failure, error, \
             canceled; did you mean \"canceled\"?",
        ),
        (
            "'Succeeded' != event['State']",
            1,
            1,
            "unknown state \"Succeeded\"; known are pending, running, success, failure, error, \
             canceled",
        ),
        (
            "event.PreviousState in ['', 'failed']",
            1,
            29,
            "unknown state \"failed\"; known are pending, running, success, failure, error, \
             canceled",
        ),
        (
            "event.Resource == 'TaskRun'",
            1,
            19,
            "unknown kind of run \"TaskRun\"; known are taskrun, pipelinerun, customrun, \
             eventlistener; did you mean \"taskrun\"?",
        ),
        ("event.PRNumber == '7'", 1, 16, "operator == does not apply to int and string"),
    ];
    for (rule, line, column, message) in rows {
        assert_eq!(fault(rule), (line, column, message.to_owned()), "{rule}");
    }
}

#[test]
fn mistakes_are_found_wherever_an_expression_can_stand() {
    let rows = [
        "zzz",
        "!zzz",
        "true && zzz",
        "zzz || true",
        "1 == zzz",
        "zzz ? true : false",
        "true ? zzz : false",
        "true ? true : zzz",
        "[true, zzz][0]",
        "[true][zzz]",
        "zzz[0]",
        "zzz.a",
        "has(zzz.a)",
        "{zzz: true}[1]",
        "{'a': zzz}.a",
        "zzz in [1]",
        "1 in zzz",
        "zzz.startsWith('a')",
        "'a'.startsWith(zzz)",
        "matches('a', zzz)",
        "stateIn('success', zzz)",
        "hasResult(zzz)",
        "zzz.all(x, true)",
        "[1].all(x, zzz)",
        "[1].exists_one(x, zzz)",
        "[1].map(x, zzz)[0]",
        "[1].map(x, zzz, true)[0]",
        "size([1].filter(x, zzz)) > 0",
        "event.Labels[zzz] == ''",
        "event[zzz]",
    ];
    for rule in rows {
        let column = rule.find("zzz").unwrap() + 1;
        let message = "unknown name \"zzz\"; the one variable is \"event\"".to_owned();
        assert_eq!(fault(rule), (1, column, message), "{rule}");
    }
}

#[test]
fn loop_variables_end_with_their_loop() {
    assert!(Condition::compile("[1].all(x, [2].all(x, x == 2) && x == 1)").is_ok());
    assert_eq!(fault("[1].all(x, true) && [1].all(y, x == 1)").1, 32);
    assert_eq!(fault("[1].all(x, [2].all(y, true) && y == 2)").1, 32);
    assert!(Condition::compile("event.Labels.all(name, name.startsWith('a'))").is_ok());
    assert_eq!(
        fault("event.Labels.all(name, name > 1)").2,
        "operator > does not apply to string and int"
    );
}

#[test]
fn a_state_that_does_not_exist_is_named_with_those_that_do() {
    let expected = "unknown state \"cancelled\"; known are pending, running, success, failure, \
                    error, canceled; did you mean \"canceled\"?";
    assert_eq!(fault("stateIn('failure', 'cancelled')"), (1, 20, expected.to_owned()));
    assert!(Condition::compile("stateIn(event.PreviousState, 'canceled')").is_ok());
}

#[test]
fn the_result_must_fit_its_place() {
    let not_bool = |of: &str| (1, 1, format!("expression must yield bool, yields {of}"));
    assert_eq!(fault("event.State"), not_bool("string"));
    assert_eq!(fault("isPR() ? 'a' : 'b'"), not_bool("string"));
    assert_eq!(fault("[1].map(x, x)"), not_bool("list"));
    assert_eq!(fault("event.FinishedAt - event.StartedAt"), not_bool("duration"));
    assert_eq!(
        TextExpression::compile("event.PRNumber").unwrap_err().message,
        "expression must yield string, yields int"
    );
    // The types are known only at evaluation: accepted.
    for rule in ["event[event.Namespace]", "[true][0]", "{'a': true}.a", "isPR() ? true : dyn(1)"] {
        assert!(Condition::compile(rule).is_ok(), "{rule}");
        assert!(TextExpression::compile(rule).is_ok(), "{rule}");
    }
    assert!(Condition::compile("event.IsFinallyTask").is_ok());
    assert!(TextExpression::compile("event.Namespace").is_ok());
    assert!(TextExpression::compile("'#' + event.Labels.team").is_ok());
}

#[test]
fn loops_nest_twice_and_no_deeper() {
    assert!(Condition::compile("[1].all(a, [1].all(b, a == b))").is_ok());
    let message = "loops are nested deeper than 2 levels";
    assert_eq!(fault("[1].all(a, [1].all(b, [1].all(c, a == c)))").2, message);
    assert!(Condition::compile("[1].map(a, a).map(b, b).filter(c, c > 1).all(d, d > 0)").is_ok());
}

#[test]
fn depth_is_bounded() {
    let sum = |terms: usize| format!("{} > 0", vec!["1"; terms].join(" + "));
    // One level for the comparison, one for each sum, one for the first term.
    assert!(Condition::compile(&sum(DEPTH_MAX - 1)).is_ok());
    let message = format!("expression is nested deeper than {DEPTH_MAX} levels");
    assert_eq!(fault(&sum(DEPTH_MAX)).2, message);
    // The parser balances chains of && and ||, so they may be long.
    assert!(Condition::compile(&vec!["isPR()"; 400].join(" || ")).is_ok());
}

#[test]
fn hostile_texts_of_the_longest_length_are_refused_not_fatal() {
    for piece in ["(", "[", "{", "!", "-", "a.", "a[", "a?", "1+", "1?1:", "a(", ".a", "'", "!-"] {
        let text = piece.repeat(RULE_BYTES_MAX / piece.len());
        assert!(Condition::compile(&text).is_err(), "{piece}");
    }
    let tails = [("!", "true"), ("a.", "a"), ("1+", "1"), ("a?a:", "a"), ("-", "1"), ("1<", "1")];
    for (piece, tail) in tails {
        let text = piece.repeat((RULE_BYTES_MAX - tail.len()) / piece.len()) + tail;
        let _refused_or_not = Condition::compile(&text);
    }
}

fn values(names: &[&str]) -> Keep {
    Keep { values: KeptNames::only(names.iter().copied()), ..Keep::default() }
}

fn maps(labels: &[&str], annotations: &[&str]) -> Keep {
    let only = |names: &[&str]| KeptNames::only(names.iter().copied());
    Keep { labels: only(labels), annotations: only(annotations), ..Keep::default() }
}

#[test]
fn literal_names_of_results_and_parameters_are_learnt() {
    let all = Keep { values: KeptNames::all(), ..Keep::default() };
    let rows: [(&str, Keep); 14] = [
        ("isPR()", values(&[])),
        ("event.Results['a'] == event.Params.b", values(&["a", "b"])),
        ("hasResult('a') && resultValue('b') == ''", values(&["a", "b"])),
        ("has(event.Results.a)", values(&["a"])),
        ("'a' in event.Params", values(&["a"])),
        ("event['Results']['a'] == ''", values(&["a"])),
        ("(isPR() ? event.Results : event.Results).a == ''", values(&["a"])),
        ("hasResult(event.RunName)", all.clone()),
        ("event.Results[event.RunName] == ''", all.clone()),
        ("event.RunName in event.Results", all.clone()),
        ("event.Results.exists(name, name == 'a')", all.clone()),
        ("size(event.Params) > 0", all.clone()),
        ("dyn(event.Results).a == ''", all.clone()),
        ("[event.Results][0].a == ''", all),
    ];
    for (rule, expected) in rows {
        assert_eq!(*Condition::compile(rule).unwrap().reads(), expected, "{rule}");
    }
    let text = TextExpression::compile("resultValue('channel')").unwrap();
    assert_eq!(*text.reads(), values(&["channel"]));
}

#[test]
fn literal_names_of_labels_and_annotations_are_learnt() {
    let all_labels = Keep { labels: KeptNames::all(), ..Keep::default() };
    let rows: [(&str, Keep); 9] = [
        ("event.Labels['a'] == '' && event.Annotations.b == ''", maps(&["a"], &["b"])),
        ("has(event.Labels.a)", maps(&["a"], &[])),
        ("'a' in event.Annotations", maps(&[], &["a"])),
        ("event['Labels']['a'] == ''", maps(&["a"], &[])),
        ("event.Labels[event.RunName] == ''", all_labels.clone()),
        ("event.Labels.exists(name, name == 'a')", all_labels.clone()),
        ("size(event.Labels) > 0", all_labels),
        ("event[event.RunName] == ''", Keep::all()),
        (
            "(isPR() ? event.Results : event.Labels).a == ''",
            Keep { values: KeptNames::all(), labels: KeptNames::all(), ..Keep::default() },
        ),
    ];
    for (rule, expected) in rows {
        assert_eq!(*Condition::compile(rule).unwrap().reads(), expected, "{rule}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn any_heap_of_words_gets_an_answer_with_a_place(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "event", ".State", ".Results", "['x']", "isPR()", "stateIn(", "'failure'", ")",
                "(", "[", "]", "{", "}", "&&", "||", "==", "!", "-", "?", ":", "1", "1.5", ",",
                ".all(", "x", "has(", "in", "ü", "\n", "'", "event.RunName.matches('('",
            ]),
            0..12,
        )
    ) {
        let text = words.concat();
        match Condition::compile(&text) {
            Ok(rule) => {
                let _answer = rule.evaluate(&vars(&pipeline_run()));
            }
            Err(error) => {
                let line = text.split('\n').nth(error.line - 1).unwrap();
                let column_max = line.chars().count() + 1;
                assert!((1..=column_max).contains(&error.column), "{error} in {text:?}");
            }
        }
    }
}
