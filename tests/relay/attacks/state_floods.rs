//! Floods of events that fill the state: large ones, and many.

use crate::harness::{Relay, Setup, client};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::JoinSet;

/// The smallest configurable size of the state: 16 MiB.
const MEMORY: u64 = 16 << 20;
/// Number of concurrent senders.
const SENDERS: usize = 8;
/// Annotations of a fat event, and the bytes of each.
const ANNOTATIONS: usize = 60;
const ANNOTATION_BYTES: usize = 1000;
/// A rule that reads no annotation, and one that may read any.
const READS_NONE: &str = "event.RunName != \"\"";
const WALKS_OVER_ALL: &str = "size(event.Annotations) >= 0";

/// A single relay with the smallest state; `when` chooses what is logged.
fn setup(store: &str, when: &str) -> Setup {
    let setup = Setup::empty();
    let text = format!(
        "store: {{memory: {MEMORY}{store}}}\n\
         notifiers:\n  log:\n    - name: all\n      when: '{when}'\n"
    );
    setup.write("relay.yaml", &text);
    setup
}

/// A PipelineRun that has started in a namespace.
#[derive(Clone)]
struct Started {
    namespace: &'static str,
    number: usize,
    annotations: usize,
}

impl Started {
    fn uid(&self) -> String {
        format!("{}-{}", self.namespace, self.number)
    }

    fn body(&self) -> Value {
        let annotation = |number| (format!("example.com/a{number}"), "x".repeat(ANNOTATION_BYTES));
        let annotations: serde_json::Map<String, Value> =
            (0..self.annotations).map(annotation).map(|(name, text)| (name, text.into())).collect();
        json!({"pipelineRun": {
            "metadata": {
                "name": self.uid(),
                "namespace": self.namespace,
                "uid": self.uid(),
                "annotations": annotations,
            },
            "status": {"conditions": [
                {"type": "Succeeded", "status": "Unknown", "reason": "Running", "message": "runs"},
            ]},
        }})
    }

    async fn send(&self, client: &reqwest::Client, url: &str) -> Response {
        let post = client.post(url).header("content-type", "application/json");
        let post = post.header("ce-specversion", "1.0").header("ce-source", "/flood");
        let post = post.header("ce-id", self.uid());
        let post = post.header("ce-type", "dev.tekton.event.pipelinerun.running.v1");
        post.body(self.body().to_string()).send().await.unwrap()
    }
}

/// Sends this many runs of one namespace, several at once, and returns how many were accepted.
async fn flood(relay: &Relay<'_>, runs: usize, annotations: usize) -> usize {
    let (next, taken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (url, next, taken) = (relay.url("/"), Arc::clone(&next), Arc::clone(&taken));
        senders.spawn(async move {
            let client = client();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= runs {
                    return;
                }
                let run = Started { namespace: "flood", number, annotations };
                if run.send(&client, &url).await.status() == StatusCode::ACCEPTED {
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender.unwrap();
    }
    taken.load(Ordering::Relaxed)
}

/// Bytes that the state takes, as it counts them.
async fn state_bytes(relay: &Relay<'_>) -> u64 {
    let text = relay.metrics().await;
    let parts = text.lines().filter(|line| line.starts_with("tekton_events_relay_state_bytes{"));
    let values = parts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
    values.sum()
}

async fn is_known(relay: &Relay<'_>, run: &Started) -> bool {
    let url = relay.url(&format!("/api/v1/runs/{}", run.uid()));
    let get = client().get(url).bearer_auth(relay.token().await);
    get.send().await.unwrap().status() == StatusCode::OK
}

async fn assert_taken(relay: &Relay<'_>, run: &Started) {
    let answer = run.send(&client(), &relay.url("/")).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(answer["fate"], "accepted", "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s02_annotations_that_nobody_reads_take_no_memory() {
    let setup = setup("", READS_NONE);
    let relay = Relay::start(&setup).await;
    let before = state_bytes(&relay).await;
    assert_eq!(flood(&relay, 400, ANNOTATIONS).await, 400);
    relay.settled().await;
    let a_run = (state_bytes(&relay).await - before) / 400;
    assert!(a_run < 10_000, "{a_run} bytes a run");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s02_fat_events_that_a_rule_walks_over_stay_within_the_bound_and_after_a_restart() {
    let setup = setup("", WALKS_OVER_ALL);
    let relay = Relay::start(&setup).await;
    let victim = Started { namespace: "victim", number: 0, annotations: 0 };
    assert_taken(&relay, &victim).await;
    let sent = 600;
    let fat = u64::try_from(sent * ANNOTATIONS * ANNOTATION_BYTES).unwrap();
    assert!(fat > 2 * MEMORY, "the flood is larger than the memory");
    flood(&relay, sent, ANNOTATIONS).await;
    relay.settled().await;
    assert!(state_bytes(&relay).await <= MEMORY);
    assert!(is_known(&relay, &victim).await, "an unfinished run of another namespace gave way");
    assert_taken(&relay, &Started { number: 1, ..victim.clone() }).await;
    relay.kill_nine().await;
    let relay = Relay::start(&setup).await;
    assert!(state_bytes(&relay).await <= MEMORY);
    assert!(is_known(&relay, &victim).await);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s03_more_runs_than_records_leave_room_for_new_runs_and_for_other_namespaces() {
    let setup = setup(", runs_max: 1000", READS_NONE);
    let relay = Relay::start(&setup).await;
    let victim = Started { namespace: "victim", number: 0, annotations: 0 };
    assert_taken(&relay, &victim).await;
    flood(&relay, 2500, 0).await;
    relay.settled().await;
    let records = relay.gauge("runs_live").await + relay.gauge("runs_past").await;
    assert!(records <= 1000, "{records} records");
    let ready = relay.get("/readyz").await;
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("ok"), &Value::Null));
    assert!(is_known(&relay, &victim).await, "an unfinished run of another namespace gave way");
    for number in 1..20 {
        assert_taken(&relay, &Started { number, ..victim.clone() }).await;
        assert_taken(
            &relay,
            &Started { namespace: "flood", number: 10_000 + number, annotations: 0 },
        )
        .await;
    }
    relay.stop().await;
}
