//! A term has at most one leader.

use crate::harness::Evidence;

/// Terms in which nodes named different leaders.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let torn = evidence.sightings.leaders.iter().filter(|(_, leaders)| leaders.len() > 1);
    torn.map(|(term, leaders)| format!("term {term}: {leaders:?}")).collect()
}
