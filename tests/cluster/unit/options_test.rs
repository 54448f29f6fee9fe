//! The command line of the scenarios.

use crate::options::Options;
use std::path::Path;

fn parsed(line: &str) -> Result<Options, String> {
    parsed_beside(None, line)
}

/// With this value of `RELAY_PREVIOUS_BINARY` in the environment.
fn parsed_beside(previous_binary: Option<&str>, line: &str) -> Result<Options, String> {
    Options::parse(line.split_whitespace().map(str::to_owned), previous_binary.map(Into::into))
}

#[test]
fn without_arguments_everything_runs_once() {
    let options = parsed("").unwrap();
    assert!(options.selects("formation") && options.selects("leader_kill"));
    assert_eq!((options.repeat, options.jobs, options.is_list), (1, 2, false));
}

#[test]
fn names_are_selected_by_any_part_or_exactly() {
    let options = parsed("kill --skip owner form").unwrap();
    let names = ["leader_kill", "owner_kill", "formation", "freeze"];
    assert_eq!(names.map(|name| options.selects(name)), [true, false, true, false]);
    assert!(!parsed("kill --exact").unwrap().selects("leader_kill"));
    assert!(parsed("leader_kill --exact").unwrap().selects("leader_kill"));
}

#[test]
fn values_follow_a_space_or_an_equals_sign() {
    for line in ["--repeat 20 --jobs 3 --seed 7", "--repeat=20 --jobs=3 --seed=7"] {
        let options = parsed(line).unwrap();
        assert_eq!((options.repeat, options.jobs, options.seed), (20, 3, 7));
    }
}

#[test]
fn rule_22_another_build_is_named_by_the_environment_unless_the_flag_names_one() {
    let other = |previous, line| parsed_beside(previous, line).unwrap().other_binary;
    let path = |text: &str| Some(Path::new(text).to_owned());
    assert_eq!(other(None, "version_skew"), None);
    assert_eq!(other(Some("/old/relay"), "version_skew"), path("/old/relay"));
    assert_eq!(other(Some("/old/relay"), "--other-binary /older/relay"), path("/older/relay"));
    assert_eq!(other(None, "--other-binary=/older/relay"), path("/older/relay"));
    // A variable that a workflow file sets to an empty text is unset.
    assert_eq!(other(Some(""), "version_skew"), None);
}

#[test]
fn flags_of_the_standard_test_binary_are_passed_over() {
    let options = parsed("--nocapture --test-threads 1 --color=always -q kill").unwrap();
    assert_eq!(options.filters, ["kill"]);
}

#[test]
fn mistakes_are_named() {
    assert_eq!(parsed("--again").unwrap_err(), "unknown flag --again");
    assert_eq!(parsed("--repeat").unwrap_err(), "--repeat needs a value");
    let error = parsed("--repeat 0").unwrap_err();
    assert_eq!(error, "--repeat takes a number above 0, not \"0\"");
}
