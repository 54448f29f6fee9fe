//! `scm`: forges, and what is written to them.

use super::address;
use super::code;
use super::error::Problem;
use super::fields::Fields;
use super::filter;
use super::instance::{self, Instance, Names};
use super::place::Place;
use super::routes::Routes;
use super::secret_file::{self, Owner, SecretKeys};
use crate::effect::RouteName;
use crate::integration::github::{
    ActionOptions, Comment, CommentMode, CommitStatus, GithubInstance, KIND,
};
use crate::integration::{Credential, Integration};
use crate::route::Route;
use crate::template::{DataKind, Template};
use std::sync::Arc;

/// Forges of the Go relay that have no code here yet.
const FORGES_MISSING: [&str; 5] = ["azure_devops", "bitbucket", "gitea", "gitlab", "sourcehut"];

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ActionKind {
    CommitStatus,
    PrComment,
}

/// What `type` may say; `None` for what the Go relay has and this relay has not yet.
const ACTION_KINDS: [(&str, Option<ActionKind>); 9] = [
    ("commit_status", Some(ActionKind::CommitStatus)),
    ("pr_comment", Some(ActionKind::PrComment)),
    ("check_run", None),
    ("commit_comment", None),
    ("deployment_status", None),
    ("discussion_comment", None),
    ("incident_create", None),
    ("issue_comment", None),
    ("label", None),
];

const MODES: [(&str, CommentMode); 2] =
    [("create", CommentMode::Create), ("upsert", CommentMode::Upsert)];

/// Where an Enterprise Server has its REST API.
const ENTERPRISE_PATH: &str = "/api/v3";

/// An action as the file says it, before it is known how many comments the instance has.
struct Action {
    kind: ActionKind,
    options: ActionOptions,
    when: Option<crate::route::Condition>,
    filter: crate::route::NameFilter,
}

/// Reads `scm`: a route for each action that is switched on. A comment that is chosen to show
/// summaries shows them with the template `summary`, or the built-in one.
pub(super) fn read(mut fields: Fields<'_>, summary: Option<&Template>, routes: &mut Routes) {
    for instance in instance::read(&mut fields, KIND) {
        read_github(instance, summary, routes);
    }
    fields.not_supported(&FORGES_MISSING);
    fields.finish();
}

fn read_github(instance: Instance<'_>, summary: Option<&Template>, routes: &mut Routes) {
    let Instance { name, mut fields } = instance;
    let base_url = address::read_url(&mut fields, "base_url").unwrap_or_default();
    let credential = read_credential(fields.section("auth"), &name);
    let actions = read_actions(&mut fields);
    fields.not_supported(&["insecure_skip_verify", "rate_limit"]);
    fields.finish();
    let github = Arc::new(GithubInstance::new(&name, &rest_root(&base_url), credential));
    let comments = actions.iter().filter(|action| action.kind == ActionKind::PrComment).count();
    for mut action in actions {
        action.options.is_only_comment = comments == 1;
        action.options.summary_template = summary.cloned();
        match action.kind {
            ActionKind::CommitStatus => routes.add(to_route(&name, &github, action)),
            ActionKind::PrComment => {
                routes.add_showing_summaries(to_route(&name, &github, action));
            }
        }
    }
}

fn to_route(instance: &str, github: &Arc<GithubInstance>, action: Action) -> Route {
    let Action { kind, options, when, filter } = action;
    let name = RouteName {
        kind: KIND.to_owned(),
        instance: instance.to_owned(),
        action: options.action.clone(),
    };
    let github = Arc::clone(github);
    let integration: Arc<dyn Integration> = match kind {
        ActionKind::CommitStatus => Arc::new(CommitStatus::new(github, options)),
        ActionKind::PrComment => Arc::new(Comment::new(github, options)),
    };
    Route { name, provider: Some(KIND.to_owned()), when, filter, integration }
}

/// The root of the REST API for what users write as `base_url`: that root, or the bare `https`
/// address of an Enterprise Server, as the Go relay takes it. A bare `http` address is a proxy or
/// a test server, which has no path of its own.
fn rest_root(base_url: &str) -> String {
    match base_url.strip_prefix("https://") {
        Some(host) if !host.contains('/') && !host.starts_with("api.") => {
            format!("{base_url}{ENTERPRISE_PATH}")
        }
        Some(_) | None => base_url.to_owned(),
    }
}

fn read_credential(mut fields: Fields<'_>, instance: &str) -> Credential {
    let owner = Owner { provider: KIND, instance };
    fields.not_supported(&["app_id", "installation_id", "private_key_file"]);
    let token = secret_file::read(&mut fields, &SecretKeys::SECRET, &owner);
    fields.finish();
    token.map_or(Credential::None, Credential::Bearer)
}

fn read_actions(fields: &mut Fields<'_>) -> Vec<Action> {
    let mut names = Names::default();
    let items = fields.list("actions");
    items.into_iter().filter_map(|item| read_action(&item, &mut names)).collect()
}

fn read_action(item: &Place<'_>, names: &mut Names) -> Option<Action> {
    let mut fields = item.fields()?;
    if fields.flag("enabled") == Some(false) {
        return None;
    }
    let kind = read_kind(&mut fields)?;
    let (action, named) = match fields.text_place("name") {
        Some((name, place)) => (name.to_owned(), place),
        None => (kind_word(kind).to_owned(), item.clone()),
    };
    names.add(&action, &named);
    let mut options = ActionOptions { action, ..ActionOptions::default() };
    match kind {
        ActionKind::CommitStatus => {
            options.context_per_task = fields.flag("context_per_task").unwrap_or(false);
            fields.misplaced(&["mode", "template"], "belongs to comments");
        }
        ActionKind::PrComment => {
            options.mode = fields.word("mode", &MODES).unwrap_or_default();
            options.template = code::template(&mut fields, "template", DataKind::Event);
            fields.misplaced(&["context_per_task"], "belongs to commit statuses");
        }
    }
    let when = code::condition(&mut fields, "when");
    let filter = filter::read_names(fields.section("filter"));
    fields.notice(&["dedupe"], "has no effect: nothing is ever sent twice for one transition");
    fields.not_supported(&["fallback_action", "fallback_only", "labels"]);
    fields.finish();
    Some(Action { kind, options, when, filter })
}

fn read_kind(fields: &mut Fields<'_>) -> Option<ActionKind> {
    let place = fields.required("type", "commit_status or pr_comment")?;
    let kind = place.word(&ACTION_KINDS)?;
    if kind.is_none() {
        let what = format!("action type `{}`", place.text().unwrap_or_default());
        place.fail(Problem::NotSupported { what });
    }
    kind
}

fn kind_word(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::CommitStatus => "commit_status",
        ActionKind::PrComment => "pr_comment",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enterprise_server_has_its_api_below_its_address() {
        assert_eq!(rest_root("https://ghe.example.com"), "https://ghe.example.com/api/v3");
        let whole = [
            "",
            "https://ghe.example.com/api/v3",
            "https://api.acme.ghe.com",
            "http://127.0.0.1:1",
        ];
        for whole in whole {
            assert_eq!(rest_root(whole), whole);
        }
    }

    #[test]
    fn every_kind_of_action_has_its_word() {
        for (word, kind) in ACTION_KINDS {
            assert!(kind.is_none_or(|kind| kind_word(kind) == word), "{word}");
        }
    }
}
