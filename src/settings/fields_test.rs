//! The readers of keys and values, one by one.

use super::super::diagnostics::{NoFiles, SecretCheck};
use super::super::yaml;
use super::*;

/// The result of `read` for the mapping in `text`, with its mistakes and notices.
fn walk<T>(text: &str, read: impl FnOnce(Fields<'_>) -> T) -> (T, Vec<String>) {
    let root = yaml::parse(text).unwrap();
    let diagnostics = Diagnostics::new(&NoFiles, SecretCheck::Required).over(text);
    let setting = Setting { node: &root, path: String::new(), diagnostics: &diagnostics };
    let value = read(setting.fields().unwrap());
    let lines = match diagnostics.finish("f") {
        Ok(findings) => findings.notices.iter().map(ToString::to_string).collect(),
        Err(errors) => errors.errors.iter().map(ToString::to_string).collect(),
    };
    (value, lines)
}

#[test]
fn bools_are_the_words_of_yaml_1_1_without_quotes() {
    for (word, value) in [("true", true), ("Yes", true), ("ON", true), ("y", true), ("no", false)] {
        let (read, lines) = walk(&format!("a: {word}\n"), |mut fields| fields.flag("a"));
        assert_eq!((read, lines), (Some(value), vec![]), "{word}");
    }
    let (read, lines) = walk("a: 'true'\n", |mut fields| fields.flag("a"));
    assert_eq!(read, None);
    assert_eq!(lines, ["1:4: a: expected true or false, found \"true\""]);
}

#[test]
fn numbers_are_texts_but_texts_are_no_numbers() {
    let (read, lines) =
        walk("a: 12\nb: '12'\n", |mut fields| (fields.text("a"), fields.integer("b", 0..=99)));
    assert_eq!(read, (Some("12".to_owned()), None));
    assert_eq!(lines, ["2:4: b: expected an integer, found \"12\""]);
}

#[test]
fn null_and_empty_text_are_absent_keys() {
    let (read, lines) = walk("a:\nb: ''\n", |mut fields| {
        let read = (fields.take("a").is_none(), fields.text("b"));
        fields.finish();
        read
    });
    let told = "1:1: a: warning: has no value, so it counts as absent".to_owned();
    assert_eq!((read, lines), ((true, None), vec![told]));
}

#[test]
fn a_value_that_yaml_takes_for_a_comment_is_a_mistake() {
    let told = "1:1: a: has no value: `#builds` begins a comment in YAML, so put it in quotes; \
                write one, or remove the key";
    let (_, lines) = walk("a: #builds of us\n", |mut fields| fields.text("a"));
    assert_eq!(lines, [told]);
    let (_, lines) = walk("a: # the builds\n", |mut fields| fields.text("a"));
    assert_eq!(lines, ["1:1: a: warning: has no value, so it counts as absent"]);
}

#[test]
fn what_narrows_has_to_have_a_value() {
    for text in ["a:\n", "a: null\n", "a: ~\n", "a: &x\n"] {
        let told = ["1:1: a: has no value; write one, or remove the key"];
        assert_eq!(
            walk(text, |mut fields| fields.list("a").len()),
            (0, told.map(str::to_owned).to_vec())
        );
        let (_, lines) = walk(text, |mut fields| fields.narrowing_section("a").is_empty());
        assert_eq!(lines, told, "{text}");
        let (_, lines) = walk(text, |mut fields| fields.code_setting("a").is_none());
        assert_eq!(lines, told, "{text}");
    }
}

#[test]
fn variables_of_other_programs_are_refused_by_name_and_code_may_hold_a_dollar() {
    for value in ["${TOKEN}", "https://${HOST:-x}/y", "$TOKEN"] {
        let text = format!("a: '{value}'\n");
        let (read, lines) = walk(&text, |mut fields| fields.text("a"));
        assert_eq!((read, lines.len()), (None, 1), "{value}");
        assert!(lines[0].contains("variables such as ${X} are not expanded"), "{lines:?}");
        assert!(!lines[0].contains("TOKEN"), "{lines:?}");
    }
    for value in ["costs 5$", "${{ .X }}", "$5", "a$"] {
        let text = format!("a: '{value}'\n");
        let (read, lines) = walk(&text, |mut fields| fields.text("a"));
        assert_eq!((read.as_deref(), lines), (Some(value), vec![]), "{value}");
    }
    let (read, _) = walk("a: '${X}'\n", |mut fields| fields.code_setting("a").is_some());
    assert!(read);
}

#[test]
fn a_required_key_is_missed_where_its_mapping_or_its_null_is() {
    let hint = "it names the instance";
    let missed =
        |text| walk(text, |mut fields| fields.section("i").required("name", hint).is_none());
    let line = |place: &str| vec![format!("{place}: i.name: is required: it names the instance")];
    assert_eq!(missed("i: {x: 1}\n"), (true, line("1:4")));
    assert_eq!(missed("i:\n  name:\n"), (true, line("2:3")));
}

#[test]
fn paths_name_keys_and_indices() {
    let (_, lines) = walk("a:\n- {b: [1, [2]]}\n", |mut fields| {
        for item in fields.list("a") {
            for inner in item.fields().unwrap().list("b") {
                inner.text();
            }
        }
    });
    assert_eq!(lines, ["2:11: a[0].b[1]: expected a text, found a list"]);
}

#[test]
fn unknown_keys_are_the_ones_nobody_asked_for() {
    let (_, lines) = walk("one: 1\ntwoo: 2\nold: 3\n", |mut fields| {
        fields.take("one");
        fields.take("two");
        fields.notice(&["old"], "has no effect");
        fields.finish();
    });
    assert_eq!(lines, ["2:1: twoo: unknown key, did you mean \"two\"? Accepted: one, two"]);
}

#[test]
fn what_is_off_is_no_reason_to_refuse_a_file() {
    let off = "a: {enabled: false, x: 1}\nb: ''\nc: []\nd: 0\ne: [{enabled: no}]\nf: {g: ''}\n";
    let keys = ["a", "b", "c", "d", "e", "f"];
    let (_, lines) = walk(off, |mut fields| fields.not_supported(&keys));
    let expected: Vec<String> = (1..)
        .zip(keys)
        .map(|(line, key)| format!("{line}:1: {key}: is off, and not needed"))
        .collect();
    assert_eq!(lines, expected);
    let (_, lines) = walk("a: {x: 1}\n", |mut fields| fields.not_supported(&["a"]));
    assert_eq!(lines, ["1:1: a: `a` is not supported yet; remove it"]);
}

#[test]
fn long_wrong_values_are_cut_between_characters() {
    let text = format!("a: {}\n", "é".repeat(41));
    let (_, lines) = walk(&text, |mut fields| fields.integer("a", 0..=1));
    let shown = "é".repeat(40);
    assert_eq!(lines, [format!("1:4: a: expected an integer, found \"{shown}...\"")]);
}

#[test]
fn errors_come_in_the_order_of_the_file_not_of_the_readers() {
    let (_, lines) = walk("a: x\nb: y\n", |mut fields| {
        fields.integer("b", 0..=1);
        fields.integer("a", 0..=1);
    });
    assert_eq!(
        lines,
        ["1:4: a: expected an integer, found \"x\"", "2:4: b: expected an integer, found \"y\""]
    );
}
