//! Rule 4: each (run, target) is a lane of its own, and no lane waits for another.

use super::*;

#[test]
fn rule_04_an_event_leaves_its_queue_when_it_is_planned_not_when_it_is_settled() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.accept(pipeline_run("a").running("1 of 2"));
    core.plan_all();
    assert_eq!((core.state.unplanned(), core.state.backlog()), (0, 3));
}

#[test]
fn rule_04_events_of_a_run_are_planned_in_the_order_they_were_accepted() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.accept(pipeline_run("a").running("1 of 2"));
    let first = core.next_plan().unwrap();
    let mut second = first.clone();
    second.planned.as_mut().unwrap().sequence += 1;
    core.apply(Command::Begin(second));
    assert_eq!(core.state.unplanned(), 2);
    core.apply(Command::Begin(first));
    assert_eq!(core.state.unplanned(), 1);
}

#[test]
fn rule_04_messages_of_a_run_are_sent_in_order_and_one_at_a_time() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let first = core.chat("a");
    core.accept(pipeline_run("a").success());
    core.plan_all();
    let second = core.chat("a");
    assert_eq!(core.begin(second), None);
    let grant = core.begin(first).unwrap();
    assert_eq!(core.begin(second), None);
    core.deliver(grant);
    assert_eq!(core.begin(second), Some(Grant { effect: second, attempt: 1 }));
}

#[test]
fn rule_04_a_failing_message_holds_up_the_later_ones_of_its_lane() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let grant = core.begin(core.chat("a")).unwrap();
    core.fail(grant, 60_000);
    core.accept(pipeline_run("a").success());
    assert_eq!(core.settle(), ["status a success"]);
    core.pass(MINUTE);
    assert_eq!(core.settle(), ["chat a running", "chat a success"]);
}

#[test]
fn rule_04_a_dead_chat_server_never_holds_up_a_status() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    core.begin(core.chat("a")).unwrap();
    assert_eq!(core.settle(), ["status a running"]);
    core.accept(pipeline_run("a").success());
    assert_eq!(core.settle(), ["status a success"]);
    core.accept(pipeline_run("b").success());
    assert_eq!(core.settle(), ["status b success"]);
}

#[test]
fn rule_04_a_status_that_waits_gives_way_to_a_newer_one() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.accept(pipeline_run("a").success());
    assert_eq!(core.settle(), ["chat a running", "status a success", "chat a success"]);
    assert_eq!(core.settled("a")[0], "status running superseded");
    assert_eq!(core.state.counters().skipped[&SkipReason::Superseded], 1);
}

#[test]
fn rule_04_a_status_on_the_wire_is_waited_for_and_then_followed_by_the_newest() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").queued());
    core.plan_all();
    let grant = core.begin(core.status("a")).unwrap();
    core.accept(pipeline_run("a").started());
    core.accept(pipeline_run("a").success());
    core.plan_all();
    let newest = core.status("a");
    assert_eq!(core.begin(newest), None);
    core.deliver(grant);
    assert_eq!(core.begin(newest), Some(Grant { effect: newest, attempt: 1 }));
    assert_eq!(core.settled("a"), ["status running superseded", "status pending delivered"]);
}

#[test]
fn rule_04_a_status_that_failed_gives_way_at_once_when_a_newer_one_waits() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let grant = core.begin(core.status("a")).unwrap();
    core.accept(pipeline_run("a").success());
    core.plan_all();
    core.fail(grant, 60_000);
    assert_eq!(core.settled("a"), ["status running superseded"]);
    assert_eq!(core.begin(core.status("a")).map(|grant| grant.attempt), Some(1));
}

#[test]
fn rule_04_a_failed_final_state_does_not_give_way_to_a_replayed_older_one() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let running = core.begin(core.status("a")).unwrap();
    core.die(running);
    core.accept(pipeline_run("a").success());
    core.plan_all();
    let success = core.begin(core.status("a")).unwrap();
    core.apply(Command::Replay(vec![ReplayItem { letter: 1, event: None }]));
    core.plan_all();
    core.fail(success, 0);
    assert_eq!(core.settled("a"), ["status running server"]);
    assert!(core.settle().contains(&"status a success".to_owned()));
    assert_eq!(core.settled("a").last().unwrap(), "status running older_than_target");
}

#[test]
fn rule_04_a_waiting_final_state_does_not_give_way_to_a_replayed_older_one() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let running = core.begin(core.status("a")).unwrap();
    core.die(running);
    core.accept(pipeline_run("a").success());
    core.plan_all();
    core.apply(Command::Replay(vec![ReplayItem { letter: 1, event: None }]));
    core.plan_all();
    assert_eq!(core.settled("a"), ["status running server", "status running superseded"]);
    assert!(core.settle().contains(&"status a success".to_owned()));
}
