//! `filter`: the top-level filter by kind and namespace, and the filter of an action by name.

use super::error::Problem;
use super::fields::Fields;
use super::setting::Setting;
use crate::route::{AllowDeny, EventFilter, NameFilter, NamePattern};

/// Reads the top-level `filter`. Kinds that it does not mention are routed, unless it allows
/// another kind by name: `allow_pipelinerun: true` alone means PipelineRuns alone, as in the Go
/// relay.
pub(crate) fn read(mut fields: Fields<'_>) -> EventFilter {
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
    warn_of_both(&fields, "deny_namespaces", &filter.allow_namespaces, &filter.deny_namespaces);
    fields.finish();
    filter
}

/// The characters of a namespace, and the signs of patterns.
const NAMESPACE_PATTERN_CHARS: &str = "abcdefghijklmnopqrstuvwxyz0123456789-*?[]^!\\";

/// Reads the list of globs under a key.
pub(crate) fn read_patterns(fields: &mut Fields<'_>, key: &'static str) -> Vec<NamePattern> {
    read_items(fields, key).into_iter().map(|(_, pattern)| pattern).collect()
}

/// Reads the list of globs under a key whose names are namespaces.
pub(crate) fn read_namespaces(fields: &mut Fields<'_>, key: &'static str) -> Vec<NamePattern> {
    let items = read_items(fields, key);
    let mut denies_all = false;
    for (setting, pattern) in &items {
        let text = setting.text().unwrap_or_default();
        if text.chars().any(|c| !NAMESPACE_PATTERN_CHARS.contains(c)) {
            setting.warn(
                "matches no namespace: names are made of a-z, 0-9 and '-', and this is a glob",
            );
        }
        denies_all = (text == "*" || denies_all) && !pattern.is_negated();
    }
    if denies_all && key.starts_with("deny") {
        fields.warn(key, "denies every namespace, so nothing is sent");
    }
    items.into_iter().map(|(_, pattern)| pattern).collect()
}

fn read_items<'f>(fields: &mut Fields<'f>, key: &'static str) -> Vec<(Setting<'f>, NamePattern)> {
    let mut patterns: Vec<(Setting<'f>, NamePattern)> = Vec::new();
    for setting in fields.list(key) {
        let Some(text) = setting.written() else { continue };
        match NamePattern::parse(text) {
            Ok(pattern) => {
                let takes_out = |(_, before): &(Setting<'_>, NamePattern)| !before.is_negated();
                if pattern.is_negated() && !patterns.iter().any(takes_out) {
                    setting.warn("takes nothing out: no pattern before it lets a name in");
                }
                patterns.push((setting, pattern));
            }
            Err(source) => setting.fail(Problem::NamePattern { source }),
        }
    }
    patterns
}

/// Warns about a pattern that is in both lists.
fn warn_of_both(
    fields: &Fields<'_>,
    key: &'static str,
    allow: &[NamePattern],
    deny: &[NamePattern],
) {
    if deny.iter().any(|pattern| !pattern.is_negated() && allow.contains(pattern)) {
        fields.warn(key, "denies what is allowed beside it; what is denied is not sent");
    }
}

/// Reads the `filter` of an action: lists of names to allow and deny, by kind of run.
pub(crate) fn read_names(mut fields: Fields<'_>) -> NameFilter {
    let filter = NameFilter {
        tasks: read_list(fields.narrowing_section("tasks")),
        pipelines: read_list(fields.narrowing_section("pipelines")),
        custom_runs: read_list(fields.narrowing_section("custom_runs")),
        event_listeners: read_list(fields.narrowing_section("event_listeners")),
    };
    fields.finish();
    filter
}

fn read_list(mut fields: Fields<'_>) -> AllowDeny {
    let list = AllowDeny {
        allow: read_lower_case(&mut fields, "allow"),
        deny: read_lower_case(&mut fields, "deny"),
    };
    warn_of_both(&fields, "deny", &list.allow, &list.deny);
    fields.finish();
    list
}

/// Names of tasks and similar, without regard to case.
fn read_lower_case(fields: &mut Fields<'_>, key: &'static str) -> Vec<NamePattern> {
    read_patterns(fields, key).into_iter().map(NamePattern::in_lower_case).collect()
}

#[cfg(test)]
mod tests {
    use super::super::diagnostics::{Diagnostics, NoFiles, SecretCheck};
    use super::super::yaml;
    use super::*;

    fn warnings(text: &str, reader: impl FnOnce(Fields<'_>)) -> Vec<String> {
        let root = yaml::parse(text).unwrap();
        let diagnostics = Diagnostics::new(&NoFiles, SecretCheck::Required);
        let setting = Setting { node: &root, path: String::new(), diagnostics: &diagnostics };
        reader(setting.fields().unwrap());
        let findings =
            diagnostics.finish("f").unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
        findings.notices.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_filter_of_namespaces_that_decides_nothing_or_all_is_warned_about() {
        let no_name =
            "matches no namespace: names are made of a-z, 0-9 and '-', and this is a glob";
        let no_effect = "takes nothing out: no pattern before it lets a name in";
        let all = "denies every namespace, so nothing is sent";
        let both = "denies what is allowed beside it; what is denied is not sent";
        for (text, setting, message) in [
            ("deny_namespaces: ['*']\n", "1:1: deny_namespaces", all),
            ("allow_namespaces: [Prod]\n", "1:20: allow_namespaces[0]", no_name),
            ("allow_namespaces: [a, 'team-.*']\n", "1:23: allow_namespaces[1]", no_name),
            ("deny_namespaces: ['^(a|b)$']\n", "1:19: deny_namespaces[0]", no_name),
            ("allow_namespaces: ['!a']\n", "1:20: allow_namespaces[0]", no_effect),
            ("allow_namespaces: [a]\ndeny_namespaces: [a]\n", "2:1: deny_namespaces", both),
        ] {
            let found = warnings(text, |fields| drop(read(fields)));
            assert_eq!(found, [format!("{setting}: warning: {message}")], "{text}");
        }
        for text in [
            "allow_namespaces: ['team-*', '!team-x', 'a?[b-d]']\n",
            "deny_namespaces: ['*', '!ci']\n",
            "allow_namespaces: ['*']\ndeny_namespaces: [kube-system]\n",
        ] {
            assert_eq!(warnings(text, |fields| drop(read(fields))), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_list_of_names_that_decides_nothing_is_warned_about() {
        let no_effect = "takes nothing out: no pattern before it lets a name in";
        let both = "denies what is allowed beside it; what is denied is not sent";
        for (text, setting, message) in [
            ("tasks: {allow: ['!a']}\n", "1:17: tasks.allow[0]", no_effect),
            ("pipelines: {allow: [A], deny: [a]}\n", "1:25: pipelines.deny", both),
        ] {
            let found = warnings(text, |fields| drop(read_names(fields)));
            assert_eq!(found, [format!("{setting}: warning: {message}")], "{text}");
        }
        // Files of the Go relay contain empty lists.
        for text in ["tasks: {allow: [a, 'b*'], deny: [bc]}\n", "tasks: {allow: [], deny: []}\n"] {
            assert_eq!(warnings(text, |fields| drop(read_names(fields))), [""; 0], "{text}");
        }
    }
}
