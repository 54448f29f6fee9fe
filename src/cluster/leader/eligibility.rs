//! Which members take slots. Pure: the leader observes; this module remembers which members lost
//! slots and since when each is live. A starved member that comes and goes must not move slots back
//! and forth: they leave it at once (rule 2), and return after it has been live for a while.

use super::slots::{SlotShare, SlotStanding};
use crate::cluster::view::SUSPECT_AFTER;
use crate::state_machine::NodeId;
use std::collections::BTreeMap;
use std::time::Duration;

/// A member that lost its slots gets some again after it was live for this long without a break.
const RETURN_AFTER: Duration = Duration::from_secs(5);
/// Each further loss doubles that wait, up to this maximum.
const RETURN_AFTER_MAX: Duration = Duration::from_secs(60);
/// A loss this long after the previous one counts as the first.
const LOSSES_APART: Duration = Duration::from_secs(600);

/// What the leader observes about a member at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observation {
    pub node: NodeId,
    /// Time since it last answered; zero for the leader itself, and at most the time in office.
    pub silence: Duration,
    /// Whether it has answered this leader at all.
    pub was_heard: bool,
    pub is_draining: bool,
    /// Whether its life is in the log: only then may it send.
    pub has_booted: bool,
    /// Slots it owns.
    pub slots: usize,
    /// Whether it was judged unhealthy (rule 27).
    pub is_unhealthy: bool,
}

/// How fit a member is to own slots; the fittest is last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fitness {
    Gone,
    /// Draining, or not started as far as the log or this leader knows.
    Away,
    /// Live, but delivers nothing.
    Unhealthy,
    /// Live again, but not for long enough.
    Returning,
    Fit,
}

/// What one leader remembers about its members. Moments are readings of a monotonic clock.
#[derive(Debug, Default)]
pub(super) struct SlotEligibility(BTreeMap<NodeId, SlotHistory>);

#[derive(Debug, Default)]
struct SlotHistory {
    /// Since when it is live and not draining, without a break.
    live_since: Option<Duration>,
    /// Whether it owned a slot under this leader.
    has_held: bool,
    /// How often it fell silent while it owned slots, and when it last did.
    losses: u32,
    lost_at: Duration,
}

impl SlotEligibility {
    /// Takes the observations and returns each member's share. While no member is fit, the next
    /// best take slots: no slot stays with a dead member while there is another.
    pub fn shares(&mut self, now: Duration, observations: &[Observation]) -> Vec<SlotShare> {
        self.0.retain(|node, _| observations.iter().any(|seen| seen.node == *node));
        let fitness: Vec<_> =
            observations.iter().map(|seen| (seen.node, self.fitness(now, seen))).collect();
        let best = fitness.iter().map(|(_, fitness)| *fitness).max();
        let share = |(node, fitness)| {
            let standing = match fitness {
                Fitness::Gone => SlotStanding::Gone,
                Fitness::Away => SlotStanding::Yields,
                Fitness::Unhealthy | Fitness::Returning | Fitness::Fit if Some(fitness) == best => {
                    SlotStanding::Takes
                }
                Fitness::Unhealthy | Fitness::Returning | Fitness::Fit => SlotStanding::Yields,
            };
            SlotShare { node, standing }
        };
        fitness.into_iter().map(share).collect()
    }

    fn fitness(&mut self, now: Duration, seen: &Observation) -> Fitness {
        let history = self.0.entry(seen.node).or_default();
        history.note(now, seen);
        let Some(live_since) = history.live_since else {
            let is_gone = seen.silence >= SUSPECT_AFTER && !seen.is_draining;
            return if is_gone { Fitness::Gone } else { Fitness::Away };
        };
        if !seen.has_booted || (seen.slots == 0 && !seen.was_heard) {
            Fitness::Away
        } else if seen.is_unhealthy {
            Fitness::Unhealthy
        } else if seen.slots == 0
            && history.has_held
            && now.saturating_sub(live_since) < history.return_after()
        {
            Fitness::Returning
        } else {
            Fitness::Fit
        }
    }
}

impl SlotHistory {
    fn note(&mut self, now: Duration, seen: &Observation) {
        self.has_held |= seen.slots > 0;
        let is_silent = seen.silence >= SUSPECT_AFTER;
        if !is_silent && !seen.is_draining {
            self.live_since.get_or_insert(now);
            return;
        }
        let was_live = self.live_since.take().is_some();
        // A draining member announces it: a planned stop is not a loss.
        if was_live && !seen.is_draining && seen.slots > 0 {
            let is_first = now.saturating_sub(self.lost_at) >= LOSSES_APART;
            self.losses = if is_first { 1 } else { self.losses.saturating_add(1) };
            self.lost_at = now;
        }
    }

    fn return_after(&self) -> Duration {
        let doublings = self.losses.saturating_sub(1).min(10);
        (RETURN_AFTER * (1 << doublings)).min(RETURN_AFTER_MAX)
    }
}

#[cfg(test)]
#[path = "eligibility_test.rs"]
mod tests;
