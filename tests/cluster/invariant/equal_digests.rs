//! Nodes that have applied the same entries have the same state: at every index where several
//! happened to be observed, and at the last one, where all running nodes are asked. A scenario that
//! compares nothing proves nothing.

use crate::harness::Evidence;
use std::collections::{BTreeMap, BTreeSet};

/// Indexes with different states, and missing comparisons.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let digests = &evidence.sightings.digests;
    let different = digests.iter().filter(|(_, digests)| digests.len() > 1);
    let mut found: Vec<String> =
        different.map(|(index, digests)| format!("at index {index}: {digests:?}")).collect();
    if digests.values().all(|digests| pods(digests).len() < 2) {
        found.push("no two nodes were seen at one index".to_owned());
    }
    let (running, last) = &evidence.settled;
    let compared = digests.get(last).map(pods).unwrap_or_default();
    let missing: Vec<&String> = running.iter().filter(|pod| !compared.contains(*pod)).collect();
    if !missing.is_empty() {
        found.push(format!("{missing:?} not compared at the last index {last}"));
    }
    found
}

/// The pods with any of these digests.
fn pods(digests: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<&String> {
    digests.values().flatten().collect()
}
