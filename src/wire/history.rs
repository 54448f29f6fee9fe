//! Whole logs for the tests of this folder. A small cluster of two nodes makes them: it plans,
//! sends, fails, parks, reboots and moves slots in the order of a list of numbers.

use super::sample::{cause, full_event, route};
use crate::clock::Timestamp;
use crate::effect::{Delivery, PlannedEffect, Receipt, RouteName, SkipReason, Skipped, TargetKey};
use crate::event::{ChildRef, Key, Parent, Rank, RunEvent, RunKind, RunState};
use crate::failure::FailureKind;
use crate::state_machine::{
    AttemptOutcome, AttemptResult, Begin, Boot, CauseKind, Command, DueWork, Entry, FailedRoute,
    FeatureLevel, Grant, NodeId, Owner, Planned, QueuedEvent, ReplayItem, Settings, SlotId,
    SlotMove, StateMachine,
};
use std::collections::BTreeMap;

/// When every log begins.
const START_MS: u64 = 1_790_000_000_000;
/// Enough to deliver the leftovers of earlier steps.
const CALLS_OF_A_CALM_MAX: usize = 40;
const NODES: [NodeId; 2] = [NodeId(0xa1), NodeId(0xb2)];

/// A log and the state it led to.
pub(super) struct History {
    pub(super) entries: Vec<Entry>,
    pub(super) state: StateMachine,
    at: Timestamp,
}

impl History {
    /// Two nodes that own every other slot, with such low bounds that all of them are reached.
    pub(super) fn begin() -> Self {
        let mut history =
            Self { entries: Vec::new(), state: StateMachine::default(), at: Timestamp(START_MS) };
        let boots =
            NODES.map(|node| Command::Boot(Boot { node, number: 1, ended_while_planning: None }));
        let settings = Settings {
            ttl_ms: 60_000,
            runs_max: 24,
            dead_letters_max: 2,
            accumulates: true,
            ..Settings::default()
        };
        let moves = SlotId::all().map(|slot| SlotMove {
            slot,
            expected_epoch: 0,
            to: NODES[usize::from(slot.number() % 2)],
            is_forced: false,
        });
        let [first, second] = boots;
        history.commit(vec![
            Command::Settings(settings),
            first,
            second,
            Command::Assign(moves.collect()),
        ]);
        history
    }

    /// The log that `steps` lead to.
    pub(super) fn of(steps: &[[u8; 4]]) -> Self {
        let mut history = Self::begin();
        for step in steps {
            history.step(*step);
        }
        history
    }

    /// Performs one event of a cluster's life; the numbers choose it.
    pub(super) fn step(&mut self, [what, a, b, c]: [u8; 4]) {
        match what % 42 {
            0..=14 => self.commit(vec![Command::Accept(Box::new(report(self.at, a, b, c)))]),
            15..=21 => self.plan(a, b),
            22..=27 => self.send(a),
            28..=30 => self.record(a, b),
            31 => self.record_late(a),
            32 => self.reboot(a, b),
            33 | 34 => self.move_slot(a, b),
            35 => self.park(a),
            36 => self.replay(a, b),
            37 => self.commit(vec![Command::Touch(vec![run_key(a), run_key(b)])]),
            38 => self.wait(u64::from(a) * 100),
            39 => self.pause(a, b),
            40 => self.commit(vec![Command::Retire { node: NodeId(u64::from(a)) }]),
            _ => self.settle_and_fall_quiet(),
        }
    }

    fn commit(&mut self, commands: Vec<Command>) {
        self.at = Timestamp(self.at.0 + 20);
        let entry = Entry { at: self.at, commands };
        self.state.apply(entry.clone());
        self.entries.push(entry);
    }

    fn wait(&mut self, wait_ms: u64) {
        self.at = Timestamp(self.at.0 + wait_ms);
        self.commit(vec![Command::Tick]);
    }

    /// Plans and delivers what is due, then advances time beyond the life of run records.
    fn settle_and_fall_quiet(&mut self) {
        for _ in 0..CALLS_OF_A_CALM_MAX {
            self.plan(0, 1);
            let due = NODES.iter().flat_map(|node| self.state.due_work(*node, self.at));
            let mut sends = due.filter_map(|work| match work {
                DueWork::Plan { .. } => None,
                DueWork::Send(effect) => Some((effect.next_grant(), effect.slot)),
            });
            let Some((asked, slot)) = sends.next() else { continue };
            drop(sends);
            self.ask(slot, asked);
            self.record(0, 0);
        }
        self.wait(70_000);
    }

    fn owner_of(&self, slot: SlotId) -> Owner {
        let place = self.state.slot(slot);
        let node = place.owner.unwrap();
        Owner { node, boot: self.state.boot_of(node).unwrap(), slot, epoch: place.epoch }
    }

    fn due_plans(&self) -> Vec<(Key, SlotId, &QueuedEvent)> {
        let due = NODES.iter().flat_map(|node| self.state.due_work(*node, self.at));
        due.filter_map(|work| match work {
            DueWork::Plan { run, slot, queued } => Some((run, slot, queued)),
            DueWork::Send(_) => None,
        })
        .collect()
    }

    fn plan(&mut self, pick: u8, how: u8) {
        let due = self.due_plans();
        let Some((run, slot, queued)) = picked(&due, pick) else { return };
        let planned = plan_of(*run, queued, how);
        let effects = planned.effects.iter();
        let asked = effects.map(|effect| Grant::first(effect.id)).collect();
        let begin = Begin { owner: self.owner_of(*slot), planned: Some(planned), asked };
        self.commit(vec![Command::Begin(begin)]);
    }

    /// Picks any unsettled effect, including one that is not due yet.
    fn send(&mut self, pick: u8) {
        let effects: Vec<_> = self.state.outbox.effects.values().collect();
        let Some(effect) = picked(&effects, pick) else { return };
        let (slot, asked) = (effect.slot, effect.next_grant());
        self.ask(slot, asked);
    }

    fn ask(&mut self, slot: SlotId, asked: Grant) {
        let (owner, asked) = (self.owner_of(slot), vec![asked]);
        self.commit(vec![Command::Begin(Begin { owner, planned: None, asked })]);
    }

    fn record(&mut self, pick: u8, how: u8) {
        let effects = self.state.outbox.effects.values();
        let open: Vec<_> = effects.filter(|effect| effect.open.is_some()).collect();
        let Some(effect) = picked(&open, pick) else { return };
        let (effect, attempt) = (effect.id, effect.attempts);
        let result = result_of(how);
        self.commit(vec![Command::Record(vec![AttemptOutcome { effect, attempt, result }])]);
    }

    fn record_late(&mut self, how: u8) {
        let Some((effect, attempt)) = self.state.outbox.replaced.keys().next().copied() else {
            return;
        };
        let result = result_of(how);
        self.commit(vec![Command::Record(vec![AttemptOutcome { effect, attempt, result }])]);
    }

    fn reboot(&mut self, pick: u8, how: u8) {
        let node = NODES[usize::from(pick % 2)];
        let number = self.state.boot_of(node).unwrap() + 1;
        let head = self.due_plans().first().map(|(run, _, queued)| (*run, queued.sequence));
        let ended_while_planning = head.filter(|_| how.is_multiple_of(2));
        self.commit(vec![Command::Boot(Boot { node, number, ended_while_planning })]);
    }

    /// Moves the slot of an effect on the wire to the other node, which begins the effect again.
    fn move_slot(&mut self, pick: u8, how: u8) {
        let effects = self.state.outbox.effects.values();
        let open: Vec<_> = effects.filter(|effect| effect.open.is_some()).collect();
        let Some(effect) = picked(&open, pick) else { return };
        let asked = effect.next_grant();
        let place = self.state.slot(effect.slot);
        let to = if place.owner == Some(NODES[0]) { NODES[1] } else { NODES[0] };
        let is_forced = !how.is_multiple_of(4);
        let (slot, expected_epoch) = (effect.slot, place.epoch);
        self.commit(vec![Command::Assign(vec![SlotMove { slot, expected_epoch, to, is_forced }])]);
        if is_forced {
            self.wait(12_000);
            self.ask(slot, asked);
        }
    }

    /// Pauses one of the instances that the plans use, for a few seconds.
    fn pause(&mut self, pick: u8, how: u8) {
        let kinds = ["github", "slack"];
        let instance = route(kinds[usize::from(pick % 2)], "").instance;
        let until = Timestamp(self.at.0 + u64::from(how) * 10);
        self.commit(vec![Command::Pause { instance, until }]);
    }

    fn park(&mut self, pick: u8) {
        let effects = self.state.outbox.effects.values();
        let idle: Vec<_> = effects.filter(|effect| effect.open.is_none()).collect();
        let Some(effect) = picked(&idle, pick) else { return };
        let (owner, effects) = (self.owner_of(effect.slot), vec![effect.id]);
        self.commit(vec![Command::Park { owner, effects }]);
    }

    fn replay(&mut self, pick: u8, how: u8) {
        let letters: Vec<_> = self.state.dead_letters.values().collect();
        let Some(letter) = picked(&letters, pick) else { return };
        if how % 5 == 4 {
            return self.commit(vec![Command::DeleteLetters(vec![letter.id])]);
        }
        let event = how.is_multiple_of(2).then(|| Box::new((*letter.event).clone()));
        let items = vec![ReplayItem { letter: letter.id, event }];
        self.commit(vec![Command::Replay(items)]);
    }
}

fn picked<T>(items: &[T], pick: u8) -> Option<&T> {
    items.get(usize::from(pick) % items.len().max(1))
}

fn run_uid(who: u8) -> String {
    match (who % RUNS, who / RUNS % 3) {
        (run, 0) => format!("run-{run}"),
        (run, task) => format!("run-{run}-task-{task}"),
    }
}

fn run_key(who: u8) -> Key {
    crate::state_machine::run_key(&run_uid(who))
}

/// PipelineRuns of a log. With their tasks they are more records than the settings allow.
const RUNS: u8 = 12;

/// An event of a PipelineRun or of one of its two tasks; some PipelineRuns are in a group. Some
/// changes are reported long after they happened, and some twice.
fn report(at: Timestamp, who: u8, what: u8, late: u8) -> RunEvent {
    let (run, is_task) = (who % RUNS, !(who / RUNS).is_multiple_of(3));
    let state = RunState::ALL[usize::from(what % 6)];
    let rank = match state {
        RunState::Pending => Rank::Queued,
        RunState::Running => Rank::Running,
        RunState::Success | RunState::Failure | RunState::Error | RunState::Canceled => {
            Rank::Terminal
        }
    };
    let uid = run_uid(who);
    let created_at = Timestamp(START_MS + u64::from(run));
    let last_transition = Timestamp((at.0 - u64::from(late % 8) * 5_000) / 2_000 * 2_000);
    let parent = Parent { uid: format!("run-{run}"), name: format!("name-{run}") };
    let child = |task| ChildRef {
        name: format!("run-{run}-task-{task}"),
        pipeline_task: format!("task-{task}"),
        ..ChildRef::default()
    };
    RunEvent {
        ce_id: format!("{who}-{what}-{last_transition}"),
        ce_time: last_transition,
        kind: if is_task { RunKind::TaskRun } else { RunKind::PipelineRun },
        name: uid.clone(),
        uid,
        resource_version: last_transition.0,
        created_at,
        rank,
        state,
        attempt: u32::from(is_task && what >= 128),
        last_transition,
        started_at: created_at,
        finished_at: Timestamp::UNKNOWN,
        parent: if is_task { parent } else { Parent::default() },
        pipeline_task: if is_task { format!("task-{}", who / RUNS % 3) } else { String::new() },
        children: if is_task { Vec::new() } else { vec![child(1), child(2)] },
        group_id: if run < 3 { "group".to_owned() } else { String::new() },
        labels: BTreeMap::from([("app".to_owned(), (late % 3).to_string())]),
        ..full_event()
    }
}

/// A status common to all runs, a comment of each run and a message; some of them are skipped and
/// some fail.
fn plan_of(run: Key, queued: &QueuedEvent, how: u8) -> Planned {
    let planned = |route: RouteName, target: String, delivery| PlannedEffect {
        id: queued.effect_id(&route, FeatureLevel::FIRST),
        route,
        target: TargetKey(target),
        delivery,
    };
    let effects = [
        planned(route("github", "status"), "status".to_owned(), Delivery::Latest),
        planned(route("github", "comment"), format!("comment/{run}"), Delivery::Latest),
        planned(route("slack", "notify"), "channel".to_owned(), Delivery::Stream),
    ];
    let is_asked = |effect: &PlannedEffect| {
        queued.origin.only_route().is_none_or(|only| only.covers(&effect.route))
    };
    let failed = FailedRoute {
        route: route("webhook", "notify"),
        cause: cause(CauseKind::Delivery(FailureKind::Render)),
    };
    let reason = SkipReason::ALL[usize::from(how % 8)];
    Planned {
        run,
        sequence: queued.sequence,
        effects: effects.into_iter().filter(is_asked).collect(),
        skipped: vec![Skipped { route: route("gitlab", "status"), reason }],
        failed: if how.is_multiple_of(16) { vec![failed] } else { Vec::new() },
    }
}

fn result_of(how: u8) -> AttemptResult {
    let kind = CauseKind::Delivery(FailureKind::ALL[usize::from(how) % FailureKind::ALL.len()]);
    match how % 8 {
        0..=2 => AttemptResult::Delivered(Receipt {
            remote_id: format!("remote-{how}"),
            status: 200 + u16::from(how % 3),
        }),
        3 | 4 => AttemptResult::RetryIn { wait_ms: u64::from(how) * 100, cause: cause(kind) },
        5 => AttemptResult::Dead(cause(kind)),
        6 => AttemptResult::Skipped(SkipReason::MissingFacts),
        _ => AttemptResult::Unsent,
    }
}

/// Numbers for a long log that is equal in every run of the tests.
pub(super) fn fixed_steps(count: usize) -> Vec<[u8; 4]> {
    let mut number = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        let [a, b, c, d, ..] = number.to_le_bytes();
        [a, b, c, d]
    };
    (0..count).map(|_| next()).collect()
}
