//! Which routes owe what for an event, by where the event comes from.

use super::*;
use crate::clock::Timestamp;
use crate::effect::TargetKey;
use crate::event::recorded_run;
use crate::integration::{Effect, Integration, Target, Turn};
use crate::route::{Condition, NameFilter};
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
    let planned = plan(Key(1), &queued, rules);
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
