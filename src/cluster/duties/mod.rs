//! What only the leader does: who owns which slot, who belongs to the cluster, which settings
//! count. Decisions are made by pure functions; here they get their facts and are carried out.

mod census;
mod clocks;
pub(super) mod membership;
mod names;

use super::balance::{Share, Standing, moves};
use super::batch::Rank;
use super::member::Member;
use super::raft::RaftStatus;
use super::view::SUSPECT_AFTER;
use crate::state_machine::{Command, NodeId};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Between two looks. A forced move is due 1.5 s after the last answer (rule 2).
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Deadline of a proposal; the next look decides anew.
const PROPOSE_WITHIN: Duration = Duration::from_secs(5);

/// One leadership, from the first entry of its term that was applied (rule 26).
struct Tenure {
    term: u64,
    since: Duration,
}

/// Runs until `stop` is cancelled; acts while this node leads.
pub(super) async fn run(member: Arc<Member>, stop: CancellationToken) {
    let mut tenure: Option<Tenure> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = member.duties.notified() => {}
        }
        let status = member.raft().status();
        if !status.is_leader || !status.has_applied_own_term {
            tenure = None;
            continue;
        }
        let now = member.clock.monotonic();
        let held = match tenure.take() {
            Some(held) if held.term == status.term => held,
            Some(_) | None => begin(&member, status.term, now),
        };
        let held = tenure.insert(held);
        perform(&member, held, &status).await;
    }
}

/// A new leader knows nothing yet: silences count from now.
fn begin(member: &Member, term: u64, now: Duration) -> Tenure {
    member.checks.lock().unwrap_or_else(PoisonError::into_inner).clear();
    info!(term, "this node leads");
    Tenure { term, since: now }
}

async fn perform(member: &Member, tenure: &Tenure, status: &RaftStatus) {
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
    if !commands.is_empty() {
        let written = member.queue.submit(commands, Rank::Work, PROPOSE_WITHIN).await;
        if let Err(error) = written {
            warn!(%error, "the leader's proposal was not confirmed");
        }
    }
}

impl Tenure {
    /// Time since a member last answered; a new leader counts from its election (rule 2).
    fn silence(&self, status: &RaftStatus, node: NodeId, now: Duration) -> Duration {
        let in_office = now.saturating_sub(self.since);
        let answered = status.members.get(&node).and_then(|member| member.answered_ago);
        answered.map_or(in_office, |ago| ago.min(in_office))
    }
}

fn shares(member: &Member, tenure: &Tenure, status: &RaftStatus) -> Vec<Share> {
    let now = member.clock.monotonic();
    let standing = |node: NodeId| {
        if member.drains(node) {
            return Standing::Yields;
        }
        if node != member.own.node && tenure.silence(status, node, now) >= SUSPECT_AFTER {
            return Standing::Gone;
        }
        // A node may send only once its life is in the log.
        let has_booted = member.raft().read(|state| state.boot_of(node).is_some());
        if has_booted { Standing::Takes } else { Standing::Yields }
    };
    status.members.keys().map(|node| Share { node: *node, standing: standing(*node) }).collect()
}
