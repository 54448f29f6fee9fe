//! What only the leader does: who owns which slot, who belongs to the cluster, which settings
//! count. Decisions are made by pure functions; here they get their facts and are carried out.

mod census;
mod checkpoints;
mod clocks;
pub(super) mod level;
pub(super) mod membership;
mod names;
mod shares;
mod sick;

pub(super) use sick::SickList;

use super::balance::{Share, moves};
use super::member::Member;
use super::raft::{MemberStatus, RaftStatus};
use super::reach::Reach;
use super::view::SUSPECT_AFTER;
use crate::state_machine::{Command, NodeId, StateMachine};
use checkpoints::CheckpointPlan;
use shares::{Sighting, Tenants};
use sick::Report;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Between two looks. A forced move is due 1.5 s after the last answer (rule 2).
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A leader that looks so late was starved itself, and has heard nobody meanwhile.
const STARVED_AFTER: Duration = Duration::from_secs(1);
/// What a member said of itself counts for so long: it says it anew twice a second.
const REPORT_AGE_MAX: Duration = Duration::from_secs(3);

/// One leadership, from the first entry of its term that was applied (rule 26).
struct Tenure {
    term: u64,
    /// Silences count from here.
    since: Duration,
    tenants: Tenants,
    checkpoints: CheckpointPlan,
}

/// Runs until `stop` is cancelled; acts while this node leads.
pub(super) async fn run(member: Arc<Member>, stop: CancellationToken) {
    let mut held: Option<Tenure> = None;
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

/// Does what is due, and tells the leadership that this was done in (rule 26).
async fn look(member: &Member, held: Option<Tenure>, slept_at: Duration) -> Option<Tenure> {
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
fn begin(member: &Member, term: u64, now: Duration) -> Tenure {
    member.checks.lock().unwrap_or_else(PoisonError::into_inner).clear();
    member.sick.lock().unwrap_or_else(PoisonError::into_inner).clear();
    info!(term, "this node leads");
    Tenure::new(term, now)
}

async fn perform(member: &Member, tenure: &mut Tenure, status: &RaftStatus) {
    if clocks::agree(member, status) {
        member.way.stamps.jump();
    }
    let mut commands = Vec::new();
    if member.raft().read(|state| *state.settings() != member.settings) {
        commands.push(Command::Settings(member.settings.clone()));
    }
    let shares = shares(member, tenure, status);
    let due = member.raft().read(|state| moves(state.slots(), &shares));
    if !due.is_empty() {
        let forced = due.iter().filter(|slot| slot.is_forced).count();
        info!(slots = due.len(), forced, "moving slots");
        commands.push(Command::Assign(due));
    }
    member.compare(&member.digests());
    let boots = boots(member, status);
    let is_marked =
        tenure.checkpoints.is_due(member.clock.monotonic(), status.applied_index, &boots);
    if is_marked {
        commands.push(Command::Checkpoint);
    }
    if !commands.is_empty() {
        let written = member.way.write_as_leader(tenure.term, commands).await;
        if let Err(error) = written {
            warn!(%error, "the leader's proposal was not confirmed");
        } else if is_marked {
            let index = *member.raft().applied().borrow();
            tenure.checkpoints.made(member.clock.monotonic(), index, boots);
        }
    }
}

impl Tenure {
    fn new(term: u64, since: Duration) -> Self {
        let (tenants, checkpoints) = (Tenants::default(), CheckpointPlan::default());
        Self { term, since, tenants, checkpoints }
    }

    /// Time since a member last answered; a new leader counts from its election (rule 2).
    fn silence(&self, answered_ago: Option<Duration>, now: Duration) -> Duration {
        let heeded = now.saturating_sub(self.since);
        answered_ago.map_or(heeded, |ago| ago.min(heeded))
    }

    /// A look begins. Answers that came while this node did not run are not read yet: nobody is
    /// to lose slots for the leader's own sleep.
    fn woke(&mut self, slept_at: Duration, now: Duration) {
        if now.saturating_sub(slept_at) >= STARVED_AFTER {
            self.since = now;
        }
    }
}

/// The lives of the members that the log knows.
fn boots(member: &Member, status: &RaftStatus) -> BTreeMap<NodeId, u64> {
    let known = |state: &StateMachine| {
        let boots = status.members.keys().map(|node| Some((*node, state.boot_of(*node)?)));
        boots.flatten().collect()
    };
    member.raft().read(known)
}

fn shares(member: &Member, tenure: &mut Tenure, status: &RaftStatus) -> Vec<Share> {
    let now = member.clock.monotonic();
    let mut sightings = sightings(member, tenure, status, now);
    let mut sick = member.sick.lock().unwrap_or_else(PoisonError::into_inner);
    for (node, ailment) in sick.judge(now, &reports(member, &sightings, now)) {
        warn!(%node, %ailment, "an owner is sick: others get its slots for five minutes");
    }
    for seen in &mut sightings {
        seen.is_sick = sick.contains(seen.node, now);
    }
    tenure.tenants.shares(now, &sightings)
}

/// How the members deliver that can be measured by each other.
fn reports(member: &Member, sightings: &[Sighting], now: Duration) -> Vec<Report> {
    let checks = member.checks.lock().unwrap_or_else(PoisonError::into_inner);
    let told = |node: NodeId| -> Option<Reach> {
        if node == member.own.node {
            return Some(member.contacts.reach());
        }
        let seen = checks.get(&node)?;
        seen.reach.filter(|_| now.saturating_sub(seen.at) < REPORT_AGE_MAX)
    };
    let measured =
        sightings.iter().filter(|seen| seen.silence < SUSPECT_AFTER && !seen.is_draining);
    measured
        .map(|seen| Report { node: seen.node, slots: seen.slots, reach: told(seen.node) })
        .collect()
}

fn sightings(
    member: &Member,
    tenure: &Tenure,
    status: &RaftStatus,
    now: Duration,
) -> Vec<Sighting> {
    let (slots, booted) = member.raft().read(|state| {
        let mut slots: BTreeMap<NodeId, usize> = BTreeMap::new();
        for owner in state.slots().filter_map(|(_, slot)| slot.owner) {
            *slots.entry(owner).or_default() += 1;
        }
        (slots, state.booted().collect::<BTreeSet<_>>())
    });
    let sighting = |(node, known): (&NodeId, &MemberStatus)| {
        let is_own = *node == member.own.node;
        Sighting {
            node: *node,
            silence: if is_own { Duration::ZERO } else { tenure.silence(known.answered_ago, now) },
            was_heard: is_own || known.answered_ago.is_some(),
            is_draining: member.drains(*node),
            has_booted: booted.contains(node),
            slots: slots.get(node).copied().unwrap_or_default(),
            is_sick: false,
        }
    };
    status.members.iter().map(sighting).collect()
}

#[cfg(test)]
#[path = "tenure_test.rs"]
mod tenure_tests;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn tenure(since: Duration) -> Tenure {
        Tenure::new(1, since)
    }

    #[test]
    fn rule_02_a_new_leader_counts_silences_from_its_election() {
        let tenure = tenure(10 * SECOND);
        assert_eq!(tenure.silence(None, 11 * SECOND), SECOND);
        assert_eq!(tenure.silence(Some(60 * SECOND), 11 * SECOND), SECOND);
        assert_eq!(tenure.silence(Some(2 * SECOND), 20 * SECOND), 2 * SECOND);
    }

    #[test]
    fn rule_02_a_leader_that_slept_counts_silences_anew() {
        let mut tenure = tenure(10 * SECOND);
        tenure.woke(20 * SECOND, 21 * SECOND - Duration::from_millis(1));
        assert_eq!(tenure.silence(Some(2 * SECOND), 21 * SECOND), 2 * SECOND);
        tenure.woke(22 * SECOND, 23 * SECOND);
        assert_eq!(tenure.silence(Some(2 * SECOND), 23 * SECOND), Duration::ZERO);
        assert_eq!(tenure.silence(Some(4 * SECOND), 25 * SECOND), 2 * SECOND);
    }
}
