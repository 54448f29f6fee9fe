//! The whole core without a log or a network: events go in, decisions and exact requests come
//! out. What `plan` on the command line shows, and what tests of long outages run on.

use super::{Rules, effect, plan};
use crate::clock::Timestamp;
use crate::effect::{Receipt, RouteName, Skipped};
use crate::event::{NotSettled, RunEvent};
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::integration::{Outbound, Reply, Turn};
use crate::state_machine::{
    Applied, AttemptOutcome, AttemptResult, Begin, Boot, Cause, Command, DueWork, Entry,
    FEATURE_LEVEL, Fate, Grant, NodeId, Owner, Settings, SlotId, SlotMove, StateMachine,
};

const NODE: NodeId = NodeId(1);
const BOOT: u64 = 1;
/// Requests of one exchange, as many as the worker makes.
const TURNS_MAX: usize = 64;

/// What a dry run decided, in order.
#[derive(Debug)]
pub enum Step {
    /// What became of the event.
    Fate(Fate),
    /// Which check the event's run writes, and why it is called so; or why none is written yet.
    Check { name: String, why: String },
    /// A route owes nothing.
    Skipped(Skipped),
    /// A rule failed.
    Failed { route: RouteName, cause: Cause },
    /// One attempt of an effect: the requests that were answered, and the one that was not, or how
    /// the exchange ended.
    Turn { route: RouteName, target: String, sent: Vec<Outbound>, turn: Turn },
}

/// How the dry run answers an effect in place of its target.
pub trait Target {
    /// The answer to a request, for a target that plays exchanges on; `None` leaves the end of the
    /// attempt to [`Self::attempt`].
    fn reply(&mut self, _request: &Outbound) -> Option<Reply> {
        None
    }

    /// The end of one attempt.
    fn attempt(&mut self, route: &RouteName, turn: &Turn, at: Timestamp) -> AttemptResult;
}

/// A target that takes everything.
#[derive(Debug, Default)]
pub struct TakesAll;

impl Target for TakesAll {
    fn attempt(&mut self, _: &RouteName, turn: &Turn, _: Timestamp) -> AttemptResult {
        match turn {
            Turn::Send(..) => AttemptResult::Delivered(Receipt::default()),
            Turn::Done(receipt) => AttemptResult::Delivered(receipt.clone()),
            Turn::Fail(failure) => AttemptResult::Dead(Cause::from(failure)),
        }
    }
}

/// A core of one node in memory.
#[derive(Debug)]
pub struct DryRun {
    state: StateMachine,
    rules: Rules,
    at: Timestamp,
}

impl DryRun {
    /// An empty core at a moment.
    #[must_use]
    pub fn new(rules: Rules, settings: Settings, at: Timestamp) -> Self {
        let mut run = Self { state: StateMachine::default(), rules, at };
        let boot = Boot { node: NODE, number: BOOT, ended_while_planning: None };
        let moves = SlotId::all()
            .map(|slot| SlotMove { slot, expected_epoch: 0, to: NODE, is_forced: false })
            .collect();
        let level = Command::RaiseLevel { level: FEATURE_LEVEL };
        let (boot, moves) = (Command::Boot(boot), Command::Assign(moves));
        run.apply(vec![level, Command::Settings(settings), boot, moves]);
        run
    }

    /// The state so far.
    #[must_use]
    pub fn state(&self) -> &StateMachine {
        &self.state
    }

    /// The present moment of the run.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.at
    }

    /// Applies commands at the present moment.
    pub fn apply(&mut self, commands: Vec<Command>) -> Vec<Applied> {
        self.state.apply(Entry { at: self.at, commands }).answers
    }

    /// Takes an event and carries out what it leads to at once.
    pub fn take(&mut self, event: RunEvent, target: &mut impl Target) -> Vec<Step> {
        let uid = event.uid.clone();
        let answers = self.apply(vec![Command::Accept(Box::new(event))]);
        let mut steps: Vec<Step> = answers.iter().filter_map(fate).collect();
        steps.extend(self.check(&uid));
        steps.extend(self.settle(target));
        steps
    }

    fn check(&self, uid: &str) -> Option<Step> {
        let context = &self.state.run(uid)?.run.context;
        let (name, why) = match (&context.writer, context.not_settled) {
            (Some(writer), _) => (context.check_name.clone(), writer.to_string()),
            (None, reason) => (String::new(), reason.map_or("", NotSettled::as_str).to_owned()),
        };
        Some(Step::Check { name, why })
    }

    /// Moves time to `at`, stopping wherever something becomes due on the way.
    pub fn advance(&mut self, at: Timestamp, target: &mut impl Target) -> Vec<Step> {
        let mut steps = Vec::new();
        loop {
            let timer = self.state.next_timer();
            let send = self.state.next_send();
            let next = [timer, send].into_iter().flatten().filter(|due| *due > self.at).min();
            self.at = next.unwrap_or(at).min(at);
            self.apply(vec![Command::Tick]);
            steps.extend(self.settle(target));
            if self.at >= at {
                return steps;
            }
        }
    }

    /// Plans and attempts until nothing is due.
    fn settle(&mut self, target: &mut impl Target) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(begin) = self.next_begin(&mut steps) {
            let answers = self.apply(vec![Command::Begin(begin)]);
            for grant in answers.into_iter().flat_map(Applied::granted) {
                self.attempt(grant, target, &mut steps);
            }
        }
        steps
    }

    fn next_begin(&self, steps: &mut Vec<Step>) -> Option<Begin> {
        let work = self.state.due_work(NODE, self.at).next()?;
        match work {
            DueWork::Plan { run, slot, queued } => {
                let planned = plan(run, queued, self.state.feature_level(), &self.rules);
                steps.extend(planned.skipped.iter().cloned().map(Step::Skipped));
                steps.extend(planned.failed.iter().map(|failed| Step::Failed {
                    route: failed.route.clone(),
                    cause: failed.cause.clone(),
                }));
                let effects = planned.effects.iter();
                let asked = effects.map(|effect| Grant::first(effect.id)).collect();
                Some(Begin { owner: self.owner(slot), planned: Some(planned), asked })
            }
            DueWork::Send(effect) => {
                let owner = self.owner(effect.slot);
                Some(Begin { owner, planned: None, asked: vec![effect.next_grant()] })
            }
        }
    }

    fn owner(&self, slot: SlotId) -> Owner {
        Owner { node: NODE, boot: BOOT, slot, epoch: self.state.slot(slot).epoch }
    }

    fn attempt(&mut self, grant: Grant, target: &mut impl Target, steps: &mut Vec<Step>) {
        let Some(record) = self.state.effect(grant.effect) else { return };
        let key = record.target.to_string();
        let Some((job, route)) = effect(&self.state, grant, &self.rules) else { return };
        let mut sent = Vec::new();
        let turn = play_on(route.integration.begin(&job.effect()), target, &mut sent);
        let result = target.attempt(&job.route, &turn, self.at);
        steps.push(Step::Turn { route: job.route, target: key, sent, turn });
        let outcome = AttemptOutcome { effect: grant.effect, attempt: grant.attempt, result };
        self.apply(vec![Command::Record(vec![outcome])]);
    }
}

/// Plays an exchange as far as the target answers.
fn play_on(mut turn: Turn, target: &mut impl Target, sent: &mut Vec<Outbound>) -> Turn {
    while sent.len() < TURNS_MAX {
        let (outbound, exchange) = match turn {
            Turn::Send(outbound, exchange) => (outbound, exchange),
            end @ (Turn::Done(_) | Turn::Fail(_)) => return end,
        };
        let Some(reply) = target.reply(&outbound) else { return Turn::Send(outbound, exchange) };
        sent.push(outbound);
        turn = exchange.on_reply(reply);
    }
    let detail = format!("the exchange did not end within {TURNS_MAX} requests");
    Turn::Fail(DeliveryFailure::new(FailureKind::Server, Retryability::Permanent, &detail))
}

impl Step {
    /// The first request of this step, if it has one.
    #[must_use]
    pub fn outbound(&self) -> Option<&Outbound> {
        match self {
            Self::Turn { sent, .. } if !sent.is_empty() => sent.first(),
            Self::Turn { turn: Turn::Send(outbound, _), .. } => Some(outbound),
            Self::Turn { .. }
            | Self::Fate(_)
            | Self::Check { .. }
            | Self::Skipped(_)
            | Self::Failed { .. } => None,
        }
    }
}

fn fate(answer: &Applied) -> Option<Step> {
    match answer {
        Applied::Accepted(accepted) => Some(Step::Fate(accepted.fate)),
        Applied::Done
        | Applied::Begun(_)
        | Applied::Refused(_)
        | Applied::Replayed(_)
        | Applied::Deleted(_) => None,
    }
}
