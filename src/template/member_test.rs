//! Members of every kind of value.

use super::*;
use crate::template::fixture::{assert_renders, data};
use crate::template::shape::{EVENT_FIELDS, REPOSITORY_FIELDS};
use crate::template::value::fields;

#[test]
fn every_time_method_answers() {
    let time = time_value(1_772_726_829_120);
    let other = time_value(1_772_726_828_120);
    let second = Value::Int(1_000_000_000);
    let text = Value::from("2006");
    for (name, args, expected) in [
        ("IsZero", vec![], "false"),
        ("Sub", vec![other.clone()], "1s"),
        ("Add", vec![second], "2026-03-05 16:07:10.12 +0000 UTC"),
        ("Before", vec![other.clone()], "false"),
        ("After", vec![other.clone()], "true"),
        ("Equal", vec![other], "false"),
        ("Format", vec![text], "2026"),
        ("Unix", vec![], "1772726829"),
        ("UnixMilli", vec![], "1772726829120"),
        ("UTC", vec![], "2026-03-05 16:07:09.12 +0000 UTC"),
        ("Year", vec![], "2026"),
        ("Month", vec![], "March"),
        ("Day", vec![], "5"),
        ("Hour", vec![], "16"),
        ("Minute", vec![], "7"),
        ("Second", vec![], "9"),
        ("Weekday", vec![], "Thursday"),
        ("YearDay", vec![], "64"),
        ("String", vec![], "2026-03-05 16:07:09.12 +0000 UTC"),
    ] {
        assert_eq!(read(&time, name, &args), expected, "{name}");
    }
}

#[test]
fn every_duration_method_answers() {
    let duration = duration_value(-5_400_500_000_000);
    let minute = Value::Int(60_000_000_000);
    for (name, args, expected) in [
        ("Hours", vec![], "-1.500138888888889"),
        ("Minutes", vec![], "-90.00833333333334"),
        ("Seconds", vec![], "-5400.5"),
        ("Milliseconds", vec![], "-5400500"),
        ("Microseconds", vec![], "-5400500000"),
        ("Nanoseconds", vec![], "-5400500000000"),
        ("Round", vec![minute.clone()], "-1h30m0s"),
        ("Truncate", vec![minute], "-1h30m0s"),
        ("Abs", vec![], "1h30m0.5s"),
        ("String", vec![], "-1h30m0.5s"),
    ] {
        assert_eq!(read(&duration, name, &args), expected, "{name}");
    }
}

fn read(base: &Value, name: &str, args: &[Value]) -> String {
    crate::template::value::text_of(&read_member(base, name, &Args::new(args)).unwrap())
}

#[test]
fn every_method_of_the_tables_is_implemented() {
    let argument = |owner: Shape, name: &str| match (owner, name) {
        (Shape::Time, "Format") => Value::from("2006"),
        (Shape::Time, "Add") | (Shape::Duration, _) => Value::Int(1),
        _ => time_value(0),
    };
    for (owner, value, methods) in [
        (Shape::Time, time_value(0), TIME_METHODS),
        (Shape::Duration, duration_value(1), DURATION_METHODS),
    ] {
        for (name, count, _) in methods {
            let args = vec![argument(owner, name); *count];
            assert!(read_member(&value, name, &Args::new(&args)).is_ok(), "{name}");
        }
    }
}

#[test]
fn wrong_arguments_and_names_are_errors() {
    let fails = |value: &Value, name, args: &[Value]| {
        read_member(value, name, &Args::new(args)).unwrap_err().to_string()
    };
    let time = time_value(0);
    assert_eq!(fails(&time, "Sub", &[Value::from("x")]), "argument 1 must be a time, not text");
    assert_eq!(fails(&time, "Unix", &[Value::Nil]), "takes 0 arguments, not 1");
    assert_eq!(fails(&time, "Seconds", &[]), "a time has no field or method `Seconds`");
    assert_eq!(fails(&Value::Nil, "Name", &[]), "nil has no field or method `Name`");
    assert_eq!(fails(&data().0, "Nope", &[]), "a record has no field or method `Nope`");
}

#[test]
fn the_data_has_exactly_the_fields_the_checks_know() {
    let names_of = |value: &Value| -> Vec<String> {
        let ValueKind::Record(entries) = ValueKind::of(value) else { panic!("no record") };
        fields(entries).map(|(name, _)| name.to_owned()).collect()
    };
    let known = |fields: &[(&str, Shape)]| {
        let mut names: Vec<_> = fields.iter().map(|(name, _)| (*name).to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names_of(&data().0), known(EVENT_FIELDS));
    assert_eq!(names_of(data().0.field("Repo").unwrap()), known(REPOSITORY_FIELDS));
}

#[test]
fn times_of_an_event_answer_in_templates() {
    assert_renders(&[
        ("{{.StartedAt.IsZero}}", "false"),
        ("{{.StartedAt.Format \"2006-01-02 15:04:05 MST\"}}", "2026-03-05 16:07:09 UTC"),
        ("{{.FinishedAt.Sub .StartedAt}}", "1m23.5s"),
        ("{{(.FinishedAt.Sub .StartedAt).Seconds}}", "83.5"),
        ("{{printf \"%.0f\" (.FinishedAt.Sub .StartedAt).Minutes}}", "1"),
        ("{{((.FinishedAt.Sub .StartedAt).Round 1000000000).String}}", "1m24s"),
        ("{{.StartedAt.Year}}", "2026"),
        ("{{if .FinishedAt.After .StartedAt}}later{{end}}", "later"),
        ("{{if gt (.FinishedAt.Sub .StartedAt).Seconds 60}}slow{{end}}", "slow"),
    ]);
}
