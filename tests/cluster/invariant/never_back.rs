//! A commit status that shows the end of a run never goes back to pending, unless a higher attempt
//! reopened the run, or a newer run took the check over.

use crate::harness::{Evidence, Sent};
use std::collections::{BTreeMap, BTreeSet};

/// What GitHub shows for a run that has not ended.
const PENDING: &str = "pending";

/// Checks that went back to pending more often than a new attempt or run explains.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let mut last: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut reopened: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for status in &evidence.shown.statuses {
        let target = (status.commit.as_str(), status.check.as_str());
        let before = last.insert(target, &status.state);
        let is_back = status.state == PENDING && before.is_some_and(|state| state != PENDING);
        *reopened.entry(target).or_default() += usize::from(is_back);
    }
    let attempts = attempts(&evidence.history.sent);
    let allowed = |target: &(&str, &str)| {
        attempts.get(target).map_or(0, |attempts| attempts.len().saturating_sub(1))
    };
    let back = reopened.iter().filter(|(target, times)| **times > allowed(target));
    back.map(|((commit, check), times)| {
        let allowed = allowed(&(commit, check));
        format!("{check} of {commit} went back to pending {times} times, not {allowed}")
    })
    .collect()
}

/// The attempts of the runs of each check that were sent.
fn attempts(sent: &[Sent]) -> BTreeMap<(&str, &str), BTreeSet<(&str, u32)>> {
    let mut attempts: BTreeMap<(&str, &str), BTreeSet<(&str, u32)>> = BTreeMap::new();
    for sent in sent {
        let target = (sent.event.scm.commit_sha.as_str(), sent.check.as_str());
        let event = &sent.event;
        attempts.entry(target).or_default().insert((event.uid.as_str(), event.attempt));
    }
    attempts
}
