//! A state for tests. Every field has a value of its own, so that a field missing from the stored
//! form is noticed. No log has to lead to it.

use super::sample::{FIRST_REASONS, cause, full_event, named_event, route};
use crate::clock::Timestamp;
use crate::effect::{Delivery, EffectId, Receipt, SkipReason, TargetKey};
use crate::event::check::RootKind;
use crate::event::{
    CheckWriter, Key, NotSettled, Position, Rank, RunAge, RunContext, RunEvent, RunState,
};
use crate::failure::FailureKind;
use crate::state_machine::{
    Accumulator, CauseKind, CopyOnWrite, Counters, DeadLetter, EffectRecord, End, Fate,
    FeatureLevel, Finished, Group, KeptCheck, NodeId, OpenBegin, Origin, Outbox, OwedRepair,
    QueuedEvent, ReplacedBegin, RunRecord, RunTombstone, Settings, SettledEffect, Settlement, Slot,
    SlotId, SlotMap, Standing, StateMachine, SummaryMember, TargetRecord, TimelineEntry, Timer,
    Writer,
};
use std::collections::BTreeMap;
use std::sync::Arc;

const RUN: Key = Key(0x0101);
const EFFECT: EffectId = EffectId(Key(0x0202));

/// A state that was filled from nothing.
pub(super) fn state_with(fill: impl FnOnce(&mut StateMachine)) -> StateMachine {
    let mut state = StateMachine::default();
    fill(&mut state);
    state
}

pub(super) fn full_state() -> StateMachine {
    let mut state = state_with(|state| {
        state.now = Timestamp(1001);
        state.settings = full_settings();
        // Every build reads this level back, and no record contains it.
        state.feature_level = FeatureLevel::FIRST;
        state.slots = SlotMap::from_slots(vec![
            Slot { owner: Some(NodeId(0)), epoch: 1003, moved_at: Timestamp(1004) },
            Slot { owner: None, epoch: 1005, moved_at: Timestamp::UNKNOWN },
        ]);
        state.boots = [(NodeId(1006), 1007)].into();
        state.retired = [(NodeId(1015), Timestamp(1016)), (NodeId(0), Timestamp::UNKNOWN)].into();
        state.pauses = [("paused-instance".to_owned(), Timestamp(1017))].into();
        state.deliveries =
            [(Timestamp(1009), Key(1)), (Timestamp(1008), Key(2))].into_iter().collect();
        state.tombstones = [(Key(0x0404), full_past())].into_iter().collect();
        state.forgotten_before = Timestamp(1010);
        state.outbox = full_outbox();
        state.history = [(Key(0x0505), full_finished())].into_iter().collect();
        state.timers = all_timers().map(|timer| (Timestamp(1012), timer)).into();
        state.next_sequence = 1013;
        state.counters = full_counters();
    });
    state.summaries.accumulators.insert(RUN, full_accumulator());
    state.summaries.accumulators.insert(Key(0x0606), Accumulator::default());
    state.summaries.groups.insert(group_key(), full_group());
    state.summaries.groups.insert(Default::default(), Group::default());
    state.runs.insert(RUN, full_run());
    state.runs.insert(Key(0x0303), RunRecord { unsettled: 0, ..full_run() });
    state.dead_letters.go_on_after(1014);
    state.dead_letters.keep(full_letter());
    state.rebuild_indexes();
    state
}

/// The same state with the additions of the second feature level.
pub(super) fn second_state() -> StateMachine {
    let mut state = full_state();
    state.feature_level = FeatureLevel::SECOND;
    state.settings.memory_bytes = 1018;
    state.counters.skipped = SkipReason::ALL.into_iter().zip(3011..).collect();
    state.counters.check_collisions = 3047;
    add_second_runs(&mut state);
    let kept = KeptCheck { writer: writer(RootKind::Group), name: "kept-name".to_owned() };
    state.tombstones.insert(
        Key(0x0405),
        RunTombstone { share: 5504, check: Some(Box::new(kept)), ..full_past() },
    );
    let last = Writer { age: full_age(), position: full_position(), sequence: 7003 };
    let standing = Standing { writer: last, state: RunState::Failure };
    let standings = [(Key(0x0701), standing)].into();
    let target = TargetRecord { share: 7006, standings, ..TargetRecord::default() };
    state.outbox.targets.insert(TargetKey("standing".to_owned()), target);
    state.timers.insert((Timestamp(1012), Timer::Parent(Key(9004))));
    state.counters.contradictions = 3048;
    state.counters.times_clamped = 3049;
    let end = |state, at| End { state, at: Timestamp(at), version: at + 1, is_revision: true };
    for run in state.runs.records_mut().values_mut() {
        run.ends = vec![end(RunState::Canceled, 5601), end(RunState::Error, 5603)];
        run.returns = 5605;
        run.queue.push_back(full_queued(Origin::Revised, 5606));
        run.note(TimelineEntry { is_contradiction: true, ..full_timeline_entry(Fate::Superseded) });
    }
    for effect in state.outbox.effects.values_mut() {
        effect.first_begun_at = Timestamp(5700);
    }
    let repair = OwedRepair {
        due_at: Timestamp(5701),
        effect: EFFECT,
        attempt: 5702,
        run: RUN,
        route: route("repaired", "action"),
        writer: full_writer(),
        is_set: true,
        is_of_repair: true,
    };
    let target = TargetKey("repaired".to_owned());
    state.timers.insert((Timestamp(5701), Timer::Repair(target.clone())));
    state.repairs.insert(target, repair);
    let ended = |(key, past): (&Key, &RunTombstone)| {
        let end_state = Some(RunState::Failure);
        (*key, RunTombstone { end_state, end_version: 5607, ..past.clone() })
    };
    state.tombstones = state.tombstones.iter().map(ended).collect();
    state.rebuild_indexes();
    state
}

/// Runs with waiting checks, unsettled checks, and checks of each kind of root.
fn add_second_runs(state: &mut StateMachine) {
    let waiting = RunRecord {
        facts: Arc::new(named_event()),
        context: RunContext {
            not_settled: Some(NotSettled::AwaitsParent),
            writer: None,
            ..second_context(RootKind::Pipeline)
        },
        waits_until: Timestamp(5010),
        look_at: Timestamp(5012),
        queue: [full_queued(
            Origin::Silence { effect: EFFECT, route: route("kind", "action") },
            5011,
        )]
        .into(),
        ..full_run()
    };
    let settled = RootKind::ALL.into_iter().zip(0x0307..).map(|(kind, key)| {
        let run = RunRecord { context: second_context(kind), is_given_up: true, ..full_run() };
        (Key(key), run)
    });
    for (key, run) in settled {
        state.runs.insert(key, run);
    }
    state.runs.insert(Key(0x0306), waiting);
    let awaits_name = RunContext { not_settled: Some(NotSettled::AwaitsName), ..full_context() };
    state.runs.insert(Key(0x0305), RunRecord { context: awaits_name, ..full_run() });
}

fn second_context(kind: RootKind) -> RunContext {
    RunContext {
        writer: Some(Arc::new(writer(kind))),
        failed_tasks: "failed-task (Reason)".to_owned(),
        is_summed_up: true,
        ..full_context()
    }
}

fn writer(kind: RootKind) -> CheckWriter {
    CheckWriter {
        kind,
        root: "root".to_owned(),
        tasks: vec!["task:1".to_owned(), "inner".to_owned()],
        combination: "2".to_owned(),
    }
}

fn group_key() -> (String, String) {
    ("namespace".to_owned(), "group".to_owned())
}

fn event(attempt: u32) -> Arc<RunEvent> {
    Arc::new(RunEvent { attempt, ..full_event() })
}

fn full_settings() -> Settings {
    Settings {
        ttl_ms: 2001,
        transition_ttl_ms: 2002,
        runs_max: 2003,
        dead_letter_ttl_ms: 2004,
        dead_letters_max: 2005,
        accumulates: true,
        straggler_window_ms: 2006,
        group_ttl_ms: 2007,
        memory_bytes: 0,
    }
}

fn full_counters() -> Counters {
    let dead = FailureKind::ALL.map(CauseKind::Delivery);
    let dead = dead.into_iter().chain([CauseKind::Poison, CauseKind::BacklogFull]);
    Counters {
        fates: Fate::ALL.into_iter().zip(3001..).collect(),
        skipped: FIRST_REASONS.into_iter().zip(3011..).collect(),
        dead: dead.zip(3021..).collect(),
        delivered: 3041,
        in_doubt: 3042,
        late: 3043,
        letters_dropped: 3044,
        incomplete_summaries: 3045,
        transitions_uncounted: 3046,
        contradictions: 0,
        times_clamped: 0,
        check_collisions: 0,
    }
}

fn full_position() -> Position {
    Position {
        attempt: 4001,
        rank: Rank::Running,
        last_transition: Timestamp(4002),
        ce_time: Timestamp(4003),
    }
}

fn full_context() -> RunContext {
    RunContext {
        check_name: "check-name".to_owned(),
        previous_state: Some(RunState::Canceled),
        target_url: "https://dashboard.example.test/run".to_owned(),
        ..RunContext::default()
    }
}

fn full_run() -> RunRecord {
    let settlements = [
        Settlement::Delivered(Receipt { remote_id: "remote".to_owned(), status: 5001 }),
        Settlement::Skipped(SkipReason::FilteredByKind),
        Settlement::Dead(CauseKind::Poison),
        Settlement::Late(Receipt { remote_id: "late".to_owned(), status: 5010 }),
    ];
    RunRecord {
        slot: SlotId::new(51).unwrap(),
        facts: event(52),
        facts_digest: u64::MAX - 53,
        position: full_position(),
        context: full_context(),
        transitions: [Key(5004), Key(5005)].into(),
        transitions_uncounted: 5006,
        has_second_final: true,
        ends: Vec::new(),
        returns: 0,
        queue: all_origins().map(|origin| full_queued(origin, 5007)).into(),
        timeline: Fate::ALL.map(full_timeline_entry).into(),
        settled: settlements.map(full_settled).into(),
        unsettled: 5008,
        last_seen: Timestamp(5009),
        waits_until: Timestamp::UNKNOWN,
        is_given_up: false,
        look_at: Timestamp::UNKNOWN,
    }
}

fn all_origins() -> [Origin; 4] {
    let route = route("kind", "action");
    [
        Origin::Reported { is_latest_only: true },
        Origin::Summary { rendering: 5101 },
        Origin::Replay { letter: 5102, replays: 5103, route: route.clone(), is_summary: true },
        Origin::Repair { effect: EFFECT, attempt: 5104, route },
    ]
}

fn full_queued(origin: Origin, sequence: u64) -> QueuedEvent {
    QueuedEvent {
        sequence,
        event: event(5201),
        context: full_context(),
        origin,
        accepted_at: Timestamp(5202),
        ended_plannings: 5203,
    }
}

fn full_timeline_entry(fate: Fate) -> TimelineEntry {
    TimelineEntry {
        at: Timestamp(5301),
        ce_time: Timestamp(5302),
        state: RunState::Error,
        reason: "Reason".to_owned(),
        attempt: 5303,
        fate,
        is_contradiction: false,
    }
}

fn full_settled(settlement: Settlement) -> SettledEffect {
    let is_skipped = matches!(settlement, Settlement::Skipped(_));
    SettledEffect {
        effect: EFFECT,
        route: route("settled", "action"),
        target: (!is_skipped).then(|| TargetKey(String::new())),
        state: RunState::Pending,
        settlement,
        attempts: 5401,
        at: Timestamp(5402),
    }
}

fn full_past() -> RunTombstone {
    RunTombstone {
        attempt: 5501,
        rank: Rank::Started,
        facts_digest: u64::MAX - 55,
        last_seen: Timestamp(5502),
        changed_at: Timestamp(5503),
        end_state: None,
        end_version: 0,
        check: None,
        share: 0,
    }
}

fn full_writer() -> Writer {
    Writer { age: full_age(), position: full_position(), sequence: 7001 }
}

fn full_age() -> RunAge {
    RunAge { created_at: Timestamp(5601), uid: "age-uid".to_owned() }
}

fn full_finished() -> Finished {
    Finished { state: RunState::Success, age: full_age(), at: Timestamp(5701) }
}

fn full_accumulator() -> Accumulator {
    let member = SummaryMember {
        name: "member-name".to_owned(),
        pipeline_task: "member-task".to_owned(),
        is_finally: true,
        state: RunState::Running,
        reason: "Running".to_owned(),
        started_at: Timestamp(6001),
        finished_at: Timestamp(6002),
        position: full_position(),
    };
    Accumulator {
        root: Some(event(6003)),
        members: [("member-uid".to_owned(), member)].into(),
        due_at: Timestamp(6004),
        renderings: 6005,
        is_incomplete: true,
        group: Some(group_key()),
    }
}

fn full_group() -> Group {
    Group {
        generation: 6101,
        members: [RUN, Key(0x0606)].into(),
        opened_at: Timestamp(6102),
        renderings: 6103,
        is_incomplete: true,
        facts: Some(event(6104)),
    }
}

/// A lane in an order that is neither that of the ids nor that of the sequences.
fn full_outbox() -> Outbox {
    let later = EffectRecord {
        id: EffectId(Key(0x0201)),
        delivery: Delivery::Stream,
        sequence: 1,
        open: None,
        is_in_doubt: false,
        last_cause: None,
        ..full_effect()
    };
    let lane = (full_effect().lane(), [EFFECT, later.id].into());
    let effects = [full_effect(), later].map(|effect| (effect.id, CopyOnWrite::new(effect)));
    let target = TargetRecord {
        writer: Some(full_writer()),
        remote_id: "target-remote".to_owned(),
        open: Some(EFFECT),
        touched_at: Timestamp(7002),
        standings: BTreeMap::new(),
        share: 0,
    };
    let untouched = (TargetKey("untouched".to_owned()), TargetRecord::default());
    let targets = [(full_effect().target, target), untouched].into_iter().collect();
    let begin = ReplacedBegin { node: NodeId(7003), boot: 7004, effect: full_effect() };
    Outbox::restore(effects.into(), targets, [((EFFECT, 7005), begin)].into(), [lane].into())
}

fn full_effect() -> EffectRecord {
    EffectRecord {
        id: EFFECT,
        route: route("effect", "action"),
        target: TargetKey("effect-target".to_owned()),
        delivery: Delivery::Latest,
        run: RUN,
        slot: SlotId::new(71).unwrap(),
        sequence: 7101,
        event: event(7102),
        context: full_context(),
        origin: Origin::Summary { rendering: 7103 },
        accepted_at: Timestamp(7104),
        attempts: 7105,
        first_begun_at: Timestamp::UNKNOWN,
        not_before: Timestamp(7106),
        open: Some(OpenBegin { node: NodeId(7107), boot: 7108, at: Timestamp(7109) }),
        ended_boots: 7110,
        is_in_doubt: true,
        parked_since: Timestamp(7111),
        last_cause: Some(cause(CauseKind::BacklogFull)),
    }
}

fn full_letter() -> DeadLetter {
    DeadLetter {
        id: 1011,
        failed_at: Timestamp(8001),
        cause: cause(CauseKind::Delivery(FailureKind::Timeout)),
        replays: 8002,
        attempts: 8003,
        run: Key(8004),
        route: route("letter", "action"),
        event: event(8005),
        context: full_context(),
        is_summary: true,
        sequence: 8006,
    }
}

fn all_timers() -> [Timer; 5] {
    [
        Timer::Summary(Key(9001)),
        Timer::Group(group_key(), 9002),
        Timer::Quiet(Key(9003)),
        Timer::Target(TargetKey("timer-target".to_owned())),
        Timer::DeadLetter(0),
    ]
}
