//! The check of each run (ADR 0012): settled from its facts and from its PipelineRun's check, and
//! fixed from then on. A child that arrives before its PipelineRun waits for it, so that its name
//! does not depend on which of the two is heard of first. Feature level 2.

use super::memory::share_of;
use super::run_record::{KeptCheck, RunRecord};
use super::timer::Timer;
use super::{StateMachine, run_key};
use crate::clock::Timestamp;
use crate::event::check::{self, Above};
use crate::event::{CheckWriter, Key, NotSettled, RunContext, RunEvent, RunKind, RunState};
use std::sync::Arc;
use std::time::Duration;

/// How long the events of a child wait for its PipelineRun, in replicated time.
pub const PARENT_WAIT: Duration = Duration::from_secs(5);

impl StateMachine {
    /// The context of a run that is first heard of, or heard of again: `kept` is the check that it
    /// had before.
    pub(super) fn context_of(&self, event: &RunEvent, kept: Option<Box<KeptCheck>>) -> RunContext {
        if let Some(kept) = kept {
            let KeptCheck { writer, name } = *kept;
            let writer = Some(Arc::new(writer));
            return RunContext { check_name: name, writer, ..RunContext::default() };
        }
        let mut context = RunContext::default();
        name(&mut context, event, self.decide(event, false));
        context
    }

    /// Which check an event speaks for. Whoever `has_waited` goes by what is known.
    fn decide(&self, event: &RunEvent, has_waited: bool) -> Result<CheckWriter, NotSettled> {
        let parent = self.writer_of_run(&event.parent.uid, &event.namespace);
        let above = match &parent {
            Some(parent) => Above::Settled(parent),
            None if has_waited || !self.may_be_heard_of(&event.parent.uid) => Above::Unknown,
            None => Above::Awaited,
        };
        check::writer(event, above)
    }

    /// A run that is past tells nothing more, and one without a uid cannot be found.
    fn may_be_heard_of(&self, uid: &str) -> bool {
        !uid.is_empty() && !self.tombstones.contains_key(&run_key(uid))
    }

    /// The writer of a known run of `namespace`, once it is settled: owners are of one namespace, and
    /// whoever names a run of another one is not its child.
    fn writer_of_run(&self, uid: &str, namespace: &str) -> Option<CheckWriter> {
        let key = run_key(uid);
        if self.share_of_run(key).is_some_and(|share| share != share_of(namespace)) {
            return None;
        }
        if let Some(run) = self.runs.get(&key) {
            return match (&run.context.writer, run.context.not_settled) {
                (Some(writer), _) => Some(CheckWriter::clone(writer)),
                (None, Some(_)) => None,
                // First heard of at feature level 1: the decision was never made.
                (None, None) => check::writer(&run.facts, Above::Unknown).ok(),
            };
        }
        self.tombstones.get(&key)?.check.as_ref().map(|kept| kept.writer.clone())
    }

    /// Lets the events of a child wait whose PipelineRun is not settled.
    pub(super) fn wait_for_parent(&mut self, key: Key) {
        let until = self.now.after(PARENT_WAIT);
        let run = self.runs.get(&key);
        if run.and_then(|run| run.context.not_settled) != Some(NotSettled::AwaitsParent) {
            return;
        }
        self.runs.wait(key, until);
        self.timers.insert((until, Timer::Parent(key)));
    }

    /// Settles the check of a run by its newest facts, and those of the runs that wait for it.
    pub(super) fn settle_check(&mut self, key: Key) {
        let mut open = vec![key];
        while let Some(key) = open.pop() {
            if self.settle_one(key) {
                open.extend(self.runs.waiting_for(&key));
            }
        }
    }

    /// True when the check of the run is settled by this.
    fn settle_one(&mut self, key: Key) -> bool {
        let Some(run) = self.runs.get(&key) else { return false };
        if run.context.not_settled.is_none() {
            // Whoever waits for a run of feature level 1, or for one that was settled at once.
            return self.runs.waiting_for(&key).next().is_some();
        }
        let decided = self.decide(&run.facts, !run.waits_until.is_known());
        let is_settled = decided.is_ok();
        let Some(run) = self.runs.get_mut(&key) else { return false };
        let facts = run.facts.clone();
        name(&mut run.context, &facts, decided);
        self.changes.run_changed(key);
        if is_settled {
            let RunContext { check_name, writer, not_settled, .. } = run.context.clone();
            for queued in &mut run.queue {
                queued.context.check_name.clone_from(&check_name);
                queued.context.writer.clone_from(&writer);
                queued.context.not_settled = not_settled;
            }
            self.end_wait(key);
        }
        is_settled
    }

    /// The timer of a wait; one that has ended since does nothing.
    pub(super) fn stop_waiting(&mut self, key: Key, due_at: Timestamp) {
        if self.runs.get(&key).is_none_or(|run| run.waits_until != due_at) {
            return;
        }
        self.end_wait(key);
        self.settle_check(key);
    }

    /// Gives the events that waited to be planned, in their order.
    fn end_wait(&mut self, key: Key) {
        let Some(until) = self.runs.end_wait(key) else { return };
        self.timers.remove(&(until, Timer::Parent(key)));
        self.changes.run_changed(key);
    }

    /// The check to remember of a run that shrinks: none where its own facts tell it again.
    pub(super) fn check_to_keep(run: &RunRecord) -> Option<Box<KeptCheck>> {
        let writer = run.context.writer.as_deref()?;
        let name = run.context.check_name.clone();
        // What may come next is no end.
        let facts = RunEvent { state: RunState::Running, ..RunEvent::clone(&run.facts) };
        let is_told = check::writer(&facts, Above::Unknown).is_ok_and(|told| told == *writer)
            && name == writer.check_name(&facts.scm.context);
        // Children of a run that goes on need its check, which its own facts tell but nobody keeps.
        let has_children = matches!(run.facts.kind, RunKind::PipelineRun | RunKind::CustomRun);
        let is_needed = has_children && !run.facts.state.is_final();
        (!is_told || is_needed).then(|| Box::new(KeptCheck { writer: writer.clone(), name }))
    }
}

/// Writes down what was decided. Until a check is settled the run has a name for people.
fn name(context: &mut RunContext, event: &RunEvent, decided: Result<CheckWriter, NotSettled>) {
    context.not_settled = decided.as_ref().err().copied();
    context.writer = decided.ok().map(Arc::new);
    let shown = context.writer.clone().unwrap_or_else(|| Arc::new(check::last_resort(event)));
    context.check_name = shown.check_name(&event.scm.context);
}
