//! In one epoch a slot has one owner, in every answer at any time. Effects of a run come only from
//! nodes that owned its slot when the call was begun.
//!
//! A call names its caller and not its epoch, so that moment is narrowed down from outside. A pod
//! acts on its own applied state, and between two polls that found the same epoch of a slot it has
//! applied no other one. A call is a violation if its pod was not the owner at any time at which
//! the call can have been begun.

use crate::harness::Evidence;
use crate::harness::observer::Stretch;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A call is sent within 1 s of its Begin (rule 1), and ends within 10 s: it cannot arrive later.
const UNDER_WAY_MAX: Duration = Duration::from_secs(11);

/// Epochs with two owners, and calls by nodes that did not own the run's slot.
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
        let ids = sightings.ids.get(&arrival.pod).unwrap_or(&none);
        let (pod, run) = (&arrival.pod, &arrival.run_uid);
        let is_owner_ever = owners_ever
            .get(slot)
            .is_some_and(|owners| ids.iter().any(|id| owners.contains(id.as_str())));
        if !is_owner_ever && is_every_epoch_seen(&sightings.owners, *slot) {
            found.push(format!("{pod} {ids:?} called for run {run} and never owned slot {slot}"));
            continue;
        }
        let begun = (arrival.at.saturating_sub(UNDER_WAY_MAX), arrival.at);
        let stretches = sightings.stretches.get(pod).and_then(|slots| slots.get(slot));
        let mut foreign = stretches
            .into_iter()
            .flatten()
            .filter(|stretch| !stretch.owner.as_ref().is_some_and(|owner| ids.contains(owner)));
        if let Some(foreign) = foreign.find(|stretch| is_all_of(stretch, begun)) {
            let at = arrival.at.as_secs_f64();
            found.push(format!(
                "{pod} {ids:?} called for run {run} at {at:.3}, and had {foreign:?} of slot {slot}"
            ));
        }
    }
    found
}

/// Whether the owner of the slot was seen in each of its epochs. An epoch that ends between two
/// polls is not seen, and any node may have owned the slot for that long.
fn is_every_epoch_seen<O>(owners: &BTreeMap<(usize, u64), O>, slot: usize) -> bool {
    let epochs = owners.range((slot, 1)..=(slot, u64::MAX)).map(|((_, epoch), _)| *epoch);
    (1..).zip(epochs).all(|(expected, epoch)| expected == epoch)
}

/// Whether it certainly lasted from the one moment to the other.
fn is_all_of(stretch: &Stretch, (from, to): (Duration, Duration)) -> bool {
    stretch.first.answered <= from && to <= stretch.last.asked
}
