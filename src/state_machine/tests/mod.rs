//! Rules of the replicated core, each test by the number of its rule. This file holds what they
//! share: events as Tekton would send them, and a core with a naive planner and two nodes.

mod agenda;
mod backlog;
mod bounds;
mod changes;
mod checks;
mod checks_model;
mod claims;
mod dead_letters;
mod draft;
mod groups;
mod idempotence;
mod instances;
mod lanes;
mod levels;
mod lives;
mod memory;
mod model;
mod parking;
mod pauses;
mod repairs;
mod sending;
mod silence;
mod standings;
mod summaries;
mod takeover;
mod targets;
mod transitions;

use super::*;
use crate::effect::{
    Delivery, EffectId, PlannedEffect, Receipt, RouteName, SkipReason, Skipped, TargetKey,
};
use crate::event::{Key, RunEvent, RunState};
use crate::failure::FailureKind;
use draft::{Draft, pipeline_run, task_run};
use std::time::Duration;

/// The moment at which every test starts.
const START: Timestamp = Timestamp(1_700_000_000_000);
const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A state machine, its present moment, and the owner's side of the protocol.
#[derive(Clone)]
struct Core {
    state: StateMachine,
    now: Timestamp,
}

impl Core {
    /// Node `A` owns every slot; summaries are off.
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        change(&mut settings);
        let mut core = Self { state: StateMachine::default(), now: START };
        core.apply(Command::Settings(settings));
        core.boot(A, 1);
        core.boot(B, 1);
        core.assign(A, false);
        core
    }

    /// As [`Core::new`], at the second feature level.
    fn second() -> Self {
        Self::second_with(|_| {})
    }

    /// As [`Core::with`], at the second feature level.
    fn second_with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut core = Self::with(change);
        core.apply(Command::RaiseLevel { level: FeatureLevel::SECOND });
        core
    }

    fn apply(&mut self, command: Command) -> Applied {
        self.outcome_of(command).answers.into_iter().next().unwrap()
    }

    /// Applies one command, and gives what changed with its answer.
    fn outcome_of(&mut self, command: Command) -> Outcome {
        self.state.apply(Entry { at: self.now, commands: vec![command] })
    }

    /// Lets time pass, with the ticks that a leader would propose.
    fn pass(&mut self, wait: Duration) {
        let until = self.now.after(wait);
        while let Some(due_at) = self.state.next_timer().filter(|due_at| *due_at <= until) {
            self.now = self.now.max(due_at);
            self.apply(Command::Tick);
        }
        self.now = until;
        self.apply(Command::Tick);
    }

    fn accept(&mut self, event: impl Into<RunEvent>) -> Fate {
        let answer = self.apply(Command::Accept(Box::new(event.into())));
        let Applied::Accepted(accepted) = answer else { panic!("not accepted: {answer:?}") };
        accepted.fate
    }

    fn boot(&mut self, node: NodeId, number: u64) -> Applied {
        self.apply(Command::Boot(Boot { node, number, ended_while_planning: None }))
    }

    /// Nodes that booted and did not leave for good.
    fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.state.boots.keys().copied()
    }

    /// Moves every slot to `to`.
    fn assign(&mut self, to: NodeId, is_forced: bool) {
        let slots = self.state.slots();
        let moves = slots
            .map(|(slot, known)| SlotMove { slot, expected_epoch: known.epoch, to, is_forced })
            .collect();
        assert_eq!(self.apply(Command::Assign(moves)), Applied::Done);
    }

    /// The present owner of a run's slot, as it would sign its requests.
    fn owner(&self, slot: SlotId) -> Owner {
        let known = self.state.slot(slot);
        let node = known.owner.unwrap();
        Owner { node, boot: self.state.boot_of(node).unwrap(), slot, epoch: known.epoch }
    }

    fn run(&self, uid: &str) -> &RunRecord {
        self.state.run(uid).unwrap().run
    }

    /// Plans every queued event.
    fn plan_all(&mut self) {
        while let Some(begin) = self.next_plan() {
            self.apply(Command::Begin(begin));
        }
    }

    fn next_plan(&self) -> Option<Begin> {
        let level = self.state.feature_level();
        let (slot, planned) = self.nodes().find_map(|node| {
            self.state.due_work(node, self.now).find_map(|work| match work {
                DueWork::Plan { run, slot, queued } => Some((slot, plan(run, queued, level))),
                DueWork::Send(_) => None,
            })
        })?;
        Some(Begin { owner: self.owner(slot), planned: Some(planned), asked: Vec::new() })
    }

    /// The newest unsettled effect of a run on `action`.
    fn effect(&self, uid: &str, action: &str) -> EffectId {
        let effects = self.state.run(uid).unwrap().unsettled;
        let of_action = effects.into_iter().filter(|effect| effect.route.action == action);
        of_action.max_by_key(|effect| effect.sequence).unwrap().id
    }

    fn status(&self, uid: &str) -> EffectId {
        self.effect(uid, "status")
    }

    fn chat(&self, uid: &str) -> EffectId {
        self.effect(uid, "chat")
    }

    fn record(&self, id: EffectId) -> &EffectRecord {
        self.state.effect(id).unwrap()
    }

    /// Asks for the right to send, as the present owner.
    fn begin(&mut self, id: EffectId) -> Option<Grant> {
        let slot = self.state.effect(id)?.slot;
        let answer = self.begin_as(self.owner(slot), id);
        let Applied::Begun(grants) = answer else { panic!("not begun: {answer:?}") };
        grants.first().copied()
    }

    /// As [`Core::begin`], for what is due: it is granted, or settled as outdated.
    fn begin_due(&mut self, id: EffectId) -> Option<Grant> {
        let grant = self.begin(id);
        let is_settled = self.state.effect(id).is_none();
        assert!(grant.is_some() || is_settled, "due and refused: {id}");
        grant
    }

    fn begin_as(&mut self, owner: Owner, id: EffectId) -> Applied {
        let next = self.state.effect(id).map(EffectRecord::next_grant);
        self.ask_as(owner, next.unwrap_or_else(|| Grant::first(id)))
    }

    /// Asks for one call by its number.
    fn ask_as(&mut self, owner: Owner, asked: Grant) -> Applied {
        self.apply(Command::Begin(Begin { owner, planned: None, asked: vec![asked] }))
    }

    /// Sends the request once more that led to `grant`, as the present owner.
    fn ask_again(&mut self, grant: Grant) -> Applied {
        let owner = self.owner(self.record(grant.effect).slot);
        self.ask_as(owner, grant)
    }

    fn outcome(&mut self, grant: Grant, result: AttemptResult) {
        let outcome = AttemptOutcome { effect: grant.effect, attempt: grant.attempt, result };
        assert_eq!(self.apply(Command::Record(vec![outcome])), Applied::Done);
    }

    /// Lets time pass, until this moment after the start, and begins the effect.
    fn next_grant_at(&mut self, id: EffectId, after_start: Duration) -> Grant {
        self.pass(START.after(after_start).since(self.now));
        self.begin(id).unwrap()
    }

    fn deliver(&mut self, grant: Grant) {
        self.outcome(grant, AttemptResult::Delivered(receipt("")));
    }

    fn fail(&mut self, grant: Grant, wait_ms: u64) {
        self.outcome(grant, AttemptResult::RetryIn { wait_ms, cause: cause() });
    }

    fn die(&mut self, grant: Grant) {
        self.outcome(grant, AttemptResult::Dead(cause()));
    }

    /// Plans and delivers whatever is due, until nothing is. Returns what was sent.
    fn settle(&mut self) -> Vec<String> {
        let mut sent = Vec::new();
        loop {
            self.plan_all();
            let Some(id) = self.next_send() else { return sent };
            let Some(grant) = self.begin_due(id) else { continue };
            sent.push(self.describe(id));
            self.deliver(grant);
        }
    }

    fn next_send(&self) -> Option<EffectId> {
        self.nodes().find_map(|node| {
            self.state.due_work(node, self.now).find_map(|work| match work {
                DueWork::Plan { .. } => None,
                DueWork::Send(effect) => Some(effect.id),
            })
        })
    }

    /// Accepts an event and delivers what it leads to.
    fn take(&mut self, event: impl Into<RunEvent>) -> Vec<String> {
        self.accept(event);
        self.settle()
    }

    fn describe(&self, id: EffectId) -> String {
        let effect = self.record(id);
        format!("{} {} {}", effect.route.action, effect.event.name, effect.event.state)
    }

    /// How the effects of a run ended, oldest first.
    fn settled(&self, uid: &str) -> Vec<String> {
        let describe = |settled: &SettledEffect| {
            let end = match &settled.settlement {
                Settlement::Delivered(_) => "delivered",
                Settlement::Skipped(reason) => reason.as_str(),
                Settlement::Dead(kind) => kind.as_str(),
                Settlement::Late(_) => "late",
            };
            format!("{} {} {end}", settled.route.action, settled.state)
        };
        self.run(uid).settled.iter().map(describe).collect()
    }

    /// Origins of the events that wait to be planned in a run.
    fn queued(&self, uid: &str) -> Vec<Origin> {
        self.run(uid).queue.iter().map(|queued| queued.origin.clone()).collect()
    }

    fn letters(&self) -> Vec<&'static str> {
        self.state.dead_letters().map(|letter| letter.cause.kind.as_str()).collect()
    }

    /// Everything but the counters of fates, as text: equal texts are equal states.
    fn text(&self) -> String {
        let mut state = self.state.clone();
        state.counters.fates.clear();
        format!("{state:?}")
    }
}

/// Lets the Begin of a plan ask for all that it planned.
fn ask_for_all(begin: &mut Begin) {
    let planned = begin.planned.as_ref().unwrap();
    begin.asked = planned.effects.iter().map(|effect| Grant::first(effect.id)).collect();
}

/// Every event owes a status and a message; a summary owes a comment; what may have been sent
/// already is not streamed again.
fn plan(run: Key, queued: &QueuedEvent, level: FeatureLevel) -> Planned {
    let is_latest_only = queued.origin.is_latest_only();
    let is_settled = queued.context.not_settled.is_none();
    let is_owed = |effect: &PlannedEffect| {
        let is_shown = !is_latest_only || effect.delivery == Delivery::Latest;
        let is_asked = queued.origin.only_route().is_none_or(|only| only.covers(&effect.route));
        let is_written = is_settled || effect.route.action != "status";
        is_shown
            && is_asked
            && is_written
            && queued.origin.is_summary() == (effect.route.action == "summary")
    };
    let event = &queued.event;
    let (sha, check) = (&event.scm.commit_sha, &queued.context.check_name);
    let effects = [
        owed("status", &format!("status/{sha}/{check}"), Delivery::Latest),
        owed("chat", "chat/room", Delivery::Stream),
        owed("summary", &format!("comment/{}", event.uid), Delivery::Latest),
    ];
    let named = |effect: PlannedEffect| PlannedEffect {
        id: queued.effect_id(&effect.route, level),
        ..effect
    };
    let effects = effects.into_iter().filter(is_owed).map(named).collect();
    let sequence = queued.sequence;
    Planned { run, sequence, effects, skipped: Vec::new(), failed: Vec::new() }
}

/// An effect of an action, its id left open.
fn owed(action: &str, target: &str, delivery: Delivery) -> PlannedEffect {
    let (id, route) = (EffectId(Key(0)), route(action));
    PlannedEffect { id, route, target: TargetKey(target.to_owned()), delivery }
}

/// The route of an action; each action has an instance of its own.
fn route(action: &str) -> RouteName {
    let (kind, instance) = ("test".to_owned(), format!("{action}-instance"));
    RouteName { kind, instance, action: action.to_owned() }
}

fn receipt(remote_id: &str) -> Receipt {
    Receipt { remote_id: remote_id.to_owned(), status: 200 }
}

fn cause() -> Cause {
    Cause { kind: CauseKind::Delivery(FailureKind::Server), detail: "503".to_owned() }
}
