//! The checker's tables against the evaluator: calls they allow must work, operators they forbid
//! must fail, and results must have the promised type. It keeps both in step across releases of
//! `cel`.

use super::event_vars::ENVIRONMENT;
use super::fixture::{pipeline_run, vars};
use super::operators;
use super::vocabulary::{FunctionSignature, SIGNATURES, Type};
use super::*;
use cel::common::ast::operators as op;
use cel::{ExecutionError, Value};

/// A value of each type; every function that takes the type takes the value.
const SAMPLES: [(Type, &str); 15] = [
    (Type::Bool, "true"),
    (Type::Int, "1"),
    (Type::Uint, "1u"),
    (Type::Double, "1.0"),
    (Type::Text, "'1'"),
    (Type::Bytes, "b'1'"),
    (Type::Null, "null"),
    (Type::Timestamp, "timestamp('2026-11-20T18:00:00Z')"),
    (Type::Duration, "duration('90s')"),
    (Type::List, "[1]"),
    (Type::Map, "{'1': 1}"),
    (Type::Event, "event"),
    (Type::Repository, "event.Repo"),
    (Type::Values, "event.Results"),
    (Type::Kind, "int"),
];

/// Texts for functions that parse their text.
fn sample(function: &str, of: Type) -> &'static str {
    match (function, of) {
        ("bool", Type::Text) => "'true'",
        ("duration", Type::Text) => "'90s'",
        ("timestamp", Type::Text) => "'2026-11-20T18:00:00Z'",
        ("stateIn", Type::Text) => "'success'",
        ("join", Type::List) => "['1']",
        (name, Type::Text) if name.starts_with("get") => "'Europe/Berlin'",
        (_, of) => {
            SAMPLES.iter().find(|(sampled, _)| *sampled == of).map_or("event.Labels", |row| row.1)
        }
    }
}

/// Evaluates without the checker.
fn evaluate(text: &str) -> Result<Value, ExecutionError> {
    ENVIRONMENT.compile(text).unwrap().execute(vars(&pipeline_run()).scope())
}

fn assert_yields(text: &str, promised: Type) {
    let (_, example) = SAMPLES.iter().find(|(of, _)| of.fits(promised)).unwrap();
    let same = format!("type({text}) == type({example})");
    assert_eq!(evaluate(&same), Ok(Value::Bool(true)), "{same}");
}

/// A call for every combination of types that a signature allows.
fn calls(row: &FunctionSignature) -> Vec<String> {
    let extended = |calls: Vec<String>, types: &[Type]| -> Vec<String> {
        let with = |call: &String, of: &Type| format!("{call}{}, ", sample(row.name, *of));
        calls.iter().flat_map(|call| types.iter().map(move |of| with(call, of))).collect()
    };
    let targets = row.target.map_or(vec![String::new()], |of| {
        of.iter().map(|of| format!("{}.", sample(row.name, *of))).collect()
    });
    let opened = targets.iter().map(|target| format!("{target}{}(", row.name)).collect();
    let given = row.arguments.iter().fold(opened, |calls, types| extended(calls, types));
    given.iter().map(|call| format!("{})", call.trim_end_matches(", "))).collect()
}

#[test]
fn every_allowed_call_works_and_yields_its_type() {
    for row in SIGNATURES {
        let (_, example) = SAMPLES.iter().find(|(of, _)| of.fits(row.result)).unwrap();
        for call in calls(row) {
            let rule = if row.result == Type::Dyn {
                format!("dyn({call}) == dyn({call})")
            } else {
                format!("type({call}) == type({example})")
            };
            let rule = Condition::compile(&rule).unwrap();
            assert_eq!(rule.evaluate(&vars(&pipeline_run())), Ok(true), "{}", rule.text());
        }
    }
}

#[test]
fn each_alternative_of_a_signature_is_called() {
    let of = |name| SIGNATURES.iter().filter(move |row| row.name == name);
    let all: Vec<String> = of("getHours").flat_map(calls).collect();
    let time = "timestamp('2026-11-20T18:00:00Z')";
    let expected = [
        format!("{time}.getHours()"),
        "duration('90s').getHours()".to_owned(),
        format!("{time}.getHours('Europe/Berlin')"),
    ];
    assert_eq!(all, expected);
    assert_eq!(of("isPR").flat_map(calls).collect::<Vec<_>>(), ["isPR()"]);
    assert_eq!(of("matches").flat_map(calls).next().unwrap(), "matches('1', '1')");
}

#[test]
fn operators_work_on_exactly_the_types_that_the_table_allows() {
    let binary = [
        (op::LOGICAL_AND, "&&"),
        (op::LOGICAL_OR, "||"),
        (op::EQUALS, "=="),
        (op::NOT_EQUALS, "!="),
        (op::LESS, "<"),
        (op::LESS_EQUALS, "<="),
        (op::GREATER, ">"),
        (op::GREATER_EQUALS, ">="),
        (op::ADD, "+"),
        (op::SUBSTRACT, "-"),
        (op::MULTIPLY, "*"),
        (op::DIVIDE, "/"),
        (op::MODULO, "%"),
    ];
    for (name, symbol) in binary {
        for (left, left_text) in SAMPLES {
            for (right, right_text) in SAMPLES {
                let text = format!("({left_text} {symbol} {right_text})");
                match operators::result(name, &[left, right]) {
                    Ok(promised) => assert_yields(&text, promised),
                    // The evaluator adds anything iterable to a list; CEL does not.
                    Err(_) if name == op::ADD && left == Type::List => {}
                    // The evaluator compares values that can never be equal, and returns false.
                    Err(_) if [op::EQUALS, op::NOT_EQUALS].contains(&name) => {
                        let answer = Value::Bool(name == op::NOT_EQUALS);
                        assert_eq!(evaluate(&text), Ok(answer), "{text}");
                    }
                    // && and || may skip an operand, so it may be anything.
                    Err(_) if [op::LOGICAL_AND, op::LOGICAL_OR].contains(&name) => {}
                    Err(_) => assert!(evaluate(&text).is_err(), "{text}"),
                }
            }
        }
    }
}

#[test]
fn unary_operators_work_on_exactly_the_types_that_the_table_allows() {
    for (name, symbol) in [(op::NEGATE, "-"), (op::LOGICAL_NOT, "!")] {
        for (of, operand) in SAMPLES {
            let text = format!("({symbol}({operand}))");
            match operators::result(name, &[of]) {
                Ok(promised) => assert_yields(&text, promised),
                Err(_) => assert!(evaluate(&text).is_err(), "{text}"),
            }
        }
    }
}
