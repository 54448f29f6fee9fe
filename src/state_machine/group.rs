//! Groups: PipelineRuns of one namespace that name the same group id share one summary (rules 10,
//! 11). A group is as bad as its worst member, and a member after its flush opens the next
//! generation.

use super::group_key::GroupKey;
use super::level::FeatureLevel;
use super::run_record::{Origin, QueuedEvent, RunRecord};
use super::slot::SlotId;
use super::timer::Timer;
use super::{StateMachine, run_key};
use crate::clock::Timestamp;
use crate::effect::{Summary, SummaryRow};
use crate::event::check::group as group_writer;
use crate::event::{Key, Rank, RunContext, RunEvent, RunState, Scm, check_name};
use std::collections::BTreeSet;
use std::sync::Arc;

/// PipelineRuns kept of one group.
const GROUP_RUNS_MAX: usize = 128;

/// PipelineRuns that share one summary. A member after its flush opens the next generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub generation: u32,
    /// Run keys of the PipelineRuns.
    pub members: BTreeSet<Key>,
    pub opened_at: Timestamp,
    pub renderings: u32,
    pub is_incomplete: bool,
    /// Newest facts of a member: they say where the summary is shown.
    pub facts: Option<Arc<RunEvent>>,
}

impl Group {
    /// The uid under which the summary of this generation is kept and marked.
    #[must_use]
    pub fn uid(key: &GroupKey, generation: u32) -> String {
        format!("group/{}/{}/{generation}", key.0, key.1)
    }
}

impl StateMachine {
    /// A run belongs to the generation that was open when it was first seen.
    pub(super) fn join_group(&mut self, run: Key) {
        let Some(accumulator) = self.summaries.accumulators.get(&run) else { return };
        let Some(root) = accumulator.root.clone() else { return };
        if root.group_id.is_empty() {
            return;
        }
        let group_key = (root.namespace.clone(), root.group_id.clone());
        if accumulator.group.is_some() {
            if let Some(group) = self.summaries.groups.get_mut(&group_key)
                && group.members.contains(&run)
            {
                group.facts = Some(root);
            }
            return;
        }
        let now = self.now;
        let group = self.summaries.groups.get_or_default(group_key.clone());
        if group.renderings > 0 && !group.members.contains(&run) {
            let generation = group.generation + 1;
            *group = Group { generation, ..Group::default() };
        }
        if group.members.is_empty() {
            group.opened_at = now;
            let ends_at = Timestamp(now.0.saturating_add(self.settings.group_ttl_ms));
            self.timers.insert((ends_at, Timer::Group(group_key.clone(), group.generation)));
        }
        if group.members.len() < GROUP_RUNS_MAX {
            group.members.insert(run);
            group.facts = Some(root);
            if let Some(accumulator) = self.summaries.accumulators.get_mut(&run) {
                accumulator.group = Some(group_key);
            }
        }
    }

    /// An empty group keeps its generation for a while: a member that comes then must not take
    /// the place of the summary that was shown.
    pub(super) fn leave_group(&mut self, key: GroupKey, run: Key) {
        let has_timer = !self.has_reached(FeatureLevel::SECOND);
        let Some(group) = self.summaries.groups.get_mut(&key) else { return };
        if !group.members.remove(&run) || !group.members.is_empty() {
            return;
        }
        if has_timer {
            let forgotten_at = self.now.0.saturating_add(self.settings.transition_ttl_ms);
            self.timers.insert((Timestamp(forgotten_at), Timer::Group(key, group.generation)));
        } else {
            group.facts = None;
        }
    }

    /// Forgets a group and the timer of its end.
    pub(super) fn forget_group(&mut self, key: &GroupKey) {
        let Some(group) = self.summaries.groups.remove(key) else { return };
        let ends_at = Timestamp(group.opened_at.0.saturating_add(self.settings.group_ttl_ms));
        self.timers.remove(&(ends_at, Timer::Group(key.clone(), group.generation)));
    }

    pub(super) fn show_group_if_done(&mut self, key: &GroupKey) {
        let Some(group) = self.summaries.groups.get(key) else { return };
        let is_done = group.members.iter().all(|run| {
            self.summaries.accumulators.get(run).is_none_or(|member| member.renderings > 0)
        });
        let was_shown = group.renderings > 0;
        if is_done && let Some(group) = self.summaries.groups.get_mut(key) {
            group.is_incomplete = false;
        }
        if is_done || was_shown {
            self.show_group(key);
        }
    }

    /// The end of an unfinished group, or of the memory of an empty one.
    pub(super) fn group_due(&mut self, key: &GroupKey, generation: u32) {
        let Some(group) = self.summaries.groups.get_mut(key) else { return };
        let forgotten_at = group.opened_at.0.saturating_add(self.settings.transition_ttl_ms);
        if group.members.is_empty() && forgotten_at <= self.now.0 {
            self.summaries.groups.remove(key);
            return;
        }
        let is_over = group.renderings > 0 || group.members.is_empty();
        if group.generation != generation || is_over {
            return;
        }
        group.is_incomplete = true;
        self.counters.incomplete_summaries += 1;
        self.show_group(key);
    }

    fn show_group(&mut self, key: &GroupKey) {
        let sequence = self.take_sequence();
        let now = self.now;
        let Some(group) = self.summaries.groups.get_mut(key) else { return };
        group.renderings += 1;
        let rendering = group.renderings;
        let uid = Group::uid(key, group.generation);
        let Some(facts) = group.facts.clone() else { return };
        let place = (group.opened_at, now);
        let state =
            self.summaries.groups.get(key).map(|group| self.group_summary(key, group).state);
        let event = group_event(&uid, &key.1, &facts, state.unwrap_or(facts.state), place);
        let run = run_key(&uid);
        self.open_group_record(run, &event);
        let Some(record) = self.runs.get_mut(&run) else { return };
        record.facts = Arc::new(event);
        record.last_seen = now;
        self.changes.run_changed(run);
        let queued = QueuedEvent {
            sequence,
            event: record.facts.clone(),
            context: record.context.clone(),
            origin: Origin::Summary { rendering },
            accepted_at: now,
            ended_plannings: 0,
        };
        self.enqueue(run, queued);
    }

    /// A group's summary is delivered like a run's, from a record of its own.
    fn open_group_record(&mut self, run: Key, event: &RunEvent) {
        if self.runs.contains_key(&run) {
            return;
        }
        self.forget_tombstone(run);
        let context = self.group_context(event);
        let slot = SlotId::of_root(&event.uid);
        let record = RunRecord::first(slot, Arc::new(event.clone()), context, self.now);
        self.runs.insert(run, record);
        self.arm_quiet_timer(run);
    }

    fn group_context(&self, event: &RunEvent) -> RunContext {
        if !self.has_reached(FeatureLevel::SECOND) {
            return RunContext { check_name: check_name(event), ..RunContext::default() };
        }
        let writer = group_writer(&event.group_id);
        let check_name = writer.check_name("");
        RunContext { check_name, writer: Some(Arc::new(writer)), ..RunContext::default() }
    }

    pub(super) fn group_summary(&self, key: &GroupKey, group: &Group) -> Summary {
        let runs = group.members.iter().filter_map(|run| self.summaries.accumulators.get(run));
        let mut rows = Vec::new();
        let mut states = Vec::new();
        let mut is_incomplete = group.is_incomplete;
        for accumulator in runs {
            let Some(root) = &accumulator.root else { continue };
            states.push(root.state);
            is_incomplete |= accumulator.is_incomplete;
            rows.extend(
                accumulator
                    .rows()
                    .into_iter()
                    .map(|row| SummaryRow { name: format!("{}/{}", root.name, row.name), ..row }),
            );
        }
        Summary {
            title: key.1.clone(),
            run_name: key.1.clone(),
            state: worst(&states),
            rows,
            is_incomplete,
        }
    }
}

/// What stands for a group: where its member writes, under a name of its own. Its place among the
/// writers of a target is its own too: it is as old as its first member's arrival, and each showing
/// comes after the one before, whichever member led to it. Why its member ended as it did says
/// nothing about a group that is worse.
fn group_event(
    uid: &str,
    group_id: &str,
    facts: &RunEvent,
    state: RunState,
    (opened_at, shown_at): (Timestamp, Timestamp),
) -> RunEvent {
    let told = |text: &String| if state == facts.state { text.clone() } else { String::new() };
    RunEvent {
        state,
        reason: told(&facts.reason),
        message: told(&facts.message),
        created_at: opened_at,
        attempt: 0,
        rank: Rank::Terminal,
        last_transition: shown_at,
        ce_time: shown_at,
        uid: uid.to_owned(),
        name: group_id.to_owned(),
        pipeline_name: group_id.to_owned(),
        pipeline_display_name: String::new(),
        scm: Scm { context: String::new(), ..facts.scm.clone() },
        ..facts.clone()
    }
}

/// A group is as bad as its worst member, and not done before all are.
fn worst(states: &[RunState]) -> RunState {
    let by_badness = [
        RunState::Running,
        RunState::Pending,
        RunState::Error,
        RunState::Failure,
        RunState::Canceled,
    ];
    by_badness.into_iter().find(|state| states.contains(state)).unwrap_or(RunState::Success)
}
