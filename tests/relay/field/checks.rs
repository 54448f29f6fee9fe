//! Which check a run writes, and what a summary shows of it.

use crate::harness::{Receiver, Relay, Seen, Setup, eventually, run};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tekton_events_relay::demo::{Recorded, read_recording};

const SHOWN_WITHIN: Duration = Duration::from_secs(20);

fn case(name: &str) -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field");
    read_recording(&folder.join(name)).unwrap()
}

/// A relay's directory with one GitHub instance; `more` are further keys of its one action.
fn setup(receiver: &Receiver, more: &str) -> Setup {
    let setup = Setup::empty();
    setup.write("token", "right");
    setup.write(
        "relay.yaml",
        &format!(
            r#"retry: {{ initial_backoff: 20ms, max_backoff: 200ms }}
store: {{ free_bytes_min: 0 }}
scm:
  github:
    - name: hub
      base_url: "{}"
      auth: {{ secret_file: "{}" }}
      actions:
        - {{ name: checks, type: commit_status{more} }}
"#,
            receiver.url(),
            setup.path("token").display(),
        ),
    );
    setup
}

/// The last state of each check.
fn shown(seen: &Seen) -> BTreeMap<String, String> {
    seen.checks().into_iter().map(|((_, check), state)| (check, state)).collect()
}

/// Plays a case against a relay and waits until each of these checks is in its state.
async fn play(requests: &[Recorded], more: &str, expected: &[(&str, &str)]) -> (Seen, String) {
    let receiver = Receiver::start().await;
    let setup = setup(&receiver, more);
    let relay = Relay::start(&setup).await;
    relay.take(requests).await;
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(check, state)| ((*check).to_owned(), (*state).to_owned())).collect();
    eventually(&format!("the checks are {expected:?}"), SHOWN_WITHIN, async || {
        (shown(&receiver.seen()) == expected).then_some(())
    })
    .await;
    relay.settled().await;
    assert_eq!(shown(&receiver.seen()), expected);
    let metrics = relay.metrics().await;
    relay.kill_nine().await;
    (receiver.seen(), metrics)
}

#[tokio::test(flavor = "multi_thread")]
async fn f02_a_pipeline_run_and_its_task_of_one_name_are_two_checks() {
    let expected = [
        ("tekton/build", "failure"),
        ("tekton/build/build", "success"),
        ("tekton/build/lint", "failure"),
    ];
    play(&case("02-pipeline-and-task-of-one-name.jsonl"), "", &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f03_two_runs_by_resolver_write_one_check_and_none_before_they_are_named() {
    let requests = case("03-resolver-queued-first.jsonl");
    let (seen, metrics) = play(&requests, "", &[("tekton/ci", "success")]).await;
    // The first run's end is skipped if the second run overtook it; it never comes after.
    let states = seen.statuses().into_iter().map(|(_, state, _)| state);
    let ends: Vec<String> = states.filter(|state| state != "pending").collect();
    assert!(
        [vec!["failure", "success"], vec!["success"]]
            .contains(&ends.iter().map(String::as_str).collect()),
        "{ends:?}"
    );
    let skipped = "effects_skipped_total{reason=\"check_not_settled\"} 2";
    assert!(metrics.contains(skipped), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f03_a_run_that_its_resolver_never_names_is_written_at_its_end() {
    let mut requests = case("03-resolver-queued-first.jsonl");
    requests.truncate(3);
    for request in &mut requests {
        let body = String::from_utf8(request.body.clone()).unwrap();
        request.body = body.replace(r#""tekton.dev/pipeline":"ci""#, "").into_bytes();
    }
    let (seen, _) = play(&requests, "", &[("tekton/run:ci-abcde", "failure")]).await;
    assert_eq!(seen.statuses().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn f04_a_combination_has_one_check_in_every_run_whatever_comes_first() {
    let expected = [
        ("tekton/ci", "success"),
        ("tekton/ci/test:0", "success"),
        ("tekton/ci/test:1", "success"),
    ];
    let requests = case("04-matrix-rerun-other-order.jsonl");
    play(&requests, "", &expected).await;
    let mut backwards = requests;
    backwards.reverse();
    play(&backwards, "", &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f02_a_context_that_makes_writers_collide_shows_the_worse_and_counts_it() {
    let requests = case("02-pipeline-and-task-of-one-name.jsonl");
    let more = r#", context: "ci-{{ .Namespace }}""#;
    let (seen, metrics) = play(&requests, more, &[("ci-ci", "failure")]).await;
    let ends = seen.statuses();
    assert!(!ends.iter().any(|(_, state, _)| state == "success"), "{ends:?}");
    let counted = "tekton_events_relay_check_collisions_total ";
    let collisions = metrics.lines().find_map(|line| line.split_once(counted));
    assert_ne!(collisions.map(|(_, count)| count), Some("0"), "{metrics}");
    assert!(
        metrics.contains("effects_skipped_total{reason=\"worse_state_stands\"} 1"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn f02_a_context_may_name_every_settled_part() {
    let requests = case("02-pipeline-and-task-of-one-name.jsonl");
    let more = r#", context: "{{ .Kind }} {{ .Pipeline }}{{ with .Task }} > {{ . }}{{ end }}""#;
    let expected = [
        ("pipeline build", "failure"),
        ("pipeline build > build", "success"),
        ("pipeline build > lint", "failure"),
    ];
    play(&requests, more, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f02_a_context_that_names_an_unknown_part_is_refused_where_it_stands() {
    let receiver = Receiver::start().await;
    let setup = setup(&receiver, r#", context: "{{ .RunName }}""#);
    let ended = run(setup.folder(), &["validate", "relay.yaml"]).await;
    assert_ne!(ended.code, Some(0));
    assert!(ended.stdout.contains("9:61: scm.github[0].actions[0].context"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f11_the_rows_of_a_matrix_are_told_apart_and_skipped_tasks_are_rows() {
    let receiver = Receiver::start().await;
    let setup = Setup::empty();
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field/11-relay.yaml"),
    );
    setup.write("token", "right");
    let text = text.unwrap().replace("http://127.0.0.1:9080", &receiver.url());
    setup.write("relay.yaml", &format!("store: {{ free_bytes_min: 0 }}\n{text}"));
    let relay = Relay::start(&setup).await;
    relay.take(&case("11-matrix-summary.jsonl")).await;
    eventually("a summary with all rows", SHOWN_WITHIN, async || {
        let threads = receiver.seen().threads();
        let text = threads.get(&7)?.first()?.clone();
        let rows = [
            "| test on 3.12 | ✅ succeeded |",
            "| test on 3.13 | ❌ failed |",
            "| deploy | ⏭️ skipped |  | When Expressions evaluated to false |",
        ];
        rows.iter().all(|row| text.contains(row)).then_some(())
    })
    .await;
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f02_a_plan_prints_the_check_of_each_event_and_why_it_is_called_so() {
    let receiver = Receiver::start().await;
    let setup = setup(&receiver, "");
    let events = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/field/02-pipeline-and-task-of-one-name.jsonl");
    let line = ["plan", "--config", "relay.yaml", events.to_str().unwrap()];
    let ended = run(setup.folder(), &line).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told = "check    tekton/build/lint (pipeline `build` by pipelineRef or label \
                tekton.dev/pipeline, pipeline task `lint`)";
    assert!(ended.stdout.contains(told), "{}", ended.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn f18_rounds_of_a_loop_that_stands_alone_are_checks_of_their_own() {
    let expected = [
        ("tekton/custom:TaskLoop.custom.tekton.dev:branches", "pending"),
        ("tekton/custom:TaskLoop.custom.tekton.dev:branches:each:1", "failure"),
        ("tekton/custom:TaskLoop.custom.tekton.dev:branches:each:2", "success"),
    ];
    play(&case("18-lone-loop.jsonl"), "", &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f19_what_a_copied_label_names_keeps_its_check() {
    let expected = [
        ("tekton/build", "failure"),
        ("tekton/run:fix-2", "success"),
        ("tekton/task:scan", "failure"),
        ("tekton/task:ClusterTask:scan", "success"),
        ("tekton/taskrun:scan-fix", "success"),
    ];
    play(&case("19-copied-labels.jsonl"), "", &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_a_pipeline_that_is_denied_by_its_name_writes_nothing_before_it_has_it() {
    let requests = case("20-denied-while-unnamed.jsonl");
    for more in [
        r#", filter: { pipelines: { deny: [ci, y-1-inner] } }"#,
        r#", when: '!(event.PipelineName in ["ci", "y-1-inner"])'"#,
    ] {
        play(&requests, more, &[("tekton/build", "success")]).await;
    }
}
