use super::*;

fn pairs(json: &str) -> Pairs<'_> {
    serde_json::from_str(json).unwrap()
}

fn named(json: &str) -> Vec<NamedJson<'_>> {
    serde_json::from_str(json).unwrap()
}

fn values(json: &str, keep: &Keep) -> (Vec<(String, String)>, Vec<String>) {
    let mut bounds = Bounds::new(keep);
    let kept = bounds.values("params", &named(json));
    (kept.into_iter().map(|value| (value.name, value.value)).collect(), bounds.into_cut())
}

fn keep_values(names: &[&str]) -> Keep {
    Keep { values: KeptNames::only(names.iter().copied()), ..Keep::default() }
}

fn owned(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn a_long_message_is_cut_between_characters_and_named() {
    let keep = Keep::all();
    let mut bounds = Bounds::new(&keep);
    let kept = bounds.message(&"ü".repeat(MESSAGE_CHARS_MAX + 1));
    assert_eq!(kept, "ü".repeat(MESSAGE_CHARS_MAX));
    assert_eq!(bounds.into_cut(), ["message"]);
}

#[test]
fn a_message_at_its_bound_is_whole() {
    let keep = Keep::all();
    let mut bounds = Bounds::new(&keep);
    let whole = "ü".repeat(MESSAGE_CHARS_MAX);
    assert_eq!(bounds.message(&whole), whole);
    assert_eq!(bounds.into_cut(), [""; 0]);
}

#[test]
fn a_message_loses_the_credentials_of_its_urls() {
    let keep = Keep::all();
    let mut bounds = Bounds::new(&keep);
    let kept = bounds.message("cannot clone https://bot:hush@git.example/r?t=hush now");
    assert_eq!(kept, "cannot clone https://git.example/r now");
    assert_eq!(bounds.into_cut(), ["message"]);
}

#[test]
fn credentials_are_gone_before_a_value_is_cut() {
    let filler = "x".repeat(VALUE_BYTES_MAX - "https://u:hu".len());
    let json = format!(r#"[{{"name":"a","value":"{filler}https://u:hush@host"}}]"#);
    let (kept, cut) = values(&json, &Keep::all());
    assert_eq!(kept[0].1, format!("{filler}https://host"));
    assert_eq!(cut, ["params.a"]);
}

#[test]
fn a_value_is_cut_at_its_bytes_without_splitting_a_character() {
    let json = format!(r#"[{{"name":"a","value":"x{}"}}]"#, "ü".repeat(VALUE_BYTES_MAX));
    let (kept, cut) = values(&json, &Keep::all());
    assert_eq!(kept[0].1.len(), VALUE_BYTES_MAX - 1);
    assert!(kept[0].1.ends_with('ü'));
    assert_eq!(cut, ["params.a"]);
}

#[test]
fn text_loses_its_quotes_and_other_values_stay_json() {
    let json = r#"[{"name":"a","value":"x\n\"y\""},{"name":"b","value":["x","y"]},
        {"name":"c","value":{"k":1}},{"name":"d","value":null},{"name":"e"},{"name":"f","value":2}]"#;
    let expected = [
        owned("a", "x\n\"y\""),
        owned("b", r#"["x","y"]"#),
        owned("c", r#"{"k":1}"#),
        owned("d", ""),
        owned("e", ""),
        owned("f", "2"),
    ];
    assert_eq!(values(json, &Keep::all()), (expected.to_vec(), vec![]));
}

#[test]
fn values_that_nothing_names_are_passed_over_in_silence() {
    let keep = keep_values(&["b"]);
    let json = r#"[{"name":"a","value":"1"},{"name":"b","value":"2"}]"#;
    assert_eq!(values(json, &keep), (vec![owned("b", "2")], vec![]));
}

#[test]
fn rule_18_a_secret_is_dropped_and_named_even_when_a_rule_asks_for_it() {
    let json = r#"[{"name":"git-token","value":"hush"}]"#;
    let cut = vec!["params.git-token".to_owned()];
    assert_eq!(values(json, &Keep::all()), (vec![], cut.clone()));
    assert_eq!(values(json, &keep_values(&["git-token"])), (vec![], cut));
}

#[test]
fn surplus_labels_are_dropped_and_named() {
    let many: Vec<String> = (0..=ENTRIES_MAX).map(|n| format!(r#""l{n:03}":"""#)).collect();
    let json = format!("{{{}}}", many.join(","));
    let keep = Keep::all();
    let mut bounds = Bounds::new(&keep);
    assert_eq!(bounds.labels(&pairs(&json)).len(), ENTRIES_MAX);
    assert_eq!(bounds.into_cut(), ["labels.l064"]);
}

#[test]
fn annotations_keep_the_contract_and_no_secret() {
    let json = r#"{"kubectl.kubernetes.io/last-applied-configuration":"{}",
        "tekton.dev/tekton-events-relay.jira.issue-key":"J-1",
        "example.com/deploy-key":"hush","example.com/url":"https://u:hush@host/p","empty":null}"#;
    let keep = Keep::all();
    let mut bounds = Bounds::new(&keep);
    let kept: Vec<_> = bounds.annotations(&pairs(json)).into_iter().collect();
    let expected = [
        owned("empty", ""),
        owned("example.com/url", "https://host/p"),
        owned("tekton.dev/tekton-events-relay.jira.issue-key", "J-1"),
    ];
    assert_eq!(kept, expected);
    let cut = [
        "annotations.example.com/deploy-key",
        "annotations.example.com/url",
        "annotations.kubectl.kubernetes.io/last-applied-configuration",
    ];
    assert_eq!(bounds.into_cut(), cut);
}

#[test]
fn the_list_of_what_was_cut_has_a_bound_and_says_when_it_is_reached() {
    let keep = Keep::all();
    let mut bounds = Bounds::new(&keep);
    for n in 0..CUT_MAX * 2 {
        bounds.note(&format!("field{n}{}", "x".repeat(CUT_NAME_BYTES_MAX)));
    }
    let cut = bounds.into_cut();
    assert_eq!((cut.len(), cut[CUT_MAX - 1].as_str()), (CUT_MAX, CUT_MORE));
    assert!(cut.iter().all(|name| name.len() <= CUT_NAME_BYTES_MAX));
}

#[test]
fn a_name_that_is_too_long_is_cut_or_left_out() {
    let long = "n".repeat(NAME_BYTES_MAX + 1);
    let keep = Keep::all();
    let mut bounds = Bounds::new(&keep);
    assert_eq!(bounds.name("reason", &long).len(), NAME_BYTES_MAX);
    assert_eq!(bounds.into_cut(), ["reason"]);
    let json = format!(r#"[{{"name":"{long}","value":"1"}}]"#);
    let (kept, cut) = values(&json, &Keep::all());
    assert_eq!((kept.len(), cut.len()), (0, 1));
}

#[test]
fn a_time_that_cannot_be_read_is_unknown_and_named() {
    let keep = Keep::all();
    let mut bounds = Bounds::new(&keep);
    let noon: Text = serde_json::from_str("\"noon\"").unwrap();
    let known: Text = serde_json::from_str("\"1970-01-01T00:00:01Z\"").unwrap();
    assert_eq!(bounds.time("startTime", Some(&noon)), Timestamp::UNKNOWN);
    assert_eq!(bounds.time("completionTime", Some(&known)), Timestamp(1000));
    assert_eq!(bounds.time("lastTransitionTime", None), Timestamp::UNKNOWN);
    assert_eq!(bounds.into_cut(), ["startTime"]);
}

#[test]
fn labels_and_annotations_that_nothing_names_are_passed_over_in_silence() {
    let named = KeptNames::only(["b"]);
    let keep = Keep { labels: named.clone(), annotations: named, ..Keep::default() };
    let mut bounds = Bounds::new(&keep);
    let source = pairs(r#"{"a":"1","b":"2","tekton.dev/tekton-events-relay.scm.ref":"main"}"#);
    assert_eq!(bounds.labels(&source), [owned("b", "2")].into());
    assert_eq!(bounds.annotations(&source), [owned("b", "2")].into());
    assert_eq!(bounds.into_cut(), [""; 0]);
}

#[test]
fn a_named_entry_is_kept_however_many_stand_before_it() {
    let many: Vec<String> = (0..200).map(|n| format!(r#""l{n:03}":"x""#)).collect();
    let json = format!(r#"{{{},"zz":"y"}}"#, many.join(","));
    for is_walked in [false, true] {
        let mut names = KeptNames::only(["zz"]);
        if is_walked {
            names.add_all();
        }
        let keep = Keep { labels: names.clone(), annotations: names, ..Keep::default() };
        let mut bounds = Bounds::new(&keep);
        let others = if is_walked { ENTRIES_MAX } else { 0 };
        for kept in [bounds.labels(&pairs(&json)), bounds.annotations(&pairs(&json))] {
            assert_eq!((kept.len(), kept["zz"].as_str()), (others + 1, "y"));
        }
    }
}

#[test]
fn a_named_value_is_kept_however_many_stand_before_it_and_not_a_thousand_times() {
    let entry = |name: &str| format!(r#"{{"name":"{name}","value":"1"}}"#);
    let many: Vec<String> = (0..200).map(|n| entry(&format!("p{n:03}"))).collect();
    let mut keep = keep_values(&["zz"]);
    keep.values.add_all();
    let (kept, _) = values(&format!("[{},{}]", many.join(","), entry("zz")), &keep);
    assert_eq!((kept.len(), &kept[ENTRIES_MAX]), (ENTRIES_MAX + 1, &owned("zz", "1")));
    let doubles = vec![entry("zz"); 1000].join(",");
    let (kept, cut) = values(&format!("[{doubles}]"), &keep_values(&["zz"]));
    assert_eq!((kept.len(), cut.len()), (NAMED_MAX, CUT_MAX));
}

#[test]
fn s16_characters_that_act_on_a_terminal_are_not_kept() {
    let keep = Keep::all();
    let mut bounds = Bounds::new(&keep);
    assert_eq!(bounds.message("a\u{1b}[31m\nb\u{202e}"), "a\u{fffd}[31m b\u{fffd}");
    assert_eq!(bounds.name("reason", "Fail\u{7}ed"), "Fail\u{fffd}ed");
    let kept = bounds.annotations(&pairs(r#"{"note":"a\u001bb","\u001bx":"y"}"#));
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), [owned("note", "a\u{fffd}b")]);
    assert!(bounds.into_cut().iter().all(|name| !name.contains('\u{1b}')));
}
