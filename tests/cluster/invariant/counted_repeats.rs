//! An effect arrives again only where the cluster could not know whether it had arrived, and the
//! cluster has counted each of those.

use crate::harness::Evidence;
use std::collections::BTreeSet;

/// Repeated webhook calls.
pub fn repeated(evidence: &Evidence) -> u64 {
    let ids: BTreeSet<&str> =
        evidence.arrivals.iter().map(|arrival| arrival.effect.as_str()).collect();
    (evidence.arrivals.len() - ids.len()) as u64
}

/// More repetitions than were counted.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let (repeated, in_doubt) = (repeated(evidence), evidence.in_doubt);
    let is_counted = repeated <= in_doubt;
    (!is_counted)
        .then(|| format!("{repeated} arrived again, {in_doubt} in doubt"))
        .into_iter()
        .collect()
}
