//! Nodes that have applied the same entries have the same state.

use crate::harness::Evidence;

/// Indexes at which nodes had different states.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let different = evidence.sightings.digests.iter().filter(|(_, digests)| digests.len() > 1);
    different.map(|(index, digests)| format!("at index {index}: {digests:?}")).collect()
}
