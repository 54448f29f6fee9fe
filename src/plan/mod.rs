//! Decides the effects of an event. Pure: an event, what is known of its run, and the routes go
//! in; effects, and a reason for every route that owes nothing, come out.

use crate::effect::{Delivery, PlannedEffect, RouteName, SkipReason, Skipped};
mod dry_run;
mod job;
mod route;
mod ruleset;

pub use dry_run::{DryRun, Step, TakesAll, Target};
pub use job::{Job, effect};
pub use route::Route;
pub use ruleset::Ruleset;

use crate::event::{Key, RunContext, RunEvent, RunKind};
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::route::{EventFilter, EventVars, Policy};
use crate::state_machine::{Cause, FailedRoute, FeatureLevel, Origin, Planned, QueuedEvent};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use std::collections::BTreeMap;

/// Everything but the unreserved characters of RFC 3986, section 2.3.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a configuration says about deciding: the routes, and what is filtered before them.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub filter: EventFilter,
    /// Which namespaces may lead to what.
    pub policy: Policy,
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

    /// The names of all routes, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &RouteName> {
        self.routes.iter().map(|route| &route.name)
    }

    /// The configured route with this name, as far as the policy lets the event lead to it.
    #[must_use]
    pub fn open_route(&self, name: &RouteName, event: &RunEvent) -> Option<&Route> {
        self.route(name).filter(|route| route.is_allowed(&self.policy, event))
    }

    /// `max_in_flight` of each instance, by its kind and name.
    #[must_use]
    pub fn in_flight_max(&self) -> BTreeMap<String, usize> {
        let of_route = |route: &Route| (route.name.full_instance(), route.in_flight_max);
        self.routes.iter().map(of_route).collect()
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
        (!base.is_empty()).then(|| {
            format!("{base}/#/namespaces/{}/{kind}/{}", part(&event.namespace), part(&event.name))
        })
    }
}

/// A name as one part of an address, which it cannot leave.
fn part(name: &str) -> PercentEncode<'_> {
    utf8_percent_encode(name, PART)
}

/// Decides one queued event of the run with this key, in a cluster that writes at `level`.
#[must_use]
pub fn plan(run: Key, queued: &QueuedEvent, level: FeatureLevel, rules: &Rules) -> Planned {
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
    let decision = Decision { queued, level, context: &context, vars: &vars, rules };
    for route in rules.routes.iter().filter(|route| decision.concerns(route)) {
        let name = route.name.clone();
        match decision.of(route) {
            Ok(effect) => planned.effects.push(effect),
            Err(Refused::Skip(reason)) => {
                let reason = spoken(reason, level);
                planned.skipped.push(Skipped { route: name, reason });
            }
            Err(Refused::Failed(cause)) => planned.failed.push(FailedRoute { route: name, cause }),
        }
    }
    planned
}

/// The reason as members know it that read the log at `level`.
fn spoken(reason: SkipReason, level: FeatureLevel) -> SkipReason {
    let is_first = level < FeatureLevel::SECOND;
    if is_first && reason == SkipReason::ImpossibleFacts {
        return SkipReason::MissingFacts;
    }
    reason
}

/// Why a route yields no effect.
enum Refused {
    Skip(SkipReason),
    Failed(Cause),
}

struct Decision<'a> {
    queued: &'a QueuedEvent,
    level: FeatureLevel,
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
        // Whatever leads here, also a repair: what a namespace may not do is done no more.
        if !route.is_allowed(&self.rules.policy, event) {
            return Err(Refused::Skip(self.not_allowed()));
        }
        // A summary is owed where an event of its run would be. What a repair mends was admitted
        // when it was written, and the target must not go on showing what a late call left, whatever
        // the rules say by now.
        let is_admitted =
            matches!(self.queued.origin, Origin::Repair { .. } | Origin::Silence { .. });
        if !is_admitted {
            self.admit(route)?;
        }
        if self.is_told_by_its_summary(route) {
            return Err(Refused::Skip(SkipReason::Superseded));
        }
        let target = route.integration.target(event, self.context).map_err(Refused::Skip)?;
        if self.queued.origin.is_latest_only() && target.delivery == Delivery::Stream {
            return Err(Refused::Skip(SkipReason::Superseded));
        }
        if self.is_shown_again() && target.delivery == Delivery::Stream {
            return Err(Refused::Skip(SkipReason::Superseded));
        }
        let id = self.queued.effect_id(&route.name, self.level);
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

    /// What shows summaries would show this state twice, once with its summary.
    fn is_told_by_its_summary(&self, route: &Route) -> bool {
        let is_of_run = matches!(self.queued.origin, Origin::Reported { .. });
        let shows_summaries = self.rules.summary_route.as_ref() == Some(&route.name);
        is_of_run && shows_summaries && self.queued.context.is_summed_up
    }

    /// A later showing of a summary edits the one before, where that is possible.
    fn is_shown_again(&self) -> bool {
        matches!(self.queued.origin, Origin::Summary { rendering } if rendering > 1)
    }

    /// Replicas of the first feature level know no word of its own for it.
    fn not_allowed(&self) -> SkipReason {
        match self.level >= FeatureLevel::SECOND {
            true => SkipReason::NotAllowed,
            false => SkipReason::FilteredByKind,
        }
    }
}

#[cfg(test)]
#[path = "plan_test.rs"]
mod tests;
