//! Events that contradict each other, or use old words for what happened.

use crate::harness::{Receiver, Relay, Setup, eventually};
use std::time::Duration;
use tekton_events_relay::demo::{Recorded, recorded_lines};

/// A child waits 5 s for its parent; the rest is for a busy machine.
const WITHIN: Duration = Duration::from_secs(30);

fn case(name: &str, text: &str) -> Vec<Recorded> {
    recorded_lines(name, text).unwrap()
}

/// (state, description) of every status that arrived, in order.
fn statuses(receiver: &Receiver) -> Vec<(String, String)> {
    let statuses = receiver.seen().statuses().into_iter();
    statuses.map(|(_, state, description)| (state, description)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn f01_a_run_that_failed_and_then_passed_ends_in_success() {
    let events = case("01", include_str!("../../field/01-second-final.jsonl"));
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    relay.take(&events).await;
    // The TaskRun first waits for its PipelineRun, which never arrives.
    let is_green = async || {
        let last = statuses(&receiver).pop().map(|(state, _)| state);
        (last.as_deref() == Some("success")).then_some(())
    };
    eventually("the check is green", WITHIN, is_green).await;
    relay.settled().await;
    let shown = statuses(&receiver).len();
    assert_eq!(relay.gauge("contradictions_total").await, 1);
    // No second message follows that of the first end: a stream cannot take it back.
    assert_eq!(receiver.seen().webhooks().len(), 1);

    let again: Vec<Recorded> =
        events.iter().enumerate().map(|(at, event)| event.with_id(&format!("x-{at}"))).collect();
    relay.take(&again).await;
    relay.settled().await;
    assert_eq!(statuses(&receiver).len(), shown);
    let run = relay.get("/api/v1/runs/22222222-0000-4000-8000-000000000001").await;
    assert_eq!(run["state"], "success");
    let lines = run["timeline"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["contradicts"] == true), "{run:#}");
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f14_cancel_reasons_of_old_releases_are_canceled() {
    let events = case("14", include_str!("../../field/14-older-cancel-reasons.jsonl"));
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    relay.take(&events).await;
    relay.settled().await;
    for uid in ["11111111-0000-4000-8000-000000000025", "11111111-0000-4000-8000-000000000026"] {
        assert_eq!(relay.get(&format!("/api/v1/runs/{uid}")).await["state"], "canceled", "{uid}");
    }
    for (state, description) in statuses(&receiver) {
        assert_eq!(state, "error", "{description}");
        assert!(description.to_lowercase().contains("cancel"), "{description}");
    }
    relay.kill_nine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f23_done_of_an_event_listener_says_nothing_of_success() {
    let lifecycle = |word: &str| Recorded {
        headers: [
            ("ce-specversion", "1.0"),
            ("ce-id", "request-1"),
            ("ce-source", "/apis///namespaces/ci//github"),
            ("ce-type", &format!("dev.tekton.event.triggers.{word}.v1")),
            ("content-type", "application/json"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        body: b"null".to_vec(),
    };
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let answers = relay.take(&["started", "done"].map(lifecycle)).await;
    assert_eq!(answers[1].fate, "ignored");
    assert_eq!(relay.get("/api/v1/runs/request-1").await["state"], "running");
    relay.take(&[lifecycle("failed")]).await;
    assert_eq!(relay.get("/api/v1/runs/request-1").await["state"], "failure");
    relay.kill_nine().await;
}
