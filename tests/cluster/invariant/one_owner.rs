//! In one epoch a slot has one owner, whoever is asked and whenever; and effects of a run come
//! only from nodes that owned its slot in some epoch.

use crate::harness::Evidence;
use std::collections::{BTreeMap, BTreeSet};

/// Epochs with two owners, and calls by nodes that owned nothing of the run.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let sightings = &evidence.sightings;
    let mut found = Vec::new();
    let mut owners_ever: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for ((slot, epoch), owners) in &sightings.owners {
        if owners.len() > 1 {
            found.push(format!("slot {slot} has owners {owners:?} in epoch {epoch}"));
        }
        owners_ever.entry(*slot).or_default().extend(owners.iter().map(String::as_str));
    }
    let none = BTreeSet::new();
    for arrival in &evidence.arrivals {
        let Some(slot) = evidence.slots.get(&arrival.run_uid) else { continue };
        let owners = owners_ever.get(slot).unwrap_or(&BTreeSet::new()).clone();
        let ids = sightings.ids.get(&arrival.pod).unwrap_or(&none);
        if !ids.iter().any(|id| owners.contains(id.as_str())) {
            let (pod, run) = (&arrival.pod, &arrival.run_uid);
            found.push(format!("{pod} {ids:?} called for run {run} and never owned slot {slot}"));
        }
    }
    found
}
