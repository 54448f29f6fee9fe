//! Taking events: the same delivery, the same transition and what comes too late are told apart
//! here, in the same entry that stores the event (rules 8 to 10).

use super::change::StateChange;
use super::claim::{End, Sight, Weight, clamp};
use super::command::{Accepted, Applied, Fate, Refusal};
use super::level::FeatureLevel;
use super::run_record::{
    KeptCheck, Origin, QueuedEvent, RunRecord, RunTombstone, TRANSITIONS_MAX, TimelineEntry,
    changed_at,
};
use super::slot::SlotId;
use super::{Finished, StateMachine, run_key};
use crate::clock::Timestamp;
use crate::event::{Key, RunContext, RunEvent, RunKind, RunState, check_name};
use std::sync::Arc;
use std::time::Duration;

/// Delivery keys remembered at once; the oldest leave first. 1 h at 277 events a second.
pub(super) const DELIVERIES_MAX: usize = 1_000_000;
/// `forgotten_before` stays this far behind: events are delayed by minutes, not hours.
pub(super) const FORGOTTEN_MARGIN: Duration = Duration::from_hours(1);

impl StateMachine {
    pub(super) fn apply_accept(&mut self, mut event: RunEvent) -> Applied {
        let is_clamped = self.has_reached(FeatureLevel::SECOND) && clamp(&mut event, self.now);
        let slot = SlotId::of_root(event.root_uid());
        let run = run_key(&event.uid);
        let Some(fate) = self.decide_and_take(Arc::new(event), slot) else {
            return Applied::Refused(Refusal::Full);
        };
        if is_clamped && fate != Fate::Duplicate {
            self.counters.times_clamped += 1;
        }
        self.counters.fate(fate);
        self.changes.push(StateChange::EventTaken { run, fate });
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
        if self.runs.contains_key(&key) && !self.make_room_for_known(&event) {
            return None;
        }
        // Making room may have shrunk the run itself.
        let fate = match (self.runs.contains_key(&key), self.tombstones.get(&key).cloned()) {
            (true, _) => self.take_known(key, event),
            (false, Some(past)) if past.knows(&event) => {
                self.take_tombstone(key, past, event, slot)?
            }
            (false, past) => {
                if past.is_none() && self.is_forgotten(&event) {
                    self.remember_as_tombstone(key, &event);
                    Fate::Superseded
                } else if self.make_room_for_new(&event) {
                    let kept = past.and_then(|past| past.check);
                    self.forget_tombstone(key);
                    self.take_first(key, event, slot, kept);
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
    fn take_first(
        &mut self,
        key: Key,
        event: Arc<RunEvent>,
        slot: SlotId,
        kept: Option<Box<KeptCheck>>,
    ) {
        self.open_record(key, &event, slot, kept);
        self.take(key, event, Origin::Reported { is_latest_only: false }, false);
    }

    fn open_record(
        &mut self,
        key: Key,
        event: &Arc<RunEvent>,
        slot: SlotId,
        kept: Option<Box<KeptCheck>>,
    ) {
        let context = if self.has_reached(FeatureLevel::SECOND) {
            self.context_of(event, kept)
        } else {
            self.first_context(event)
        };
        let record = RunRecord::first(slot, Arc::clone(event), context, self.now);
        self.runs.insert(key, record);
        self.changes.run_changed(key);
        self.wait_for_parent(key);
        self.arm_quiet_timer(key);
    }

    /// An event about a run that shrank and had come at least as far. `None` when no record is free.
    fn take_tombstone(
        &mut self,
        key: Key,
        past: RunTombstone,
        mut event: Arc<RunEvent>,
        slot: SlotId,
    ) -> Option<Fate> {
        let weight =
            if self.has_reached(FeatureLevel::SECOND) { past.weigh(&event) } else { Weight::Known };
        match weight {
            Weight::Known => {
                self.touch(key);
                Some(Fate::Duplicate)
            }
            Weight::Outweighed => {
                self.touch(key);
                self.counters.contradictions += 1;
                Some(Fate::Superseded)
            }
            Weight::Stands => {
                if !self.make_room_for_new(&event) {
                    return None;
                }
                self.counters.contradictions += 1;
                self.forget_tombstone(key);
                let end = End { is_revision: true, ..End::of(&event) };
                // Its times must not make the target refuse it as older than what it shows.
                let later = Arc::make_mut(&mut event);
                let past_end = past.changed_at.after(Duration::from_millis(1));
                later.last_transition = later.last_transition.max(past_end);
                self.open_record(key, &event, slot, past.check.clone());
                if let Some(run) = self.runs.get_mut(&key) {
                    run.ends.extend(past.end());
                    run.remember_end(end);
                }
                self.take(key, event, Origin::Revised, true);
                Some(Fate::Accepted)
            }
        }
    }

    /// At the second level one function says what a record makes of an event.
    fn take_claim(&mut self, key: Key, mut event: Arc<RunEvent>) -> Fate {
        let Some(run) = self.runs.get_mut(&key) else { return Fate::Superseded };
        run.last_seen = self.now;
        let sight = Sight::of(run, &event);
        let created_at = age_beside(run, &event, self.now);
        if event.created_at != created_at {
            Arc::make_mut(&mut event).created_at = created_at;
        }
        match sight {
            Sight::New => {
                if event.attempt > run.position.attempt {
                    run.begin_attempt();
                }
                self.take(key, event, Origin::Reported { is_latest_only: false }, false);
                Fate::Accepted
            }
            Sight::OtherEnd(weight) => self.take_other_end(key, event, weight),
            Sight::OtherObject(Weight::Stands) => self.take_other_end(key, event, Weight::Stands),
            Sight::OtherObject(Weight::Known | Weight::Outweighed) => {
                self.counters.contradictions += 1;
                let fate = Fate::Superseded;
                run.note(TimelineEntry {
                    is_contradiction: true,
                    ..timeline_entry(&event, self.now, fate)
                });
                self.changes.run_changed(key);
                fate
            }
            Sight::Return => {
                run.returns += 1;
                self.take(key, event, Origin::Revised, false);
                Fate::Accepted
            }
            Sight::NewFacts => {
                self.take_new_facts(key, &event);
                Fate::Duplicate
            }
            Sight::Same => Fate::Duplicate,
            Sight::Late => {
                run.transitions.insert(event.transition_key());
                run.note(timeline_entry(&event, self.now, Fate::Superseded));
                self.changes.run_changed(key);
                self.summary_saw(&event);
                Fate::Superseded
            }
            Sight::Surplus => {
                run.transitions_uncounted += 1;
                self.changes.run_changed(key);
                self.counters.transitions_uncounted += 1;
                Fate::Superseded
            }
        }
    }

    fn take_other_end(&mut self, key: Key, mut event: Arc<RunEvent>, weight: Weight) -> Fate {
        let Some(run) = self.runs.get_mut(&key) else { return Fate::Superseded };
        let is_shown = weight == Weight::Stands;
        run.remember_end(End { is_revision: is_shown, ..End::of(&event) });
        self.changes.run_changed(key);
        match weight {
            Weight::Known => Fate::Duplicate,
            Weight::Outweighed => {
                self.counters.contradictions += 1;
                let fate = Fate::Superseded;
                run.note(TimelineEntry {
                    is_contradiction: true,
                    ..timeline_entry(&event, self.now, fate)
                });
                fate
            }
            Weight::Stands => {
                self.counters.contradictions += 1;
                // What stands is decided: times that say otherwise would make the target refuse it
                // as older than what it shows.
                let later = Arc::make_mut(&mut event);
                later.last_transition = later.last_transition.max(run.position.last_transition);
                later.ce_time = later.ce_time.max(run.position.ce_time);
                self.take(key, event, Origin::Revised, true);
                Fate::Accepted
            }
        }
    }

    fn take_new_facts(&mut self, key: Key, event: &Arc<RunEvent>) {
        let Some(run) = self.runs.get_mut(&key) else { return };
        if event.state.is_final() {
            run.remember_end(End::of(event));
            self.changes.run_changed(key);
        }
        let digest = event.facts_digest();
        let is_current = event.state == run.facts.state && event.position() >= run.position;
        if digest != run.facts_digest && is_current {
            run.facts_digest = digest;
            self.runs.set_facts(key, Arc::clone(event));
            self.changes.run_changed(key);
            self.summary_saw(event);
        }
    }

    fn take_known(&mut self, key: Key, event: Arc<RunEvent>) -> Fate {
        if self.has_reached(FeatureLevel::SECOND) {
            return self.take_claim(key, event);
        }
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
            self.changes.run_changed(key);
            self.counters.transitions_uncounted += 1;
            return Fate::Superseded;
        }
        if position < run.position {
            run.transitions.insert(transition);
            run.note(timeline_entry(&event, self.now, Fate::Superseded));
            self.changes.run_changed(key);
            self.summary_saw(&event);
            return Fate::Superseded;
        }
        if is_new_attempt {
            run.begin_attempt();
        }
        self.take(key, event, Origin::Reported { is_latest_only: false }, false);
        Fate::Accepted
    }

    /// Rule 9 at the first level: new facts of a known transition are merged; a second, different
    /// final state of one attempt is taken once, if the API server wrote it later.
    fn take_same_transition(&mut self, key: Key, mut event: Arc<RunEvent>) -> Fate {
        let Some(run) = self.runs.get_mut(&key) else { return Fate::Duplicate };
        if run.owes_second_final(&event) {
            run.has_second_final = true;
            // The API server's order decides here: times that contradict it would make the
            // target refuse the correction as older than what it shows.
            let later = Arc::make_mut(&mut event);
            later.last_transition = later.last_transition.max(run.facts.last_transition);
            later.ce_time = later.ce_time.max(run.facts.ce_time);
            self.take(key, event, Origin::Reported { is_latest_only: true }, false);
            return Fate::Accepted;
        }
        let digest = event.facts_digest();
        let is_current = event.state == run.facts.state && event.position() >= run.position;
        if digest != run.facts_digest && is_current {
            run.facts_digest = digest;
            self.runs.set_facts(key, Arc::clone(&event));
            self.changes.run_changed(key);
            self.summary_saw(&event);
        }
        Fate::Duplicate
    }

    fn take(&mut self, key: Key, event: Arc<RunEvent>, origin: Origin, is_contradiction: bool) {
        let keeps_ends = self.has_reached(FeatureLevel::SECOND);
        let previous = self.previous_state(&event);
        let sequence = self.take_sequence();
        let Some(run) = self.runs.get_mut(&key) else { return };
        run.transitions.insert(event.transition_key());
        run.position = event.position();
        run.is_given_up = false;
        run.facts_digest = event.facts_digest();
        // A run that ends twice is its pipeline's last one by then: what it knew before counts.
        run.context.previous_state = previous.or(run.context.previous_state);
        if keeps_ends && event.state.is_final() && !is_contradiction {
            run.remember_end(End::of(&event));
        }
        self.runs.set_facts(key, Arc::clone(&event));
        if keeps_ends && event.kind == RunKind::PipelineRun {
            self.drop_foreign_members(key, &event.namespace);
        }
        self.settle_check(key);
        let failed_tasks = self.failed_tasks_of(key, &event);
        let Some(run) = self.runs.get_mut(&key) else { return };
        run.context.failed_tasks = failed_tasks;
        run.note(TimelineEntry {
            is_contradiction,
            ..timeline_entry(&event, self.now, Fate::Accepted)
        });
        self.changes.run_changed(key);
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
        let shown_before = self.renderings(key);
        self.summary_saw(&event);
        if self.has_reached(FeatureLevel::SECOND) && self.renderings(key) > shown_before {
            self.sum_up(key, sequence);
        }
    }

    /// What made a PipelineRun fail. Feature level 2.
    fn failed_tasks_of(&self, key: Key, event: &RunEvent) -> String {
        let has_failed = event.kind == RunKind::PipelineRun && event.state == RunState::Failure;
        if !has_failed || !self.has_reached(FeatureLevel::SECOND) {
            return String::new();
        }
        self.failed_tasks(key)
    }

    /// What a run is called at feature level 1. Matrix children of one pipeline task never share a
    /// check name: from the second on, the index of the run's name is added (rule 5).
    fn first_context(&self, event: &RunEvent) -> RunContext {
        let mut name = check_name(event);
        if event.kind != RunKind::PipelineRun && !event.pipeline_task.is_empty() {
            let root = run_key(event.root_uid());
            let has_sibling = self.summaries.accumulators.get(&root).is_some_and(|accumulator| {
                accumulator.has_other_child_of(&event.pipeline_task, &event.uid)
            });
            if has_sibling {
                let index = event.name.rsplit('-').next().unwrap_or_default();
                name = format!("{name}-{index}");
            }
        }
        RunContext { check_name: name, ..RunContext::default() }
    }

    fn is_forgotten(&self, event: &RunEvent) -> bool {
        self.forgotten_before.is_known() && changed_at(event) <= self.forgotten_before
    }

    fn remember_as_tombstone(&mut self, key: Key, event: &RunEvent) {
        if self.make_room_for_tombstone() {
            self.insert_tombstone(key, self.tombstone_of(event, event.position(), self.now));
        }
    }

    fn remember_delivery(&mut self, key: Key) {
        let expires_at = Timestamp(self.now.0.saturating_add(self.settings.ttl_ms));
        let max = DELIVERIES_MAX.min(self.deliveries_max());
        self.deliveries.remember(key, expires_at, max);
    }

    fn touch(&mut self, key: Key) {
        let now = self.now;
        if let Some(run) = self.runs.get_mut(&key) {
            run.last_seen = now;
        }
        if let Some(past) = self.tombstones.get(&key).cloned() {
            self.insert_tombstone(key, RunTombstone { last_seen: now, ..past });
        }
    }

    /// State of the last finished other run of the same pipeline, repository and branch or PR.
    fn previous_state(&self, event: &RunEvent) -> Option<RunState> {
        let finished = self.history.get(&history_key(event))?;
        (finished.age.uid != event.uid).then_some(finished.state)
    }

    fn remember_finished(&mut self, event: &RunEvent) {
        if event.state.is_final() {
            let finished = Finished { state: event.state, age: event.age(), at: self.now };
            self.history.remember(history_key(event), finished);
        }
    }
}

/// When a known run was created, as far as `event` has a say. A claim that had to be brought down to
/// `now` says nothing: with a clock behind, each event would make its run younger. Of two ages that
/// are claimed a red takes the younger one and anything else the older one, so that neither a green
/// hides the red of a newer run nor a red is made to give way.
fn age_beside(run: &RunRecord, event: &RunEvent, now: Timestamp) -> Timestamp {
    let (known, claimed) = (run.facts.created_at, event.created_at);
    let is_red = matches!(event.state, RunState::Failure | RunState::Error | RunState::Canceled);
    if !known.is_known() || known == claimed {
        claimed
    } else if !claimed.is_known() || claimed >= now {
        known
    } else if is_red {
        known.max(claimed)
    } else {
        known.min(claimed)
    }
}

fn timeline_entry(event: &RunEvent, at: Timestamp, fate: Fate) -> TimelineEntry {
    TimelineEntry {
        at,
        ce_time: event.ce_time,
        state: event.state,
        reason: event.reason.clone(),
        attempt: event.attempt,
        fate,
        is_contradiction: false,
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
