//! The check of each commit shows the final state of its run, if that was acknowledged. A pull
//! request has one comment of one action, however often it was written.

use crate::harness::{Evidence, Sent};
use std::collections::BTreeMap;
use tekton_events_relay::event::{RunKind, check_name};

/// Checks that show another state, and comments beyond the first.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    for ((sha, [check, of_first_level]), state) in expected(&evidence.history.sent) {
        let shows = |check: &String| evidence.shown.checks.get(&(sha.clone(), check.clone()));
        // A run first seen at the first feature level keeps its name from there.
        let shown = shows(&check).or_else(|| shows(&of_first_level));
        if shown.map(String::as_str) != Some(state) {
            found.push(format!("{check} of {sha} shows {shown:?}, not {state}"));
        }
    }
    let twice = evidence.shown.comments.iter().filter(|(_, count)| **count > 1);
    found.extend(twice.map(|(pr, count)| format!("pull request {pr} has {count} comments")));
    found
}

/// What GitHub must show for the acknowledged ends of PipelineRuns. Each by its commit, and the
/// names of its check at the second and at the first feature level.
fn expected(sent: &[Sent]) -> BTreeMap<(String, [String; 2]), &'static str> {
    let mut expected = BTreeMap::new();
    for sent in sent.iter().filter(|sent| sent.is_acknowledged()) {
        let event = &sent.event;
        let is_run = event.kind == RunKind::PipelineRun;
        if !is_run || !event.state.is_final() || event.scm.commit_sha.is_empty() {
            continue;
        }
        let checks = [sent.check.clone(), check_name(event)];
        expected.insert((event.scm.commit_sha.clone(), checks), github_state(event.state.as_str()));
    }
    expected
}

/// GitHub has no canceled status: it is shown as an error.
fn github_state(state: &str) -> &'static str {
    match state {
        "success" => "success",
        "failure" => "failure",
        _ => "error",
    }
}
