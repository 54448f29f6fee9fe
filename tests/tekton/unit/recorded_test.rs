//! Events of Tekton 1.12 for runs that are made again for the same commit: by name, by a resolver,
//! inline under a generated name, by Pipelines-as-Code, under their own context. Also two pipelines
//! with a task of one name, runs without a PipelineRun, and an ignored failure. Each run is
//! compared with its own check, as on the control plane.

use crate::forge::Forge;
use crate::front::Front;
use crate::gather;
use crate::harness::Lab;
use crate::replicas;
use crate::shared::Seeded;
use crate::verdict::{Verdict, judge};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tekton_events_relay::demo::{Recorded, Sender, recorded_lines};

const RERUNS: &str = include_str!("../recorded/reruns-v1.12.jsonl");
/// Runs in it, tasks included.
const RUNS: usize = 33;

fn reruns() -> Vec<Recorded> {
    recorded_lines("reruns-v1.12.jsonl", RERUNS).unwrap()
}

/// Each run by its newest event, in the form of the API. Events of one run overtake each other.
fn objects(requests: &[Recorded]) -> Vec<Value> {
    let version = |run: &Value| -> u64 {
        run["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
    };
    let mut newest: BTreeMap<String, Value> = BTreeMap::new();
    for request in requests {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let (kind, run) = body.as_object().unwrap().iter().next().unwrap();
        let mut run = run.clone();
        run["kind"] = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]).into();
        let known = newest.entry(run["metadata"]["uid"].to_string()).or_insert_with(|| run.clone());
        if version(known) < version(&run) {
            *known = run;
        }
    }
    newest.into_values().collect()
}

/// Sends the requests to one replica, and judges the result.
fn played(name: &str, requests: &[Recorded]) -> Verdict {
    let lab = Lab::new(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("tekton-recorded"), name, 1);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let verdict = runtime.block_on(play(&lab, requests));
    // Observers of nodes read their files while they live.
    drop(runtime);
    if verdict.violations.is_empty() {
        std::fs::remove_dir_all(&lab.folder).unwrap();
    }
    verdict
}

async fn play(lab: &Lab, requests: &[Recorded]) -> Verdict {
    let forge = Forge::start().await;
    let mut cluster = replicas::formed(lab, 1, None, &forge).await;
    let front = Front::start(None).await;
    front.send_to(vec![cluster.nodes[0].url("")]);
    Sender::new(&front.sink()).unwrap().play(requests).await;
    cluster.settled().await;
    let (seen, received) = (forge.seen(), cluster.receiver.seen());
    judge(&gather::facts(&objects(&reruns()), &seen, &received, &front.attempts()))
}

fn assert_right(verdict: &Verdict) {
    assert_eq!(verdict.violations, Vec::<String>::new());
    assert_eq!((verdict.counts.runs, verdict.counts.unheard), (RUNS, 0));
}

#[test]
fn runs_that_are_made_again_write_their_own_checks() {
    assert_right(&played("in-order", &reruns()));
}

#[test]
fn so_they_do_when_their_events_come_in_any_order() {
    let mut requests = reruns();
    Seeded::new(7).shuffle(&mut requests);
    assert_right(&played("any-order", &requests));
}

/// As after a restart of the controllers: all again, under new ids.
#[test]
fn what_is_announced_again_changes_nothing() {
    let once = reruns();
    let again =
        once.iter().enumerate().map(|(at, request)| request.with_id(&format!("again-{at}")));
    let twice: Vec<Recorded> = once.iter().cloned().chain(again).collect();
    assert_right(&played("twice", &twice));
}
