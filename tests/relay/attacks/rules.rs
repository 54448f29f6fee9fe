//! Rules, files and tenants that reach further than they may.

use crate::harness::{Receiver, Relay, Setup, eventually, recorded, run};
use serde_json::{Value, json};
use std::time::Duration;
use tekton_events_relay::demo::{Recorded, recorded_lines};

/// Programs that never end, or take all memory.
const ENDLESS_PROGRAMS: [&str; 6] = [
    "def f: f; f",
    "last(range(1e15))",
    "[range(1e9)]",
    "\"a\" * 1e9",
    "def f: 1+f; f",
    "[limit(1e9; repeat(\"xxxxxxxxxxxxxxxx\"))] | length",
];

/// The process of a program ends within seconds; the rest is for a busy machine.
const QUIET_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn s14_a_filter_that_a_tag_or_a_missing_value_would_switch_off_is_refused() {
    let filters = [
        "allow_namespaces: !prod",
        "allow_namespaces:",
        "allow_namespaces: ~",
        "allow_namespaces: &prod",
        "allow_namespaces: # prod",
        "deny_namespaces: !x [kube-system]",
        "allow_namespaces: [!prod x]",
    ];
    for filter in filters {
        let setup = Setup::empty();
        setup.write(
            "relay.yaml",
            &format!("filter:\n  {filter}\nnotifiers: {{log: [{{name: l}}]}}\n"),
        );
        let told = run(setup.folder(), &["validate", "relay.yaml"]).await;
        assert_eq!(told.code, Some(1), "{filter}: {}", told.stdout);
        assert!(told.stdout.starts_with("relay.yaml:2:"), "{filter}: {}", told.stdout);
        let serve = ["serve", "--config", "relay.yaml", "--server-addr", &setup.address];
        let told = run(setup.folder(), &serve).await;
        assert_eq!(told.code, Some(1), "{filter}: {}", told.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s15_a_program_without_end_takes_no_thread_no_memory_and_no_other_event_with_it() {
    let receiver = Receiver::start().await;
    let setup = Setup::empty();
    let url = format!("{}/webhook", receiver.url());
    let mut config = "store: {free_bytes_min: 0}\nnotifiers:\n  webhook:\n".to_owned();
    let programs = ENDLESS_PROGRAMS.iter().chain(&["{made: .run_name}"]);
    for (number, program) in programs.enumerate() {
        setup.write(&format!("url{number}"), &url);
        config += &format!(
            "    - {{name: w{number}, url_file: ./url{number}, transform: '{program}'}}\n"
        );
    }
    setup.write("relay.yaml", &config);
    let relay = Relay::start(&setup).await;
    for event in &recorded().0[..2] {
        relay.take(std::slice::from_ref(event)).await;
        relay.settled().await;
    }
    let letters = relay.dead_letters().await;
    assert_eq!(letters.len(), 2 * ENDLESS_PROGRAMS.len(), "{letters:#?}");
    for letter in &letters {
        assert_eq!(letter["effect"]["cause"], "render", "{letter}");
        assert_eq!(letter["effect"]["attempts"], 1, "{letter}");
    }
    // The only program that ends ran for both events.
    assert_eq!(receiver.seen().webhooks().len(), 2);
    // The remaining process waits for the next program, and nothing runs or is a zombie.
    let left = eventually("no program runs", QUIET_WITHIN, async || {
        let children = relay.children();
        children.iter().all(|(_, state)| *state == 'S').then_some(children)
    })
    .await;
    assert!(left.len() <= 2, "{left:?}");
    relay.kill_nine().await;
}

/// A finished PipelineRun in a namespace that claims to be about this repository.
fn run_about(uid: &str, namespace: &str, owner: &str) -> Recorded {
    let text = include_str!("../../field/08-one-run.jsonl");
    let mut request = recorded_lines("08", text).unwrap().remove(0).with_id(uid);
    let mut body: Value = serde_json::from_slice(&request.body).unwrap();
    let metadata = &mut body["pipelineRun"]["metadata"];
    metadata["uid"] = uid.into();
    metadata["namespace"] = namespace.into();
    metadata["annotations"]["tekton.dev/tekton-events-relay.scm.repo-owner"] = owner.into();
    request.body = body.to_string().into_bytes();
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn s23_a_run_that_names_a_foreign_repository_owes_nothing_also_when_replayed() {
    let receiver = Receiver::start().await;
    receiver.refuse(|call| call.path.starts_with("/repos/").then_some(401));
    let setup = Setup::of(&receiver);
    let config = std::fs::read_to_string(setup.path("relay.yaml")).unwrap();
    let policy = "policy:\n  - {namespaces: [team-a], repositories: [acme/*]}\n  \
                  - {namespaces: [team-b], repositories: [bravo/*]}\n";
    setup.write("relay.yaml", &(config + policy));
    let relay = Relay::start(&setup).await;
    let (own, foreign, nobody) = (
        run_about("11111111-0000-4000-8000-0000000000a1", "team-a", "acme"),
        run_about("11111111-0000-4000-8000-0000000000a2", "team-a", "bravo"),
        run_about("11111111-0000-4000-8000-0000000000a3", "team-c", "acme"),
    );
    relay.take(&[own, foreign, nobody]).await;
    relay.settled().await;
    let about = |path: &str| receiver.seen().calls.iter().filter(|c| c.path.contains(path)).count();
    assert!(about("/repos/acme/") > 0 && about("/repos/bravo/") == 0);
    for uid in ["a2", "a3"] {
        let path = format!("/api/v1/runs/11111111-0000-4000-8000-0000000000{uid}");
        let told = relay.get(&path).await.to_string();
        assert!(told.contains("not_allowed"), "{told}");
        let seen = receiver.seen();
        assert!(
            seen.calls.iter().all(|call| !call.body.to_string().contains(&path[13..])),
            "{uid} was told"
        );
    }
    // An effect refused for its credentials is replayed as a run of another team's repository.
    let letters = relay.dead_letters().await.len();
    assert!(letters > 0);
    let replay = json!({"override": {"payload": {"repo": {"owner": "bravo"}}}});
    assert_eq!(relay.post("/api/v1/dlq/replay", &replay).await["replayed"], letters);
    relay.settled().await;
    assert_eq!(about("/repos/bravo/"), 0);
    relay.kill_nine().await;
}
