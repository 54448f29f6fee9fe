//! Letters that leave at the bound, over a log in memory.

use super::*;
use crate::clock::SystemClock;
use crate::cluster::{CHANGES_MAX, Options};
use crate::effect::RouteName;
use crate::event::{RunEvent, recorded_run};
use crate::state_machine::{
    Applied, Begin, Cause, CauseKind, Command, FailedRoute, Owner, Planned, Settings,
};
use futures_util::FutureExt as _;

/// What has not happened by then never will.
const WITHIN: Duration = Duration::from_secs(20);

/// A node that keeps one dead letter.
async fn cluster() -> Arc<Cluster> {
    let settings = Settings { dead_letters_max: 1, ..Settings::default() };
    let options = Options { settings, ..Options::default() };
    let cluster = Cluster::start(options, Arc::new(SystemClock::default())).await.unwrap();
    let cluster = Arc::new(cluster);
    let mut registered = cluster.registered();
    registered.wait_for(|registered| *registered).await.unwrap();
    cluster
}

/// Adds a letter: a route of a run that cannot be planned.
async fn add_letter(cluster: &Cluster, uid: &str) {
    let (uid, ce_id) = (uid.to_owned(), format!("ce-{uid}"));
    cluster.accept(vec![RunEvent { uid, ce_id, ..recorded_run(38) }]).await.unwrap();
    let route = ["slack", "team", "notify"].map(str::to_owned);
    let [kind, instance, action] = route;
    let cause = Cause { kind: CauseKind::Poison, detail: String::new() };
    let failed = vec![FailedRoute { route: RouteName { kind, instance, action }, cause }];
    let begin = cluster.read(|state| {
        let due = state.due_plans(cluster.node_id()).next();
        let (run, slot, queued) = due.expect("an event to plan");
        let (boot, epoch) = (cluster.boot(), state.slot(slot).epoch);
        let owner = Owner { node: cluster.node_id(), boot, slot, epoch };
        let (effects, skipped) = (Vec::new(), Vec::new());
        let planned = Planned { run, sequence: queued.sequence, effects, skipped, failed };
        Begin { owner, planned: Some(planned), asked: Vec::new() }
    });
    let answers = cluster.propose(vec![Command::Begin(begin)]).await.unwrap();
    assert_eq!(answers, [Applied::Begun(Vec::new())]);
}

async fn next(dropped: &mut DroppedLetters) -> u64 {
    tokio::time::timeout(WITHIN, dropped.next()).await.unwrap().unwrap()
}

#[tokio::test]
async fn rule_14_letters_that_left_are_logged_once_and_not_again_by_the_next_process() {
    let cluster = cluster().await;
    let mut letters = DroppedLetters::from_now_on(Arc::clone(&cluster));
    for uid in ["a", "b", "c"] {
        add_letter(&cluster, uid).await;
    }
    assert_eq!(next(&mut letters).await, 2);
    assert_eq!(letters.next().now_or_never(), None);
    let mut of_next_process = DroppedLetters::from_now_on(Arc::clone(&cluster));
    assert_eq!(of_next_process.next().now_or_never(), None);
    add_letter(&cluster, "d").await;
    assert_eq!((next(&mut letters).await, next(&mut of_next_process).await), (1, 1));
}

#[tokio::test]
async fn rule_14_letters_that_leave_while_nobody_listens_are_counted_all_the_same() {
    let cluster = cluster().await;
    let mut letters = DroppedLetters::from_now_on(Arc::clone(&cluster));
    assert_eq!(letters.next().now_or_never(), None);
    let added = CHANGES_MAX + 1;
    for number in 0..added {
        add_letter(&cluster, &format!("run-{number}")).await;
    }
    assert!(matches!(letters.changes.try_next(), Some(Changed::Missed { entries }) if entries > 0));
    assert_eq!(next(&mut letters).await, u64::try_from(added - 1).unwrap());
}
