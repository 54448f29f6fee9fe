//! The routes of a configuration during collection, and which of them can show summaries.

use crate::effect::RouteName;
use crate::plan::Route;
use crate::settings::error::Problem;
use crate::settings::setting::Setting;

/// The routes read so far, in their order of use.
#[derive(Debug)]
pub(super) struct Routes {
    pub(super) all: Vec<Route>,
    /// `max_concurrency`, which no instance may exceed alone.
    pub(super) concurrency_max: usize,
    /// The routes of `all` that can show the summary of a run.
    showing_summaries: Vec<RouteName>,
}

impl Routes {
    pub(super) fn new(concurrency_max: usize) -> Self {
        Self { all: Vec::new(), concurrency_max, showing_summaries: Vec::new() }
    }

    pub(super) fn add(&mut self, route: Route, shows_summaries: bool) {
        if shows_summaries {
            self.showing_summaries.push(route.name.clone());
        }
        self.all.push(route);
    }

    /// The route of `accumulator.provider.name`: an instance, an action, or both with a slash
    /// between them. Exactly one route that can show summaries must match.
    pub(super) fn find_summary_route(&self, setting: &Setting<'_>) -> Option<RouteName> {
        let text = setting.text()?;
        let is_meant = |name: &&RouteName| {
            let both = text.split_once('/');
            name.instance == text
                || name.action == text
                || both == Some((name.instance.as_str(), name.action.as_str()))
        };
        let mut meant = self.showing_summaries.iter().filter(is_meant);
        let (first, second) = (meant.next(), meant.next());
        if let (Some(only), None) = (first, second) {
            return Some(only.clone());
        }
        let routes = self.showing_summaries.iter();
        let accepted = routes.map(|name| format!("{}/{}", name.instance, name.action)).collect();
        setting.fail(Problem::NoSummaryRoute { is_ambiguous: first.is_some(), accepted });
        None
    }
}
