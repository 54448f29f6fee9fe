//! A ruleset that is replaced while the worker runs.

use super::begin_tests::{Bench, WITHIN, rules, until};
use super::*;
use crate::event::{Keep, Key};
use crate::plan::Rules;

/// A worker whose ruleset can be replaced. It has the route `first` of the witness.
async fn swappable() -> (Bench, watch::Sender<Arc<Ruleset>>) {
    let mut bench = Bench::start().await;
    let ruleset = Ruleset::first(rules(&bench.witness, "first"), Keep::all(), Key::of(&[]));
    let sender = watch::Sender::new(Arc::new(ruleset));
    bench.worker.rulesets = sender.subscribe();
    (bench, sender)
}

fn swap(rulesets: &watch::Sender<Arc<Ruleset>>, rules: Rules) {
    rulesets.send_modify(|held| {
        *held = Arc::new(held.replaced_by(rules, Keep::all(), Key::of(&["newer"])));
    });
}

/// Instances to which something is owed, or was delivered, by run.
fn instances(bench: &Bench, uid: &str) -> Vec<String> {
    bench.cluster.read(|state| {
        let shown = state.run(uid).unwrap();
        let open = shown.unsettled.iter().map(|effect| effect.route.instance.clone());
        let settled = shown.run.settled.iter().map(|settled| settled.route.instance.clone());
        open.chain(settled).collect()
    })
}

#[tokio::test]
async fn rule_06_an_event_is_planned_by_the_newest_ruleset_and_an_older_plan_stays() {
    let (mut bench, rulesets) = swappable().await;
    bench.accept(&["a".to_owned()]).await;
    assert!(bench.work().await);
    bench.take_back().await;
    swap(&rulesets, rules(&bench.witness, "second"));
    bench.accept(&["b".to_owned()]).await;
    assert!(bench.work().await);
    bench.take_back().await;
    assert_eq!(
        (instances(&bench, "a"), instances(&bench, "b")),
        (vec!["first".to_owned()], vec!["second".to_owned()])
    );
    assert_eq!(bench.worker.ruleset.generation, 2);
}

#[tokio::test]
async fn rule_06_a_proposal_is_carried_out_under_the_ruleset_that_planned_it() {
    let (mut bench, rulesets) = swappable().await;
    bench.accept(&["a".to_owned()]).await;
    bench.worker.ruleset = Arc::clone(&bench.worker.rulesets.borrow());
    let batch = bench.worker.collect();
    let answers = bench.cluster.propose(batch.commands()).await.unwrap();
    // The route is gone by the time of the call, which its Begin has already granted.
    swap(&rulesets, Rules::default());
    assert_eq!(bench.worker.start(granted(answers)), []);
    bench.take_back().await;
    assert_eq!(
        (instances(&bench, "a"), bench.witness.attempts()),
        (vec!["first".to_owned()], vec![Some(1)])
    );
    assert_eq!(bench.cluster.read(|state| state.counters().delivered), 1);
}

#[tokio::test]
async fn rule_06_a_proposal_that_was_not_confirmed_keeps_its_ruleset() {
    let (mut bench, rulesets) = swappable().await;
    bench.accept(&["a".to_owned()]).await;
    bench.worker.ruleset = Arc::clone(&bench.worker.rulesets.borrow());
    bench.worker.unconfirmed = Some(bench.worker.collect());
    swap(&rulesets, Rules::default());
    assert!(bench.work().await);
    bench.take_back().await;
    assert_eq!((bench.worker.ruleset.generation, bench.witness.attempts()), (1, vec![Some(1)]));
}

#[tokio::test]
async fn rule_06_an_effect_whose_route_a_swap_took_away_is_parked_until_a_swap_brings_it_back() {
    let (mut bench, rulesets) = swappable().await;
    bench.accept(&["a".to_owned()]).await;
    // Granted and not sent: the effect is owed, and its plan is in the log.
    bench.own_clock.step(Duration::from_millis(1001));
    assert!(bench.work().await);
    bench.own_clock.step(Duration::ZERO);
    swap(&rulesets, Rules::default());
    assert!(bench.work().await);
    assert!(!bench.work().await, "a parked effect is not due");
    assert_eq!((bench.effects(), bench.witness.attempts()), (vec![(1, false)], vec![]));
    swap(&rulesets, rules(&bench.witness, "first"));
    bench.clock.advance(Duration::from_secs(60));
    assert!(bench.work().await);
    bench.take_back().await;
    assert_eq!(bench.witness.attempts(), [Some(2)]);
}

#[tokio::test]
async fn a_running_worker_plans_by_the_ruleset_that_was_swapped_in() {
    let (bench, rulesets) = swappable().await;
    let (cluster, witness) = (Arc::clone(&bench.cluster), Arc::clone(&bench.witness));
    let drain = CancellationToken::new();
    let Bench { worker, .. } = bench;
    let working = tokio::spawn(worker.run(drain.clone()));
    for (delivered, instance) in [(1, "first"), (2, "second")] {
        swap(&rulesets, rules(&witness, instance));
        let uid = format!("run-{instance}");
        let event = crate::event::RunEvent {
            ce_id: format!("ce-{uid}"),
            uid: uid.clone(),
            ..crate::event::recorded_run(38)
        };
        cluster.accept(vec![event]).await.unwrap();
        until(&cluster, |state| state.counters().delivered == delivered).await;
        let route = cluster.read(|state| state.run(&uid).unwrap().run.settled[0].route.clone());
        assert_eq!(route.instance, instance);
    }
    drain.cancel();
    tokio::time::timeout(WITHIN, working).await.unwrap().unwrap();
}
