//! Rules and files with another meaning than they seem to have.

use crate::harness::{Setup, run};
use std::path::Path;

/// The content of a field case's file.
fn case(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The output of `validate` for a field case's configuration, and its exit code.
async fn validated(name: &str) -> (Option<i32>, String) {
    let setup = Setup::empty();
    setup.write("relay.yaml", &case(name));
    let told = run(setup.folder(), &["validate", "relay.yaml", "--no-secrets"]).await;
    (told.code, told.stdout)
}

/// The output of `plan` for a field case's events under a configuration.
async fn planned(config: &str, events: &str) -> String {
    let setup = Setup::empty();
    setup.write("relay.yaml", config);
    setup.write("events.jsonl", events);
    let told = run(setup.folder(), &["plan", "--config", "relay.yaml", "events.jsonl"]).await;
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    told.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn f06_a_filter_by_task_knows_tasks_without_a_task_by_the_name_in_their_pipeline() {
    let events = case("06-inline-tasks.jsonl");
    for config in ["06-allow.yaml", "06-deny.yaml"] {
        let told = planned(&case(config), &events).await;
        let statuses: Vec<&str> =
            told.lines().filter(|line| line.contains("\"context\":")).collect();
        assert_eq!(statuses.len(), 1, "{config}: {told}");
        assert!(statuses[0].contains("build"), "{config}: {told}");
        assert!(told.contains("(filtered_by_name)"), "{config}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f06_a_filter_by_pipeline_waits_for_a_name_that_is_not_known_yet() {
    let events = case("03-resolver-queued-first.jsonl");
    let filtered = |list: &str| {
        case("06-allow.yaml")
            .replace("{tasks: {allow: [build]}}", &format!("{{pipelines: {list}}}"))
    };
    let told = planned(&filtered("{deny: [ci]}"), &events).await;
    assert_eq!(told.matches("\"context\":").count(), 0, "{told}");
    let told = planned(&filtered("{allow: [ci]}"), &events).await;
    assert_ne!(told.matches("\"context\":").count(), 0, "{told}");
    let told = planned(&filtered("{allow: [release]}"), &events).await;
    assert_eq!(told.matches("\"context\":").count(), 0, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f12_a_channel_that_yaml_takes_for_a_comment_is_told() {
    let (code, told) = validated("12-unquoted-channel.yaml").await;
    assert_eq!(code, Some(1), "{told}");
    let expected = "relay.yaml:4:7: notifiers.slack[0].channel: has no value: `#builds` begins a \
                    comment in YAML, so put it in quotes";
    assert!(told.contains(expected), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_a_label_that_a_rule_names_is_seen_however_many_others_a_run_has() {
    let setup = Setup::empty();
    setup.write("relay.yaml", include_str!("../../field/16-relay.yaml"));
    setup.write("events.jsonl", include_str!("../../field/16-many-labels.jsonl"));
    setup.write("token", "t0ken");
    let arguments = ["plan", "--config", "relay.yaml", "events.jsonl"];
    let told = run(setup.folder(), &arguments).await;
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stdout.contains("/statuses/"), "{}", told.stdout);
    assert!(!told.stdout.contains("when_false"), "{}", told.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_a_zone_and_a_duration_that_a_template_writes_out_work() {
    let events = case("09-comment.jsonl");
    for (config, text) in [("10-time-zone.yaml", "took "), ("10-duration-round.yaml", "took 2h")] {
        let (code, told) = validated(config).await;
        assert_eq!(code, Some(0), "{config}: {told}");
        let told = planned(&case(config), &events).await;
        assert!(told.contains(text) && !told.contains("cannot be sent"), "{config}: {told}");
        let wrong =
            case(config).replace("Europe/Berlin", "Europe/Berlni").replace("2h10m5s", "2h 10");
        let setup = Setup::empty();
        setup.write("relay.yaml", &wrong);
        let told = run(setup.folder(), &["validate", "relay.yaml", "--no-secrets"]).await;
        assert_eq!(told.code, Some(1), "{config}: {}", told.stdout);
    }
}
