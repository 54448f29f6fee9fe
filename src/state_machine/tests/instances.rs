//! Two instances of different kinds may have one name: nothing of one is taken for the other's.

use super::*;

/// The routes of two notifiers that are both called `team`.
fn teams() -> [RouteName; 2] {
    let team = |kind: &str| RouteName {
        kind: kind.to_owned(),
        instance: "team".to_owned(),
        action: "notify".to_owned(),
    };
    [team("slack"), team("webhook")]
}

/// Plans the one queued event for the routes, and asks for all effects.
fn plan_for(core: &mut Core, routes: &[RouteName]) -> Vec<Grant> {
    let mut begin = core.next_plan().unwrap();
    let level = core.state.feature_level();
    let planned = begin.planned.as_mut().unwrap();
    let queued = core.state.runs[&planned.run].queue.front().unwrap().clone();
    planned.effects = routes
        .iter()
        .map(|route| PlannedEffect {
            id: queued.effect_id(route, level),
            route: route.clone(),
            target: TargetKey(format!("{route}")),
            delivery: Delivery::Stream,
        })
        .collect();
    ask_for_all(&mut begin);
    let answer = core.apply(Command::Begin(begin));
    let Applied::Begun(grants) = answer else { panic!("not begun: {answer:?}") };
    grants
}

#[test]
fn rule_01_instances_of_one_name_get_one_call_each() {
    let mut core = Core::second();
    core.accept(pipeline_run("a").success());
    let grants = plan_for(&mut core, &teams());
    let kinds = grants.iter().map(|grant| core.record(grant.effect).route.kind.as_str());
    assert_eq!(kinds.collect::<Vec<_>>(), ["slack", "webhook"]);
}

#[test]
fn rule_01_an_effect_that_is_asked_for_twice_is_granted_once_at_every_level() {
    for mut core in [Core::new(), Core::second()] {
        core.accept(pipeline_run("a").success());
        core.plan_all();
        let asked = core.record(core.chat("a")).next_grant();
        let owner = core.owner(core.record(asked.effect).slot);
        let begin = Begin { owner, planned: None, asked: vec![asked, asked] };
        assert_eq!(core.apply(Command::Begin(begin)), Applied::Begun(vec![asked]));
    }
}

#[test]
fn promise_01_a_planned_effect_whose_id_is_taken_is_counted_and_shown() {
    let mut core = Core::second();
    core.accept(pipeline_run("a").success());
    let [slack, _] = teams();
    assert_eq!(plan_for(&mut core, &[slack.clone(), slack]).len(), 1);
    assert_eq!(core.settled("a"), ["notify success same_id"]);
    assert_eq!(core.state.counters().skipped[&SkipReason::SameId], 1);
}

#[test]
fn rule_14_a_pause_of_one_kind_does_not_hold_up_the_other() {
    let mut core = Core::second();
    let [slack, webhook] = teams();
    let (instance, until) = (core.state.pause_key(&slack), core.now.after(MINUTE));
    core.apply(Command::Pause { instance, until });
    core.accept(pipeline_run("a").success());
    let grants = plan_for(&mut core, &teams());
    assert_eq!(grants.len(), 1);
    assert_eq!(core.record(grants[0].effect).route, webhook);
    core.pass(MINUTE);
    assert_eq!(core.settle(), ["notify a success"]);
}

#[test]
fn rule_14_the_backlog_of_one_kind_is_not_that_of_the_other() {
    let mut core = Core::second();
    let [slack, webhook] = teams();
    core.accept(pipeline_run("a").started());
    assert_eq!(plan_for(&mut core, std::slice::from_ref(&slack)).len(), 1);
    for attempt in 1..4 {
        core.accept(pipeline_run("a").attempt(attempt).success());
        plan_for(&mut core, std::slice::from_ref(&webhook));
    }
    let given_up = core.state.outbox.to_give_up(core.state.feature_level()).unwrap();
    assert_eq!(core.record(given_up).route, webhook);
}

#[test]
fn rule_22_ids_of_the_first_level_stay_as_release_0_1_0_made_them() {
    let [slack, webhook] = teams();
    let of = |route| EffectId::of_first_level(Key(7), route, 0);
    assert_eq!(of(&slack), of(&webhook));
    assert_ne!(EffectId::of(Key(7), &slack, 0), EffectId::of(Key(7), &webhook, 0));
}
