//! Which routes owe what for an event, by where the event comes from.

use super::*;
use crate::clock::Timestamp;
use crate::effect::{EffectId, TargetKey};
use crate::event::recorded_run;
use crate::integration::{Effect, Integration, Target, Turn};
use crate::route::{Condition, NameFilter, NamePattern, PolicyRule};
use crate::state_machine::FEATURE_LEVEL;
use std::sync::Arc;

/// A target that keeps what is said here.
#[derive(Debug)]
struct Keeps(Delivery);

impl Integration for Keeps {
    fn target(&self, event: &RunEvent, _: &RunContext) -> Result<Target, SkipReason> {
        Ok(Target { key: TargetKey(event.uid.clone()), delivery: self.0 })
    }

    fn begin(&self, _: &Effect<'_>) -> Turn {
        Turn::Done(crate::effect::Receipt::default())
    }
}

fn route(delivery: Delivery) -> Route {
    Route {
        name: RouteName { kind: "k".into(), instance: "i".into(), action: "a".into() },
        provider: None,
        when: None,
        filter: NameFilter::default(),
        in_flight_max: 1,
        integration: Arc::new(Keeps(delivery)),
    }
}

fn rules(route: Route) -> Rules {
    Rules { routes: vec![route], ..Rules::default() }
}

/// Rules that owe nothing for the event by now, each for another reason.
fn refusing() -> Vec<Rules> {
    let latest = || route(Delivery::Latest);
    let never = Condition::compile("false").unwrap();
    let filter =
        EventFilter { allow_pipelinerun: false, allow_taskrun: false, ..EventFilter::default() };
    vec![
        rules(Route { when: Some(never), ..latest() }),
        rules(Route { provider: Some("another".to_owned()), ..latest() }),
        Rules { filter, ..rules(latest()) },
    ]
}

fn planned(rules: &Rules, origin: Origin) -> Result<usize, Vec<SkipReason>> {
    let event = Arc::new(recorded_run(38));
    let context = RunContext::default();
    let accepted_at = Timestamp::UNKNOWN;
    let queued =
        QueuedEvent { sequence: 1, event, context, origin, accepted_at, ended_plannings: 0 };
    let planned = plan(Key(1), &queued, FEATURE_LEVEL, rules);
    assert!(planned.failed.is_empty());
    let skipped: Vec<SkipReason> = planned.skipped.iter().map(|skipped| skipped.reason).collect();
    if skipped.is_empty() { Ok(planned.effects.len()) } else { Err(skipped) }
}

fn repair() -> Origin {
    let route = route(Delivery::Latest).name;
    Origin::Repair { effect: EffectId(Key(9)), attempt: 1, route }
}

#[test]
fn rule_03_a_repair_is_owed_whatever_the_rules_say_by_now() {
    let reasons = [SkipReason::WhenFalse, SkipReason::OtherProvider, SkipReason::FilteredByKind];
    for (rules, reason) in refusing().iter().zip(reasons) {
        assert_eq!(planned(rules, Origin::Reported { is_latest_only: false }), Err(vec![reason]));
        assert_eq!(planned(rules, repair()), Ok(1), "{reason:?}");
    }
}

#[test]
fn rule_03_a_repair_is_not_streamed_where_the_route_became_a_stream() {
    let stream = rules(route(Delivery::Stream));
    assert_eq!(planned(&stream, Origin::Reported { is_latest_only: false }), Ok(1));
    assert_eq!(planned(&stream, repair()), Err(vec![SkipReason::Superseded]));
}

#[test]
fn rule_03_a_repair_concerns_its_own_route() {
    let other = RouteName { action: "b".into(), ..route(Delivery::Latest).name };
    let rules = rules(Route { name: other, ..route(Delivery::Latest) });
    assert_eq!(planned(&rules, repair()), Ok(0));
}

#[test]
fn s23_what_the_policy_forbids_is_owed_by_nobody_whatever_it_comes_from() {
    let rule = |namespace: &str| PolicyRule {
        namespaces: vec![NamePattern::parse(namespace).unwrap()],
        ..PolicyRule::default()
    };
    let only = |namespace: &str| Rules {
        policy: Policy::of(vec![rule(namespace)]),
        ..with_summaries(rules(route(Delivery::Latest)))
    };
    let name = route(Delivery::Latest).name;
    let replay = Origin::Replay { letter: 1, replays: 1, route: name, is_summary: false };
    for origin in [Origin::Reported { is_latest_only: false }, repair(), replay, summary(1)] {
        assert_eq!(planned(&only("default"), origin.clone()), Ok(1), "{origin:?}");
        let refused = Err(vec![SkipReason::NotAllowed]);
        assert_eq!(planned(&only("team-a"), origin.clone()), refused, "{origin:?}");
    }
}

fn summary(rendering: u32) -> Origin {
    Origin::Summary { rendering }
}

fn with_summaries(rules: Rules) -> Rules {
    Rules { summary_route: Some(rules.routes[0].name.clone()), ..rules }
}

#[test]
fn a_summary_is_owed_where_an_event_of_its_run_is() {
    assert_eq!(planned(&with_summaries(rules(route(Delivery::Latest))), summary(1)), Ok(1));
    for refusing in refusing() {
        assert!(planned(&with_summaries(refusing), summary(1)).is_err());
    }
}

#[test]
fn rule_11_a_summary_is_shown_again_only_where_it_can_be_edited() {
    let of =
        |delivery, rendering| planned(&with_summaries(rules(route(delivery))), summary(rendering));
    assert_eq!(of(Delivery::Latest, 2), Ok(1));
    assert_eq!(of(Delivery::Stream, 1), Ok(1));
    assert_eq!(of(Delivery::Stream, 2), Err(vec![SkipReason::Superseded]));
}

#[test]
fn rule_11_the_end_of_a_silent_run_is_told_to_targets_of_one_state_whatever_the_rules_say() {
    let silence = || {
        let effect = EffectId(Key::of(&["effect"]));
        Origin::Silence { effect, route: route(Delivery::Latest).name }
    };
    for refusing in refusing() {
        assert_eq!(planned(&refusing, silence()), Ok(1));
    }
    let stream = planned(&rules(route(Delivery::Stream)), silence());
    assert_eq!(stream, Err(vec![SkipReason::Superseded]));
}

#[test]
fn an_end_with_its_summary_behind_it_is_not_told_twice_where_summaries_are_shown() {
    let rules = with_summaries(rules(route(Delivery::Latest)));
    let context = RunContext { is_summed_up: true, ..RunContext::default() };
    let queued = |origin| QueuedEvent {
        sequence: 1,
        event: Arc::new(recorded_run(38)),
        context: context.clone(),
        origin,
        accepted_at: Timestamp::UNKNOWN,
        ended_plannings: 0,
    };
    let key = Key::of(&["run"]);
    let effects = |origin| plan(key, &queued(origin), FEATURE_LEVEL, &rules).effects.len();
    assert_eq!(effects(Origin::Reported { is_latest_only: false }), 0);
    assert_eq!(effects(summary(1)), 1);
}

#[test]
fn rule_22_a_reason_of_the_second_level_is_told_in_a_word_that_the_first_one_knows() {
    let told = |level| spoken(SkipReason::ImpossibleFacts, level);
    assert_eq!(told(FeatureLevel::FIRST), SkipReason::MissingFacts);
    assert_eq!(told(FeatureLevel::SECOND), SkipReason::ImpossibleFacts);
}

#[test]
fn a_link_stays_within_the_dashboard_whatever_a_run_is_called() {
    let rules = Rules { dashboard_url: "https://dash.example/".to_owned(), ..Rules::default() };
    let event = RunEvent {
        namespace: "ns) ![p](x".to_owned(),
        name: "a/../b|c".to_owned(),
        ..recorded_run(38)
    };
    let link = rules.with_link(&RunContext::default(), &event).target_url;
    let named = "/ns%29%20%21%5Bp%5D%28x/pipelineruns/a%2F..%2Fb%7Cc";
    assert_eq!(link, format!("https://dash.example/#/namespaces{named}"));
}
