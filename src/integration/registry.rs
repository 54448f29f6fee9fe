//! The one table of integrations: what can be configured, and what each row of
//! `docs/INTEGRATIONS.md` is about.

use super::{github, log, slack, webhook};

/// One kind of integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntegrationRow {
    /// Its name in the configuration; for forges also the provider that runs name.
    pub kind: &'static str,
    /// The action types it has; notifiers have `notify` alone.
    pub actions: &'static [&'static str],
    /// What it does, as its row in `docs/INTEGRATIONS.md` says it.
    pub doc: &'static str,
}

/// All integrations, by kind.
pub const INTEGRATIONS: &[IntegrationRow] = &[
    IntegrationRow {
        kind: github::KIND,
        actions: &["commit_status", "pr_comment"],
        doc: "Commit statuses and pull request comments on GitHub and GitHub Enterprise Server",
    },
    IntegrationRow {
        kind: log::KIND,
        actions: &["notify"],
        doc: "One JSON line in the relay's log",
    },
    IntegrationRow {
        kind: slack::KIND,
        actions: &["notify"],
        doc: "Messages through a Slack incoming webhook",
    },
    IntegrationRow {
        kind: webhook::KIND,
        actions: &["notify"],
        doc: "The event as JSON, or a jq transform of it, to any HTTP endpoint",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_sorted_and_unique() {
        assert!(INTEGRATIONS.is_sorted_by(|a, b| a.kind < b.kind));
    }

    #[test]
    fn the_documentation_has_exactly_these_rows() {
        let docs = include_str!("../../docs/INTEGRATIONS.md");
        let documented: Vec<&str> = docs.lines().filter(|line| line.starts_with("| `")).collect();
        let expected = INTEGRATIONS.iter().map(|row| {
            let actions: Vec<_> = row.actions.iter().map(|action| format!("`{action}`")).collect();
            format!("| `{}` | {} | {} |", row.kind, actions.join(", "), row.doc)
        });
        assert_eq!(documented, expected.collect::<Vec<_>>());
    }
}
