//! Tenants: what the runs of a namespace may lead to. What a run says about itself, its repository
//! above all, is a claim of anyone who may create runs; its namespace is not. A policy binds one to
//! the other. Once there is a policy, everything else is refused.

use super::NamePattern;
use crate::effect::RouteName;
use crate::event::{Repository, RunEvent};

/// GitHub accepts a repository's name with this ending, too.
const GIT_SUFFIX: &str = ".git";

/// Which namespaces may lead to what. Without rules there are no bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy(Option<Vec<PolicyRule>>);

/// What the runs of some namespaces may lead to. A part that is `None` sets no bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyRule {
    /// The namespaces of the rule.
    pub namespaces: Vec<NamePattern>,
    /// Kinds of integrations: `github`, `slack`, ...
    pub providers: Option<Vec<String>>,
    /// Names of instances.
    pub instances: Option<Vec<NamePattern>>,
    /// `owner/name` in lower case, for runs that name a repository.
    pub repositories: Option<Vec<NamePattern>>,
    /// Channels, for integrations that have them. The channel that a webhook chooses itself has no
    /// name, and matches no list.
    pub channels: Option<Vec<NamePattern>>,
}

impl Policy {
    /// A policy of these rules: it allows only what a rule allows.
    #[must_use]
    pub fn of(rules: Vec<PolicyRule>) -> Self {
        Self(Some(rules))
    }

    /// Whether the event may lead to an effect of `route`, which posts to `channel` (`None`: its
    /// action has no channel). One rule must allow all of it.
    #[must_use]
    pub fn allows(&self, event: &RunEvent, route: &RouteName, channel: Option<&str>) -> bool {
        let is_allowed = |rule: &PolicyRule| rule.allows(event, route, channel);
        self.0.as_ref().is_none_or(|rules| rules.iter().any(is_allowed))
    }
}

impl PolicyRule {
    fn allows(&self, event: &RunEvent, route: &RouteName, channel: Option<&str>) -> bool {
        let is_among = |list: &Option<Vec<NamePattern>>, name: &str| {
            list.as_ref().is_none_or(|list| NamePattern::any_admits(list, name))
        };
        let providers = self.providers.as_ref();
        let repository = repository_name(&event.scm.repository);
        NamePattern::any_admits(&self.namespaces, &event.namespace)
            && providers.is_none_or(|kinds| kinds.contains(&route.kind))
            && is_among(&self.instances, &route.instance)
            && repository.is_none_or(|name| is_among(&self.repositories, &name))
            && channel.is_none_or(|name| is_among(&self.channels, name))
    }
}

/// `owner/name` as forges compare it; `None` if the run names no repository.
fn repository_name(repository: &Repository) -> Option<String> {
    if repository.owner.is_empty() && repository.name.is_empty() {
        return None;
    }
    let name = format!("{}/{}", repository.owner, repository.name).to_ascii_lowercase();
    Some(name.strip_suffix(GIT_SUFFIX).map_or(name.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::task_run;
    use super::*;

    fn route(kind: &str, instance: &str) -> RouteName {
        RouteName { kind: kind.into(), instance: instance.into(), action: "a".into() }
    }

    fn run(namespace: &str, owner: &str, name: &str) -> RunEvent {
        let mut event = task_run();
        event.namespace = namespace.to_owned();
        event.scm.repository.owner = owner.to_owned();
        event.scm.repository.name = name.to_owned();
        event
    }

    fn patterns(texts: &[&str]) -> Vec<NamePattern> {
        texts.iter().map(|text| NamePattern::parse(text).unwrap()).collect()
    }

    /// Two teams; only the namespace bounds the second.
    fn policy() -> Policy {
        let first = PolicyRule {
            namespaces: patterns(&["team-a", "team-a-*", "!team-a-x"]),
            providers: Some(vec!["github".to_owned(), "slack".to_owned()]),
            instances: Some(patterns(&["main"])),
            repositories: Some(patterns(&["acme/*", "!acme/secret"])),
            channels: Some(patterns(&["#team-a"])),
        };
        let second = PolicyRule { namespaces: patterns(&["team-b"]), ..PolicyRule::default() };
        Policy::of(vec![first, second])
    }

    #[test]
    fn s23_a_run_leads_only_to_what_its_namespace_is_bound_to() {
        let github = route("github", "main");
        let rows = [
            ("team-a", "acme", "app", true),
            ("team-a-1", "Acme", "App", true),
            ("team-a-x", "acme", "app", false),
            ("team-c", "acme", "app", false),
            ("", "acme", "app", false),
            ("team-a", "victim", "app", false),
            ("team-a", "acme", "secret", false),
            ("team-a", "ACME", "Secret.git", false),
            ("team-a", "acme/..", "victim", false),
            ("team-a", "acme/team", "app", false),
            ("team-a", "acme", "team/app", false),
            ("team-a", "acme", "../victim/app", false),
            ("team-a", "", "app", false),
            ("team-a", "", "", true),
            ("team-b", "victim", "app", true),
        ];
        for (namespace, owner, name, expected) in rows {
            let event = run(namespace, owner, name);
            let row = format!("{namespace} {owner}/{name}");
            assert_eq!(policy().allows(&event, &github, None), expected, "{row}");
            assert!(Policy::default().allows(&event, &github, None), "{row}");
            assert!(!Policy::of(Vec::new()).allows(&event, &github, None), "{row}");
        }
    }

    #[test]
    fn s23_a_route_is_bound_by_its_kind_its_instance_and_its_channel() {
        let event = run("team-a", "acme", "app");
        let rows = [
            (route("github", "main"), None, true),
            (route("github", "other"), None, false),
            (route("webhook", "main"), None, false),
            (route("slack", "main"), Some("#team-a"), true),
            (route("slack", "main"), Some("#general"), false),
            (route("slack", "main"), Some(""), false),
        ];
        for (route, channel, expected) in rows {
            let row = format!("{route} {channel:?}");
            assert_eq!(policy().allows(&event, &route, channel), expected, "{row}");
            assert!(policy().allows(&run("team-b", "x", "y"), &route, channel), "{row}");
        }
    }
}
