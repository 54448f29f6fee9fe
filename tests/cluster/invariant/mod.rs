//! What must hold in every scenario, one file each: pure functions over the evidence, each with
//! tests in `unit/` that make it fail.

pub mod asked_for;
pub mod counted_repeats;
pub mod equal_digests;
pub mod final_state;
pub mod first_acceptance;
pub mod never_back;
pub mod not_lost;
pub mod one_cluster;
pub mod one_leader;
pub mod one_owner;
pub mod order;

use crate::harness::Evidence;

/// Finds violations of an invariant; each text says what and where.
pub type Invariant = fn(&Evidence) -> Vec<String>;

/// All invariants, by name.
pub const ALL: [(&str, Invariant); 11] = [
    ("no acknowledged event is lost", not_lost::violations),
    ("at most one first acceptance per key", first_acceptance::violations),
    ("no effect of a run on two owners in one epoch", one_owner::violations),
    ("order per run and target", order::violations),
    ("no check goes back from an end", never_back::violations),
    ("equal digests", equal_digests::violations),
    ("one cluster id", one_cluster::violations),
    ("one leader in a term", one_leader::violations),
    ("nothing arrives that was not asked for", asked_for::violations),
    ("what arrives twice was counted in doubt", counted_repeats::violations),
    ("the final state is shown", final_state::violations),
];

/// Violations of all invariants except those of these names, with their names.
pub fn violations(evidence: &Evidence, excused: &[&str]) -> Vec<String> {
    let checked = ALL.iter().filter(|(name, _)| !excused.contains(name));
    let found = checked.flat_map(|(name, invariant)| {
        invariant(evidence).into_iter().map(move |what| format!("{name}: {what}"))
    });
    found.collect()
}
