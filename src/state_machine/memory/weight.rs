//! What a part of the state weighs in memory, in bytes. Each holder of an event counts it whole: any
//! of them may be the last. The constants are measured by `cargo bench --bench floods`.

use super::super::copy_on_write::CopyOnWrite;
use super::tracked::Record;
use super::{Rest, RunStanding, TargetStanding, share_of};
use crate::clock::Timestamp;
use crate::effect::{EffectId, RouteName, TargetKey};
use crate::event::{
    CheckWriter, ChildRef, Key, NamedValue, Naming, Parent, Reference, Repository, RunContext,
    RunEvent, Scm, SkippedTask,
};
use crate::state_machine::claim::End;
use crate::state_machine::group::Group;
use crate::state_machine::group_key::GroupKey;
use crate::state_machine::outbox::{Standing, TargetRecord};
use crate::state_machine::run_record::{
    KeptCheck, Origin, QueuedEvent, RunRecord, RunTombstone, SettledEffect, Settlement,
    TimelineEntry,
};
use crate::state_machine::summary::{Accumulator, SummaryMember};
use crate::state_machine::{DeadLetter, Finished};
use std::collections::BTreeMap;
use std::mem::size_of;

/// A delivery key in the set and in the order of expiry.
pub(super) const DELIVERY_BYTES: u64 = 61;
/// A tombstone in the map and in the order of its last sighting.
pub(super) const TOMBSTONE_BYTES: u64 = 150;
/// An effect beside its texts, a Begin that was replaced, and their places in the indexes.
pub(super) const EFFECT_BYTES: u64 = 1024;
/// A key, a time and a pointer in a tree, for each index that an entry stands in.
const INDEX_BYTES: u64 = 48;
/// A timer in the order of its time.
const TIMER_BYTES: u64 = 112;
/// Entries in a node of a tree.
const NODE_ENTRIES: u64 = 11;
/// What the allocator rounds up to.
const BLOCK: u64 = 16;

/// A block of memory for `bytes`; none for nothing.
fn block(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX / 4).next_multiple_of(BLOCK)
}

fn text(text: &str) -> u64 {
    block(text.len())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The nodes of a small tree: they are allocated whole, and two thirds full when there are several.
fn tree<K, V>(entries: usize) -> u64 {
    let node = NODE_ENTRIES * count(size_of::<K>() + size_of::<V>()) + INDEX_BYTES;
    if entries == 0 { 0 } else { (3 * count(entries)).div_ceil(2 * NODE_ENTRIES) * node }
}

/// A vector or queue, which doubles its room.
fn list<V>(entries: usize) -> u64 {
    if entries == 0 { 0 } else { count(entries.max(4).next_power_of_two() * size_of::<V>()) }
}

fn texts(map: &BTreeMap<String, String>) -> u64 {
    let entries: u64 = map.iter().map(|(name, value)| text(name) + text(value)).sum();
    entries + tree::<String, String>(map.len())
}

fn values(values: &[NamedValue]) -> u64 {
    let entries: u64 = values.iter().map(|value| text(&value.name) + text(&value.value)).sum();
    entries + list::<NamedValue>(values.len())
}

/// An event with all that it holds.
pub(super) fn event(event: &RunEvent) -> u64 {
    let words: u64 = words(event).into_iter().map(|word| text(word)).sum();
    let children: u64 = event.children.iter().map(child).sum();
    let skipped = event.skipped_tasks.iter().map(|task| text(&task.name) + text(&task.reason));
    let skipped = skipped.sum::<u64>() + list::<SkippedTask>(event.skipped_tasks.len());
    let cut: u64 = event.cut.iter().map(|name| text(name)).sum();
    block(size_of::<RunEvent>() + 2 * size_of::<usize>())
        + words
        + naming(&event.naming)
        + children
        + skipped
        + list::<ChildRef>(event.children.len())
        + repository(&event.scm)
        + texts(&event.labels)
        + texts(&event.annotations)
        + values(&event.params)
        + values(&event.results)
        + cut
        + list::<String>(event.cut.len())
}

/// The single texts of an event. Every field is named, so that none that is added is forgotten.
fn words(event: &RunEvent) -> [&String; 20] {
    let RunEvent {
        ce_id,
        ce_source,
        ce_type,
        ce_time: _,
        kind: _,
        namespace,
        name,
        uid,
        resource_version: _,
        created_at: _,
        rank: _,
        state: _,
        reason,
        message,
        attempt: _,
        last_transition: _,
        started_at: _,
        finished_at: _,
        parent: Parent { uid: parent_uid, name: parent_name },
        naming: _,
        task_name,
        pipeline_name,
        pipeline_task,
        event_listener_name,
        trigger_name,
        task_display_name,
        pipeline_display_name,
        is_finally: _,
        scm_event_type,
        children: _,
        skipped_tasks: _,
        scm: _,
        jira_issue_key,
        group_id,
        labels: _,
        annotations: _,
        params: _,
        results: _,
        cut: _,
    } = event;
    [
        ce_id,
        ce_source,
        ce_type,
        namespace,
        name,
        uid,
        reason,
        message,
        parent_uid,
        parent_name,
        task_name,
        pipeline_name,
        pipeline_task,
        event_listener_name,
        trigger_name,
        task_display_name,
        pipeline_display_name,
        scm_event_type,
        jira_issue_key,
        group_id,
    ]
}

fn child(child: &ChildRef) -> u64 {
    let ChildRef { name, pipeline_task, display_name } = child;
    text(name) + text(pipeline_task) + text(display_name)
}

fn naming(naming: &Naming) -> u64 {
    let Naming { reference, generate_name, original_name, custom_kind, iteration, owner, .. } =
        naming;
    let name = match reference {
        Reference::Name(name) => text(name),
        Reference::Unknown | Reference::Resolver | Reference::Inline => 0,
    };
    let words = [generate_name, original_name, custom_kind, iteration, owner];
    name + words.into_iter().map(|word| text(word)).sum::<u64>()
}

fn check_writer(writer: &CheckWriter) -> u64 {
    let CheckWriter { kind: _, root, tasks, combination } = writer;
    let names: u64 = tasks.iter().map(|task| text(task)).sum();
    text(root) + names + list::<String>(tasks.len()) + text(combination)
}

fn repository(scm: &Scm) -> u64 {
    let Scm { provider, api_base_url, commit_sha, context, ref_name, repository, .. } = scm;
    let Repository { owner, name, id, workspace, project, org } = repository;
    let words = [
        provider,
        api_base_url,
        commit_sha,
        context,
        ref_name,
        owner,
        name,
        id,
        workspace,
        project,
        org,
    ];
    words.into_iter().map(|word| text(word)).sum()
}

fn context(context: &RunContext) -> u64 {
    let RunContext { check_name, writer, failed_tasks, target_url, .. } = context;
    let writer = writer.as_deref().map_or(0, check_writer);
    text(check_name) + writer + text(failed_tasks) + text(target_url)
}

fn route(route: &RouteName) -> u64 {
    text(&route.kind) + text(&route.instance) + text(&route.action)
}

fn target(target: &TargetKey) -> u64 {
    text(&target.0)
}

fn queued(queued: &QueuedEvent, facts: &RunEvent) -> u64 {
    let of_origin = match &queued.origin {
        Origin::Reported { .. } | Origin::Revised | Origin::Summary { .. } => 0,
        Origin::Replay { route: of, .. }
        | Origin::Repair { route: of, .. }
        | Origin::Silence { route: of, .. } => route(of),
    };
    // The newest event is the run's facts: one allocation, here and in a state read anew.
    let of_event = if *queued.event == *facts { 0 } else { event(&queued.event) };
    of_event + context(&queued.context) + of_origin
}

fn moment(moment: &TimelineEntry) -> u64 {
    text(&moment.reason)
}

fn settled(settled: &SettledEffect) -> u64 {
    let receipt = match &settled.settlement {
        Settlement::Delivered(receipt) | Settlement::Late(receipt) => text(&receipt.remote_id),
        Settlement::Skipped(_) | Settlement::Dead(_) => 0,
    };
    route(&settled.route) + settled.target.as_ref().map_or(0, target) + receipt
}

/// A tombstone.
pub(in crate::state_machine) fn tombstone(past: &RunTombstone) -> u64 {
    let check = past.check.as_ref().map_or(0, |kept| {
        block(size_of::<KeptCheck>()) + check_writer(&kept.writer) + text(&kept.name)
    });
    TOMBSTONE_BYTES + check
}

/// A record that holds `facts` and nothing else: the least that a new run takes.
pub(super) fn new_run(facts: &RunEvent) -> u64 {
    event(facts)
        + block(size_of::<RunRecord>())
        + list::<QueuedEvent>(1)
        + list::<TimelineEntry>(1)
        + tree::<Key, ()>(1)
        + 3 * INDEX_BYTES
        + TIMER_BYTES
}

fn run(run: &RunRecord) -> u64 {
    block(size_of::<RunRecord>())
        + event(&run.facts)
        + context(&run.context)
        + tree::<Key, ()>(run.transitions.len())
        + list::<End>(run.ends.len())
        + run.queue.iter().map(|of| queued(of, &run.facts)).sum::<u64>()
        + list::<QueuedEvent>(run.queue.len())
        + run.timeline.iter().map(moment).sum::<u64>()
        + list::<TimelineEntry>(run.timeline.len())
        + run.settled.iter().map(settled).sum::<u64>()
        + list::<SettledEffect>(run.settled.len())
        + 3 * INDEX_BYTES
        + TIMER_BYTES
}

impl Record<Key> for CopyOnWrite<RunRecord> {
    type Standing = RunStanding;

    fn standing(&self, _key: &Key) -> RunStanding {
        let rest = match (self.is_idle(), self.facts.state.is_final()) {
            (false, _) => Rest::Busy,
            (true, true) => Rest::Settled(self.last_seen),
            (true, false) => Rest::Silent(self.last_seen),
        };
        RunStanding { bytes: run(self), share: share_of(&self.facts.namespace), rest }
    }
}

impl Record<TargetKey> for TargetRecord {
    type Standing = TargetStanding;

    fn standing(&self, key: &TargetKey) -> TargetStanding {
        let writer = self.writer.as_ref().map_or(0, |writer| text(&writer.age.uid));
        let uids = self.standings.values().map(|standing| text(&standing.writer.age.uid));
        let standings = uids.sum::<u64>() + tree::<Key, Standing>(self.standings.len());
        // The key stands in the map, and in the order of idleness or the timer.
        let entry = count(size_of::<TargetKey>() + size_of::<Self>()) * 3 / 2;
        let bytes =
            entry + 2 * target(key) + writer + standings + text(&self.remote_id) + TIMER_BYTES;
        let idle_since = self.open.is_none().then_some(self.touched_at);
        TargetStanding { bytes, share: self.share, idle_since }
    }
}

/// Bytes, and when it is due where no PipelineRun was heard of.
impl Record<Key> for Accumulator {
    type Standing = (u64, Option<Timestamp>);

    fn standing(&self, _key: &Key) -> Self::Standing {
        let members = self.members.iter().map(|(uid, member)| {
            text(uid) + text(&member.name) + text(&member.pipeline_task) + text(&member.reason)
        });
        let root = self.root.as_ref().map_or(0, |root| event(root));
        let group = self.group.as_ref().map_or(0, |(namespace, id)| text(namespace) + text(id));
        let entry = count(size_of::<Key>() + size_of::<Self>()) * 3 / 2;
        let bytes = members.sum::<u64>() + tree::<String, SummaryMember>(self.members.len());
        let bytes = bytes + root + group + entry + INDEX_BYTES + TIMER_BYTES;
        (bytes, self.root.is_none().then_some(self.due_at))
    }
}

/// Bytes, and when it was opened where it has no member.
impl Record<GroupKey> for Group {
    type Standing = (u64, Option<Timestamp>);

    fn standing(&self, key: &GroupKey) -> Self::Standing {
        let names = text(&key.0) + text(&key.1);
        let facts = self.facts.as_ref().map_or(0, |facts| event(facts));
        let entry = count(size_of::<GroupKey>() + size_of::<Self>()) * 3 / 2;
        let bytes = 3 * names + tree::<Key, ()>(self.members.len()) + facts + entry + TIMER_BYTES;
        (bytes, self.members.is_empty().then_some(self.opened_at))
    }
}

/// A dead letter with its timer.
pub(in crate::state_machine) fn letter(letter: &DeadLetter) -> u64 {
    let entry = count(size_of::<u64>() + size_of::<DeadLetter>()) * 3 / 2;
    let words = text(&letter.cause.detail) + route(&letter.route) + context(&letter.context);
    entry + words + event(&letter.event) + TIMER_BYTES
}

impl Record<Key> for Finished {
    type Standing = u64;

    fn standing(&self, _key: &Key) -> u64 {
        count(size_of::<Key>() + size_of::<Self>()) * 3 / 2 + text(&self.age.uid)
    }
}

/// An effect in the outbox beside its texts.
pub(super) fn effects(number: usize) -> u64 {
    count(number).saturating_mul(count(size_of::<EffectId>()) + EFFECT_BYTES)
}
