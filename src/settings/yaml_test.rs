//! Positions, forms, aliases and bounds of the YAML tree.

use super::*;

fn at(line: usize, column: usize) -> TextPosition {
    TextPosition { line, column }
}

fn entries(node: &Node) -> &[MappingEntry] {
    match &node.value {
        Value::Mapping(entries) => entries,
        Value::Null | Value::Scalar(_) | Value::Sequence(_) => panic!("no mapping: {node:?}"),
    }
}

fn entry<'n>(node: &'n Node, key: &str) -> &'n MappingEntry {
    entries(node).iter().find(|entry| entry.key == key).unwrap()
}

fn scalar(node: &Node) -> &Scalar {
    match &node.value {
        Value::Scalar(scalar) => scalar,
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => panic!("no scalar: {node:?}"),
    }
}

#[test]
fn keys_and_values_know_their_place() {
    let root = parse("a:\n  b: {c: 1, d: [x, \"y\"]}\n").unwrap();
    let a = entry(&root, "a");
    let b = entry(&a.node, "b");
    let c = entry(&b.node, "c");
    let d = entry(&b.node, "d");
    assert_eq!((a.at, b.at, b.node.at), (at(1, 1), at(2, 3), at(2, 6)));
    assert_eq!((c.at, c.node.at), (at(2, 7), at(2, 10)));
    assert_eq!(
        d.node,
        Node {
            at: at(2, 16),
            value: Value::Sequence(vec![
                Node {
                    at: at(2, 17),
                    value: Value::Scalar(Scalar { text: "x".into(), form: ScalarForm::Plain }),
                },
                Node {
                    at: at(2, 20),
                    value: Value::Scalar(Scalar { text: "y".into(), form: ScalarForm::Quoted }),
                },
            ]),
        }
    );
}

#[test]
fn a_place_inside_a_text_is_a_place_in_the_file() {
    let text = "p: abc\nq: \"abc\"\nt: |-\n\n    one\n      two\nf: >\n  a\n  b\n";
    let root = parse(text).unwrap();
    let locate = |key, line, column| entry(&root, key).node.locate(at(line, column));
    assert_eq!(scalar(&entry(&root, "t").node).text, "\none\n  two");
    assert_eq!(locate("p", 1, 3), at(1, 6));
    assert_eq!(locate("q", 1, 1), at(2, 5));
    assert_eq!(locate("t", 2, 1), at(5, 5));
    assert_eq!(locate("t", 3, 4), at(6, 8));
    assert_eq!(locate("f", 1, 3), at(8, 3));
}

#[test]
fn null_is_what_yaml_says_and_quotes_make_it_text() {
    let root = parse("a:\nb: ~\nc: null\nd: 'null'\ne: ''\n").unwrap();
    let is_null = |key| entry(&root, key).node.value == Value::Null;
    assert_eq!(["a", "b", "c", "d", "e"].map(is_null), [true, true, true, false, false]);
    assert_eq!(parse("").unwrap().value, Value::Null);
    assert_eq!(parse("# nothing\n").unwrap().value, Value::Null);
}

#[test]
fn an_alias_is_where_it_is_used() {
    let root = parse("a: &x [1]\nb: *x\n").unwrap();
    assert_eq!(entry(&root, "a").node.value, entry(&root, "b").node.value);
    assert_eq!(entry(&root, "b").node.at, at(2, 4));
}

#[test]
fn merged_entries_yield_to_own_ones() {
    let root =
        parse("x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz:\n  <<: [*x, *y]\n  a: 0\n").unwrap();
    let merged: Vec<(&str, &str)> = entries(&entry(&root, "z").node)
        .iter()
        .map(|entry| (entry.key.as_str(), scalar(&entry.node).text.as_str()))
        .collect();
    assert_eq!(merged, [("a", "0"), ("b", "2"), ("c", "4")]);
}

#[test]
fn repeated_keys_are_kept_for_the_walk_to_report() {
    let keys: Vec<TextPosition> =
        entries(&parse("a: 1\na: 2\n").unwrap()).iter().map(|e| e.at).collect();
    assert_eq!(keys, [at(1, 1), at(2, 1)]);
}

#[test]
fn what_cannot_be_walked_is_refused_where_it_is() {
    let error = |text| parse(text).unwrap_err();
    assert_eq!(error("a: 1\n---\nb: 2\n"), (at(2, 1), SyntaxError::SecondDocument));
    assert_eq!(error("? [a]\n: 1\n"), (at(1, 3), SyntaxError::KeyNotText));
    assert_eq!(error("a:\n  <<: 5\n"), (at(2, 7), SyntaxError::MergeNotMapping));
    assert_eq!(error("a: &x [*x]\n"), (at(1, 8), SyntaxError::OpenAlias));
    let (place, SyntaxError::Yaml { detail }) = error("a: [1\nb: 2\n") else {
        panic!("an open list was accepted");
    };
    assert!(place.line >= 2 && !detail.is_empty(), "{place:?} {detail}");
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut text = String::from("l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let below = level - 1;
        let aliases = vec![format!("*l{below}"); 10].join(", ");
        text.push_str(&format!("l{level}: &l{level} [{aliases}]\n"));
    }
    let (_, error) = parse(&text).unwrap_err();
    assert_eq!(error, SyntaxError::TooMuch { what: "values", max: NODES_MAX });
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = "[".repeat(DEPTH_MAX + 1);
    let (place, error) = parse(&deep).unwrap_err();
    assert_eq!(place, at(1, DEPTH_MAX + 1));
    assert!(matches!(error, SyntaxError::Yaml { .. }), "{error:?}");
    let (_, error) = parse(&"#".repeat(TEXT_BYTES_MAX + 1)).unwrap_err();
    assert_eq!(error, SyntaxError::TooMuch { what: "bytes", max: TEXT_BYTES_MAX });
}

#[test]
fn s14_a_tag_is_refused_wherever_it_stands() {
    let rows = [
        ("a: !prod\n", "!prod"),
        ("a: [x, !y z]\n", "!y"),
        ("a: !x {b: 1}\n", "!x"),
        ("a: !!str 1\n", "!!str"),
        ("!k a: 1\n", "!k"),
        ("a: !x [1]\n", "!x"),
    ];
    for (text, tag) in rows {
        let (_, error) = parse(text).unwrap_err();
        assert_eq!(error, SyntaxError::Tag { tag: tag.to_owned() }, "{text}");
    }
    assert!(parse("a: '!prod'\nb: [\"!x\"]\n").is_ok());
}
