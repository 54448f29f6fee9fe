//! The table of integrations. A row names a kind, its keys and its actions, and reads its own
//! instances; `config` loops over the rows. `docs/INTEGRATIONS.md`, the tables of
//! `docs/CONFIGURATION.md` and the JSON Schema come from the same rows.

use super::{Integration, email, github, gitlab, log, slack, webhook};
use crate::secret::SecretRef;
use crate::settings::KeyRow;
use crate::settings::fields::Fields;
use crate::settings::secret_file::{self, SecretKeys, SecretOwner};
use crate::template::Template;
use std::sync::Arc;

/// All integrations. Routes are looked at in this order.
pub const INTEGRATIONS: &[IntegrationRow] =
    &[github::ROW, gitlab::ROW, slack::ROW, webhook::ROW, email::ROW, log::ROW];

/// Kinds of the Go relay, by section.
const GO_RELAY: [(Section, &[&str]); 2] = [
    (Section::Scm, &["azure_devops", "bitbucket", "gitea", "github", "gitlab", "sourcehut"]),
    (
        Section::Notifiers,
        &[
            "datadog",
            "discord",
            "email",
            "grafana",
            "honeycomb",
            "incidentio",
            "kafka",
            "log",
            "mattermost",
            "nats",
            "newrelic",
            "opsgenie",
            "pagerduty",
            "rabbitmq",
            "redispubsub",
            "sentry",
            "slack",
            "teams",
            "telegram",
            "webhook",
        ],
    ),
];

/// Types of actions that forges have in the Go relay.
const GO_RELAY_ACTIONS: [&str; 9] = [
    "commit_status",
    "pr_comment",
    "check_run",
    "commit_comment",
    "deployment_status",
    "discussion_comment",
    "incident_create",
    "issue_comment",
    "label",
];

/// The part of the file in which instances of a kind are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Forges. Their actions are for runs that name the kind as provider.
    Scm,
    /// Notifiers, which see every run.
    Notifiers,
}

/// One kind of integration.
#[derive(Clone, Copy, Debug)]
pub struct IntegrationRow {
    /// Its name in the configuration; for forges also the provider that runs name.
    pub kind: &'static str,
    /// What it does, as its row in `docs/INTEGRATIONS.md` says it.
    pub doc: &'static str,
    /// Keys of an instance, without those that all instances have.
    pub keys: &'static [KeyRow],
    /// Whether its targets are reached over HTTP: then its instances have the keys of a connection.
    pub is_http: bool,
    /// `max_in_flight` of an instance that has none: calls of one replica at the same time.
    pub in_flight_max: usize,
    /// The actions that it has; notifiers have [`NOTIFY`] alone.
    pub actions: &'static [ActionRow],
    pub(crate) read: ReadInstance,
}

/// An action of a kind of integration.
#[derive(Clone, Copy, Debug)]
pub struct ActionRow {
    /// What `type` says.
    pub word: &'static str,
    /// Keys of the action, without those that all actions have.
    pub keys: &'static [KeyRow],
    /// What is said of these keys at an action of another type, such as `belongs to comments`.
    pub belongs: &'static str,
    /// Whether the action can show the summary of a run (`accumulator.provider.name`).
    pub shows_summaries: bool,
}

/// The one action of a notifier.
pub const NOTIFY: ActionRow = ActionRow {
    word: "notify",
    keys: &[],
    belongs: "belongs to notifiers",
    shows_summaries: false,
};

/// How the instances of a kind are read. A reader reports what is wrong and returns `None` for an
/// action that cannot be built; it leaves keys that all instances share, and ends no mapping that
/// it was given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReadInstance {
    /// An instance is one action.
    Notifier(ReadNotifier),
    /// An instance has a list of actions.
    Forge(ReadForge),
}

/// Reads an instance of a notifier.
pub(crate) type ReadNotifier = fn(InstanceSettings<'_, '_>) -> Option<Arc<dyn Integration>>;

/// Reads an instance of a forge and its actions. Gives one result for each action, in their order.
pub(crate) type ReadForge =
    fn(InstanceSettings<'_, '_>, &mut [ActionSettings<'_>]) -> Vec<Option<Arc<dyn Integration>>>;

/// An instance that is switched on, while its kind reads it.
pub(crate) struct InstanceSettings<'a, 'n> {
    /// The kind of the row.
    pub(crate) kind: &'static str,
    /// Names the instance; used once in its list.
    pub(crate) name: &'a str,
    pub(crate) fields: &'a mut Fields<'n>,
    /// The text of summaries; `None` for the built-in table.
    pub(crate) summary: Option<&'a Template>,
}

/// An action that is switched on, while its kind reads it.
pub(crate) struct ActionSettings<'n> {
    pub(crate) row: &'static ActionRow,
    /// Names the action; used once in its instance.
    pub(crate) name: String,
    pub(crate) fields: Fields<'n>,
}

impl IntegrationRow {
    /// Where instances of this kind are configured.
    #[must_use]
    pub fn section(&self) -> Section {
        match self.read {
            ReadInstance::Notifier(_) => Section::Notifiers,
            ReadInstance::Forge(_) => Section::Scm,
        }
    }

    /// The types of its actions, each between `quote`s: `commit_status or pr_comment`.
    pub(crate) fn types(&self, quote: &str) -> String {
        let quoted = |action: &ActionRow| format!("{quote}{}{quote}", action.word);
        let words: Vec<String> = self.actions.iter().map(quoted).collect();
        match words.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            Some(_) | None => words.concat(),
        }
    }

    /// Types of actions of the Go relay that this kind does not have.
    pub(crate) fn actions_missing(&self) -> Vec<&'static str> {
        let has = |word: &str| self.actions.iter().any(|action| action.word == word);
        GO_RELAY_ACTIONS.into_iter().filter(|word| !has(word)).collect()
    }
}

impl<'a> InstanceSettings<'a, '_> {
    /// Whose secrets the instance has.
    pub(crate) fn owner(&self) -> SecretOwner<'a> {
        SecretOwner { provider: self.kind, instance: self.name }
    }

    /// The place of a secret whose keys are those of the instance itself.
    pub(crate) fn secret(&mut self, keys: &SecretKeys) -> Option<SecretRef> {
        let owner = self.owner();
        secret_file::read(self.fields, keys, &owner)
    }
}

impl Section {
    /// Its key in the file.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Scm => "scm",
            Self::Notifiers => "notifiers",
        }
    }

    /// The kinds that are configured here.
    pub(crate) fn rows(self) -> impl Iterator<Item = &'static IntegrationRow> {
        INTEGRATIONS.iter().filter(move |row| row.section() == self)
    }

    /// Kinds of the Go relay that have no row yet.
    pub(crate) fn kinds_missing(self) -> Vec<&'static str> {
        let has = |kind: &str| INTEGRATIONS.iter().any(|row| row.kind == kind);
        let of_section = GO_RELAY.into_iter().filter(|(section, _)| *section == self);
        of_section.flat_map(|(_, kinds)| kinds).copied().filter(|kind| !has(kind)).collect()
    }

    /// All kinds that belong here, built or not.
    pub(crate) fn kinds(self) -> Vec<&'static str> {
        let built = self.rows().map(|row| row.kind);
        built.chain(self.kinds_missing()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn kinds_are_unique_and_grouped_by_section() {
        let kinds: BTreeSet<&str> = INTEGRATIONS.iter().map(|row| row.kind).collect();
        assert_eq!(kinds.len(), INTEGRATIONS.len());
        assert!(INTEGRATIONS.is_sorted_by_key(|row| row.section() != Section::Scm));
    }

    #[test]
    fn types_of_actions_are_unique_in_a_kind_and_notifiers_have_one() {
        for row in INTEGRATIONS {
            let words: BTreeSet<&str> = row.actions.iter().map(|action| action.word).collect();
            assert_eq!(words.len(), row.actions.len(), "{}", row.kind);
            if row.section() == Section::Notifiers {
                assert_eq!(words, BTreeSet::from([NOTIFY.word]), "{}", row.kind);
            }
        }
    }
}
