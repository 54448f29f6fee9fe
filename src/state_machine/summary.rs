//! Summaries: what is known of the runs of a PipelineRun, and when it is shown (rules 10, 11).
//!
//! Everything is kept under the PipelineRun's uid. The end of a PipelineRun may come before the
//! end of its tasks, so its summary waits for stragglers, and is shown again for those that
//! arrive later still.

use super::group::Group;
use super::group_key::GroupKey;
use super::level::FeatureLevel;
use super::memory::{ShareId, share_of};
use super::run_record::{Origin, QueuedEvent};
use super::timer::Timer;
use super::{StateMachine, run_key};
use crate::clock::Timestamp;
use crate::effect::{Summary, SummaryRow};
use crate::event::{ChildRef, Key, Position, RunEvent, RunKind, RunState, SkippedTask, is_ignored};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A run that is silent this long is shown as incomplete (rule 11).
pub(super) const SILENCE_MAX: Duration = Duration::from_hours(24);
/// Members kept of one PipelineRun: Tekton's own bound on matrix fan-out is 256.
const MEMBERS_MAX: usize = 512;
/// Failed tasks that the text of their PipelineRun names.
const FAILED_TOLD_MAX: usize = 3;

/// One TaskRun or CustomRun as a summary shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryMember {
    pub name: String,
    pub pipeline_task: String,
    pub is_finally: bool,
    pub state: RunState,
    pub reason: String,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub position: Position,
}

/// What is known of one PipelineRun and its members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accumulator {
    /// Newest facts of the PipelineRun itself.
    pub root: Option<Arc<RunEvent>>,
    /// By run uid.
    pub members: BTreeMap<String, SummaryMember>,
    /// When something has to happen next; unknown when nothing has.
    pub due_at: Timestamp,
    /// How often the summary was shown.
    pub renderings: u32,
    pub is_incomplete: bool,
    pub group: Option<GroupKey>,
}

impl Accumulator {
    /// Takes a member's event. True when the summary shows something else since.
    fn take_member(&mut self, event: &RunEvent) -> bool {
        let known = self.members.get(&event.uid);
        let is_older = known.is_some_and(|known| known.position > event.position());
        let is_surplus = known.is_none() && self.members.len() >= MEMBERS_MAX;
        if is_older || is_surplus {
            return false;
        }
        let shown = known.map(SummaryMember::row);
        let member = SummaryMember::of(event);
        let has_changed = shown.as_ref() != Some(&member.row());
        self.members.insert(event.uid.clone(), member);
        has_changed
    }

    /// Takes an event of the PipelineRun itself. True when the summary shows something else since.
    fn take_root(&mut self, event: &RunEvent) -> bool {
        let known = self.root.as_deref();
        if known.is_some_and(|root| root.position() > event.position()) {
            return false;
        }
        let has_changed = known.is_none_or(|root| {
            (root.state, &root.reason, &root.children)
                != (event.state, &event.reason, &event.children)
        });
        self.root = Some(Arc::new(event.clone()));
        has_changed
    }

    pub(super) fn is_root_final(&self) -> bool {
        self.root.as_ref().is_some_and(|root| root.state.is_final())
    }

    /// Whether every run that the PipelineRun names, and every run seen, is final.
    fn is_complete(&self) -> bool {
        let expected = self.root.iter().flat_map(|root| &root.children);
        let is_final = |child: &ChildRef| {
            self.members.values().any(|m| m.name == child.name && m.state.is_final())
        };
        self.is_root_final()
            && expected.into_iter().all(is_final)
            && self.members.values().all(|member| member.state.is_final())
    }

    /// Whether another run of the same pipeline task is known: a matrix.
    #[must_use]
    pub fn has_other_child_of(&self, pipeline_task: &str, uid: &str) -> bool {
        self.members
            .iter()
            .any(|(other, member)| other != uid && member.pipeline_task == pipeline_task)
    }

    /// Members in the order they started, then those announced but never heard of.
    #[must_use]
    pub fn rows(&self) -> Vec<SummaryRow> {
        let mut members: Vec<_> = self.members.values().collect();
        members.sort_by_key(|member| {
            let start = if member.started_at.is_known() { member.started_at.0 } else { u64::MAX };
            (member.is_finally, start, member.name.clone())
        });
        let known = members.into_iter().map(SummaryMember::row);
        let children = self.root.iter().flat_map(|root| &root.children);
        let missing = children
            .filter(|child| !self.members.values().any(|member| member.name == child.name))
            .map(missing_row);
        let mut rows: Vec<_> = known.chain(missing).collect();
        self.tell_apart(&mut rows);
        let skipped = self.root.iter().flat_map(|root| &root.skipped_tasks);
        rows.extend(skipped.map(skipped_row));
        rows
    }

    /// Names rows as their pipeline shows them. Runs of one task that still read alike, those of a
    /// matrix for one, go by their run.
    fn tell_apart(&self, rows: &mut [SummaryRow]) {
        let children = self.root.iter().flat_map(|root| &root.children);
        let shown = children.filter(|child| !child.display_name.is_empty());
        let shown: BTreeMap<_, _> =
            shown.map(|child| (child.name.as_str(), child.display_name.as_str())).collect();
        for row in rows.iter_mut() {
            if let Some(name) = shown.get(row.run_name.as_str()) {
                (*name).clone_into(&mut row.name);
            }
        }
        let mut alike: BTreeMap<String, u32> = BTreeMap::new();
        for row in rows.iter() {
            *alike.entry(row.name.clone()).or_default() += 1;
        }
        for row in
            rows.iter_mut().filter(|row| alike.get(&row.name).is_some_and(|count| *count > 1))
        {
            row.name.clone_from(&row.run_name);
        }
    }
}

impl SummaryMember {
    fn of(event: &RunEvent) -> Self {
        Self {
            name: event.name.clone(),
            pipeline_task: event.pipeline_task.clone(),
            is_finally: event.is_finally,
            state: event.state,
            reason: event.reason.clone(),
            started_at: event.started_at,
            finished_at: event.finished_at,
            position: event.position(),
        }
    }

    fn row(&self) -> SummaryRow {
        let name = if self.pipeline_task.is_empty() { &self.name } else { &self.pipeline_task };
        SummaryRow {
            name: name.clone(),
            run_name: self.name.clone(),
            is_finally: self.is_finally,
            state: Some(self.state),
            is_ignored: is_ignored(self.state, &self.reason),
            is_skipped: false,
            reason: self.reason.clone(),
            started_at: self.started_at,
            finished_at: self.finished_at,
        }
    }
}

fn missing_row(child: &ChildRef) -> SummaryRow {
    let name = if child.pipeline_task.is_empty() { &child.name } else { &child.pipeline_task };
    SummaryRow {
        name: name.clone(),
        run_name: child.name.clone(),
        is_finally: false,
        state: None,
        is_ignored: false,
        is_skipped: false,
        reason: String::new(),
        started_at: Timestamp::UNKNOWN,
        finished_at: Timestamp::UNKNOWN,
    }
}

fn skipped_row(task: &SkippedTask) -> SummaryRow {
    let child = ChildRef { name: task.name.clone(), ..ChildRef::default() };
    SummaryRow { is_skipped: true, reason: task.reason.clone(), ..missing_row(&child) }
}

impl StateMachine {
    /// Takes what an event says about a PipelineRun or one of its members, also when the event
    /// came too late to be sent anywhere.
    pub(super) fn summary_saw(&mut self, event: &RunEvent) {
        let is_root = event.kind == RunKind::PipelineRun && self.settings.accumulates;
        if is_root {
            self.summary_takes(run_key(&event.uid), event, false);
        }
        let is_run = matches!(event.kind, RunKind::TaskRun | RunKind::CustomRun)
            || event.kind == RunKind::PipelineRun && self.has_reached(FeatureLevel::SECOND);
        let is_own_parent = event.kind == RunKind::PipelineRun && event.parent.uid == event.uid;
        // Only PipelineRuns are summed up, no loop that stands alone.
        let is_member = is_run && !event.parent.uid.is_empty() && !event.is_round();
        if is_member && !is_own_parent {
            let root = run_key(&event.parent.uid);
            let share = self.share_of_run(root).filter(|_| self.has_reached(FeatureLevel::SECOND));
            if share.is_some_and(|share| share != share_of(&event.namespace)) {
                // A label names any run; a row in its summary is for members of its namespace.
                self.counters.contradictions += 1;
                return;
            }
            self.summary_takes(root, event, true);
        }
    }

    /// Takes members out that came before their root and are of another namespace. Before anything is
    /// read from them: what made the root fail is.
    pub(super) fn drop_foreign_members(&mut self, key: Key, namespace: &str) {
        let own = share_of(namespace);
        let known = self.summaries.accumulators.get(&key);
        let Some(accumulator) = known.filter(|known| known.root.is_none()) else { return };
        let is_foreign =
            |uid: &&String| self.share_of_run(run_key(uid)).is_some_and(|share| share != own);
        let foreign: Vec<String> = accumulator.members.keys().filter(is_foreign).cloned().collect();
        if foreign.is_empty() {
            return;
        }
        self.counters.contradictions += u64::try_from(foreign.len()).unwrap_or(u64::MAX);
        if let Some(accumulator) = self.summaries.accumulators.get_mut(&key) {
            accumulator.members.retain(|uid, _| !foreign.contains(uid));
        }
    }

    /// The namespace that a run counts for, as a hash, of a run that is known and noted it.
    pub(super) fn share_of_run(&self, key: Key) -> Option<ShareId> {
        let live = self.runs.get(&key).map(|run| share_of(&run.facts.namespace));
        live.or_else(|| {
            self.tombstones.get(&key).map(|past| past.share).filter(|share| *share != 0)
        })
    }

    fn summary_takes(&mut self, key: Key, event: &RunEvent, is_member: bool) {
        if self.tombstones.contains_key(&key) && !self.summaries.accumulators.contains_key(&key) {
            return;
        }
        // Members are known even when no summary is built: the check names of a matrix need them.
        let accumulator = self.summaries.accumulators.get_or_default(key);
        let has_changed =
            if is_member { accumulator.take_member(event) } else { accumulator.take_root(event) };
        let is_ended = accumulator.is_root_final();
        self.join_group(key);
        if self.settings.accumulates && (has_changed || !is_ended) {
            self.schedule_summary(key);
        }
    }

    /// Sets when the summary is shown: at once when complete, else after the straggler window,
    /// which later stragglers do not prolong, else when the run has been silent for too long.
    fn schedule_summary(&mut self, key: Key) {
        let now = self.now;
        let window_ms = self.settings.straggler_window_ms;
        let Some(accumulator) = self.summaries.accumulators.get_mut(&key) else { return };
        let set_before = accumulator.due_at;
        let due_at = if accumulator.is_complete() {
            accumulator.is_incomplete = false;
            now
        } else if accumulator.is_root_final() {
            let window_end = Timestamp(now.0.saturating_add(window_ms));
            if set_before.is_known() { set_before.min(window_end) } else { window_end }
        } else {
            now.after(SILENCE_MAX)
        };
        accumulator.due_at = due_at;
        self.timers.remove(&(set_before, Timer::Summary(key)));
        if due_at <= now {
            self.show_summary(key);
        } else {
            self.timers.insert((due_at, Timer::Summary(key)));
        }
    }

    /// Ends, by silence, the accumulators of roots that never report themselves: those that were
    /// made while no summary was built have no timer.
    pub(super) fn time_accumulators(&mut self) {
        let due_at = self.now.after(SILENCE_MAX);
        let is_untimed = |accumulator: &Accumulator| {
            !accumulator.due_at.is_known() && accumulator.renderings == 0
        };
        let accumulators = self.summaries.accumulators.iter();
        let untimed = accumulators.filter(|(_, accumulator)| is_untimed(accumulator));
        let untimed: Vec<Key> = untimed.map(|(key, _)| *key).collect();
        for key in untimed {
            if let Some(accumulator) = self.summaries.accumulators.get_mut(&key) {
                accumulator.due_at = due_at;
                self.timers.insert((due_at, Timer::Summary(key)));
            }
        }
    }

    /// The timer of a summary; one that was set again since does nothing.
    pub(super) fn summary_due(&mut self, key: Key, due_at: Timestamp) {
        let Some(accumulator) = self.summaries.accumulators.get_mut(&key) else { return };
        if accumulator.due_at != due_at {
            return;
        }
        if !accumulator.is_root_final() {
            accumulator.is_incomplete = true;
            self.counters.incomplete_summaries += 1;
        }
        self.show_summary(key);
        // Members of a PipelineRun that never reported itself, or that shrank before they came.
        if !self.runs.contains_key(&key) {
            self.forget_accumulator(key);
        }
    }

    /// Whether the record of a run is needed for a summary that is still to be shown.
    pub(super) fn awaits_summary(&self, key: Key) -> bool {
        let Some(accumulator) = self.summaries.accumulators.get(&key) else { return false };
        if accumulator.due_at.is_known() {
            return true;
        }
        let group = accumulator.group.as_ref().and_then(|group| self.summaries.groups.get(group));
        let Some(group) = group.filter(|group| group.members.contains(&key)) else { return false };
        let is_open =
            |run: &Key| self.summaries.accumulators.get(run).is_some_and(|m| !m.is_root_final());
        // Only ended members wait, and only for those that are not: two cannot wait for each other.
        accumulator.is_root_final() && (group.renderings == 0 || group.members.iter().any(is_open))
    }

    pub(super) fn forget_accumulator(&mut self, key: Key) {
        if let Some(accumulator) = self.summaries.accumulators.remove(&key) {
            self.timers.remove(&(accumulator.due_at, Timer::Summary(key)));
            if let Some(group) = accumulator.group {
                self.leave_group(group, key);
            }
        }
    }

    /// How often the summary of a run that stands alone was shown.
    pub(super) fn renderings(&self, key: Key) -> u32 {
        let accumulator =
            self.summaries.accumulators.get(&key).filter(|known| known.group.is_none());
        accumulator.map_or(0, |known| known.renderings)
    }

    /// Notes that a queued event has its summary right behind it.
    pub(super) fn sum_up(&mut self, key: Key, sequence: u64) {
        let queue = self.runs.get_mut(&key).into_iter().flat_map(|run| &mut run.queue);
        for queued in queue.filter(|queued| queued.sequence == sequence) {
            queued.context.is_summed_up = true;
        }
    }

    /// The tasks of a PipelineRun that failed and made it fail, for a line of text.
    pub(super) fn failed_tasks(&self, key: Key) -> String {
        let Some(accumulator) = self.summaries.accumulators.get(&key) else { return String::new() };
        let has_failed = |member: &&SummaryMember| {
            let is_bad = matches!(member.state, RunState::Failure | RunState::Error);
            is_bad && !is_ignored(member.state, &member.reason)
        };
        let mut failed: Vec<_> = accumulator.members.values().filter(has_failed).collect();
        failed.sort_by_key(|member| (member.finished_at, member.name.clone()));
        let more = failed.len().saturating_sub(FAILED_TOLD_MAX);
        let told = failed.iter().take(FAILED_TOLD_MAX);
        let told = told.map(|member| format!("{} ({})", member.row().name, member.reason));
        let told = told.collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{told} and {more} more") } else { told }
    }

    fn show_summary(&mut self, key: Key) {
        let sequence = self.take_sequence();
        let now = self.now;
        let Some(accumulator) = self.summaries.accumulators.get_mut(&key) else { return };
        accumulator.due_at = Timestamp::UNKNOWN;
        accumulator.renderings += 1;
        if let Some(group) = accumulator.group.clone() {
            self.show_group_if_done(&group);
            return;
        }
        let rendering = accumulator.renderings;
        let Some(event) = accumulator.root.clone() else { return };
        let Some(run) = self.runs.get(&key) else { return };
        let queued = QueuedEvent {
            sequence,
            event,
            context: run.context.clone(),
            origin: Origin::Summary { rendering },
            accepted_at: now,
            ended_plannings: 0,
        };
        self.enqueue(key, queued);
    }

    /// The summary that a run, or group, shows; `None` until it is first due.
    #[must_use]
    pub fn summary(&self, run: Key) -> Option<Summary> {
        if let Some(accumulator) = self.summaries.accumulators.get(&run) {
            return (accumulator.renderings > 0 && accumulator.group.is_none())
                .then(|| accumulator.root.as_ref().map(|root| run_summary(accumulator, root)))?;
        }
        let facts = &self.runs.get(&run)?.facts;
        let key = (facts.namespace.clone(), facts.group_id.clone());
        let group = self.summaries.groups.get(&key)?;
        let is_shown = run_key(&Group::uid(&key, group.generation)) == run;
        is_shown.then(|| self.group_summary(&key, group))
    }
}

fn run_summary(accumulator: &Accumulator, root: &RunEvent) -> Summary {
    let title = if root.pipeline_name.is_empty() { &root.name } else { &root.pipeline_name };
    Summary {
        title: title.clone(),
        run_name: root.name.clone(),
        state: root.state,
        rows: accumulator.rows(),
        is_incomplete: accumulator.is_incomplete,
    }
}
