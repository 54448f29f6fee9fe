//! What a transform may do, what it may not, and where it differs from jq in ways that users
//! notice.

use super::*;
use serde_json::json;

fn run(program: &str, input: &serde_json::Value) -> Result<serde_json::Value, RunError> {
    Program::compile(program).expect(program).run(input)
}

fn refusal(program: &str) -> ProgramError {
    Program::compile(program).expect_err(program)
}

#[test]
fn one_result_is_the_body() {
    let event = json!({"state": "failure", "repo": {"owner": "acme"}});
    let program = r#"if .state == "failure" then {alert: .repo.owner} else {} end"#;
    assert_eq!(run(program, &event), Ok(json!({"alert": "acme"})));
}

#[test]
fn anything_but_one_result_is_a_failure() {
    let rows = [
        ("empty", RunError::NoResult),
        ("1, 2", RunError::SeveralResults),
        (".absent", RunError::NullResult),
        ("[nan]", RunError::NotJson),
        ("[infinite]", RunError::NotJson),
        (r#"error("no owner")"#, RunError::Raised("\"no owner\"".to_owned())),
        (r#"1, error("late")"#, RunError::Raised("\"late\"".to_owned())),
    ];
    for (program, expected) in rows {
        assert_eq!(run(program, &json!({})), Err(expected), "{program}");
    }
}

#[test]
fn an_error_does_not_show_the_whole_input() {
    let event = json!({"a": "ü".repeat(10_000), "secret": "s3cr3t", "z": "ü".repeat(10_000)});
    for program in ["error", "error(tojson)", "1, error", ". - 1"] {
        let Err(RunError::Raised(text)) = run(program, &event) else {
            panic!("{program} raises an error");
        };
        assert!(text.chars().count() < RAISED_CHARS_MAX + 40, "{program}: {text}");
        assert!(!text.contains("s3cr3t"), "{program}: {text}");
    }
    let Err(RunError::Raised(text)) = run(". - 1", &event) else { panic!("no error") };
    assert!(text.starts_with("cannot calculate {") && text.ends_with("} - 1"), "{text}");
}

#[test]
fn a_result_over_the_bound_is_refused() {
    let program = format!(r#""x" * {OUTPUT_BYTES_MAX}"#);
    assert_eq!(run(&program, &json!({})), Err(RunError::TooLarge));
}

#[test]
fn a_program_cannot_reach_outside_its_input() {
    let denied = [
        "env",
        "halt",
        "halt(1)",
        "halt_error",
        "halt_error(1)",
        "debug",
        "debug(1)",
        "stderr",
        "now",
        "localtime",
        r#"strflocaltime("%H")"#,
        "input",
        "inputs",
        "$ENV",
        "$__prog_args",
        "input_filename",
        "env.PATH",
    ];
    for program in denied {
        let ProgramError::At { line: 1, column: 1, problem } = refusal(program) else {
            panic!("{program} is not refused at its start");
        };
        assert!(matches!(problem, ProgramProblem::Undefined { .. }), "{program}: {problem}");
    }
    assert_eq!(refusal(r#"include "x"; 1"#).to_string(), "1:10: modules cannot be loaded");
}

#[test]
fn errors_say_where() {
    let rows = [
        (".state |\n  missing(1)", "2:3: unknown filter `missing` with 1 arguments"),
        ("$none", "1:1: unknown variable `$none`"),
        (".[", "1:3: expected closing bracket"),
        ("\"é\" + )", "1:7: expected token"),
    ];
    for (program, expected) in rows {
        assert_eq!(refusal(program).to_string(), expected, "{program}");
    }
}

#[test]
fn programs_that_could_overflow_the_stack_are_refused_before_parsing() {
    let deep = [
        "(".repeat(65) + "1" + &")".repeat(65),
        "-".repeat(15_000) + "1",
        ".a".repeat(8_000),
        ".".to_owned() + &"[0]".repeat(5_000),
        ".|".repeat(8_000) + ".",
        "try ".repeat(4_000) + "1",
        "\"\\(".repeat(65) + "1" + &")\"".repeat(65),
    ];
    for program in deep {
        assert_eq!(refusal(&program), ProgramError::TooDeep);
    }
    assert_eq!(refusal(&" ".repeat(PROGRAM_BYTES_MAX + 1)), ProgramError::TooLong);
}

#[test]
fn programs_at_the_bounds_run() {
    let at_bounds = [
        "[".repeat(60) + "1" + &"]".repeat(60),
        "-".repeat(126) + "1",
        ".a".repeat(1_000),
        "def a: 1;".repeat(1_500) + "1",
    ];
    for program in at_bounds {
        let outcome = run(&program, &json!({}));
        assert!(matches!(outcome, Ok(_) | Err(RunError::NullResult)), "{outcome:?}");
    }
}

#[test]
fn tekton_results_become_an_object() {
    let event = json!({"results": [{"name": "digest", "value": "sha256:1"}, {"name": "n", "value": false}]});
    assert_eq!(
        run(".results | from_entries", &event),
        Ok(json!({"digest": "sha256:1", "n": false}))
    );
    let keyed = json!([{"key": false, "value": 1}, {"k": "k", "v": 2}]);
    assert_eq!(run("from_entries", &keyed), Ok(json!({"false": 1, "k": 2})));
    assert_eq!(run("with_entries(.value += 1)", &json!({"a": 1})), Ok(json!({"a": 2})));
}

#[test]
fn filters_that_the_library_lacks_are_there() {
    let rows = [
        (r#""abc" | ltrimstr("a")"#, json!("bc")),
        ("5 | ltrimstr(\"a\")", json!(5)),
        (r#""abc" | rtrimstr("c")"#, json!("ab")),
        (r#""abc" | rtrimstr("")"#, json!("abc")),
        ("1 | toarray", json!([1])),
        ("65 | ascii", json!("A")),
        (r#"[1, "a\"b", null, true] | @csv"#, json!(r#"1,"a""b",,true"#)),
        (r#"["a\tb", "c\\d", 2] | @tsv"#, json!("a\\tb\tc\\\\d\t2")),
    ];
    for (program, expected) in rows {
        assert_eq!(run(program, &json!({})), Ok(expected), "{program}");
    }
}
