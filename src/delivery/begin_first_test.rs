//! The worker over a log in memory: a call is made only where the log says so.

use super::*;
use crate::clock::SystemClock;
use crate::cluster::Options;
use crate::effect::{Delivery, Receipt, RouteName, SkipReason, TargetKey};
use crate::event::{RunContext, RunEvent, recorded_run};
use crate::integration::{Effect, Integration, Target, Turn};
use crate::route::{NameFilter, Route};
use crate::state_machine::StateMachine;
use std::sync::Mutex;

/// What has not happened by then never will.
const WITHIN: Duration = Duration::from_secs(20);

/// Notes for each call which Begin of this node is in the log when the call is made.
struct Witness {
    cluster: Arc<Cluster>,
    seen: Mutex<Vec<(EffectId, Option<u32>)>>,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Witness")
    }
}

impl Integration for Witness {
    fn target(&self, event: &RunEvent, _: &RunContext) -> Result<Target, SkipReason> {
        Ok(Target { key: TargetKey(event.uid.clone()), delivery: Delivery::Stream })
    }

    fn begin(&self, effect: &Effect<'_>) -> Turn {
        let (node, boot) = (self.cluster.node_id(), self.cluster.boot());
        let attempt = self.cluster.read(|state| {
            let mut begun = state.begun_by(node, boot);
            begun.find(|grant| grant.effect == effect.id).map(|grant| grant.attempt)
        });
        self.seen.lock().unwrap().push((effect.id, attempt));
        Turn::Done(Receipt::default())
    }
}

fn worker(cluster: &Arc<Cluster>, witness: &Arc<Witness>) -> Worker {
    let route = Route {
        name: RouteName { kind: "k".into(), instance: "i".into(), action: "a".into() },
        provider: None,
        when: None,
        filter: NameFilter::default(),
        integration: Arc::<Witness>::clone(witness),
    };
    let rules = Rules { routes: vec![route], ..Rules::default() };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let transports = Transports::new(Arc::clone(&clock)).unwrap();
    let options = WorkerOptions {
        concurrency_max: 4,
        handler_timeout: WITHIN,
        retry: RetryPolicy::default(),
    };
    let telemetry = (clock, Arc::new(Metrics::new().unwrap()));
    Worker::new(Arc::clone(cluster), Arc::new(rules), transports, options, telemetry)
}

async fn until(cluster: &Cluster, holds: impl Fn(&StateMachine) -> bool) {
    let mut applied = cluster.applied();
    let wait = applied.wait_for(|_| cluster.read(&holds));
    tokio::time::timeout(WITHIN, wait).await.unwrap().unwrap();
}

#[tokio::test]
async fn rule_01_every_call_is_made_under_its_begin_in_the_log() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let cluster = Arc::new(Cluster::start(Options::default(), clock).await.unwrap());
    let witness = Arc::new(Witness { cluster: Arc::clone(&cluster), seen: Mutex::default() });
    let drain = CancellationToken::new();
    let working = tokio::spawn(worker(&cluster, &witness).run(drain.clone()));
    cluster.accept(vec![recorded_run(1), recorded_run(38)]).await.unwrap();
    let is_seen = |state: &StateMachine| {
        let seen = witness.seen.lock().unwrap();
        state.counters().delivered == 2 || seen.iter().any(|(_, attempt)| attempt.is_none())
    };
    until(&cluster, is_seen).await;
    drain.cancel();
    tokio::time::timeout(WITHIN, working).await.unwrap().unwrap();
    let seen = witness.seen.lock().unwrap();
    let attempts: Vec<Option<u32>> = seen.iter().map(|(_, attempt)| *attempt).collect();
    assert_eq!(attempts, [Some(1), Some(1)]);
    assert_ne!(seen[0].0, seen[1].0);
}
