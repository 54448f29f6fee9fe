//! The worker over a log in memory: a call is made only where the log says so.

use super::*;
use crate::clock::Timestamp;
use crate::cluster::Options;
use crate::effect::{Delivery, EffectId, Receipt, RouteName, SkipReason, TargetKey};
use crate::event::{Keep, Key, RunContext, RunEvent, recorded_run};
use crate::integration::{Effect, Integration, Target, Turn};
use crate::plan::{Route, Rules};
use crate::route::NameFilter;
use crate::state_machine::StateMachine;
use std::sync::{Condvar, Mutex};

/// What has not happened by then never will.
pub(super) const WITHIN: Duration = Duration::from_secs(20);

/// A clock that stands still until it is moved, and can be made to advance with each reading.
#[derive(Default)]
pub(super) struct TestClock(Mutex<(Duration, Duration)>);

impl TestClock {
    pub fn advance(&self, by: Duration) {
        self.0.lock().unwrap().0 += by;
    }

    /// From now on each reading is so much after the one before.
    pub fn step(&self, by: Duration) {
        self.0.lock().unwrap().1 = by;
    }
}

impl Clock for TestClock {
    fn wall(&self) -> Timestamp {
        Timestamp(1_700_000_000_000).after(self.0.lock().unwrap().0)
    }

    fn monotonic(&self) -> Duration {
        let mut now = self.0.lock().unwrap();
        *now = (now.0 + now.1, now.1);
        now.0
    }
}

/// Notes for each call which Begin of this node is in the log when the call is made, and holds the
/// call until it is let go.
pub(super) struct Witness {
    cluster: Arc<Cluster>,
    seen: Mutex<Vec<(EffectId, Option<u32>)>>,
    let_go: Mutex<usize>,
    changed: Condvar,
    /// Bytes that the target key of a run has more than its uid, by uid.
    padding: fn(&str) -> usize,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Witness")
    }
}

impl Witness {
    /// Attempts that were in the log when calls were made, in the order of the calls.
    pub fn attempts(&self) -> Vec<Option<u32>> {
        self.seen.lock().unwrap().iter().map(|(_, attempt)| *attempt).collect()
    }

    /// Lets so many calls end, the earliest first.
    pub fn let_go(&self, calls: usize) {
        *self.let_go.lock().unwrap() = calls;
        self.changed.notify_all();
    }
}

impl Integration for Witness {
    fn target(&self, event: &RunEvent, _: &RunContext) -> Result<Target, SkipReason> {
        let key = format!("{}{}", event.uid, "x".repeat((self.padding)(&event.uid)));
        Ok(Target { key: TargetKey(key), delivery: Delivery::Stream })
    }

    fn begin(&self, effect: &Effect<'_>) -> Turn {
        let (node, boot) = (self.cluster.node_id(), self.cluster.boot());
        let attempt = self.cluster.read(|state| {
            let mut begun = state.begun_by(node, boot);
            begun.find(|grant| grant.effect == effect.id).map(|grant| grant.attempt)
        });
        let mut seen = self.seen.lock().unwrap();
        seen.push((effect.id, attempt));
        let number = seen.len();
        drop(seen);
        self.changed.notify_all();
        let let_go = self.let_go.lock().unwrap();
        let _ = self.changed.wait_timeout_while(let_go, WITHIN, |calls| *calls < number).unwrap();
        Turn::Done(Receipt::default())
    }
}

/// A worker that is driven by hand, its log, and what its calls saw.
pub(super) struct Bench {
    pub cluster: Arc<Cluster>,
    /// What the log reads.
    pub clock: Arc<TestClock>,
    /// What the worker reads.
    pub own_clock: Arc<TestClock>,
    pub witness: Arc<Witness>,
    pub worker: Worker,
}

impl Bench {
    pub async fn start() -> Self {
        Self::with_targets(|_| 0).await
    }

    /// Target keys are so many bytes longer than the uid of the run.
    pub async fn with_targets(padding: fn(&str) -> usize) -> Self {
        let clock = Arc::new(TestClock::default());
        let shared = Arc::<TestClock>::clone(&clock);
        let cluster = Arc::new(Cluster::start(Options::default(), shared).await.unwrap());
        let witness = Arc::new(Witness {
            cluster: Arc::clone(&cluster),
            seen: Mutex::default(),
            let_go: Mutex::new(usize::MAX),
            changed: Condvar::new(),
            padding,
        });
        let own_clock = Arc::new(TestClock::default());
        let worker = worker(&cluster, &witness, &own_clock);
        Self { cluster, clock, own_clock, witness, worker }
    }

    /// Accepts the ends of runs with these uids.
    pub async fn accept(&self, uids: &[String]) {
        let event = |uid: &String| RunEvent {
            uid: uid.clone(),
            ce_id: format!("ce-{uid}"),
            ..recorded_run(38)
        };
        self.cluster.accept(uids.iter().map(event).collect()).await.unwrap();
    }

    /// Proposes what is due, and starts what is granted. False when nothing was due.
    pub async fn work(&mut self) -> bool {
        self.worker.propose_due();
        self.worker.settle_outcomes().await;
        let is_asked = self.worker.asked.is_some();
        if is_asked {
            let answers = answers(&mut self.worker.asked).await;
            self.worker.take_answers(answers);
            self.worker.settle_outcomes().await;
        }
        is_asked
    }

    /// The next call that comes back, and its record.
    pub async fn take_back(&mut self) {
        let returned = tokio::time::timeout(WITHIN, self.worker.calls.next()).await;
        self.worker.take_back(returned.unwrap().unwrap());
        self.worker.settle_outcomes().await;
    }

    /// Attempts and open Begins of all effects that are not settled.
    pub fn effects(&self) -> Vec<(u32, bool)> {
        let ever = Timestamp(u64::MAX);
        self.cluster.read(|state| {
            let open = state.begun_by(self.cluster.node_id(), self.cluster.boot());
            let open = open.map(|grant| (grant.attempt, true));
            let due = state.due_work(self.cluster.node_id(), ever).filter_map(|work| match work {
                DueWork::Send(effect) => Some((effect.attempts, false)),
                DueWork::Plan { .. } => None,
            });
            open.chain(due).collect()
        })
    }
}

/// Rules with one route, which ends at the witness.
pub(super) fn rules(witness: &Arc<Witness>, instance: &str) -> Rules {
    let route = Route {
        name: RouteName { kind: "k".into(), instance: instance.into(), action: "a".into() },
        provider: None,
        when: None,
        filter: NameFilter::default(),
        in_flight_max: 4,
        integration: Arc::<Witness>::clone(witness),
    };
    Rules { routes: vec![route], ..Rules::default() }
}

/// A worker with one route, which is that of the witness.
pub(super) fn worker(
    cluster: &Arc<Cluster>,
    witness: &Arc<Witness>,
    clock: &Arc<TestClock>,
) -> Worker {
    let ruleset = Ruleset::first(rules(witness, "i"), Keep::all(), Key::of(&[]));
    let rulesets = watch::channel(Arc::new(ruleset)).1;
    let clock: Arc<dyn Clock> = Arc::<TestClock>::clone(clock);
    let transports = Transports::new(Arc::clone(&clock)).unwrap();
    let options = WorkerOptions {
        concurrency_max: 4,
        handler_timeout: 4 * WITHIN,
        retry: RetryPolicy::default(),
    };
    let telemetry = (clock, Arc::new(Metrics::new().unwrap()));
    Worker::new(Arc::clone(cluster), rulesets, transports, options, telemetry)
}

pub(super) async fn until(cluster: &Cluster, holds: impl Fn(&StateMachine) -> bool) {
    let mut applied = cluster.applied();
    let wait = applied.wait_for(|_| cluster.read(&holds));
    tokio::time::timeout(WITHIN, wait).await.unwrap().unwrap();
}

#[tokio::test]
async fn rule_01_every_call_is_made_under_its_begin_in_the_log() {
    let Bench { cluster, witness, worker, .. } = Bench::start().await;
    let drain = CancellationToken::new();
    let working = tokio::spawn(worker.run(drain.clone()));
    cluster.accept(vec![recorded_run(1), recorded_run(38)]).await.unwrap();
    let is_seen = |state: &StateMachine| {
        state.counters().delivered == 2 || witness.attempts().contains(&None)
    };
    until(&cluster, is_seen).await;
    drain.cancel();
    tokio::time::timeout(WITHIN, working).await.unwrap().unwrap();
    assert_eq!(witness.attempts(), [Some(1), Some(1)]);
    let seen = witness.seen.lock().unwrap();
    assert_ne!(seen[0].0, seen[1].0);
}
