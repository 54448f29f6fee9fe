use crate::options::Options;
use std::path::Path;

fn parse(arguments: &[&str]) -> Result<Options, String> {
    Options::parse(arguments.iter().map(|argument| (*argument).to_owned()))
}

#[test]
fn without_arguments_every_shape_runs_once_and_nothing_is_broken() {
    let options = parse(&[]).unwrap();
    assert_eq!((options.runs, options.has_faults, options.is_selected), (30, false, true));
}

#[test]
fn arguments_say_how_much_and_whether_something_is_broken() {
    let options =
        parse(&["--runs", "300", "--faults", "--seed=7", "--record", "x", "--binary=y"]).unwrap();
    assert_eq!((options.runs, options.has_faults, options.seed), (300, true, 7));
    let paths = (options.record.as_deref(), options.binary.as_deref());
    assert_eq!(paths, (Some(Path::new("x")), Some(Path::new("y"))));
}

#[test]
fn a_filter_of_another_test_leaves_this_one_out() {
    assert!(!parse(&["rule_09"]).unwrap().is_selected);
    assert!(parse(&["tekton", "--nocapture", "--test-threads", "1"]).unwrap().is_selected);
}

#[test]
fn what_is_not_understood_is_named() {
    assert_eq!(parse(&["--run"]).unwrap_err(), "unknown flag --run");
    assert_eq!(parse(&["--runs", "0"]).unwrap_err(), "--runs takes a number above 0, not \"0\"");
    assert_eq!(parse(&["--seed"]).unwrap_err(), "--seed needs a value");
}
