//! Which owners are unhealthy (rule 27): they reach no target, or do not get to their work, while
//! others do. Pure. A problem of all owners is no reason to move slots.

use super::delivery_health::DeliveryHealth;
use crate::state_machine::NodeId;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// An owner that has reached no target for this long, although it tried, is unhealthy (rule 27).
const UNREACHED_MAX: Duration = Duration::from_secs(60);
/// An owner whose oldest due effect has waited for this long is unhealthy (rule 27).
const LATE_MAX: Duration = Duration::from_secs(30);
/// An owner whose oldest due effect has waited for less keeps up, and can take the slots of a late
/// one. A busy owner is no measure: a flood makes all late one after the other, and the slots of
/// the first would only burden the next.
const KEPT_UP_MAX: Duration = Duration::from_secs(5);
/// An unhealthy owner gets no slots for this long (rule 27).
const UNHEALTHY_FOR: Duration = Duration::from_secs(300);

/// What the leader knows about the deliveries of a live member.
#[derive(Clone, Copy, Debug)]
pub(in crate::cluster) struct DeliveryReport {
    pub node: NodeId,
    /// Slots it owns.
    pub slots: usize,
    /// Its last recent report. `None`: no report, which counts as healthy.
    pub reach: Option<DeliveryHealth>,
}

/// Why an owner is unhealthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum Unhealthy {
    /// It has reached no target for this long.
    ReachesNobody(Duration),
    /// Its oldest due effect has waited for this long.
    Late(Duration),
}

impl fmt::Display for Unhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReachesNobody(lasting) => {
                write!(f, "it has reached no target for {} s", lasting.as_secs())
            }
            Self::Late(by) => write!(f, "its oldest due effect is {} s late", by.as_secs()),
        }
    }
}

/// Members that one leader judged unhealthy. Moments are readings of a monotonic clock.
#[derive(Debug, Default)]
pub(in crate::cluster) struct UnhealthyOwners {
    until: BTreeMap<NodeId, Duration>,
    judgements: u64,
}

impl UnhealthyOwners {
    /// Judges the owners among the live members, and returns those that became unhealthy. The last
    /// healthy owner never does: each is measured against another.
    pub(in crate::cluster) fn judge(
        &mut self,
        now: Duration,
        reports: &[DeliveryReport],
    ) -> Vec<(NodeId, Unhealthy)> {
        self.until.retain(|_, until| *until > now);
        let mut found = Vec::new();
        for report in reports {
            let others = reports
                .iter()
                .filter(|other| other.node != report.node && !self.until.contains_key(&other.node));
            let is_judged = report.slots > 0 && !self.until.contains_key(&report.node);
            if let Some(cause) = cause(report, others).filter(|_| is_judged) {
                self.until.insert(report.node, now + UNHEALTHY_FOR);
                self.judgements += 1;
                found.push((report.node, cause));
            }
        }
        found
    }

    /// Whether a member must own nothing at `now`.
    pub fn contains(&self, node: NodeId, now: Duration) -> bool {
        self.until.get(&node).is_some_and(|until| *until > now)
    }

    /// Judgements so far.
    pub fn judgements(&self) -> u64 {
        self.judgements
    }

    /// A new leader judges for itself.
    pub(in crate::cluster) fn clear(&mut self) {
        self.until.clear();
    }
}

fn cause<'a>(
    report: &DeliveryReport,
    mut others: impl Iterator<Item = &'a DeliveryReport> + Clone,
) -> Option<Unhealthy> {
    let reach = report.reach?;
    let unreached = reach
        .failing
        .filter(|spell| spell.lasting >= UNREACHED_MAX && spell.last_ago <= UNREACHED_MAX);
    if let Some(spell) = unreached
        && others.clone().any(reaches_targets)
    {
        return Some(Unhealthy::ReachesNobody(spell.lasting));
    }
    let is_late = reach.late_by >= LATE_MAX;
    (is_late && others.any(keeps_up)).then_some(Unhealthy::Late(reach.late_by))
}

/// An answer before its own failures began proves nothing: the network may be down for all.
fn reaches_targets(other: &DeliveryReport) -> bool {
    other.reach.is_some_and(|reach| {
        reach.failing.is_none() && reach.reached_ago.is_some_and(|ago| ago <= UNREACHED_MAX)
    })
}

/// A member without slots has nothing to be late with.
fn keeps_up(other: &DeliveryReport) -> bool {
    other.slots > 0 && other.reach.is_some_and(|reach| reach.late_by < KEPT_UP_MAX)
}

#[cfg(test)]
#[path = "unhealthy_test.rs"]
mod tests;
