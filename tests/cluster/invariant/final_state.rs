//! The check of each commit shows the final state of its run, if that was acknowledged; and a
//! pull request has one comment of one action, however often it was written.

use crate::harness::{Evidence, Sent};
use std::collections::BTreeMap;

/// Checks that show something else, and comments beyond the first.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    for ((sha, check), state) in expected(&evidence.history.sent) {
        let shown = evidence.shown.checks.get(&(sha.clone(), check.clone()));
        if shown.map(String::as_str) != Some(state) {
            found.push(format!("{check} of {sha} shows {shown:?}, not {state}"));
        }
    }
    let twice = evidence.shown.comments.iter().filter(|(_, count)| **count > 1);
    found.extend(twice.map(|(pr, count)| format!("pull request {pr} has {count} comments")));
    found
}

/// What GitHub has to show for the acknowledged ends of PipelineRuns.
fn expected(sent: &[Sent]) -> BTreeMap<(String, String), &'static str> {
    let mut expected = BTreeMap::new();
    for sent in sent.iter().filter(|sent| sent.is_acknowledged()) {
        let event = &sent.event;
        let is_run = event.kind == tekton_events_relay::event::RunKind::PipelineRun;
        if !is_run || !event.state.is_final() || event.scm.commit_sha.is_empty() {
            continue;
        }
        let check = format!("tekton/{}", event.name);
        expected.insert((event.scm.commit_sha.clone(), check), github_state(event.state.as_str()));
    }
    expected
}

/// GitHub knows no canceled status: it is shown as an error.
fn github_state(state: &str) -> &'static str {
    match state {
        "success" => "success",
        "failure" => "failure",
        _ => "error",
    }
}
