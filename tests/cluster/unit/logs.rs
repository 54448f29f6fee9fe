//! Which lines of a log make a scenario fail.

use crate::harness::error_lines;

const LOG: &str = r#"{"timestamp":"t","level":"INFO","message":"an ERROR is told at another level"}
{"timestamp":"t","level":"ERROR","message":"the relay has to stop","reason":"removed"}
ERROR: the last words of a process are no log
{"timestamp":"t","level":"ERROR","message":"the spool cannot be read"}
"#;

#[test]
fn lines_at_the_level_error_are_told() {
    let told = error_lines(LOG, &[]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("has to stop") && told[1].contains("spool"), "{told:?}");
}

#[test]
fn an_announced_error_is_not_told_and_excuses_no_other_one() {
    let told = error_lines(LOG, &["the relay has to stop"]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("the spool cannot be read"), "{told:?}");
}
