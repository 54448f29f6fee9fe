//! Lives of nodes: their boots, and the end of those that left for good (rules 2, 3, 7). What a
//! life that is over had on the wire is in doubt: it is begun anew, and what was begun anew before
//! is sent once more.

use super::StateMachine;
use super::begin::TAKEOVER_WAIT;
use super::change::StateChange;
use super::command::{Applied, Boot, Refusal};
use super::dead_letter::{Cause, CauseKind};
use super::node::NodeId;
use crate::effect::EffectId;
use crate::event::Key;

/// Boots that may end while an effect is open (rule 7).
const ENDED_BOOTS_MAX: u32 = 3;
/// Processes that may end while planning an event (rule 7).
const ENDED_PLANNINGS_MAX: u32 = 2;
/// Nodes remembered as retired, 16 bytes each: ten a day for almost three years. A disk that comes
/// back after more than these left is taken for a new node.
pub const RETIRED_MAX: usize = 10_000;

impl StateMachine {
    /// A new life of a node ends its older ones.
    pub(super) fn apply_boot(&mut self, boot: &Boot) -> Applied {
        if self.is_retired(boot.node) {
            return Applied::Refused(Refusal::Retired);
        }
        match self.boots.get(&boot.node) {
            Some(known) if *known == boot.number => return Applied::Done,
            Some(known) if *known > boot.number => return Applied::Refused(Refusal::StaleBoot),
            Some(_) | None => {}
        }
        self.boots.insert(boot.node, boot.number);
        self.changes.push(StateChange::NodeBooted { node: boot.node });
        self.end_lives(|node, number| node == boot.node && number < boot.number);
        if let Some((run, sequence)) = boot.ended_while_planning {
            self.note_ended_planning(run, sequence);
        }
        Applied::Done
    }

    /// A node that left for good has no next boot that could end what it had on the wire.
    pub(super) fn apply_retire(&mut self, node: NodeId) -> Applied {
        if self.is_retired(node) {
            return Applied::Done;
        }
        if self.is_in_use(node) {
            return Applied::Refused(Refusal::InUse);
        }
        self.boots.remove(&node);
        self.changes.push(StateChange::NodeRetired { node });
        self.end_lives(|of, _| of == node);
        self.remember_retired(node);
        Applied::Done
    }

    /// Whether a node owns a slot, or may be making a call: one that it began ends within the
    /// takeover wait.
    fn is_in_use(&self, node: NodeId) -> bool {
        let owns_a_slot = self.slots.iter().any(|(_, slot)| slot.owner == Some(node));
        let mut begins = self.outbox.open().filter_map(|effect| effect.open);
        owns_a_slot
            || begins.any(|open| open.node == node && self.now < open.at.after(TAKEOVER_WAIT))
    }

    fn remember_retired(&mut self, node: NodeId) {
        if self.retired.len() >= RETIRED_MAX {
            let longest_ago = self.retired.iter().min_by_key(|(node, at)| (**at, **node));
            if let Some(longest_ago) = longest_ago.map(|(node, _)| *node) {
                self.retired.remove(&longest_ago);
            }
        }
        self.retired.insert(node, self.now);
    }

    /// Settles what lives that are over, told by node and boot number, had on the wire.
    fn end_lives(&mut self, is_over: impl Fn(NodeId, u64) -> bool) {
        let open = self.outbox.open();
        let interrupted: Vec<EffectId> = open
            .filter(|effect| effect.open.is_some_and(|open| is_over(open.node, open.boot)))
            .map(|effect| effect.id)
            .collect();
        for id in interrupted {
            self.counters.in_doubt += 1;
            self.owe_repair_of_lost_call(id);
            self.close(id);
            self.note_ended_boot(id);
        }
        let replaced = self.outbox.replaced.iter();
        let settled: Vec<(EffectId, u32)> = replaced
            .filter(|(_, begin)| is_over(begin.node, begin.boot))
            .map(|(key, _)| *key)
            .collect();
        for (id, attempt) in settled {
            if let Some(begin) = self.outbox.replaced.remove(&(id, attempt)) {
                self.note_ended_boot(id);
                self.send_state_once_more(attempt, &begin.effect);
            }
        }
    }

    /// Rule 7: what was on the wire when several processes ended may be why they ended.
    fn note_ended_boot(&mut self, id: EffectId) {
        self.update_effect(id, |effect| {
            effect.is_in_doubt = true;
            effect.ended_boots += 1;
        });
        // While somebody else has it on the wire its target is busy, and it may yet be delivered.
        let is_open = self.outbox.effects.get(&id).is_some_and(|effect| effect.open.is_some());
        if !is_open {
            self.dead_letter_if_poison(id);
        }
    }

    /// Gives up an effect that ended too many processes. True when it was one.
    pub(super) fn dead_letter_if_poison(&mut self, id: EffectId) -> bool {
        let effect = self.outbox.effects.get(&id);
        let is_poison = effect.is_some_and(|effect| effect.ended_boots >= ENDED_BOOTS_MAX);
        if is_poison {
            let detail = format!("was on the wire when {ENDED_BOOTS_MAX} processes ended");
            self.dead_letter(id, Cause { kind: CauseKind::Poison, detail });
        }
        is_poison
    }

    fn note_ended_planning(&mut self, run_key: Key, sequence: u64) {
        let Some(run) = self.runs.get_mut(&run_key) else { return };
        let Some(head) = run.queue.front_mut().filter(|head| head.sequence == sequence) else {
            return;
        };
        head.ended_plannings += 1;
        if head.ended_plannings < ENDED_PLANNINGS_MAX {
            return;
        }
        let Some(head) = self.dequeue(run_key, sequence) else { return };
        let detail = format!("planning it ended {ENDED_PLANNINGS_MAX} processes");
        let cause = Cause { kind: CauseKind::Poison, detail };
        self.dead_letter_event(run_key, &head, cause);
    }
}
