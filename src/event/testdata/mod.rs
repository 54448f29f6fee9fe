//! 38 requests recorded from a real Tekton controller, for tests.

use crate::clock::Timestamp;
use crate::event::{CloudEvent, Decoded, Keep, RunEvent, decode, parse};
use serde_json::Value;

const RECORDING: &str = include_str!("recorded-v1.12plus.jsonl");
/// 239 events of 24 shapes of runs, as Tekton 1.12 sent them.
const SHAPES: &str = include_str!("shapes-v1.12.jsonl");

/// Headers, in lower case, and body of one request.
pub(crate) type Request = (Vec<(String, String)>, Vec<u8>);

/// The recorded requests in the order they arrived.
pub(crate) fn recorded() -> Vec<Request> {
    requests(RECORDING)
}

fn requests(recording: &str) -> Vec<Request> {
    recording
        .lines()
        .map(|line| {
            let request: Value = serde_json::from_str(line).unwrap();
            let headers = request["headers"].as_object().unwrap().iter();
            let headers = headers.map(|(name, value)| {
                (name.to_ascii_lowercase(), value.as_str().unwrap().to_owned())
            });
            (headers.collect(), request["body"].as_str().unwrap().as_bytes().to_vec())
        })
        .collect()
}

/// The recorded CloudEvents.
pub(crate) fn recorded_events() -> Vec<CloudEvent> {
    recorded().iter().flat_map(|(headers, body)| parse(headers, body).unwrap()).collect()
}

/// The recorded run events.
pub(crate) fn recorded_runs() -> Vec<RunEvent> {
    runs(recorded_events())
}

/// The run events of all shapes, in the order they arrived.
pub(crate) fn shaped_runs() -> Vec<RunEvent> {
    let requests = requests(SHAPES);
    runs(requests.iter().flat_map(|(headers, body)| parse(headers, body).unwrap()).collect())
}

fn runs(events: Vec<CloudEvent>) -> Vec<RunEvent> {
    let decoded = events.into_iter().map(|event| decode(&event, Timestamp(1), &Keep::all()));
    decoded
        .map(|decoded| match decoded.unwrap() {
            Decoded::Run(run) => *run,
            Decoded::Ignored { event_type } => panic!("{event_type} was ignored"),
        })
        .collect()
}

/// The run event with this sequence number, from 1, as the recording's README counts them.
pub(crate) fn recorded_run(sequence: usize) -> RunEvent {
    recorded_runs().swap_remove(sequence - 1)
}
