//! Outcomes on their way into the log. One proposal at a time carries all that waits; what comes back
//! meanwhile travels in the next one. An outcome never waits for a Begin.

use crate::cluster::{AcceptError, Cluster, ENTRY_BYTES_MAX, command_bytes};
use crate::failure::FailureKind;
use crate::state_machine::{AttemptOutcome, AttemptResult, Cause, CauseKind, Command, Grant};
use crate::telemetry::chain;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// Wait between attempts to record outcomes while the log does not answer. It doubles up to the
/// longest: each attempt may leave one more copy in a log that is slow already.
const RECORD_RETRY: Duration = Duration::from_millis(200);
const RECORD_RETRY_MAX: Duration = Duration::from_secs(2);
/// Outcomes in one proposal: half of what an entry of the log takes, so that Begins fit in beside them.
const PER_PROPOSAL_MAX: usize = 256;
/// Outcomes that are not in the log; beyond it nothing new is begun. A log that takes Begins takes
/// outcomes too, so that only one that has just stopped comes near it.
const UNRECORDED_MAX: usize = 4_096;

/// Outcomes that the log does not have yet.
#[derive(Default)]
pub(super) struct Outcomes {
    waiting: VecDeque<(AttemptOutcome, Option<Command>)>,
    /// The attempts that wait, or are in the proposal under way.
    unrecorded: BTreeSet<Grant>,
    /// Comes back with the attempts that it carried.
    proposal: Option<BoxFuture<'static, Vec<Grant>>>,
}

impl Outcomes {
    /// Adds an outcome, and the pause that its target asked for.
    pub fn push(&mut self, outcome: AttemptOutcome, pause: Option<Command>) {
        self.unrecorded.insert(grant_of(&outcome));
        self.waiting.push_back((outcome, pause));
    }

    /// Whether the outcome of this attempt is here.
    pub fn holds(&self, grant: Grant) -> bool {
        self.unrecorded.contains(&grant)
    }

    /// Whether so many are here that nothing should be begun.
    pub fn are_too_many(&self) -> bool {
        self.unrecorded.len() >= UNRECORDED_MAX
    }

    /// Whether the log has all of them.
    pub fn are_recorded(&self) -> bool {
        self.unrecorded.is_empty()
    }

    /// Proposes what waits, unless a proposal is under way.
    pub fn propose(&mut self, cluster: &Arc<Cluster>) {
        if self.proposal.is_some() || self.waiting.is_empty() {
            return;
        }
        let (grants, commands) = self.take();
        let cluster = Arc::clone(cluster);
        let recorded = async move {
            write(commands, &cluster).await;
            grants
        };
        self.proposal = Some(recorded.boxed());
    }

    /// Waits until the log has the proposal under way, or cannot have it. Never returns where there is
    /// none. Dropped before, it loses nothing.
    pub async fn recorded(&mut self) {
        let Some(proposal) = &mut self.proposal else { return std::future::pending().await };
        let grants = proposal.await;
        self.proposal = None;
        for grant in grants {
            self.unrecorded.remove(&grant);
        }
    }

    /// As much of what waits as fits into one entry, in its order.
    fn take(&mut self) -> (Vec<Grant>, Vec<Command>) {
        let (mut grants, mut outcomes, mut pauses) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = 0;
        while let Some((outcome, pause)) = self.waiting.pop_front() {
            let record = Command::Record(vec![outcome.clone()]);
            bytes += command_bytes(&record) + pause.as_ref().map_or(0, command_bytes);
            let is_full = grants.len() == PER_PROPOSAL_MAX || bytes > ENTRY_BYTES_MAX;
            if is_full && !grants.is_empty() {
                self.waiting.push_front((outcome, pause));
                break;
            }
            grants.push(grant_of(&outcome));
            outcomes.push(outcome);
            pauses.extend(pause);
        }
        let commands = [Command::Record(outcomes)].into_iter().chain(pauses).collect();
        (grants, commands)
    }
}

/// The end of a call that was never made.
pub(super) fn unsent(grant: Grant) -> AttemptOutcome {
    AttemptOutcome { effect: grant.effect, attempt: grant.attempt, result: AttemptResult::Unsent }
}

/// The end of a call whose task broke: what panics once does so again (rule 7).
pub(super) fn given_up(grant: Grant) -> AttemptOutcome {
    let detail = "the task of the call ended abnormally".to_owned();
    let cause = Cause { kind: CauseKind::Delivery(FailureKind::Render), detail };
    let result = AttemptResult::Dead(cause);
    AttemptOutcome { effect: grant.effect, attempt: grant.attempt, result }
}

fn grant_of(outcome: &AttemptOutcome) -> Grant {
    Grant { effect: outcome.effect, attempt: outcome.attempt }
}

/// Tries until the log has the commands. An outcome that is lost with the process is found in doubt by
/// the next one.
async fn write(commands: Vec<Command>, cluster: &Cluster) {
    let mut wait = RECORD_RETRY;
    loop {
        match cluster.propose(commands.clone()).await {
            Ok(_) | Err(AcceptError::Stopped) => return,
            Err(error) => {
                warn!(error = chain(&error), "outcomes not recorded yet");
                tokio::time::sleep(wait).await;
                wait = (2 * wait).min(RECORD_RETRY_MAX);
            }
        }
    }
}

#[cfg(test)]
#[path = "outcomes_test.rs"]
mod tests;
