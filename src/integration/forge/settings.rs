//! How the actions of every forge are configured.

use super::{CommentAction, CommentApi, CommentMode, StatusAction, StatusApi};
use crate::integration::Integration;
use crate::integration::registry::{ActionRow, ActionSettings};
use crate::settings::{KeyRow, expressions};
use crate::template::{DataKind, Template};
use std::sync::Arc;

const COMMIT_STATUS_TYPE: &str = "commit_status";

/// The action type of comments on pull requests, as configured and as in markers.
pub(super) const PR_COMMENT_TYPE: &str = "pr_comment";

/// The row of commit statuses.
pub(in crate::integration) const COMMIT_STATUS: ActionRow = ActionRow {
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

/// The row of comments on pull requests.
pub(in crate::integration) const PR_COMMENT: ActionRow = ActionRow {
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

/// The options of one configured action, already validated.
#[derive(Clone, Debug, Default)]
pub(in crate::integration) struct ActionOptions {
    /// `name` of the action.
    pub(in crate::integration) action: String,
    /// Text of a comment; `None` for the built-in one.
    pub(in crate::integration) template: Option<Template>,
    /// Section that a comment gets when it shows a summary; `None` for the built-in table.
    pub(in crate::integration) summary_template: Option<Template>,
    pub(in crate::integration) mode: CommentMode,
    /// Adds the task to the check name of a TaskRun that belongs to no PipelineRun. Those that
    /// do belong to one carry it already.
    pub(in crate::integration) context_per_task: bool,
    /// The name of a commit status, over the settled parts of its check; `None` for the check's own.
    pub(in crate::integration) context: Option<Template>,
    /// The instance has one comment action, so the marker of the Go relay, which names no action,
    /// can only mean this one.
    pub(in crate::integration) is_only_comment: bool,
}

/// Reads the actions of an instance, one result for each, in their order. `summary` is the text of
/// summaries, `None` for the built-in table.
pub(in crate::integration) fn read_actions<F: StatusApi + CommentApi>(
    forge: &Arc<F>,
    actions: &mut [ActionSettings<'_>],
    summary: Option<&Template>,
) -> Vec<Option<Arc<dyn Integration>>> {
    let comments = actions.iter().filter(|action| action.row.word == PR_COMMENT_TYPE).count();
    let is_only_comment = comments == 1;
    let read = |action: &mut ActionSettings<'_>| -> Option<Arc<dyn Integration>> {
        let forge = Arc::clone(forge);
        match action.row.word {
            COMMIT_STATUS_TYPE => {
                Some(Arc::new(StatusAction::new(forge, read_commit_status(action))))
            }
            PR_COMMENT_TYPE => {
                let options = read_comment(action, summary);
                let options = ActionOptions { is_only_comment, ..options };
                Some(Arc::new(CommentAction::new(forge, options)))
            }
            _ => None,
        }
    };
    actions.iter_mut().map(read).collect()
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
