//! A target that asked to be left alone is left alone by all replicas (rule 14), and what they tell
//! of it is keyed by the instance (rule 17).

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// The status and the message of run `a` wait; only the instance of the status is paused.
fn paused(wait: Duration) -> Core {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    pause(&mut core, "status", wait);
    core
}

fn pause(core: &mut Core, action: &str, wait: Duration) {
    let until = core.now.after(wait);
    pause_until(core, &route(action).instance, until);
}

fn pause_until(core: &mut Core, instance: &str, until: Timestamp) {
    let instance = instance.to_owned();
    assert_eq!(core.apply(Command::Pause { instance, until }), Applied::Done);
}

fn pause_of_status(core: &Core) -> Option<Timestamp> {
    core.state.pause_of("status-instance")
}

#[test]
fn rule_14_nothing_is_begun_for_a_paused_instance_while_others_go_on() {
    let mut core = paused(MINUTE);
    assert_eq!(core.begin(core.status("a")), None);
    assert_eq!(core.settle(), ["chat a running"]);
    core.pass(MINUTE - Duration::from_millis(1));
    assert_eq!(core.begin(core.status("a")), None);
    core.pass(Duration::from_millis(1));
    assert_eq!(core.settle(), ["status a running"]);
}

#[test]
fn rule_14_a_pause_holds_for_the_next_owner_too() {
    let mut core = paused(MINUTE);
    core.assign(B, true);
    assert_eq!(core.begin(core.status("a")), None);
}

#[test]
fn rule_14_a_paused_effect_is_no_due_work_and_the_end_of_the_pause_is_told() {
    let mut core = paused(MINUTE);
    core.settle();
    assert_eq!(core.state.due_work(A, core.now).count(), 0);
    assert_eq!(core.state.next_send(), Some(core.now.after(MINUTE)));
    assert_eq!(core.state.due_work(A, core.now.after(MINUTE)).count(), 1);
}

#[test]
fn rule_14_what_becomes_due_during_a_pause_waits_for_its_end() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let (status, chat) = (core.begin(core.status("a")).unwrap(), core.begin(core.chat("a")));
    core.fail(status, 10_000);
    core.fail(chat.unwrap(), 20_000);
    pause(&mut core, "status", 30 * SECOND);
    assert_eq!(core.state.next_send(), Some(core.now.after(20 * SECOND)));
    core.pass(20 * SECOND);
    assert_eq!(core.settle(), ["chat a running"]);
    assert_eq!(core.state.next_send(), Some(START.after(30 * SECOND)));
    core.pass(10 * SECOND);
    assert_eq!(core.settle(), ["status a running"]);
}

#[test]
fn rule_14_what_fails_for_longer_than_the_pause_waits_on() {
    let mut core = paused(SECOND);
    core.settle();
    core.pass(SECOND);
    let status = core.begin(core.status("a")).unwrap();
    core.fail(status, 60_000);
    pause(&mut core, "status", SECOND);
    core.pass(SECOND);
    assert_eq!(core.state.next_send(), Some(core.now.after(59 * SECOND)));
    assert_eq!(core.begin(core.status("a")).map(|grant| grant.attempt), Some(2));
}

#[test]
fn rule_14_a_call_under_way_is_recorded_as_ever() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let grant = core.begin(core.status("a")).unwrap();
    pause(&mut core, "status", MINUTE);
    assert_eq!(core.ask_again(grant), Applied::Begun(vec![grant]));
    core.deliver(grant);
    assert_eq!(core.settled("a"), ["status running delivered"]);
}

#[test]
fn rule_14_a_takeover_waits_for_the_end_of_the_pause() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let old = core.begin(core.status("a")).unwrap();
    pause(&mut core, "status", MINUTE);
    core.assign(B, true);
    core.settle();
    assert_eq!(core.state.next_send(), Some(core.now.after(MINUTE)));
    core.pass(MINUTE - SECOND);
    assert_eq!((core.next_send(), core.begin(old.effect)), (None, None));
    core.pass(SECOND);
    assert_eq!(core.next_send(), Some(old.effect));
    assert_eq!(core.begin(old.effect), Some(Grant { effect: old.effect, attempt: 2 }));
}

#[test]
fn rule_14_a_plan_is_taken_while_its_instance_is_paused() {
    let mut core = Core::new();
    pause(&mut core, "status", MINUTE);
    core.accept(pipeline_run("a").started());
    let mut begin = core.next_plan().unwrap();
    ask_for_all(&mut begin);
    let answer = core.apply(Command::Begin(begin));
    let chat = core.chat("a");
    assert_eq!(answer, Applied::Begun(vec![Grant { effect: chat, attempt: 1 }]));
    assert_eq!((core.state.unplanned(), core.state.backlog()), (0, 2));
}

#[test]
fn rule_17_the_later_end_wins_however_often_and_in_which_order_it_is_told() {
    let mut core = paused(MINUTE);
    let until = pause_of_status(&core);
    assert_eq!(until, Some(START.after(MINUTE)));
    let before = core.text();
    pause(&mut core, "status", MINUTE);
    pause(&mut core, "status", SECOND);
    assert_eq!(core.text(), before);
    pause(&mut core, "status", 2 * MINUTE);
    pause(&mut core, "status", MINUTE);
    assert_eq!(pause_of_status(&core), Some(START.after(2 * MINUTE)));
}

#[test]
fn rule_17_a_pause_that_is_told_again_after_its_end_changes_nothing() {
    let mut core = paused(MINUTE);
    let until = pause_of_status(&core).unwrap();
    core.pass(MINUTE);
    let before = core.text();
    pause_until(&mut core, "status-instance", until);
    assert_eq!(core.text(), before);
}

#[test]
fn a_pause_is_forgotten_at_its_end() {
    let mut core = paused(MINUTE);
    core.pass(MINUTE - Duration::from_millis(1));
    assert_eq!(core.state.pauses().count(), 1);
    core.pass(Duration::from_millis(1));
    assert_eq!((core.state.pauses().count(), pause_of_status(&core)), (0, None));
}

#[test]
fn no_pause_is_longer_than_an_hour() {
    let core = paused(DAY);
    assert_eq!(pause_of_status(&core), Some(START.after(PAUSE_MAX)));
}

#[test]
fn beyond_the_bound_the_pause_that_ends_first_gives_way() {
    let mut core = paused(MINUTE);
    for number in 1..PAUSES_MAX {
        pause_until(&mut core, &format!("i-{number}"), START.after(2 * MINUTE));
    }
    assert_eq!(core.state.pauses().count(), PAUSES_MAX);
    pause_until(&mut core, "one more", START.after(3 * MINUTE));
    assert_eq!(core.state.pauses().count(), PAUSES_MAX);
    assert_eq!(pause_of_status(&core), None);
    assert_eq!(core.state.pause_of("one more"), Some(START.after(3 * MINUTE)));
}
