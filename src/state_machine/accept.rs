//! Taking events: the same delivery, the same transition and what comes too late are told apart
//! here, in the same entry that stores the event (rules 8 to 10).

use super::command::{Accepted, Applied, Fate, Refusal};
use super::run_record::{Moment, Origin, PastRun, QueuedEvent, RunRecord, TRANSITIONS_MAX};
use super::slot::SlotId;
use super::{Finished, StateMachine, run_key};
use crate::clock::Timestamp;
use crate::event::{Key, RunContext, RunEvent, RunKind, RunState, check_name};
use std::sync::Arc;
use std::time::Duration;

/// Delivery keys remembered at once; the oldest leave first. 1 h at 277 events a second.
pub(super) const DELIVERIES_MAX: usize = 1_000_000;
/// Pipelines whose last finished state is remembered.
pub(super) const HISTORY_MAX: usize = 10_000;
/// Oldest of them forgotten at once: finding them costs a walk over all.
const HISTORY_STEP: usize = HISTORY_MAX / 16;
/// `forgotten_before` stays this far behind: events are delayed by minutes, not hours.
pub(super) const FORGOTTEN_MARGIN: Duration = Duration::from_hours(1);

impl StateMachine {
    pub(super) fn apply_accept(&mut self, event: RunEvent) -> Applied {
        let slot = SlotId::of_root(event.root_uid());
        let Some(fate) = self.decide_and_take(Arc::new(event), slot) else {
            return Applied::Refused(Refusal::Full);
        };
        self.counters.fate(fate);
        Applied::Accepted(Accepted { fate, slot, owner: self.slots.get(slot).owner })
    }

    pub(super) fn apply_touch(&mut self, runs: &[Key]) -> Applied {
        for run in runs {
            self.touch(*run);
        }
        Applied::Done
    }

    /// `None` when no record is free.
    fn decide_and_take(&mut self, event: Arc<RunEvent>, slot: SlotId) -> Option<Fate> {
        let delivery = event.delivery_key();
        if self.deliveries.contains(&delivery) {
            return Some(Fate::Duplicate);
        }
        let key = run_key(&event.uid);
        let fate = match (self.runs.contains_key(&key), self.past.get(&key).copied()) {
            (true, _) => self.take_known(key, event),
            (false, Some(past)) if past.knows(&event) => {
                self.touch(key);
                Fate::Duplicate
            }
            (false, past) => {
                if past.is_none() && self.is_forgotten(&event) {
                    self.remember_as_past(key, &event);
                    Fate::Superseded
                } else if self.free_a_record() {
                    self.forget_past(key);
                    self.take_first(key, event, slot);
                    Fate::Accepted
                } else {
                    return None;
                }
            }
        };
        self.remember_delivery(delivery);
        Some(fate)
    }

    /// Stores a run and its event, to be planned.
    fn take_first(&mut self, key: Key, event: Arc<RunEvent>, slot: SlotId) {
        let context = self.first_context(&event);
        let record = RunRecord::first(slot, Arc::clone(&event), context, self.now);
        self.runs.insert(key, Box::new(record));
        self.arm_quiet_timer(key);
        self.take(key, event, Origin::Reported { is_latest_only: false });
    }

    fn take_known(&mut self, key: Key, event: Arc<RunEvent>) -> Fate {
        let transition = event.transition_key();
        let position = event.position();
        let Some(run) = self.runs.get_mut(&key) else { return Fate::Superseded };
        run.last_seen = self.now;
        if position.attempt == run.position.attempt && run.transitions.contains(&transition) {
            return self.take_same_transition(key, event);
        }
        let is_new_attempt = position.attempt > run.position.attempt;
        let is_full = run.transitions.len() >= TRANSITIONS_MAX && !event.state.is_final();
        if !is_new_attempt && is_full {
            run.transitions_uncounted += 1;
            self.counters.transitions_uncounted += 1;
            return Fate::Superseded;
        }
        if position < run.position {
            run.transitions.insert(transition);
            run.note(moment(&event, self.now, Fate::Superseded));
            self.summary_saw(&event);
            return Fate::Superseded;
        }
        if is_new_attempt {
            run.transitions.clear();
            run.has_second_final = false;
        }
        self.take(key, event, Origin::Reported { is_latest_only: false });
        Fate::Accepted
    }

    /// Rule 9: new facts of a known transition are merged; a second, different final state of
    /// one attempt is taken once, if the API server wrote it later.
    fn take_same_transition(&mut self, key: Key, mut event: Arc<RunEvent>) -> Fate {
        let Some(run) = self.runs.get_mut(&key) else { return Fate::Duplicate };
        let is_other_final = event.state.is_final()
            && run.facts.state.is_final()
            && event.state != run.facts.state
            && event.resource_version > run.facts.resource_version;
        if is_other_final && !run.has_second_final {
            run.has_second_final = true;
            // The API server's order decides here: times that contradict it would make the
            // target refuse the correction as older than what it shows.
            let later = Arc::make_mut(&mut event);
            later.last_transition = later.last_transition.max(run.facts.last_transition);
            later.ce_time = later.ce_time.max(run.facts.ce_time);
            self.take(key, event, Origin::Reported { is_latest_only: true });
            return Fate::Accepted;
        }
        let digest = event.facts_digest();
        let is_current = event.state == run.facts.state && event.position() >= run.position;
        if digest != run.facts_digest && is_current {
            run.facts_digest = digest;
            run.facts = Arc::clone(&event);
            self.summary_saw(&event);
        }
        Fate::Duplicate
    }

    fn take(&mut self, key: Key, event: Arc<RunEvent>, origin: Origin) {
        let previous = self.previous_state(&event);
        let sequence = self.take_sequence();
        let Some(run) = self.runs.get_mut(&key) else { return };
        run.transitions.insert(event.transition_key());
        run.position = event.position();
        run.facts_digest = event.facts_digest();
        run.facts = Arc::clone(&event);
        // A run that ends twice is its pipeline's last one by then: what it knew before counts.
        run.context.previous_state = previous.or(run.context.previous_state);
        run.note(moment(&event, self.now, Fate::Accepted));
        let queued = QueuedEvent {
            sequence,
            event: Arc::clone(&event),
            context: run.context.clone(),
            origin,
            accepted_at: self.now,
            ended_plannings: 0,
        };
        self.enqueue(key, queued);
        self.remember_finished(&event);
        self.summary_saw(&event);
    }

    /// Matrix children of one pipeline task never share a check name: from the second on, the
    /// index of the run's name is added (rule 5).
    fn first_context(&self, event: &RunEvent) -> RunContext {
        let mut name = check_name(event);
        if event.kind != RunKind::PipelineRun && !event.pipeline_task.is_empty() {
            let root = run_key(event.root_uid());
            let has_sibling = self.accumulators.get(&root).is_some_and(|accumulator| {
                accumulator.has_other_child_of(&event.pipeline_task, &event.uid)
            });
            if has_sibling {
                let index = event.name.rsplit('-').next().unwrap_or_default();
                name = format!("{name}-{index}");
            }
        }
        RunContext { check_name: name, previous_state: None, target_url: String::new() }
    }

    fn is_forgotten(&self, event: &RunEvent) -> bool {
        self.forgotten_before.is_known() && changed_at(event) <= self.forgotten_before
    }

    fn remember_as_past(&mut self, key: Key, event: &RunEvent) {
        if self.free_a_record() {
            self.insert_past(key, PastRun::of(event, event.position(), self.now));
        }
    }

    fn remember_delivery(&mut self, key: Key) {
        let expires_at = Timestamp(self.now.0.saturating_add(self.settings.ttl_ms));
        self.deliveries.insert(key);
        self.delivery_expiry.push_back((expires_at, key));
        if self.deliveries.len() > DELIVERIES_MAX
            && let Some((_, oldest)) = self.delivery_expiry.pop_front()
        {
            self.deliveries.remove(&oldest);
        }
    }

    fn touch(&mut self, key: Key) {
        let now = self.now;
        if let Some(run) = self.runs.get_mut(&key) {
            run.last_seen = now;
        }
        if let Some(past) = self.past.get(&key).copied() {
            self.insert_past(key, PastRun { last_seen: now, ..past });
        }
    }

    /// State of the last finished other run of the same pipeline, repository and branch or PR.
    fn previous_state(&self, event: &RunEvent) -> Option<RunState> {
        let finished = self.history.get(&history_key(event))?;
        (finished.age.uid != event.uid).then_some(finished.state)
    }

    fn remember_finished(&mut self, event: &RunEvent) {
        let key = history_key(event);
        let age = event.age();
        let is_newest = self.history.get(&key).is_none_or(|known| known.age <= age);
        if !event.state.is_final() || !is_newest {
            return;
        }
        self.history.insert(key, Finished { state: event.state, age, at: self.now });
        if self.history.len() > HISTORY_MAX {
            let mut by_age: Vec<_> = self.history.iter().map(|(key, f)| (f.at, *key)).collect();
            by_age.sort_unstable();
            for (_, oldest) in by_age.into_iter().take(HISTORY_STEP) {
                self.history.remove(&oldest);
            }
        }
    }
}

/// When the transition happened, as well as the event tells.
pub(super) fn changed_at(event: &RunEvent) -> Timestamp {
    if event.last_transition.is_known() { event.last_transition } else { event.ce_time }
}

fn moment(event: &RunEvent, at: Timestamp, fate: Fate) -> Moment {
    Moment {
        at,
        ce_time: event.ce_time,
        state: event.state,
        reason: event.reason.clone(),
        attempt: event.attempt,
        fate,
    }
}

fn history_key(event: &RunEvent) -> Key {
    let repository = &event.scm.repository;
    let pr = event.scm.pr_number.map(|number| number.to_string()).unwrap_or_default();
    let pipeline = if event.pipeline_name.is_empty() { &event.name } else { &event.pipeline_name };
    let branch = if pr.is_empty() { &event.scm.ref_name } else { &pr };
    Key::of(&[
        "history",
        event.kind.as_str(),
        &event.namespace,
        pipeline,
        &event.pipeline_task,
        &event.scm.provider,
        &repository.owner,
        &repository.name,
        &repository.id,
        branch,
    ])
}
