//! Random streams of events, crashes and moves against a model that knows one thing: the newest
//! accepted position of each run.

use super::*;
use crate::event::Position;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Runs 0 and 1 share their status; runs 2 and 3 have one of their own.
const RUNS: u8 = 4;

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    /// A transition arrives; the last number tells its copies apart.
    Arrive { run: u8, attempt: u8, stage: u8, changed: u8, copy: u8 },
    /// The owner plans what waits.
    Plan,
    /// The owner makes one due call, and its outcome is recorded.
    Send { is_delivered: bool },
    /// The owner makes one due call and keeps the outcome to itself for now.
    SendSlowly { is_made: bool },
    /// The slow call's outcome is recorded, in time or late.
    Report,
    /// The owner ends and starts anew.
    Crash,
    /// The slots move to the other node, and the takeover wait passes.
    Move { is_forced: bool },
    /// The node that owns nothing leaves for good, and a new one takes its place.
    Leave,
    /// One of the two instances asks to be left alone for a while.
    Pause { is_status: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let arrive = (0..RUNS, 0..2u8, 0..6u8, 0..4u8, 0..3u8).prop_map(
        |(run, attempt, stage, changed, copy)| Step::Arrive { run, attempt, stage, changed, copy },
    );
    prop_oneof![
        8 => arrive,
        3 => Just(Step::Plan),
        4 => any::<bool>().prop_map(|is_delivered| Step::Send { is_delivered }),
        2 => any::<bool>().prop_map(|is_made| Step::SendSlowly { is_made }),
        2 => Just(Step::Report),
        1 => Just(Step::Crash),
        1 => any::<bool>().prop_map(|is_forced| Step::Move { is_forced }),
        1 => Just(Step::Leave),
        1 => any::<bool>().prop_map(|is_status| Step::Pause { is_status }),
    ]
}

/// What a target was told, and by whom.
type Write = (RunState, String, Position);

struct World {
    core: Core,
    /// Last write of each status target, by what really reached it.
    shown: BTreeMap<TargetKey, Write>,
    /// Calls that reached a target, by effect.
    calls: BTreeMap<EffectId, u64>,
    /// Outcomes nobody has recorded yet, and the node that holds them.
    held: Vec<(NodeId, AttemptOutcome)>,
    owner: NodeId,
    /// The node that owns nothing.
    other: NodeId,
    boots: BTreeMap<NodeId, u64>,
    /// Crashes, moves and departures so far: three would make poison of an effect, which is another test.
    upheavals: u32,
    /// Newest accepted event of each run.
    newest: BTreeMap<u8, RunEvent>,
}

impl World {
    fn new() -> Self {
        Self {
            core: Core::new(),
            shown: BTreeMap::new(),
            calls: BTreeMap::new(),
            held: Vec::new(),
            owner: A,
            other: B,
            boots: BTreeMap::from([(A, 1), (B, 1)]),
            upheavals: 0,
            newest: BTreeMap::new(),
        }
    }

    fn act(&mut self, step: &Step) {
        match *step {
            Step::Arrive { run, attempt, stage, changed, copy } => {
                self.arrive(run, event(run, attempt, stage, changed, copy));
            }
            Step::Plan => self.core.plan_all(),
            Step::Send { is_delivered } => self.send(is_delivered),
            Step::SendSlowly { is_made } => self.send_slowly(is_made),
            Step::Report => self.report(),
            Step::Crash => self.crash(),
            Step::Move { is_forced } => self.change_owner(is_forced),
            Step::Leave => self.leave(),
            Step::Pause { is_status } => self.pause(is_status),
        }
    }

    fn arrive(&mut self, run: u8, event: RunEvent) {
        if self.core.accept(event.clone()) != Fate::Accepted {
            return;
        }
        let known = self.newest.get(&run);
        let is_newer = known.is_none_or(|known| known.position() <= event.position());
        assert!(is_newer, "accepted what is older: {event:?} after {known:?}");
        self.newest.insert(run, event);
    }

    fn due(&mut self) -> Option<Grant> {
        let id = self.core.next_send()?;
        self.core.begin_due(id)
    }

    /// The call reaches its target.
    fn call(&mut self, grant: Grant) {
        let effect = self.core.record(grant.effect).clone();
        *self.calls.entry(effect.id).or_default() += 1;
        let event = &effect.event;
        let write = (event.state, event.uid.clone(), event.position());
        if effect.delivery == Delivery::Latest {
            self.shown.insert(effect.target, write);
        }
    }

    fn send(&mut self, is_delivered: bool) {
        let Some(grant) = self.due() else { return };
        if is_delivered {
            self.call(grant);
            self.core.deliver(grant);
        } else {
            self.core.fail(grant, 0);
        }
    }

    fn send_slowly(&mut self, is_made: bool) {
        let Some(grant) = self.due() else { return };
        let result = if is_made {
            self.call(grant);
            AttemptResult::Delivered(receipt(""))
        } else {
            AttemptResult::Unsent
        };
        let outcome = AttemptOutcome { effect: grant.effect, attempt: grant.attempt, result };
        self.held.push((self.owner, outcome));
    }

    fn report(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let (_, outcome) = self.held.remove(0);
        let command = Command::Record(vec![outcome]);
        self.core.apply(command.clone());
        self.core.apply(command);
    }

    fn crash(&mut self) {
        if self.upheavals == 2 {
            return;
        }
        self.upheavals += 1;
        let number = self.boots[&self.owner] + 1;
        self.boots.insert(self.owner, number);
        self.held.retain(|(node, _)| *node != self.owner);
        self.core.boot(self.owner, number);
    }

    fn change_owner(&mut self, is_forced: bool) {
        if self.upheavals == 2 {
            return;
        }
        self.upheavals += 1;
        std::mem::swap(&mut self.owner, &mut self.other);
        self.core.assign(self.owner, is_forced);
        self.core.pass(Duration::from_secs(11));
    }

    fn leave(&mut self) {
        if self.upheavals == 2 {
            return;
        }
        self.upheavals += 1;
        let node = self.other;
        self.held.retain(|(holder, _)| *holder != node);
        assert_eq!(self.core.apply(Command::Retire { node }), Applied::Done);
        self.other = NodeId(node.0 + 10);
        self.boots.insert(self.other, 1);
        self.core.boot(self.other, 1);
    }

    fn pause(&mut self, is_status: bool) {
        let instance = route(if is_status { "status" } else { "chat" }).instance;
        let until = self.core.now.after(MINUTE);
        self.core.apply(Command::Pause { instance, until });
    }

    /// Pauses end, and everything is reported, planned and sent.
    fn calm_down(&mut self) {
        self.core.pass(MINUTE);
        while !self.held.is_empty() {
            self.report();
        }
        loop {
            self.core.plan_all();
            let Some(grant) = self.due() else {
                if self.core.next_send().is_none() {
                    return;
                }
                continue;
            };
            self.call(grant);
            self.core.deliver(grant);
        }
    }

    /// The newest accepted event of the newest run among `runs`.
    fn winner(&self, runs: &[u8]) -> Option<&RunEvent> {
        let events = runs.iter().filter_map(|run| self.newest.get(run));
        events.max_by_key(|event| event.age())
    }
}

/// Runs 0 and 1 are one commit's; final states are one per run and attempt, as rule 9 has its own
/// tests for what differs.
fn event(run: u8, attempt: u8, stage: u8, changed: u8, copy: u8) -> RunEvent {
    let uid = format!("run-{run}");
    let commit = if run < 2 { "shared".to_owned() } else { uid.clone() };
    let draft = pipeline_run(&uid).on(&commit, &commit).created(u64::from(run));
    let draft = draft.attempt(attempt.into()).changed(changed.into());
    let draft = match stage {
        0 => draft.queued(),
        1 => draft.started(),
        2 | 3 => draft.running(&format!("{stage}")),
        _ if (run + attempt).is_multiple_of(2) => draft.success(),
        _ => draft.failure(),
    };
    draft.again(&format!("{run}/{attempt}/{stage}/{changed}/{copy}")).into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rule_05_targets_end_with_the_newest_state_whatever_comes_between(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new();
        for step in &steps {
            world.act(step);
            agenda::assert_agenda_is_whole(&world.core.state, world.core.now);
        }
        world.calm_down();

        let core = &world.core;
        prop_assert_eq!((core.state.backlog(), core.state.unplanned()), (0, 0));
        prop_assert_eq!(core.letters(), Vec::<&str>::new());
        for runs in [&[0, 1][..], &[2], &[3]] {
            let Some(winner) = world.winner(runs) else { continue };
            let name = &winner.scm.commit_sha;
            let target = TargetKey(format!("status/{name}/tekton/build"));
            let wanted = (winner.state, winner.uid.clone(), winner.position());
            prop_assert_eq!(world.shown.get(&target), Some(&wanted));
        }
        let repeated: u64 = world.calls.values().map(|calls| calls - 1).sum();
        prop_assert!(repeated <= core.state.counters().in_doubt);
    }
}
