//! Rules 2 and 3 at the second level: the target of a call whose end nobody heard is written once
//! more when that call must be over.

use super::*;
use crate::failure::FailureKind::Timeout;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A core in which the status of run `a` is on the wire.
fn calling() -> (Core, Grant) {
    let mut core = Core::second();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let chat = core.begin(core.chat("a")).unwrap();
    core.deliver(chat);
    let status = core.begin(core.status("a")).unwrap();
    (core, status)
}

fn time_out(core: &mut Core, grant: Grant, wait_ms: u64) {
    let cause = Cause { kind: CauseKind::Delivery(Timeout), detail: String::new() };
    core.outcome(grant, AttemptResult::RetryIn { wait_ms, cause });
}

/// Lets time pass and tells what was sent then.
fn later(core: &mut Core, wait: Duration) -> Vec<String> {
    core.pass(wait);
    core.settle()
}

#[test]
fn rule_02_a_call_of_a_dead_process_is_repaired_12_s_after_it_was_begun_anew() {
    let (mut core, _) = calling();
    core.boot(A, 2);
    core.pass(3 * SECOND);
    assert_eq!(core.settle(), ["status a running"]);
    core.take(pipeline_run("a").success().changed(1));
    assert_eq!(later(&mut core, 12 * SECOND - MILLISECOND), [""; 0]);
    assert_eq!(later(&mut core, MILLISECOND), ["status a success"]);
    assert_eq!(later(&mut core, HOUR), [""; 0]);
    assert!(core.state.repairs.is_empty());
}

#[test]
fn rule_02_a_repair_is_owed_also_when_a_newer_state_took_the_place_of_the_lost_one() {
    let (mut core, _) = calling();
    core.boot(A, 2);
    let sent = core.take(pipeline_run("a").success().changed(1));
    assert!(sent.contains(&"status a success".to_owned()), "{sent:?}");
    assert_eq!(later(&mut core, 12 * SECOND), ["status a success"]);
}

#[test]
fn rule_02_a_takeover_is_repaired_12_s_after_it() {
    let (mut core, _) = calling();
    core.assign(B, true);
    core.pass(11 * SECOND);
    assert_eq!(core.settle(), ["status a running"]);
    assert_eq!(later(&mut core, 12 * SECOND - MILLISECOND), [""; 0]);
    assert_eq!(later(&mut core, MILLISECOND), ["status a running"]);
}

#[test]
fn v5_a_call_that_timed_out_is_repaired_a_minute_later() {
    let (mut core, status) = calling();
    time_out(&mut core, status, 500);
    core.take(pipeline_run("a").success().changed(1));
    core.pass(MINUTE - MILLISECOND);
    assert_eq!(core.settle(), [""; 0]);
    assert_eq!(later(&mut core, MILLISECOND), ["status a success"]);
    assert_eq!(later(&mut core, HOUR), [""; 0]);
}

#[test]
fn v5_a_call_that_timed_out_is_counted_in_doubt_and_one_that_failed_is_not() {
    let (mut core, status) = calling();
    core.fail(status, 0);
    assert_eq!(core.state.counters().in_doubt, 0);
    let again = core.begin(core.status("a")).unwrap();
    time_out(&mut core, again, 0);
    assert_eq!(core.state.counters().in_doubt, 1);
}

#[test]
fn v5_what_still_waits_for_its_target_is_not_overtaken_by_a_repair() {
    let (mut core, status) = calling();
    time_out(&mut core, status, 150_000);
    assert_eq!(later(&mut core, 2 * MINUTE), [""; 0]);
    let again = core.next_grant_at(status.effect, 150 * SECOND);
    assert_eq!(again.attempt, 2);
    core.deliver(again);
    assert_eq!(later(&mut core, MINUTE), ["status a running"]);
    assert_eq!(later(&mut core, HOUR), [""; 0]);
}

/// A core whose repair of run `a` has timed out, and was made again.
fn repair_timed_out() -> Core {
    let (mut core, status) = calling();
    time_out(&mut core, status, 0);
    core.settle();
    core.pass(MINUTE);
    core.plan_all();
    let repair = core.begin(core.status("a")).unwrap();
    time_out(&mut core, repair, 0);
    assert_eq!(core.settle(), ["status a running"]);
    core
}

#[test]
fn v5_a_repair_that_times_out_is_not_repaired_while_it_is_what_is_shown() {
    let mut core = repair_timed_out();
    assert_eq!(later(&mut core, HOUR), [""; 0]);
}

#[test]
fn v5_a_repair_that_times_out_is_repaired_once_something_else_is_shown() {
    let mut core = repair_timed_out();
    core.take(pipeline_run("a").success().changed(1));
    assert_eq!(later(&mut core, MINUTE), ["status a success"]);
    assert_eq!(later(&mut core, HOUR), [""; 0]);
}

#[test]
fn v5_a_failure_that_is_no_time_out_is_not_repaired() {
    let (mut core, status) = calling();
    core.fail(status, 0);
    core.settle();
    assert_eq!(later(&mut core, HOUR), [""; 0]);
}

#[test]
fn rule_03_streams_are_not_repaired() {
    let mut core = Core::second();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let chat = core.begin(core.chat("a")).unwrap();
    time_out(&mut core, chat, 0);
    core.boot(A, 2);
    core.settle();
    assert_eq!(later(&mut core, HOUR), [""; 0]);
}

#[test]
fn rule_03_a_run_keeps_its_record_while_a_repair_is_owed() {
    let mut core = Core::second_with(|settings| settings.ttl_ms = 0);
    core.accept(pipeline_run("a").success());
    core.plan_all();
    let status = core.begin(core.status("a")).unwrap();
    time_out(&mut core, status, 0);
    core.settle();
    core.pass(MINUTE - MILLISECOND);
    assert!(core.state.run("a").is_some());
    assert_eq!(later(&mut core, MILLISECOND), ["status a success"]);
}

#[test]
fn rule_22_at_the_first_level_no_repair_is_owed() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    core.begin(core.status("a")).unwrap();
    core.boot(A, 2);
    core.settle();
    assert_eq!(later(&mut core, HOUR), [""; 0]);
}
