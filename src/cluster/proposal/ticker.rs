//! Carries time to due timers while no other entry does (rule 19).

use super::batcher::Queue;
use super::priority::Priority;
use super::proposer::Proposer;
use crate::state_machine::{Command, StateMachine};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest sleep: bounds the harm of a missed wake-up.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// Wait for an entry in progress, and after a tick that the log did not accept.
const BUSY_WAIT: Duration = Duration::from_millis(100);
/// How soon a new leader notices that it has to carry time.
const FOLLOWER_WAIT: Duration = Duration::from_millis(500);
/// Deadline of one tick; no caller waits for it.
const TICK_DEADLINE: Duration = Duration::from_secs(5);

/// Proposes a tick when a timer is due.
pub(in crate::cluster) struct Ticker {
    pub proposer: Proposer,
    pub queue: Queue,
    pub stop: CancellationToken,
}

impl Ticker {
    /// Runs until it is stopped.
    pub(in crate::cluster) async fn run(self) {
        let mut applied = self.proposer.raft.applied();
        while !self.stop.is_cancelled() {
            // Marks the state as seen before reading it: an entry applied meanwhile wakes the loop
            // again.
            applied.borrow_and_update();
            let mut wait = self.wait();
            if wait.is_zero() {
                if self.queue.is_empty() && self.tick().await {
                    continue;
                }
                wait = BUSY_WAIT;
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
                changed = applied.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Returns false if the log did not accept it.
    async fn tick(&self) -> bool {
        let tick = vec![Command::Tick];
        tokio::select! {
            () = self.stop.cancelled() => false,
            ticked = self.queue.submit(tick, Priority::Work, TICK_DEADLINE) => ticked.is_ok(),
        }
    }

    /// Time until the next timer; zero if one is due. Only the leader carries time.
    fn wait(&self) -> Duration {
        if self.proposer.raft.leads_term().is_none() {
            return FOLLOWER_WAIT;
        }
        let Some(due_at) = self.proposer.raft.read(StateMachine::next_timer) else {
            return IDLE_MAX;
        };
        due_at.since(self.proposer.log_clock.now()).min(IDLE_MAX)
    }
}
