//! What happens to an arriving event: it is answered from state, proposed, kept on this disk alone,
//! or refused.

use super::handle::Cluster;
use super::proposal::batcher;
use super::proposal::error::AcceptError;
use super::proposal::priority::Priority;
use super::spool::feed::Degradation;
use crate::event::{Key, RunEvent};
use crate::state_machine::{Accepted, Applied, Command, FeatureLevel, StateMachine};

impl Cluster {
    /// Accepts events; the events of one call share one entry if they fit into it. Known
    /// transitions are answered from applied state, without a write (rule 8).
    ///
    /// # Errors
    /// Some were not confirmed; the sender can safely retry all of them.
    pub async fn accept(&self, events: Vec<RunEvent>) -> Result<Vec<Accepted>, AcceptError> {
        let mut events = events;
        let (is_second, is_untouched) =
            self.read(|state| (state.has_reached(FeatureLevel::SECOND), state.is_untouched()));
        // An older member, or an older binary on this disk, does not know the later facts.
        if !is_second {
            events.iter_mut().for_each(RunEvent::keep_first_level);
        }
        if let Some(member) = &self.member {
            match member.degradation() {
                Degradation::Wait if member.owes_order_to(&events) => {
                    return member.quorum_loss.keep(events).await;
                }
                // A new cluster first raises its level: earlier events would stay at the first one.
                Degradation::Wait if is_untouched => return Err(AcceptError::NoLeader),
                Degradation::Wait => {}
                // The rest of the disk is for the log (rule 15).
                Degradation::Spool if self.disk.is_low() => return Err(AcceptError::DiskLow),
                Degradation::Spool => return member.quorum_loss.keep(events).await,
                Degradation::Refuse => return Err(AcceptError::NoLeader),
            }
        }
        let known: Vec<_> =
            self.read(|state| events.iter().map(|event| known(state, event)).collect());
        let mut commands = Vec::new();
        for (event, known) in events.into_iter().zip(&known) {
            match known {
                None => commands.push(Command::Accept(Box::new(event))),
                Some((touch, _)) => commands.extend(touch.map(|run| Command::Touch(vec![run]))),
            }
        }
        let answers = self.write_events(commands).await?;
        let mut accepted = answers.into_iter().filter_map(accepted);
        known
            .into_iter()
            .map(|known| match known {
                Some((_, accepted)) => Ok(accepted),
                None => accepted.next().unwrap_or(Err(AcceptError::Stopped)),
            })
            .collect()
    }

    async fn write_events(&self, commands: Vec<Command>) -> Result<Vec<Applied>, AcceptError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        if self.disk.is_low() {
            return Err(AcceptError::DiskLow);
        }
        // One entry, or several if needed: after an error a retry of all of them changes nothing.
        let mut answers = Vec::with_capacity(commands.len());
        for portion in batcher::portions(commands) {
            let written = self.queue.submit_encoded(portion, Priority::Event, self.accept_timeout);
            answers.extend(written.await?);
        }
        Ok(answers)
    }
}

/// The answer to a known event, and the run whose memory the log must extend.
fn known(state: &StateMachine, event: &RunEvent) -> Option<(Option<Key>, Accepted)> {
    let known = state.known(event)?;
    let owner = state.slot(known.slot).owner;
    Some((known.touch, Accepted { fate: known.fate, slot: known.slot, owner }))
}

/// The answer to an accept command; `None` for other commands.
fn accepted(answer: Applied) -> Option<Result<Accepted, AcceptError>> {
    match answer {
        Applied::Accepted(accepted) => Some(Ok(accepted)),
        Applied::Refused(_) => Some(Err(AcceptError::Full)),
        Applied::Done | Applied::Begun(_) | Applied::Replayed(_) | Applied::Deleted(_) => None,
    }
}
