//! Every webhook call belongs to a sent event.

use crate::harness::{Evidence, Sent};
use std::collections::BTreeSet;

/// Calls without an event.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let asked: BTreeSet<String> = evidence.history.sent.iter().map(Sent::effect).collect();
    let unasked = evidence.arrivals.iter().filter(|arrival| !asked.contains(&arrival.effect));
    unasked.map(|arrival| format!("{arrival:?}")).collect()
}
