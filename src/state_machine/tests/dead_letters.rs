//! Rules 14 and 17: how many dead letters are kept, for how long, and how they come back.

use super::*;

/// Runs whose status was given up, in this order.
fn with_letters(uids: &[&str]) -> Core {
    let mut core = Core::new();
    for uid in uids {
        give_up(&mut core, uid);
    }
    core
}

fn give_up(core: &mut Core, uid: &str) {
    core.accept(pipeline_run(uid).success());
    core.plan_all();
    let grant = core.begin(core.status(uid)).unwrap();
    core.die(grant);
    core.settle();
}

fn replay(core: &mut Core, letters: &[u64]) -> Applied {
    let item = |letter: &u64| ReplayItem { letter: *letter, event: None };
    core.apply(Command::Replay(letters.iter().map(item).collect()))
}

fn letter_ids(core: &Core) -> Vec<u64> {
    core.state.dead_letters().map(|letter| letter.id).collect()
}

#[test]
fn rule_14_at_the_bound_the_oldest_letter_leaves_and_is_counted() {
    let mut core = Core::with(|settings| settings.dead_letters_max = 2);
    for uid in ["a", "b", "c"] {
        give_up(&mut core, uid);
    }
    assert_eq!(letter_ids(&core), [2, 3]);
    assert_eq!(core.state.counters().letters_dropped, 1);
    assert_eq!(core.state.counters().dead[&cause().kind], 3);
}

#[test]
fn rule_14_a_letter_leaves_when_its_retention_ends() {
    let mut core = with_letters(&["a"]);
    core.pass(7 * DAY - Duration::from_millis(1));
    assert_eq!(letter_ids(&core), [1]);
    core.pass(Duration::from_millis(1));
    assert_eq!(letter_ids(&core), [0; 0]);
    assert_eq!(core.state.counters().letters_dropped, 0);
}

#[test]
fn a_letter_that_was_deleted_is_gone_for_good_and_deleted_once() {
    let mut core = with_letters(&["a", "b"]);
    let timers = core.state.timers.len();
    let delete = Command::DeleteLetters(vec![1, 7]);
    assert_eq!(core.apply(delete.clone()), Applied::Deleted(1));
    assert_eq!(core.apply(delete), Applied::Deleted(0));
    assert_eq!((letter_ids(&core), core.state.timers.len()), (vec![2], timers - 1));
    assert_eq!(replay(&mut core, &[1]), Applied::Replayed(0));
    // A later letter takes no number again.
    give_up(&mut core, "c");
    assert_eq!(letter_ids(&core), [2, 3]);
}

#[test]
fn rule_14_a_letter_that_left_takes_its_timer_along() {
    let mut core = Core::with(|settings| settings.dead_letters_max = 1);
    give_up(&mut core, "a");
    let timers = core.state.timers.len();
    give_up(&mut core, "b");
    replay(&mut core, &[2]);
    core.settle();
    let letters = core.state.timers.iter().filter(|(_, t)| matches!(t, Timer::DeadLetter(_)));
    assert_eq!((letters.count(), timers > 0), (0, true));
}

#[test]
fn rule_17_letters_are_replayed_in_the_order_their_events_were_accepted() {
    let mut core = with_letters(&["a", "b", "c"]);
    assert_eq!(replay(&mut core, &[3, 1, 2]), Applied::Replayed(3));
    let order: Vec<u64> = ["a", "b", "c"].map(|uid| core.run(uid).queue[0].sequence).to_vec();
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(core.settle(), ["status a success", "status b success", "status c success"]);
    assert_eq!(letter_ids(&core), [0; 0]);
}

#[test]
fn rule_17_a_replay_goes_past_the_dedupe_to_its_own_route_under_a_new_effect_id() {
    let mut core = with_letters(&["a"]);
    let first = core.run("a").settled[0].effect;
    replay(&mut core, &[1]);
    assert_eq!(core.settle(), ["status a success"]);
    assert_ne!(core.run("a").settled.back().unwrap().effect, first);
    assert_eq!(core.accept(pipeline_run("a").success()), Fate::Duplicate);
}

#[test]
fn rule_17_a_replay_that_is_given_up_again_counts_its_replays() {
    let mut core = with_letters(&["a"]);
    for replays in 1..=2 {
        replay(&mut core, &[replays]);
        core.plan_all();
        let grant = core.begin(core.status("a")).unwrap();
        core.die(grant);
        let letter = core.state.dead_letters().next().unwrap();
        assert_eq!((letter.id, u64::from(letter.replays)), (replays + 1, replays));
    }
}

#[test]
fn rule_17_a_letter_is_replayed_once_however_often_it_is_asked_for() {
    let mut core = with_letters(&["a"]);
    assert_eq!(replay(&mut core, &[1, 1]), Applied::Replayed(1));
    assert_eq!(replay(&mut core, &[1]), Applied::Replayed(0));
    assert_eq!(replay(&mut core, &[99]), Applied::Replayed(0));
    assert_eq!(core.state.unplanned(), 1);
}

#[test]
fn rule_17_a_replay_works_after_its_run_shrank() {
    let mut core = with_letters(&["a"]);
    core.pass(2 * HOUR);
    assert_eq!(core.state.run_counts(), (0, 1));
    replay(&mut core, &[1]);
    assert_eq!(core.settle(), ["status a success"]);
    core.pass(HOUR);
    assert_eq!(core.state.run_counts(), (0, 1));
}

#[test]
fn rule_17_a_run_revived_by_a_replay_still_knows_its_end() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let grant = core.begin(core.status("a")).unwrap();
    core.die(grant);
    core.take(pipeline_run("a").success().version(2));
    core.pass(2 * HOUR);
    replay(&mut core, &[1]);
    assert_eq!(core.settle(), [""; 0]);
    let again = || pipeline_run("a").success().version(3);
    assert_eq!(core.accept(again().again("x")), Fate::Duplicate);
    core.pass(2 * DAY);
    assert_eq!(core.accept(again().again("y")), Fate::Duplicate);
    assert_eq!(core.settle(), [""; 0]);
}

#[test]
fn rule_17_a_replay_may_carry_a_corrected_event() {
    let mut core = with_letters(&["a"]);
    let corrected = pipeline_run("a").success().on("other-commit", "a");
    let event = Some(Box::new(corrected.into()));
    core.apply(Command::Replay(vec![ReplayItem { letter: 1, event }]));
    core.plan_all();
    assert_eq!(core.record(core.status("a")).target.0, "status/other-commit/tekton/build");
}
