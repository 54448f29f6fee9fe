use super::*;

fn pairs(json: &str) -> Pairs<'_> {
    serde_json::from_str(json).unwrap()
}

fn named(json: &str) -> Vec<Named<'_>> {
    serde_json::from_str(json).unwrap()
}

fn values(json: &str, keep: &Keep) -> (Vec<(String, String)>, Vec<String>) {
    let mut bounds = Bounds::new(keep);
    let kept = bounds.values("params", &named(json));
    (kept.into_iter().map(|value| (value.name, value.value)).collect(), bounds.into_cut())
}

fn owned(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn a_long_message_is_cut_between_characters_and_named() {
    let mut bounds = Bounds::new(&Keep::All);
    let kept = bounds.message(&"ü".repeat(MESSAGE_CHARS_MAX + 1));
    assert_eq!(kept, "ü".repeat(MESSAGE_CHARS_MAX));
    assert_eq!(bounds.into_cut(), ["message"]);
}

#[test]
fn a_message_at_its_bound_is_whole() {
    let mut bounds = Bounds::new(&Keep::All);
    let whole = "ü".repeat(MESSAGE_CHARS_MAX);
    assert_eq!(bounds.message(&whole), whole);
    assert_eq!(bounds.into_cut(), [""; 0]);
}

#[test]
fn a_message_loses_the_credentials_of_its_urls() {
    let mut bounds = Bounds::new(&Keep::All);
    let kept = bounds.message("cannot clone https://bot:hush@git.example/r?t=hush now");
    assert_eq!(kept, "cannot clone https://git.example/r now");
    assert_eq!(bounds.into_cut(), ["message"]);
}

#[test]
fn credentials_are_gone_before_a_value_is_cut() {
    let filler = "x".repeat(VALUE_BYTES_MAX - "https://u:hu".len());
    let json = format!(r#"[{{"name":"a","value":"{filler}https://u:hush@host"}}]"#);
    let (kept, cut) = values(&json, &Keep::All);
    assert_eq!(kept[0].1, format!("{filler}https://host"));
    assert_eq!(cut, ["params.a"]);
}

#[test]
fn a_value_is_cut_at_its_bytes_without_splitting_a_character() {
    let json = format!(r#"[{{"name":"a","value":"x{}"}}]"#, "ü".repeat(VALUE_BYTES_MAX));
    let (kept, cut) = values(&json, &Keep::All);
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
    assert_eq!(values(json, &Keep::All), (expected.to_vec(), vec![]));
}

#[test]
fn values_that_nothing_names_are_passed_over_in_silence() {
    let keep = Keep::Named(["b".to_owned()].into());
    let json = r#"[{"name":"a","value":"1"},{"name":"b","value":"2"}]"#;
    assert_eq!(values(json, &keep), (vec![owned("b", "2")], vec![]));
}

#[test]
fn rule_18_a_secret_is_dropped_and_named_even_when_a_rule_asks_for_it() {
    let json = r#"[{"name":"git-token","value":"hush"}]"#;
    let cut = vec!["params.git-token".to_owned()];
    assert_eq!(values(json, &Keep::All), (vec![], cut.clone()));
    assert_eq!(values(json, &Keep::Named(["git-token".to_owned()].into())), (vec![], cut));
}

#[test]
fn surplus_labels_are_dropped_and_named() {
    let many: Vec<String> = (0..=ENTRIES_MAX).map(|n| format!(r#""l{n:03}":"""#)).collect();
    let json = format!("{{{}}}", many.join(","));
    let mut bounds = Bounds::new(&Keep::All);
    assert_eq!(bounds.labels(&pairs(&json)).len(), ENTRIES_MAX);
    assert_eq!(bounds.into_cut(), ["labels.l064"]);
}

#[test]
fn annotations_keep_the_contract_and_no_secret() {
    let json = r#"{"kubectl.kubernetes.io/last-applied-configuration":"{}",
        "tekton.dev/tekton-events-relay.jira.issue-key":"J-1",
        "example.com/deploy-key":"hush","example.com/url":"https://u:hush@host/p","empty":null}"#;
    let mut bounds = Bounds::new(&Keep::All);
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
    let mut bounds = Bounds::new(&Keep::All);
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
    let mut bounds = Bounds::new(&Keep::All);
    assert_eq!(bounds.name("reason", &long).len(), NAME_BYTES_MAX);
    assert_eq!(bounds.into_cut(), ["reason"]);
    let json = format!(r#"[{{"name":"{long}","value":"1"}}]"#);
    let (kept, cut) = values(&json, &Keep::All);
    assert_eq!((kept.len(), cut.len()), (0, 1));
}

#[test]
fn a_time_that_cannot_be_read_is_unknown_and_named() {
    let mut bounds = Bounds::new(&Keep::All);
    let noon: Text = serde_json::from_str("\"noon\"").unwrap();
    let known: Text = serde_json::from_str("\"1970-01-01T00:00:01Z\"").unwrap();
    assert_eq!(bounds.time("startTime", Some(&noon)), Timestamp::UNKNOWN);
    assert_eq!(bounds.time("completionTime", Some(&known)), Timestamp(1000));
    assert_eq!(bounds.time("lastTransitionTime", None), Timestamp::UNKNOWN);
    assert_eq!(bounds.into_cut(), ["startTime"]);
}
