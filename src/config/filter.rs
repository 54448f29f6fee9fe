//! `filter`: the top-level filter by kind and namespace, and that of an action by name.

use super::error::Problem;
use super::fields::Fields;
use crate::route::{AllowDeny, EventFilter, NameFilter, NamespacePattern};

/// Reads the top-level `filter`. Kinds that are not mentioned are routed, unless another one is
/// allowed by name: `allow_pipelinerun: true` alone means PipelineRuns alone, as in the Go relay.
pub(super) fn read(mut fields: Fields<'_>) -> EventFilter {
    let kinds = ["allow_taskrun", "allow_pipelinerun", "allow_customrun", "allow_eventlistener"]
        .map(|key| fields.flag(key));
    let is_list = kinds.contains(&Some(true));
    let [allow_taskrun, allow_pipelinerun, allow_customrun, allow_eventlistener] =
        kinds.map(|kind| kind.unwrap_or(!is_list));
    if kinds.iter().all(|kind| *kind == Some(false)) {
        let rule = "no kind of run is allowed, so nothing would ever be sent";
        fields.fail("allow_pipelinerun", Problem::Conflict { rule });
    }
    let filter = EventFilter {
        allow_taskrun,
        allow_pipelinerun,
        allow_customrun,
        allow_eventlistener,
        ignore_unknown: fields.flag("ignore_unknown").unwrap_or(false),
        allow_namespaces: read_namespaces(&mut fields, "allow_namespaces"),
        deny_namespaces: read_namespaces(&mut fields, "deny_namespaces"),
    };
    fields.finish();
    filter
}

fn read_namespaces(fields: &mut Fields<'_>, key: &'static str) -> Vec<NamespacePattern> {
    let mut patterns = Vec::new();
    for place in fields.list(key) {
        let Some(text) = place.text() else { continue };
        match NamespacePattern::parse(text) {
            Ok(pattern) => patterns.push(pattern),
            Err(source) => place.fail(Problem::NamespacePattern { source }),
        }
    }
    patterns
}

/// Reads the `filter` of an action: lists of names to allow and deny, by kind of run.
pub(super) fn read_names(mut fields: Fields<'_>) -> NameFilter {
    let filter = NameFilter {
        tasks: read_list(fields.section("tasks")),
        pipelines: read_list(fields.section("pipelines")),
        custom_runs: read_list(fields.section("custom_runs")),
        event_listeners: read_list(fields.section("event_listeners")),
    };
    fields.finish();
    filter
}

fn read_list(mut fields: Fields<'_>) -> AllowDeny {
    let list = AllowDeny { allow: fields.texts("allow"), deny: fields.texts("deny") };
    fields.finish();
    list
}
