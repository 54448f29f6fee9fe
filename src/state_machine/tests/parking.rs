//! Rule 6: an effect waits for a configuration that has its route; rule 7: what ends processes
//! is taken out of their way.

use super::*;

fn park(core: &mut Core, id: EffectId) -> Applied {
    let owner = core.owner(core.record(id).slot);
    core.apply(Command::Park { owner, effects: vec![id] })
}

#[test]
fn rule_06_an_effect_without_route_waits_15_min_and_is_then_recorded_as_skipped() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let id = core.status("a");
    assert_eq!(park(&mut core, id), Applied::Done);
    core.pass(15 * MINUTE - Duration::from_millis(1));
    park(&mut core, id);
    assert_eq!(core.settled("a"), [""; 0]);
    core.pass(Duration::from_millis(1));
    park(&mut core, id);
    assert_eq!(core.settled("a"), ["status running route_gone"]);
}

#[test]
fn rule_06_a_parked_effect_is_looked_at_again_every_15_s() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let (status, chat) = (core.status("a"), core.chat("a"));
    park(&mut core, status);
    park(&mut core, chat);
    assert_eq!(core.next_send(), None);
    assert_eq!(core.state.next_send(), Some(core.now.after(Duration::from_secs(15))));
    core.pass(Duration::from_secs(15));
    assert_eq!(core.settle().len(), 2);
}

#[test]
fn rule_06_a_route_that_came_back_starts_a_new_wait() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let id = core.status("a");
    park(&mut core, id);
    core.pass(10 * MINUTE);
    let grant = core.begin(id).unwrap();
    core.fail(grant, 0);
    park(&mut core, id);
    core.pass(10 * MINUTE);
    park(&mut core, id);
    assert_eq!(core.settled("a"), [""; 0]);
}

#[test]
fn rule_06_only_the_owner_parks_and_never_what_is_on_the_wire() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let id = core.status("a");
    let owner = Owner { node: B, ..core.owner(core.record(id).slot) };
    let effects = vec![id];
    let refused = core.apply(Command::Park { owner, effects });
    assert_eq!(refused, Applied::Refused(Refusal::NotOwner));
    core.begin(id).unwrap();
    park(&mut core, id);
    assert!(!core.record(id).parked_since.is_known());
}

#[test]
fn rule_07_an_effect_left_open_by_three_boots_is_poison() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    let id = core.status("a");
    for number in 2..=4 {
        assert_eq!(core.letters(), [""; 0]);
        core.begin(id).unwrap();
        core.boot(A, number);
    }
    assert_eq!(core.letters(), ["poison"]);
    assert_eq!(core.settled("a"), ["status running poison"]);
    assert_eq!(core.state.counters().in_doubt, 3);
}

#[test]
fn rule_07_boots_that_find_an_effect_waiting_do_not_count() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.plan_all();
    for number in 2..=5 {
        core.boot(A, number);
    }
    assert_eq!(core.letters(), [""; 0]);
    assert_eq!(core.settle().len(), 2);
}

#[test]
fn rule_07_an_event_whose_planning_ended_two_processes_is_poison() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    core.accept(pipeline_run("a").success());
    let planned = core.next_plan().unwrap().planned.unwrap();
    let ended_while_planning = Some((planned.run, planned.sequence));
    for number in 2..=3 {
        assert_eq!(core.state.unplanned(), 2);
        core.apply(Command::Boot(Boot { node: A, number, ended_while_planning }));
    }
    assert_eq!((core.letters(), core.state.unplanned()), (vec!["poison"], 1));
    assert_eq!(core.settle(), ["status a success", "chat a success"]);
}

#[test]
fn rule_07_a_poisonous_event_is_replayed_on_every_route() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").started());
    let planned = core.next_plan().unwrap().planned.unwrap();
    let ended_while_planning = Some((planned.run, planned.sequence));
    for number in 2..=3 {
        core.apply(Command::Boot(Boot { node: A, number, ended_while_planning }));
    }
    core.apply(Command::Replay(vec![ReplayItem { letter: 1, event: None }]));
    assert_eq!(core.settle(), ["status a running", "chat a running"]);
}
