//! An effect arrives again only if the cluster could not know whether it had arrived, and the
//! cluster has counted each of those. Each call, including refused ones, has its own Begin.
//!
//! The count of doubts is of all integrations together, the Begins are of each effect. So an extra
//! call shows in its own effect's Begins, however many doubts others have left in the count.

use crate::harness::Evidence;
use std::collections::BTreeSet;

/// Repeated webhook calls.
pub fn repeated(evidence: &Evidence) -> u64 {
    let ids: BTreeSet<&str> =
        evidence.arrivals.iter().map(|arrival| arrival.effect.as_str()).collect();
    (evidence.arrivals.len() - ids.len()) as u64
}

/// More repetitions than counted, and more calls of an effect than Begins.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let (repeated, in_doubt) = (repeated(evidence), evidence.in_doubt);
    let mut found = Vec::new();
    if repeated > in_doubt {
        found.push(format!("{repeated} arrived again, {in_doubt} in doubt"));
    }
    // A run's data is removed after a while, with the Begins of its effects.
    let known = evidence.calls.iter().filter_map(|(effect, calls)| {
        let begins = evidence.begins.get(effect)?;
        Some((effect, *calls, *begins))
    });
    let unbegun = known.filter(|(_, calls, begins)| calls > begins);
    found.extend(unbegun.map(|(effect, calls, begins)| {
        format!("{effect} was called {calls} times, begun {begins} times")
    }));
    found
}
