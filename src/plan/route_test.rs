//! Tests of the order in which a route refuses.

use super::*;
use crate::effect::Delivery;
use crate::event::RunContext;
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::integration::{Effect, Target, Turn};
use crate::route::fixture::{pipeline_run, task_run, vars};
use crate::route::{AllowDeny, NamePattern};

#[derive(Debug)]
struct Nowhere;

impl Integration for Nowhere {
    fn target(&self, _: &RunEvent, _: &RunContext) -> Result<Target, SkipReason> {
        let key = crate::effect::TargetKey("nowhere".into());
        Ok(Target { key, delivery: Delivery::Stream })
    }

    fn begin(&self, _: &Effect<'_>) -> Turn {
        let kind = FailureKind::Network;
        Turn::Fail(DeliveryFailure::new(kind, Retryability::Permanent, "nowhere"))
    }
}

/// A route that wants the sample PipelineRun and refuses everything else three times over.
fn route() -> Route {
    let deny_task =
        AllowDeny { allow: Vec::new(), deny: vec![NamePattern::parse("build").unwrap()] };
    Route {
        name: RouteName { kind: "github".into(), instance: "main".into(), action: "status".into() },
        provider: Some("github".into()),
        when: Some(Condition::compile("isPipelineRun()").unwrap()),
        filter: NameFilter { tasks: deny_task, ..Default::default() },
        in_flight_max: 1,
        integration: Arc::new(Nowhere),
    }
}

fn refusal(route: &Route, event: &RunEvent) -> Result<Option<SkipReason>, EvaluateError> {
    route.refuses(event, &vars(event))
}

#[test]
fn provider_is_asked_before_filter_and_filter_before_when() {
    let mut event = task_run();
    event.scm.provider = "gitlab".into();
    assert_eq!(refusal(&route(), &event), Ok(Some(SkipReason::OtherProvider)));
    event.scm.provider = "github".into();
    assert_eq!(refusal(&route(), &event), Ok(Some(SkipReason::FilteredByName)));
    event.task_name = "test".into();
    assert_eq!(refusal(&route(), &event), Ok(Some(SkipReason::WhenFalse)));
    assert_eq!(refusal(&route(), &pipeline_run()), Ok(None));
}

#[test]
fn a_run_without_provider_is_for_notifiers_only() {
    let mut event = pipeline_run();
    event.scm.provider = String::new();
    assert_eq!(refusal(&route(), &event), Ok(Some(SkipReason::OtherProvider)));
    assert_eq!(refusal(&Route { provider: None, ..route() }, &event), Ok(None));
}

#[test]
fn a_route_without_rule_wants_all_of_its_provider() {
    let route = Route { when: None, filter: NameFilter::default(), ..route() };
    assert_eq!(refusal(&route, &task_run()), Ok(None));
}

#[test]
fn a_failing_rule_refuses_nothing_and_is_reported() {
    let when = Condition::compile("int(event.RunName) > 0").unwrap();
    let route = Route { when: Some(when), ..route() };
    assert!(matches!(refusal(&route, &pipeline_run()), Err(EvaluateError::Failed(_))));
    // The rule is not even looked at for an event of another provider.
    let mut other = pipeline_run();
    other.scm.provider = "gitlab".into();
    assert_eq!(refusal(&route, &other), Ok(Some(SkipReason::OtherProvider)));
}
