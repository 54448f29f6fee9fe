//! How instances of GitHub and their actions are configured.

use super::{
    ActionOptions, Comment, CommentMode, CommitStatus, GithubInstance, KIND, app, rest_root,
};
use crate::integration::registry::{
    ActionRow, ActionSettings, InstanceSettings, IntegrationRow, ReadInstance,
};
use crate::integration::{Credential, Integration};
use crate::settings::fields::Fields;
use crate::settings::secret_file::{self, SecretKeys, SecretOwner};
use crate::settings::{KeyRow, address, expressions};
use crate::template::{DataKind, Template};
use std::sync::Arc;

/// GitHub in the table of integrations.
pub const ROW: IntegrationRow = IntegrationRow {
    kind: KIND,
    doc: "Commit statuses and pull request comments on GitHub and GitHub Enterprise Server",
    keys: &[
        KeyRow::text(
            "base_url",
            "`https://api.github.com`",
            "Root of the REST API. The bare `https` address of an Enterprise Server gets `/api/v3` \
             added",
        ),
        KeyRow::text("auth.secret_file", "inferred, key `token`", "File with an access token"),
        KeyRow::text("auth.secret_key", "`token`", "Last part of the inferred file"),
        app::APP_ID,
        app::INSTALLATION_ID,
        app::PRIVATE_KEY_FILE,
    ],
    is_http: true,
    actions: &[COMMIT_STATUS, PR_COMMENT],
    read: ReadInstance::Forge(read),
};

const COMMIT_STATUS_TYPE: &str = "commit_status";

const PR_COMMENT_TYPE: &str = "pr_comment";

const COMMIT_STATUS: ActionRow = ActionRow {
    word: COMMIT_STATUS_TYPE,
    keys: &[
        KeyRow::text(
            "context",
            "",
            "a template for the name of the check, over [what is settled of it](INTEGRATIONS.md#github)",
        ),
        KeyRow::flag(
            "context_per_task",
            "`false`",
            "adds the task to the context that a TaskRun outside a PipelineRun names. Those inside \
             one carry it always",
        ),
    ],
    belongs: "belongs to commit statuses",
    shows_summaries: false,
};

const PR_COMMENT: ActionRow = ActionRow {
    word: PR_COMMENT_TYPE,
    keys: &[
        KeyRow::words(
            "mode",
            &["create", "upsert"],
            "`create`",
            "`create` a comment for each transition, or `upsert` one that follows the run",
        ),
        KeyRow::text("template", "one line", "text of the comment"),
    ],
    belongs: "belongs to comments",
    shows_summaries: true,
};

const MODES: [(&str, CommentMode); 2] =
    [("create", CommentMode::Create), ("upsert", CommentMode::Upsert)];

fn read(
    instance: InstanceSettings<'_, '_>,
    actions: &mut [ActionSettings<'_>],
) -> Vec<Option<Arc<dyn Integration>>> {
    let owner = instance.owner();
    let InstanceSettings { name, fields, summary, .. } = instance;
    let base_url = address::read_url(fields, "base_url").unwrap_or_default();
    let credential = read_credential(fields.section("auth"), &owner, &rest_root(&base_url));
    fields.not_supported(&["rate_limit"]);
    let github = Arc::new(GithubInstance::new(name, &base_url, credential));
    let comments = actions.iter().filter(|action| action.row.word == PR_COMMENT_TYPE).count();
    let is_only_comment = comments == 1;
    let read = |action: &mut ActionSettings<'_>| -> Option<Arc<dyn Integration>> {
        let github = Arc::clone(&github);
        match action.row.word {
            COMMIT_STATUS_TYPE => {
                Some(Arc::new(CommitStatus::new(github, read_commit_status(action))))
            }
            PR_COMMENT_TYPE => {
                let options = read_comment(action, summary);
                let options = ActionOptions { is_only_comment, ..options };
                Some(Arc::new(Comment::new(github, options)))
            }
            _ => None,
        }
    };
    actions.iter_mut().map(read).collect()
}

fn read_credential(mut fields: Fields<'_>, owner: &SecretOwner<'_>, rest_root: &str) -> Credential {
    let credential = app::read(&mut fields, rest_root).unwrap_or_else(|| {
        let token = secret_file::read(&mut fields, &SecretKeys::SECRET, owner);
        token.map_or(Credential::None, Credential::Bearer)
    });
    fields.finish();
    credential
}

fn read_commit_status(action: &mut ActionSettings<'_>) -> ActionOptions {
    ActionOptions {
        action: action.name.clone(),
        context_per_task: action.fields.flag("context_per_task").unwrap_or(false),
        context: expressions::template(&mut action.fields, "context", DataKind::Check),
        ..ActionOptions::default()
    }
}

fn read_comment(action: &mut ActionSettings<'_>, summary: Option<&Template>) -> ActionOptions {
    ActionOptions {
        action: action.name.clone(),
        mode: action.fields.word("mode", &MODES).unwrap_or_default(),
        template: expressions::template(&mut action.fields, "template", DataKind::Event),
        summary_template: summary.cloned(),
        ..ActionOptions::default()
    }
}
