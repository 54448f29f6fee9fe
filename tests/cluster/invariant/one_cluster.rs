//! There is one cluster, and it never becomes another one.

use crate::harness::Evidence;

/// All ids if more than one was seen, or none at all.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let ids = &evidence.sightings.cluster_ids;
    match ids.len() {
        0 => vec!["no cluster id was ever seen".to_owned()],
        1 => Vec::new(),
        _ => vec![format!("{ids:?}")],
    }
}
