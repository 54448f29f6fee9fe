//! Decides the effects of an event. Pure: an event, what is known of its run, and the routes go
//! in; effects, and a reason for every route that owes nothing, come out.

use crate::effect::{Delivery, EffectId, PlannedEffect, RouteName, SkipReason, Skipped};
mod dry_run;

pub use dry_run::{DryRun, Step, TakesAll, Target};

use crate::event::{Key, RunContext, RunEvent, RunKind};
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::route::{EventFilter, EventVars, Route};
use crate::state_machine::{Cause, FailedRoute, Origin, Planned, QueuedEvent};

/// What a configuration says about deciding: the routes, and what is filtered before them.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub filter: EventFilter,
    pub routes: Vec<Route>,
    /// The action that shows summaries (`accumulator.provider.name`).
    pub summary_route: Option<RouteName>,
    /// Links of runs start with this (`dashboard_url`); empty for none.
    pub dashboard_url: String,
}

impl Rules {
    /// The configured route with this name.
    #[must_use]
    pub fn route(&self, name: &RouteName) -> Option<&Route> {
        self.routes.iter().find(|route| route.name == *name)
    }

    /// What is known of a run, with its link into the dashboard.
    #[must_use]
    pub fn with_link(&self, context: &RunContext, event: &RunEvent) -> RunContext {
        let target_url = self.link(event).unwrap_or_default();
        RunContext { target_url, ..context.clone() }
    }

    /// `{dashboard_url}/#/namespaces/{namespace}/{kind}s/{run}`, the Tekton dashboard's address.
    fn link(&self, event: &RunEvent) -> Option<String> {
        let base = self.dashboard_url.trim_end_matches('/');
        let kind = match event.kind {
            RunKind::TaskRun => "taskruns",
            RunKind::PipelineRun => "pipelineruns",
            RunKind::CustomRun => "customruns",
            RunKind::EventListener => return None,
        };
        (!base.is_empty())
            .then(|| format!("{base}/#/namespaces/{}/{kind}/{}", event.namespace, event.name))
    }
}

/// Decides one queued event of the run with this key.
#[must_use]
pub fn plan(run: Key, queued: &QueuedEvent, rules: &Rules) -> Planned {
    let mut planned = Planned {
        run,
        sequence: queued.sequence,
        effects: Vec::new(),
        skipped: Vec::new(),
        failed: Vec::new(),
    };
    if rules.routes.is_empty() {
        return planned;
    }
    let context = rules.with_link(&queued.context, &queued.event);
    let vars = EventVars::new(&queued.event, &context);
    let decision = Decision { queued, context: &context, vars: &vars, rules };
    for route in rules.routes.iter().filter(|route| decision.concerns(route)) {
        let name = route.name.clone();
        match decision.of(route) {
            Ok(effect) => planned.effects.push(effect),
            Err(Refused::Skip(reason)) => planned.skipped.push(Skipped { route: name, reason }),
            Err(Refused::Failed(cause)) => planned.failed.push(FailedRoute { route: name, cause }),
        }
    }
    planned
}

/// Why a route yields no effect.
enum Refused {
    Skip(SkipReason),
    Failed(Cause),
}

struct Decision<'a> {
    queued: &'a QueuedEvent,
    context: &'a RunContext,
    vars: &'a EventVars,
    rules: &'a Rules,
}

impl Decision<'_> {
    /// A summary concerns the route that shows summaries, a replay or repair its own route.
    fn concerns(&self, route: &Route) -> bool {
        if self.queued.origin.is_summary() {
            return self.rules.summary_route.as_ref() == Some(&route.name);
        }
        self.queued.origin.only_route().is_none_or(|only| only.covers(&route.name))
    }

    fn of(&self, route: &Route) -> Result<PlannedEffect, Refused> {
        let event = &self.queued.event;
        // A summary has its own route. What a repair mends was admitted when it was written, and the
        // target must not go on showing what a late call left, whatever the rules say by now.
        if !self.queued.origin.is_summary() && !self.queued.origin.is_repair() {
            self.admit(route)?;
        }
        let target = route.integration.target(event, self.context).map_err(Refused::Skip)?;
        if self.is_latest_only() && target.delivery == Delivery::Stream {
            return Err(Refused::Skip(SkipReason::Superseded));
        }
        let transition = self.queued.transition_key();
        let id = EffectId::of(transition, &route.name, self.queued.origin.replays());
        let (target, delivery) = (target.key, target.delivery);
        Ok(PlannedEffect { id, route: route.name.clone(), target, delivery })
    }

    fn admit(&self, route: &Route) -> Result<(), Refused> {
        if !self.rules.filter.admits(&self.queued.event) {
            return Err(Refused::Skip(SkipReason::FilteredByKind));
        }
        match route.refuses(&self.queued.event, self.vars) {
            Ok(None) => Ok(()),
            Ok(Some(reason)) => Err(Refused::Skip(reason)),
            Err(error) => {
                let (kind, permanent) = (FailureKind::Render, Retryability::Permanent);
                let failure = DeliveryFailure::new(kind, permanent, &error.to_string());
                Err(Refused::Failed(Cause::from(&failure)))
            }
        }
    }

    fn is_latest_only(&self) -> bool {
        match self.queued.origin {
            Origin::Reported { is_latest_only } => is_latest_only,
            // The route may have become a stream since: what was sent twice cannot be taken back.
            Origin::Repair { .. } => true,
            Origin::Summary { .. } | Origin::Replay { .. } => false,
        }
    }
}

#[cfg(test)]
#[path = "plan_test.rs"]
mod tests;
