use super::*;
use crate::clock::SystemClock;
use crate::cluster::Options;
use crate::effect::EffectId;
use crate::event::Key;

fn grant(number: u128) -> Grant {
    Grant { effect: EffectId(Key(number)), attempt: 1 }
}

/// The end of an attempt with so many bytes of detail.
fn outcome(number: u128, detail_bytes: usize) -> AttemptOutcome {
    let detail = "x".repeat(detail_bytes);
    let cause = Cause { kind: CauseKind::Delivery(FailureKind::Server), detail };
    let Grant { effect, attempt } = grant(number);
    AttemptOutcome { effect, attempt, result: AttemptResult::Dead(cause) }
}

fn waiting(outcomes: impl IntoIterator<Item = AttemptOutcome>) -> Outcomes {
    let mut waiting = Outcomes::default();
    outcomes.into_iter().for_each(|outcome| waiting.push(outcome, None));
    waiting
}

/// The sizes of all proposals that the outcomes make.
fn sizes(outcomes: &mut Outcomes) -> Vec<usize> {
    std::iter::from_fn(|| (!outcomes.waiting.is_empty()).then(|| outcomes.take().0.len())).collect()
}

#[test]
fn all_that_waits_travels_in_one_proposal_in_its_order() {
    let mut outcomes = waiting((0..3).map(|number| outcome(number, 0)));
    let (grants, commands) = outcomes.take();
    assert_eq!(grants, [0, 1, 2].map(grant));
    let expected = (0..3).map(|number| outcome(number, 0)).collect();
    assert_eq!(commands, [Command::Record(expected)]);
    assert!(outcomes.waiting.is_empty());
}

#[test]
fn a_pause_travels_with_the_outcome_that_asked_for_it() {
    let pause = Command::Pause { instance: "hub".to_owned(), until: crate::clock::Timestamp(9) };
    let mut outcomes = waiting([outcome(1, 0)]);
    outcomes.push(outcome(2, 0), Some(pause.clone()));
    let (_, commands) = outcomes.take();
    assert_eq!(commands, [Command::Record(vec![outcome(1, 0), outcome(2, 0)]), pause]);
}

#[test]
fn a_proposal_of_outcomes_is_bounded_by_number_and_bytes() {
    let count = PER_PROPOSAL_MAX as u128 + 44;
    let mut many = waiting((0..count).map(|number| outcome(number, 0)));
    assert_eq!(sizes(&mut many), [PER_PROPOSAL_MAX, 44]);
    let mut large = waiting((0..3).map(|number| outcome(number, ENTRY_BYTES_MAX / 2 - 100)));
    assert_eq!(sizes(&mut large), [2, 1]);
    let mut too_large = waiting((0..2).map(|number| outcome(number, ENTRY_BYTES_MAX)));
    assert_eq!(sizes(&mut too_large), [1, 1]);
}

#[test]
fn outcomes_that_the_log_does_not_take_end_new_begins() {
    let last = UNRECORDED_MAX as u128 - 1;
    let mut outcomes = waiting((0..last).map(|number| outcome(number, 0)));
    assert!(!outcomes.are_too_many());
    outcomes.push(outcome(last, 0), None);
    assert!(outcomes.are_too_many());
}

#[tokio::test]
async fn an_outcome_is_held_until_the_log_has_it_and_what_comes_meanwhile_follows() {
    let cluster = Cluster::start(Options::default(), Arc::new(SystemClock::default())).await;
    let cluster = Arc::new(cluster.unwrap());
    let mut outcomes = waiting([outcome(1, 0)]);
    outcomes.propose(&cluster);
    outcomes.push(outcome(2, 0), None);
    outcomes.propose(&cluster);
    assert!(outcomes.holds(grant(1)) && outcomes.holds(grant(2)));
    outcomes.recorded().await;
    assert!(!outcomes.holds(grant(1)) && outcomes.holds(grant(2)));
    assert!(!outcomes.are_recorded());
    outcomes.propose(&cluster);
    outcomes.recorded().await;
    assert!(outcomes.are_recorded());
    cluster.shutdown().await;
}
