//! The whole core without a log or a network: events go in, decisions and exact requests come
//! out. What `plan` on the command line shows, and what tests of long outages run on.

use super::{Rules, plan};
use crate::clock::Timestamp;
use crate::effect::{Receipt, RouteName, Skipped};
use crate::event::RunEvent;
use crate::integration::{Effect, Outbound, Turn};
use crate::state_machine::{
    Applied, AttemptResult, Begin, Boot, Cause, Command, DueWork, Entry, Fate, Grant, NodeId,
    Outcome, Owner, Settings, SlotId, SlotMove, StateMachine,
};

const NODE: NodeId = NodeId(1);
const BOOT: u64 = 1;

/// What a dry run decided, in order.
#[derive(Debug)]
pub enum Step {
    /// What became of the event.
    Fate(Fate),
    /// A route owes nothing.
    Skipped(Skipped),
    /// A rule failed.
    Failed { route: RouteName, cause: Cause },
    /// The first request of an effect, or how it ended without one.
    Turn { route: RouteName, target: String, turn: Turn },
}

/// How the dry run answers an effect in place of its target.
pub trait Target {
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
        run.apply(vec![Command::Settings(settings), Command::Boot(boot), Command::Assign(moves)]);
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
        self.state.apply(Entry { at: self.at, commands })
    }

    /// Takes an event and carries out what it leads to at once.
    pub fn take(&mut self, event: RunEvent, target: &mut impl Target) -> Vec<Step> {
        let answers = self.apply(vec![Command::Accept(Box::new(event))]);
        let mut steps: Vec<Step> = answers.iter().filter_map(fate).collect();
        steps.extend(self.settle(target));
        steps
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
            for grant in answers.into_iter().flat_map(grants) {
                self.attempt(grant, target, &mut steps);
            }
        }
        steps
    }

    fn next_begin(&self, steps: &mut Vec<Step>) -> Option<Begin> {
        let work = self.state.due_work(NODE, self.at).next()?;
        match work {
            DueWork::Plan { run, slot, queued } => {
                let planned = plan(run, queued, &self.rules);
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
        let Some(route) = self.rules.route(&record.route) else { return };
        let shows_summary = self.rules.summary_route.as_ref() == Some(&record.route);
        let summary = shows_summary.then(|| self.state.summary(record.run)).flatten();
        let context = self.rules.with_link(&record.context, &record.event);
        let effect = Effect {
            id: grant.effect,
            route: &record.route,
            event: &record.event,
            context: &context,
            remote_id: self.state.remote_id(&record.target),
            summary: summary.as_ref(),
            is_in_doubt: record.is_in_doubt,
            now: self.at,
        };
        let turn = route.integration.begin(&effect);
        let result = target.attempt(&record.route, &turn, self.at);
        let (route, key) = (record.route.clone(), record.target.to_string());
        steps.push(Step::Turn { route, target: key, turn });
        let outcome = Outcome { effect: grant.effect, attempt: grant.attempt, result };
        self.apply(vec![Command::Record(vec![outcome])]);
    }
}

impl Step {
    /// The request of this step, if it has one.
    #[must_use]
    pub fn outbound(&self) -> Option<&Outbound> {
        match self {
            Self::Turn { turn: Turn::Send(outbound, _), .. } => Some(outbound),
            Self::Turn { .. } | Self::Fate(_) | Self::Skipped(_) | Self::Failed { .. } => None,
        }
    }
}

fn fate(answer: &Applied) -> Option<Step> {
    match answer {
        Applied::Accepted(accepted) => Some(Step::Fate(accepted.fate)),
        Applied::Done | Applied::Begun(_) | Applied::Refused(_) | Applied::Replayed(_) => None,
    }
}

fn grants(answer: Applied) -> Vec<Grant> {
    match answer {
        Applied::Begun(grants) => grants,
        Applied::Done | Applied::Accepted(_) | Applied::Refused(_) | Applied::Replayed(_) => {
            Vec::new()
        }
    }
}
