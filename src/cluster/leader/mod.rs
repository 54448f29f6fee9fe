//! The duties of the leader: owners of slots, members of the cluster, settings. Pure functions
//! decide; this module gives them facts and executes the decisions.

mod checkpoints;
mod clock_agreement;
mod dns_names;
mod eligibility;
pub(super) mod feature_level;
pub(super) mod membership;
mod observations;
pub(super) mod slots;

use super::health::delivery_health::DeliveryHealth;
use super::health::unhealthy::DeliveryReport;
use super::member::Member;
use super::membership::common;
use super::raft::{MemberStatus, RaftStatus};
use super::view::SUSPECT_AFTER;
use crate::state_machine::{Command, NodeId, StateMachine};
use checkpoints::CheckpointPlan;
use eligibility::{Observation, SlotEligibility};
use slots::{SlotShare, moves};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Between two rounds. A forced move is due 1.5 s after the last answer (rule 2).
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A leader whose round comes this late was starved itself, and has received nothing meanwhile.
const STARVED_AFTER: Duration = Duration::from_secs(1);
/// How long a member's report counts: it reports twice a second.
const REPORT_AGE_MAX: Duration = Duration::from_secs(3);

/// How long a new cluster waits to learn the builds of its members before it works at the first
/// level. A member reports its build in its first check, half a second after its start. The rest is
/// for a busy machine, on which a member first has to authenticate.
const FOUNDERS_HEARD_WITHIN: Duration = Duration::from_secs(10);

/// One leadership, from the first applied entry of its term (rule 26).
struct LeaderTerm {
    term: u64,
    /// When this node first looked as the leader of the term.
    began: Duration,
    /// Silences count from here: from the beginning, or from the last time this node did not run.
    since: Duration,
    eligibility: SlotEligibility,
    checkpoints: CheckpointPlan,
}

/// Runs until `stop` is cancelled; acts while this node leads.
pub(super) async fn run(member: Arc<Member>, stop: CancellationToken) {
    let mut held: Option<LeaderTerm> = None;
    loop {
        let slept_at = member.clock.monotonic();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = member.duties.notified() => {}
        }
        held = look(&member, held, slept_at).await;
    }
}

/// Does what is due, and returns the leadership in which it was done (rule 26).
async fn look(member: &Member, held: Option<LeaderTerm>, slept_at: Duration) -> Option<LeaderTerm> {
    let status = member.raft().status();
    if !status.is_leader || !status.has_applied_own_term {
        return None;
    }
    let now = member.clock.monotonic();
    let held = held.filter(|held| held.term == status.term);
    let mut held = held.unwrap_or_else(|| begin(member, status.term, now));
    held.woke(slept_at, now);
    perform(member, &mut held, &status).await;
    Some(held)
}

/// A new leader knows nothing yet: silences count from now.
fn begin(member: &Member, term: u64, now: Duration) -> LeaderTerm {
    member.checks.lock().clear();
    member.unhealthy.lock().clear();
    info!(term, "this node leads");
    LeaderTerm::new(term, now)
}

async fn perform(member: &Member, leader_term: &mut LeaderTerm, status: &RaftStatus) {
    if clock_agreement::agree(member, status) {
        member.proposer.log_clock.jump(status.voters.len() == 1);
    }
    let mut commands = Vec::new();
    if member.raft().read(StateMachine::is_untouched) {
        match common(&feature_level::levels(status, member.own.node, Some(member))) {
            Some(level) => commands.push(Command::RaiseLevel { level }),
            None if leader_term.is_younger(FOUNDERS_HEARD_WITHIN, member.clock.monotonic()) => {
                return;
            }
            None => {}
        }
    }
    // A level raised by this entry applies to the commands after it. So the next round reads it,
    // and writes the settings again if they differ.
    let level = member.raft().read(StateMachine::feature_level);
    let settings = member.configured.borrow().settings.at_level(level);
    if member.raft().read(|state| *state.settings() != settings) {
        commands.push(Command::Settings(settings));
    }
    let shares = shares(member, leader_term, status);
    let due = member.raft().read(|state| moves(state.slots(), &shares));
    if !due.is_empty() {
        let forced = due.iter().filter(|slot| slot.is_forced).count();
        info!(slots = due.len(), forced, "moving slots");
        commands.push(Command::Assign(due));
    }
    member.compare(&member.digests());
    let boots = boots(member, status);
    let is_marked =
        leader_term.checkpoints.is_due(member.clock.monotonic(), status.applied_index, &boots);
    if is_marked {
        commands.push(Command::Checkpoint);
    }
    if !commands.is_empty() {
        let written = member.proposer.propose_as_leader(leader_term.term, commands).await;
        if let Err(error) = written {
            warn!(%error, "the leader's proposal was not confirmed");
        } else if is_marked {
            let index = *member.raft().applied().borrow();
            leader_term.checkpoints.made(member.clock.monotonic(), index, boots);
        }
    }
}

impl LeaderTerm {
    fn new(term: u64, began: Duration) -> Self {
        let (eligibility, checkpoints) = (SlotEligibility::default(), CheckpointPlan::default());
        Self { term, began, since: began, eligibility, checkpoints }
    }

    fn is_younger(&self, than: Duration, now: Duration) -> bool {
        now.saturating_sub(self.began) < than
    }

    /// Time since a member last answered; a new leader counts from its election (rule 2).
    fn silence(&self, answered_ago: Option<Duration>, now: Duration) -> Duration {
        let heeded = now.saturating_sub(self.since);
        answered_ago.map_or(heeded, |ago| ago.min(heeded))
    }

    /// A round begins. Answers that arrived while this node was not running are not read yet: the
    /// leader's own pause must cost no member its slots.
    fn woke(&mut self, slept_at: Duration, now: Duration) {
        if now.saturating_sub(slept_at) >= STARVED_AFTER {
            self.since = now;
        }
    }
}

/// The lives of the members in the log.
fn boots(member: &Member, status: &RaftStatus) -> BTreeMap<NodeId, u64> {
    let known = |state: &StateMachine| {
        let boots = status.members.keys().map(|node| Some((*node, state.boot_of(*node)?)));
        boots.flatten().collect()
    };
    member.raft().read(known)
}

fn shares(member: &Member, leader_term: &mut LeaderTerm, status: &RaftStatus) -> Vec<SlotShare> {
    let now = member.clock.monotonic();
    let mut observations = observations(member, leader_term, status, now);
    let mut unhealthy = member.unhealthy.lock();
    for (node, cause) in unhealthy.judge(now, &reports(member, &observations, now)) {
        warn!(%node, %cause, "an owner is unhealthy: others get its slots for five minutes");
    }
    for seen in &mut observations {
        seen.is_unhealthy = unhealthy.contains(seen.node, now);
    }
    leader_term.eligibility.shares(now, &observations)
}

/// The delivery reports of members that can be compared.
fn reports(member: &Member, observations: &[Observation], now: Duration) -> Vec<DeliveryReport> {
    let checks = member.checks.lock();
    let told = |node: NodeId| -> Option<DeliveryHealth> {
        if node == member.own.node {
            return Some(member.delivery_health.reach());
        }
        let seen = checks.get(&node)?;
        seen.reach.filter(|_| now.saturating_sub(seen.at) < REPORT_AGE_MAX)
    };
    let measured =
        observations.iter().filter(|seen| seen.silence < SUSPECT_AFTER && !seen.is_draining);
    measured
        .map(|seen| DeliveryReport { node: seen.node, slots: seen.slots, reach: told(seen.node) })
        .collect()
}

fn observations(
    member: &Member,
    leader_term: &LeaderTerm,
    status: &RaftStatus,
    now: Duration,
) -> Vec<Observation> {
    let (slots, booted) = member.raft().read(|state| {
        let mut slots: BTreeMap<NodeId, usize> = BTreeMap::new();
        for owner in state.slots().filter_map(|(_, slot)| slot.owner) {
            *slots.entry(owner).or_default() += 1;
        }
        (slots, state.booted().collect::<BTreeSet<_>>())
    });
    let sighting = |(node, known): (&NodeId, &MemberStatus)| {
        let is_own = *node == member.own.node;
        Observation {
            node: *node,
            silence: if is_own {
                Duration::ZERO
            } else {
                leader_term.silence(known.answered_ago, now)
            },
            was_heard: is_own || known.answered_ago.is_some(),
            is_draining: member.drains(*node),
            has_booted: booted.contains(node),
            slots: slots.get(node).copied().unwrap_or_default(),
            is_unhealthy: false,
        }
    };
    status.members.iter().map(sighting).collect()
}

#[cfg(test)]
#[path = "leader_term_test.rs"]
mod leader_term_tests;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn leader_term(began: Duration) -> LeaderTerm {
        LeaderTerm::new(1, began)
    }

    #[test]
    fn rule_22_founders_are_waited_for_once_however_often_the_leader_does_not_run() {
        let mut leader_term = leader_term(10 * SECOND);
        for asleep in [12, 14, 16, 18] {
            leader_term.woke(asleep * SECOND, (asleep + 2) * SECOND);
        }
        assert!(
            leader_term.is_younger(FOUNDERS_HEARD_WITHIN, 20 * SECOND - Duration::from_millis(1))
        );
        assert!(!leader_term.is_younger(FOUNDERS_HEARD_WITHIN, 20 * SECOND));
    }

    #[test]
    fn rule_02_a_new_leader_counts_silences_from_its_election() {
        let leader_term = leader_term(10 * SECOND);
        assert_eq!(leader_term.silence(None, 11 * SECOND), SECOND);
        assert_eq!(leader_term.silence(Some(60 * SECOND), 11 * SECOND), SECOND);
        assert_eq!(leader_term.silence(Some(2 * SECOND), 20 * SECOND), 2 * SECOND);
    }

    #[test]
    fn rule_02_a_leader_that_slept_counts_silences_anew() {
        let mut leader_term = leader_term(10 * SECOND);
        leader_term.woke(20 * SECOND, 21 * SECOND - Duration::from_millis(1));
        assert_eq!(leader_term.silence(Some(2 * SECOND), 21 * SECOND), 2 * SECOND);
        leader_term.woke(22 * SECOND, 23 * SECOND);
        assert_eq!(leader_term.silence(Some(2 * SECOND), 23 * SECOND), Duration::ZERO);
        assert_eq!(leader_term.silence(Some(4 * SECOND), 25 * SECOND), 2 * SECOND);
    }
}
