//! The agenda beside the search through everything that it stands for, and the order in which it
//! lets effects leave.

use super::*;

use std::collections::BTreeSet;

/// What an owner may begin, by a look at every effect.
fn searched(state: &StateMachine, node: NodeId, now: Timestamp) -> BTreeSet<EffectId> {
    let may_begin = |effect: &EffectRecord| {
        let is_own = state.slots.get(effect.slot).owner == Some(node);
        let target = state.outbox.targets.get(&effect.target);
        let is_due = effect.open.is_none()
            && effect.not_before <= now
            && state.outbox.is_head(effect)
            && target.is_none_or(|target| target.open.is_none());
        let is_paused = state.is_paused(&effect.route, now);
        is_own
            && !is_paused
            && (is_due || effect.open.is_some() && state.may_take_over(effect, now))
    };
    let effects = state.outbox.effects.values().filter(|effect| may_begin(effect));
    effects.map(|effect| effect.id).collect()
}

/// Runs with an event to plan, by a look at every run.
fn searched_plans(state: &StateMachine, node: NodeId) -> BTreeSet<Key> {
    let is_due = |run: &RunRecord| {
        let is_own = state.slots.get(run.slot).owner == Some(node);
        is_own && !run.queue.is_empty() && !run.waits_until.is_known()
    };
    state.runs.iter().filter(|(_, run)| is_due(run)).map(|(key, _)| *key).collect()
}

/// Asserts that the agenda finds what the search finds, each once, for each node.
pub(super) fn assert_agenda_is_whole(state: &StateMachine, now: Timestamp) {
    for node in state.booted() {
        let expected = searched(state, node, now);
        let in_order: Vec<EffectId> =
            state.due_sends(node, now, &Turns::default()).map(|effect| effect.id).collect();
        let sends = state.due_work(node, now).filter_map(|work| match work {
            DueWork::Send(effect) => Some(effect.id),
            DueWork::Plan { .. } => None,
        });
        let by_age: Vec<EffectId> = sends.collect();
        for found in [in_order, by_age] {
            assert_eq!(found.len(), expected.len(), "each once");
            assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
        }
        let plans = searched_plans(state, node);
        let mut turns = Turns::default();
        let in_turns: Vec<Key> =
            state.due_plans_in_turns(node, &mut turns).map(|(run, ..)| run).collect();
        let by_age: Vec<Key> = state.due_plans(node).map(|(run, ..)| run).collect();
        for found in [in_turns, by_age] {
            assert_eq!(found.len(), plans.len(), "each once");
            assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), plans);
        }
    }
    let queued: usize = state.runs.values().map(|run| run.queue.len()).sum();
    assert_eq!(state.unplanned(), queued);
}

/// The runs whose status effects leave, in order, where each has a place.
fn order(core: &Core, turns: &mut Turns) -> Vec<String> {
    let mut due = core.state.due_sends(A, core.now, turns);
    let mut order = Vec::new();
    while let Some(effect) = due.next() {
        due.note_served(turns);
        if effect.delivery == Delivery::Latest {
            order.push(effect.event.uid.clone());
        }
    }
    order
}

fn in_namespace(uid: &str, namespace: &str) -> Draft {
    pipeline_run(uid).on(uid, uid).with(|event| event.namespace = namespace.to_owned())
}

fn planned(events: impl IntoIterator<Item = Draft>) -> Core {
    let mut core = Core::new();
    for event in events {
        core.accept(event);
    }
    core.plan_all();
    core
}

#[test]
fn ends_leave_first_then_first_states_then_progress() {
    let mut core = Core::new();
    core.take(pipeline_run("old").on("old", "old").queued());
    core.accept(pipeline_run("old").on("old", "old").running("1"));
    core.accept(pipeline_run("new").on("new", "new").queued());
    core.accept(pipeline_run("end").on("end", "end").failure());
    core.plan_all();
    assert_eq!(order(&core, &mut Turns::default()), ["end", "new", "old"]);
}

#[test]
fn namespaces_take_turns_and_the_next_look_goes_on_behind_the_last() {
    let flood = (0..6).map(|number| in_namespace(&format!("flood-{number}"), "flood").failure());
    let core = planned(flood.chain([in_namespace("other", "other").failure()]));
    let mut turns = Turns::default();
    let first: Vec<String> = order(&core, &mut turns).into_iter().take(2).collect();
    assert!(first.contains(&"other".to_owned()), "{first:?}");

    // One place a look: nobody has two turns before the other had one.
    let mut turns = Turns::default();
    let looks: Vec<String> = (0..2)
        .map(|_| {
            let mut due = core.state.due_sends(A, core.now, &turns);
            let effect = due.find(|effect| effect.delivery == Delivery::Latest).unwrap();
            let namespace = effect.event.namespace.clone();
            due.note_served(&mut turns);
            namespace
        })
        .collect();
    assert_eq!(looks.iter().collect::<BTreeSet<_>>().len(), 2, "{looks:?}");
}

#[test]
fn what_has_waited_for_ten_seconds_gets_every_fourth_place() {
    let mut core = Core::new();
    core.take(pipeline_run("old").on("old", "old").queued());
    core.accept(pipeline_run("old").on("old", "old").running("1"));
    for number in 0..6 {
        let uid = format!("end-{number}");
        core.accept(pipeline_run(&uid).on(&uid, &uid).failure());
    }
    core.plan_all();
    let place_of_old = |core: &Core| {
        let order = order(core, &mut Turns::default());
        assert_eq!(order.len(), 7);
        order.iter().position(|uid| uid == "old")
    };
    assert_eq!(place_of_old(&core), Some(6));
    core.pass(Duration::from_secs(10) - Duration::from_millis(1));
    assert_eq!(place_of_old(&core), Some(6));
    core.pass(Duration::from_millis(1));
    assert_eq!(place_of_old(&core), Some(3));
}

#[test]
fn an_instance_that_is_left_out_gives_nothing_more_and_keeps_its_turn() {
    let core = planned(["a", "b"].map(|uid| pipeline_run(uid).on(uid, uid).failure()));
    let mut turns = Turns::default();
    let mut due = core.state.due_sends(A, core.now, &turns);
    let first = due.next().unwrap().route.full_instance();
    due.leave_out_instance();
    let others: Vec<String> = due.by_ref().map(|effect| effect.route.full_instance()).collect();
    assert_eq!(others.len(), 2);
    assert!(!others.contains(&first), "{others:?}");
    due.note_served(&mut turns);
}

#[test]
fn plans_take_turns_between_namespaces() {
    let mut core = Core::new();
    for number in 0..4 {
        core.accept(in_namespace(&format!("flood-{number}"), "flood").queued());
    }
    core.accept(in_namespace("other", "other").queued());
    let mut turns = Turns::default();
    let mut look = || {
        let (run, ..) = core.state.due_plans_in_turns(A, &mut turns).next().unwrap();
        core.state.runs.get(&run).unwrap().facts.namespace.clone()
    };
    let looks = [look(), look()];
    assert_eq!(looks.iter().collect::<BTreeSet<_>>().len(), 2, "{looks:?}");
}

#[test]
fn what_stood_behind_a_settled_effect_is_found() {
    let mut core = Core::new();
    core.accept(pipeline_run("a").on("a", "a").queued());
    core.plan_all();
    let first = core.chat("a");
    core.accept(pipeline_run("a").on("a", "a").failure());
    core.plan_all();
    let second = core.chat("a");
    let is_due = |core: &Core, id| {
        core.state.due_sends(A, core.now, &Turns::default()).any(|effect| effect.id == id)
    };
    let grant = core.begin(first).unwrap();
    assert!(!is_due(&core, first) && !is_due(&core, second));
    core.deliver(grant);
    assert!(is_due(&core, second));
    assert_agenda_is_whole(&core.state, core.now);
}

#[test]
fn a_state_that_is_read_from_a_snapshot_has_the_same_agenda() {
    let mut core = planned(["a", "b"].map(|uid| pipeline_run(uid).on(uid, uid).failure()));
    core.accept(pipeline_run("c").on("c", "c").queued());
    core.state.rebuild_indexes();
    assert_agenda_is_whole(&core.state, core.now);
    assert_eq!(core.state.due_sends(A, core.now, &Turns::default()).count(), 4);
    core.assign(B, false);
    assert_agenda_is_whole(&core.state, core.now);
    assert_eq!(core.state.due_sends(A, core.now, &Turns::default()).count(), 0);
    assert_eq!(core.state.due_sends(B, core.now, &Turns::default()).count(), 4);
}
