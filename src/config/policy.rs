//! `policy`: which namespaces may lead to what.

use crate::integration::registry::INTEGRATIONS;
use crate::plan::Route;
use crate::route::{NamePattern, Policy, PolicyRule};
use crate::settings::error::Problem;
use crate::settings::fields::Fields;
use crate::settings::filter::{read_namespaces, read_patterns};
use crate::settings::setting::Setting;

/// Reads `policy`. An absent policy bounds nothing; an empty one allows nothing.
pub(super) fn read(fields: &mut Fields<'_>, routes: &[Route]) -> Policy {
    let Some(setting) = fields.narrowing("policy") else { return Policy::default() };
    let items = setting.items();
    if items.is_empty() {
        setting.warn("has no rule, so no run leads to anything");
    }
    Policy::of(items.into_iter().filter_map(|item| read_rule(&item, routes)).collect())
}

fn read_rule(item: &Setting<'_>, routes: &[Route]) -> Option<PolicyRule> {
    let mut fields = item.fields()?;
    let namespaces = read_namespaces(&mut fields, "namespaces");
    if fields.list_len("namespaces") == 0 {
        let hint = "a rule says which namespaces it is for; `*` is all of them";
        fields.fail("namespaces", Problem::Missing { hint: hint.into() });
    }
    let rule = PolicyRule {
        namespaces,
        providers: read_providers(&mut fields),
        instances: read_known(&mut fields, "instances", routes),
        repositories: read_repositories(&mut fields),
        channels: read_list(&mut fields, "channels"),
    };
    fields.finish();
    Some(rule)
}

/// A list. If absent it bounds nothing; if empty it allows nothing.
fn read_list(fields: &mut Fields<'_>, key: &'static str) -> Option<Vec<NamePattern>> {
    let is_there = fields.has(key);
    let patterns = read_patterns(fields, key);
    is_there.then_some(patterns)
}

fn read_providers(fields: &mut Fields<'_>) -> Option<Vec<String>> {
    let is_there = fields.has("providers");
    let kinds: Vec<(&str, &str)> = INTEGRATIONS.iter().map(|row| (row.kind, row.kind)).collect();
    let words = fields.list("providers").into_iter().filter_map(|item| item.word(&kinds));
    let words = words.map(str::to_owned).collect();
    is_there.then_some(words)
}

fn read_repositories(fields: &mut Fields<'_>) -> Option<Vec<NamePattern>> {
    let is_there = fields.has("repositories");
    let mut patterns = Vec::new();
    for setting in fields.list("repositories") {
        let Some(text) = setting.written() else { continue };
        if !text.contains('/') {
            let expected = "a repository as owner/name, such as acme/app or acme/*";
            setting.fail(Problem::Malformed { expected });
            continue;
        }
        match NamePattern::parse(text) {
            Ok(pattern) => {
                if pattern.is_negated() && patterns.iter().all(NamePattern::is_negated) {
                    setting.warn("takes nothing out: no pattern before it lets a name in");
                }
                patterns.push(pattern.in_lower_case());
            }
            Err(source) => setting.fail(Problem::NamePattern { source }),
        }
    }
    is_there.then_some(patterns)
}

/// Names of instances. A name that is not configured is a probable mistake.
fn read_known(
    fields: &mut Fields<'_>,
    key: &'static str,
    routes: &[Route],
) -> Option<Vec<NamePattern>> {
    let patterns = read_list(fields, key)?;
    let matches_one = |pattern: &NamePattern| {
        let pattern = std::slice::from_ref(pattern);
        routes.iter().any(|route| NamePattern::any_admits(pattern, &route.name.instance))
    };
    if !patterns.iter().all(|pattern| pattern.is_negated() || matches_one(pattern)) {
        fields.warn(key, "names an instance that is not configured");
    }
    Some(patterns)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{config, errors, loaded};
    use super::*;

    const LOG: &str = "notifiers: {log: [{name: l}]}\n";

    fn told(policy: &str) -> Vec<String> {
        errors(&format!("{LOG}policy: {policy}\n"))
    }

    #[test]
    fn a_policy_is_a_list_of_rules() {
        let text = format!(
            "{LOG}policy:\n  - namespaces: [team-a]\n    providers: [github, log]\n    \
             repositories: [Acme/*]\n    channels: ['#a']\n    instances: [l]\n  \
             - {{namespaces: ['*']}}\n"
        );
        let pattern = |text| NamePattern::parse(text).unwrap();
        let first = PolicyRule {
            namespaces: vec![pattern("team-a")],
            providers: Some(vec!["github".to_owned(), "log".to_owned()]),
            instances: Some(vec![pattern("l")]),
            repositories: Some(vec![pattern("acme/*")]),
            channels: Some(vec![pattern("#a")]),
        };
        let second = PolicyRule { namespaces: vec![pattern("*")], ..PolicyRule::default() };
        assert_eq!(config(&text).rules.policy, Policy::of(vec![first, second]));
        let grouped =
            config(&format!("{LOG}policy: [{{namespaces: [a], repositories: [acme/team/*]}}]\n"));
        let rule = PolicyRule {
            namespaces: vec![pattern("a")],
            repositories: Some(vec![pattern("acme/team/*")]),
            ..PolicyRule::default()
        };
        assert_eq!(grouped.rules.policy, Policy::of(vec![rule]));
        assert_eq!(config(LOG).rules.policy, Policy::default());
        assert_eq!(config(&format!("{LOG}policy: []\n")).rules.policy, Policy::of(Vec::new()));
    }

    #[test]
    fn mistakes_of_a_policy_are_told() {
        let rows = [
            ("", "policy: has no value"),
            ("[{providers: [github]}]", "policy[0].namespaces: is required"),
            ("[{namespaces: [a], providers: [githib]}]", "did you mean \"github\"?"),
            ("[{namespaces: [a], repositories: [acme]}]", "expected a repository as owner/name"),
            ("[{namespaces: [a], repositories: }]", "policy[0].repositories: has no value"),
            ("[{namespaces: [a], repos: [a/b]}]", "policy[0].repos: unknown key"),
            ("[{namespaces: ['[a']}]", "is not closed"),
        ];
        for (policy, message) in rows {
            let told = told(policy);
            assert!(told.len() == 1 && told[0].contains(message), "{policy}: {told:?}");
        }
    }

    #[test]
    fn what_is_hardly_meant_is_warned_about() {
        for (policy, warning) in [
            ("[]", "2:9: policy: warning: has no rule, so no run leads to anything"),
            (
                "[{namespaces: [a], instances: [x]}]",
                "2:28: policy[0].instances: warning: names an instance that is not configured",
            ),
            (
                "[{namespaces: ['!a', '*']}]",
                "2:24: policy[0].namespaces[0]: warning: takes nothing out: no pattern before it \
                 lets a name in",
            ),
            (
                "[{namespaces: [a], repositories: ['!acme/x']}]",
                "2:43: policy[0].repositories[0]: warning: takes nothing out: no pattern before it \
                 lets a name in",
            ),
            (
                "[{namespaces: [Prod]}]",
                "2:24: policy[0].namespaces[0]: warning: matches no namespace: names are made of a-z, \
                 0-9 and '-', and this is a glob",
            ),
        ] {
            let loaded = loaded(&format!("{LOG}policy: {policy}\n"));
            let told: Vec<String> = loaded.notices.iter().map(ToString::to_string).collect();
            assert_eq!(told, [warning]);
        }
    }
}
