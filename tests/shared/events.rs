//! The recorded events of four PipelineRuns, a TaskRun and a CustomRun, and copies of them as other
//! runs on other commits.

use std::collections::{BTreeMap, BTreeSet};
use tekton_events_relay::clock::Timestamp;
use tekton_events_relay::demo::Recorded;
use tekton_events_relay::demo::Scenario;
use tekton_events_relay::event::{Decoded, Keep, RunEvent, decode};

/// Requests of the recording; the demo's scenario continues with repetitions of them.
const RECORDED: usize = 38;

/// State of each check at the end, by (commit, check name).
pub type Expected = BTreeMap<(String, String), String>;

/// The recorded requests with a pipeline author's annotations, and the final states of their
/// checks.
pub fn recorded() -> (Vec<Recorded>, Expected) {
    let scenario = Scenario::recorded().unwrap();
    let requests = scenario.requests.into_iter().take(RECORDED).collect();
    let expected = scenario.expected.into_iter();
    (requests, expected.map(|(check, state)| (check, state.to_owned())).collect())
}

/// The same requests of other runs, on other commits and pull requests; `copy` counts from 1.
pub fn copy_of_the_recording(copy: usize) -> (Vec<Recorded>, Expected) {
    let (requests, expected) = recorded();
    let uids: BTreeSet<String> = run_events(&requests).into_iter().map(|event| event.uid).collect();
    let shas: BTreeSet<String> = expected.keys().map(|(sha, _)| sha.clone()).collect();
    let other = |request: &Recorded| {
        let mut body = String::from_utf8(request.body.clone()).unwrap();
        for uid in &uids {
            body = body.replace(uid.as_str(), &format!("{}{copy:04x}{}", &uid[..9], &uid[13..]));
        }
        for sha in &shas {
            body = body.replace(sha.as_str(), &other_sha(sha, copy));
        }
        body = body.replace("scm.pr-number\":\"", &format!("scm.pr-number\":\"{copy}"));
        let mut copied = request.with_id(&format!("{copy}-{}", header(request, "ce-id")));
        copied.body = body.into_bytes();
        copied
    };
    let expected = expected
        .into_iter()
        .map(|((sha, check), state)| ((other_sha(&sha, copy), check), state))
        .collect();
    (requests.iter().map(other).collect(), expected)
}

fn other_sha(sha: &str, copy: usize) -> String {
    format!("{copy:04x}{}", &sha[4..])
}

fn header<'r>(request: &'r Recorded, name: &str) -> &'r str {
    let header = request.headers.iter().find(|(known, _)| known == name);
    header.map_or("", |(_, value)| value)
}

/// The headers of a request, except those of the recorded connection.
pub fn headers_of(request: &Recorded) -> impl Iterator<Item = (&str, &str)> {
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    headers.filter(|(name, _)| {
        let is_of_connection =
            ["content-length", "host", "connection", "accept-encoding", "transfer-encoding"];
        !is_of_connection.iter().any(|known| name.eq_ignore_ascii_case(known))
    })
}

/// The facts in each request.
pub fn run_events(requests: &[Recorded]) -> Vec<RunEvent> {
    let events = requests.iter().flat_map(|request| request.cloud_events().unwrap());
    let decoded = events.map(|event| decode(&event, Timestamp(1), &Keep::all()).unwrap());
    decoded
        .map(|decoded| match decoded {
            Decoded::Run(event) => *event,
            Decoded::Ignored { event_type } => panic!("{event_type} is no run event"),
        })
        .collect()
}

/// The requests about the run `name` and its tasks.
pub fn named(requests: &[Recorded], name: &str) -> Vec<Recorded> {
    let task = format!("{name}-");
    let is_about = |request: &&Recorded| {
        request.run_name().is_some_and(|run| run == name || run.starts_with(&task))
    };
    requests.iter().filter(is_about).cloned().collect()
}
