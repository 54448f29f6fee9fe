//! The webhook gets every transition of a run after all earlier ones: first arrivals are in the
//! order of the run. A repeated arrival was in doubt, and is not a step back.

use crate::harness::{Evidence, Sent};
use std::collections::{BTreeMap, BTreeSet};
use tekton_events_relay::event::Position;

/// First arrivals that came after a later one of their run.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let mut sent_as: BTreeMap<String, &Sent> = BTreeMap::new();
    for sent in &evidence.history.sent {
        sent_as.entry(sent.effect()).or_insert(sent);
    }
    let mut seen = BTreeSet::new();
    let mut last: BTreeMap<&str, Position> = BTreeMap::new();
    let mut found = Vec::new();
    for arrival in &evidence.arrivals {
        let Some(sent) = sent_as.get(&arrival.effect) else { continue };
        if !seen.insert(&arrival.effect) {
            continue;
        }
        let position = sent.event.position();
        if last.get(arrival.run_uid.as_str()).is_some_and(|last| *last > position) {
            found.push(format!("{} came too late", sent.title()));
        }
        last.insert(&arrival.run_uid, position);
    }
    found
}
