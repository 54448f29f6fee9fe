//! What becomes of a grant that the worker does not use, or does not hear of, and of a call that
//! nobody reports.

use super::begin_tests::{Bench, TestClock, WITHIN, until, worker};
use super::*;
use crate::delivery::send::Ended;
use crate::failure::FailureKind;
use crate::state_machine::{
    AttemptOutcome, AttemptResult, Begin, Boot, Cause, CauseKind, Command, NodeId, Owner, Slot,
    SlotId, SlotMove,
};

/// The longest that a proposal may take and its calls still be made.
const IN_TIME: Duration = SEND_WITHIN;
const LATE: Duration = Duration::from_millis(1001);

async fn one_run() -> Bench {
    let bench = Bench::start().await;
    bench.accept(&["a".to_owned()]).await;
    bench
}

/// Work whose proposal takes so long, by the clock of the worker.
async fn work_within(bench: &mut Bench, taking: Duration) {
    bench.own_clock.step(taking);
    assert!(bench.work().await);
    bench.own_clock.step(Duration::ZERO);
}

#[tokio::test]
async fn rule_01_a_call_whose_begin_was_granted_too_late_is_not_made_and_its_begin_is_given_back() {
    let mut bench = one_run().await;
    work_within(&mut bench, LATE).await;
    assert_eq!(bench.effects(), [(1, false)]);
    assert!(bench.worker.calls.try_next().is_none());
    assert_eq!((bench.worker.limits.in_flight(), bench.witness.attempts()), (0, vec![]));
    work_within(&mut bench, IN_TIME).await;
    bench.take_back().await;
    assert_eq!(bench.witness.attempts(), [Some(2)]);
    let counters = bench.cluster.read(|state| state.counters().clone());
    assert_eq!((counters.delivered, counters.in_doubt), (1, 0));
}

#[tokio::test]
async fn rule_01_a_call_is_made_up_to_a_second_after_it_was_asked_for() {
    let mut bench = one_run().await;
    work_within(&mut bench, IN_TIME).await;
    bench.take_back().await;
    assert_eq!(bench.witness.attempts(), [Some(1)]);
}

#[tokio::test]
async fn rule_17_a_grant_that_was_never_heard_of_is_given_back_and_begun_anew() {
    let mut bench = one_run().await;
    let mut deaf = worker(&bench.cluster, &bench.witness, &Arc::new(TestClock::default()));
    let unheard = deaf.collect();
    bench.cluster.propose(unheard.commands()).await.unwrap();
    assert_eq!(bench.effects(), [(1, true)]);
    bench.work().await;
    assert_eq!(bench.effects(), [(1, false)]);
    assert!(bench.work().await);
    bench.take_back().await;
    assert_eq!(bench.witness.attempts(), [Some(2)]);
    let counters = bench.cluster.read(|state| state.counters().clone());
    assert_eq!((counters.delivered, counters.in_doubt), (1, 0));
}

#[tokio::test]
async fn rule_17_a_call_under_way_is_not_taken_for_one_that_was_never_heard_of() {
    let mut bench = one_run().await;
    bench.witness.let_go(0);
    assert!(bench.work().await);
    bench.worker.close_unheard();
    bench.worker.settle_outcomes().await;
    assert_eq!(bench.effects(), [(1, true)]);
    bench.witness.let_go(1);
    bench.take_back().await;
    assert_eq!(bench.effects(), []);
}

#[tokio::test]
async fn rule_01_a_proposal_that_was_not_confirmed_is_made_again_at_the_stop_and_given_back() {
    let mut bench = one_run().await;
    let batch = bench.worker.collect();
    assert_eq!(bench.worker.limits.in_flight(), 1);
    // It is in the log, and its answer was lost.
    bench.cluster.propose(batch.commands()).await.unwrap();
    bench.worker.unconfirmed = Some(batch);
    bench.worker.settle_asked().await;
    bench.worker.settle_outcomes().await;
    assert_eq!(bench.effects(), [(1, false)]);
    assert_eq!((bench.worker.limits.in_flight(), bench.witness.attempts()), (0, vec![]));
    assert_eq!(bench.cluster.read(|state| state.counters().in_doubt), 0);
}

#[tokio::test]
async fn rule_01_a_proposal_that_was_not_confirmed_is_made_again_as_it_was() {
    let mut bench = one_run().await;
    bench.cluster.shutdown().await;
    assert!(bench.work().await);
    let commands = bench.worker.unconfirmed.as_ref().unwrap().commands();
    assert_eq!(bench.worker.limits.in_flight(), 1);
    assert!(bench.work().await);
    assert_eq!(bench.worker.unconfirmed.as_ref().unwrap().commands(), commands);
    assert_eq!(bench.worker.limits.in_flight(), 1);
}

/// Gives every slot to `to`.
async fn assign(bench: &Bench, to: NodeId) {
    let to = |(slot, Slot { epoch, .. }): (SlotId, Slot)| SlotMove {
        slot,
        expected_epoch: epoch,
        to,
        is_forced: true,
    };
    let moves = bench.cluster.read(|state| state.slots().map(to).collect());
    bench.cluster.propose(vec![Command::Assign(moves)]).await.unwrap();
}

/// Another node takes the one effect over, and its call fails.
async fn fail_elsewhere(bench: &Bench, elsewhere: NodeId) {
    let boot = Boot { node: elsewhere, number: 1, ended_while_planning: None };
    bench.cluster.propose(vec![Command::Boot(boot)]).await.unwrap();
    assign(bench, elsewhere).await;
    bench.clock.advance(Duration::from_secs(11));
    let now = bench.cluster.replicated_now();
    let begin = bench.cluster.read(|state| {
        let work = state.due_work(elsewhere, now).next();
        let Some(DueWork::Send(effect)) = work else { panic!("nothing to take over: {work:?}") };
        let epoch = state.slot(effect.slot).epoch;
        let owner = Owner { node: elsewhere, boot: 1, slot: effect.slot, epoch };
        Begin { owner, planned: None, asked: vec![effect.next_grant()] }
    });
    let grant = begin.asked[0];
    let answers = bench.cluster.propose(vec![Command::Begin(begin)]).await.unwrap();
    assert_eq!(answers, [Applied::Begun(vec![grant])]);
    let cause = Cause { kind: CauseKind::Delivery(FailureKind::Server), detail: String::new() };
    let result = AttemptResult::RetryIn { wait_ms: 0, cause };
    let outcome = AttemptOutcome { effect: grant.effect, attempt: grant.attempt, result };
    bench.cluster.propose(vec![Command::Record(vec![outcome])]).await.unwrap();
}

#[tokio::test]
async fn rule_01_the_end_of_an_earlier_attempt_does_not_end_a_later_one_of_a_slot_that_returned() {
    let mut bench = one_run().await;
    bench.witness.let_go(0);
    assert!(bench.work().await);
    fail_elsewhere(&bench, NodeId(7)).await;
    assign(&bench, bench.cluster.node_id()).await;
    assert!(bench.work().await);
    assert_eq!(bench.effects(), [(3, true)]);
    bench.witness.let_go(1);
    bench.take_back().await;
    bench.worker.close_unheard();
    bench.worker.settle_outcomes().await;
    assert_eq!(bench.effects(), [(3, true)]);
    bench.witness.let_go(2);
    bench.take_back().await;
    assert_eq!((bench.effects(), bench.worker.limits.in_flight()), (vec![], 0));
    assert_eq!(bench.cluster.read(|state| state.counters().delivered), 1);
}

async fn broken() -> Ended {
    panic!("a call that a test broke")
}

#[tokio::test]
async fn rule_07_a_call_whose_task_broke_is_given_up_and_holds_up_nothing() {
    let mut bench = one_run().await;
    let batch = bench.worker.collect();
    let answers = bench.cluster.propose(batch.commands()).await.unwrap();
    let grant = granted(answers)[0];
    bench.worker.calls.start(Call { grant, instance: "i".to_owned() }, broken());
    bench.take_back().await;
    assert_eq!((bench.worker.limits.in_flight(), bench.effects()), (0, vec![]));
    let causes = bench.cluster.read(|state| {
        state.dead_letters().map(|letter| (letter.cause.kind, letter.attempts)).collect::<Vec<_>>()
    });
    assert_eq!(causes, [(CauseKind::Delivery(FailureKind::Render), 1)]);
}

/// More than fits into an entry of the log.
const HUGE: usize = 1_100_000;

#[tokio::test]
async fn rule_07_an_event_whose_plan_is_too_large_for_the_log_is_given_up_and_others_go_on() {
    let bench = Bench::with_targets(|uid| if uid == "huge" { HUGE } else { 0 }).await;
    bench.accept(&["before", "huge", "after"].map(str::to_owned)).await;
    let drain = CancellationToken::new();
    let working = tokio::spawn(bench.worker.run(drain.clone()));
    until(&bench.cluster, |state| state.counters().delivered == 2 && state.unplanned() == 0).await;
    drain.cancel();
    tokio::time::timeout(WITHIN, working).await.unwrap().unwrap();
    let letters = bench.cluster.read(|state| {
        let letter = |letter: &crate::state_machine::DeadLetter| {
            (letter.cause.kind, letter.event.uid.clone(), letter.route.clone())
        };
        state.dead_letters().map(letter).collect::<Vec<_>>()
    });
    let every = crate::effect::RouteName::every();
    assert_eq!(letters, [(CauseKind::Poison, "huge".to_owned(), every)]);
    assert_eq!(bench.cluster.read(|state| state.backlog()), 0);
}

#[tokio::test]
async fn rule_04_plans_that_do_not_fit_into_one_entry_are_proposed_in_several() {
    let mut bench = Bench::with_targets(|_| 100 * 1024).await;
    let uids: Vec<String> = (0..20).map(|number| format!("run-{number}")).collect();
    bench.accept(&uids).await;
    let unplanned = |bench: &Bench| bench.cluster.read(|state| state.unplanned());
    for left in [10, 0] {
        bench.work().await;
        assert_eq!(unplanned(&bench), left);
    }
    assert!(bench.worker.limits.in_flight() <= 4);
}

#[tokio::test]
async fn rule_01_a_begin_that_is_answered_twice_leads_to_one_call() {
    let mut bench = Bench::start().await;
    bench.accept(&["a".to_owned()]).await;
    let batch = bench.worker.collect();
    let first = granted(bench.cluster.propose(batch.commands()).await.unwrap());
    let again = granted(bench.cluster.propose(batch.commands()).await.unwrap());
    assert_eq!((first.len(), &again), (1, &first), "apply answers as it did at first");
    let twice = [first, again].concat();
    let grants = bench.worker.not_carried_out(twice.clone());
    assert_eq!(grants, twice[..1]);
    assert_eq!(bench.worker.start(grants), []);
    assert_eq!(bench.worker.not_carried_out(twice), []);
    bench.take_back().await;
    assert_eq!(bench.witness.attempts(), [Some(1)]);
}
