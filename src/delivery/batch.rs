//! One proposal of a worker: plans with their first Begins, and Begins of effects that are due. It
//! grows no larger than an entry of the log, which would refuse it each time it came again.

use crate::cluster::{ENTRY_BYTES_MAX, command_bytes};
use crate::effect::{EffectId, RouteName};
use crate::state_machine::{Begin, Cause, CauseKind, Command, FailedRoute, Planned};
use tracing::error;

/// Events planned, and effects begun, in one proposal: half of what an entry of the log takes.
pub(super) const WORK_PER_PROPOSAL_MAX: usize = 256;

/// Events planned for one proposal: bounds the time that ready effects wait for the plans beside them.
pub(super) const PLANS_PER_PROPOSAL_MAX: usize = 64;

/// Effects for which a place was taken, and the instances, by kind and name, that have those places.
pub(super) type Places = Vec<(EffectId, String)>;

/// A command of a proposal.
#[derive(Debug)]
pub(super) struct Piece {
    pub command: Command,
    /// Places that were taken for it.
    pub taken: Places,
}

/// Work taken from the state for one proposal.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pieces: Vec<Piece>,
    /// Size of their stored form.
    bytes: usize,
}

impl Batch {
    /// The commands to propose, in order.
    pub fn commands(&self) -> Vec<Command> {
        self.pieces.iter().map(|piece| piece.command.clone()).collect()
    }

    /// The places that were taken for all of it.
    pub fn into_taken(self) -> Places {
        self.pieces.into_iter().flat_map(|piece| piece.taken).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.pieces.len() >= WORK_PER_PROPOSAL_MAX
    }

    /// How many more pieces it may take.
    pub fn room(&self) -> usize {
        WORK_PER_PROPOSAL_MAX.saturating_sub(self.pieces.len())
    }

    /// Adds a piece, or gives back one that does not fit: it has to wait for the next proposal.
    #[must_use]
    pub fn try_push(&mut self, piece: Piece) -> Option<Piece> {
        let bytes = self.bytes.saturating_add(command_bytes(&piece.command));
        if self.is_full() || bytes > ENTRY_BYTES_MAX {
            return Some(piece);
        }
        self.bytes = bytes;
        self.push(piece);
        None
    }

    fn push(&mut self, piece: Piece) {
        self.pieces.push(piece);
    }

    /// Adds what gives up a plan that is too large even alone. Parts of it would not do: an event
    /// leaves its queue with one plan, and it must not hold up those behind it.
    pub fn push_given_up(&mut self, command: &Command) {
        if let Some(command) = given_up(command) {
            self.bytes += command_bytes(&command);
            self.push(Piece { command, taken: Places::new() });
        }
    }

    /// Takes out what the log found too large: the later half, to be looked at again, or a single
    /// plan for good. Gives the places of what was taken out.
    pub fn halve(&mut self) -> Places {
        let mut kept = std::mem::take(self).pieces;
        let left_out = kept.split_off(kept.len() / 2);
        if kept.is_empty()
            && let Some(single) = left_out.first()
        {
            self.push_given_up(&single.command);
        }
        for piece in kept {
            self.bytes += command_bytes(&piece.command);
            self.push(piece);
        }
        left_out.into_iter().flat_map(|piece| piece.taken).collect()
    }
}

/// A dead letter for the event in place of its plan (rule 7). `None` if the command plans nothing.
fn given_up(command: &Command) -> Option<Command> {
    let Command::Begin(Begin { owner, planned: Some(planned), .. }) = command else { return None };
    let bytes = command_bytes(command);
    error!(bytes, run = %planned.run, "a plan is too large for the log, its event is given up");
    let detail = format!("its plan has {bytes} bytes, an entry of the log holds {ENTRY_BYTES_MAX}");
    let cause = Cause { kind: CauseKind::Poison, detail };
    let failed = vec![FailedRoute { route: RouteName::every(), cause }];
    let (effects, skipped) = (Vec::new(), Vec::new());
    let planned = Planned { effects, skipped, failed, ..*planned };
    Some(Command::Begin(Begin { owner: *owner, planned: Some(planned), asked: Vec::new() }))
}

#[cfg(test)]
#[path = "batch_test.rs"]
mod tests;
