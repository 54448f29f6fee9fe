//! A configured action of an instance, and the order in which it refuses events.

use crate::effect::{RouteName, SkipReason};
use crate::event::RunEvent;
use crate::integration::Integration;
use crate::route::{Condition, EvaluateError, EventVars, NameFilter, Policy};
use std::sync::Arc;

/// A configured action, and which events it is for.
#[derive(Clone, Debug)]
pub struct Route {
    /// What the route's effects are recorded under.
    pub name: RouteName,
    /// The SCM provider whose events alone the route is for; `None` for notifiers, which see all.
    pub provider: Option<String>,
    /// The rule that must say yes, where there is one.
    pub when: Option<Condition>,
    /// The names that it is for.
    pub filter: NameFilter,
    /// `max_in_flight` of its instance: calls of one replica at the same time, 1 or more.
    pub in_flight_max: usize,
    /// What carries its effects out.
    pub integration: Arc<dyn Integration>,
}

impl Route {
    /// Why this route owes nothing for the event, or `None` when it owes an effect. The cheap
    /// reasons are looked at first, so that a rule is evaluated only for events of its provider
    /// and names.
    ///
    /// # Errors
    /// The rule of the route failed for this event: whether something is owed is not known.
    pub fn refuses(
        &self,
        event: &RunEvent,
        vars: &EventVars,
    ) -> Result<Option<SkipReason>, EvaluateError> {
        if self.provider.as_ref().is_some_and(|provider| *provider != event.scm.provider) {
            return Ok(Some(SkipReason::OtherProvider));
        }
        if !self.filter.admits(event) {
            return Ok(Some(SkipReason::FilteredByName));
        }
        let is_wanted = self.when.as_ref().map_or(Ok(true), |when| when.evaluate(vars))?;
        Ok((!is_wanted).then_some(SkipReason::WhenFalse))
    }

    /// Whether the policy lets the event lead to an effect of this route.
    #[must_use]
    pub fn is_allowed(&self, policy: &Policy, event: &RunEvent) -> bool {
        policy.allows(event, &self.name, self.integration.channel())
    }
}

#[cfg(test)]
#[path = "route_test.rs"]
mod tests;
