//! Statuses of commits. GitLab keeps them as jobs of a pipeline: it changes the unfinished one of a
//! name, refuses to change it into what it is, and adds a new one behind a finished one.
//! <https://docs.gitlab.com/api/commits/#set-commit-pipeline-status>

use super::GitlabInstance;
use crate::integration::HttpReply;
use crate::integration::forge::{StateWords, StatusApi, StatusForm};
use crate::integration::http;

/// How a refusal to change a status begins.
const REFUSAL: &str = "Cannot transition status via :";

/// What we asked for, as GitLab names the change, and where the status stands that refused it: there
/// already, or running where we asked to queue.
const STANDING: [(&str, &str); 6] = [
    ("enqueue", "pending"),
    ("enqueue", "running"),
    ("run", "running"),
    ("success", "success"),
    ("drop", "failed"),
    ("cancel", "canceled"),
];

impl StatusApi for GitlabInstance {
    const STATUS: StatusForm = StatusForm {
        name_field: "name",
        states: StateWords {
            pending: "pending",
            running: "running",
            success: "success",
            failure: "failed",
            error: "failed",
            canceled: "canceled",
        },
        // Longer ones are refused with 400.
        name_chars_max: 255,
        description_chars_max: 255,
        target_url_chars_max: Some(255),
        // PostgreSQL has no NUL in texts.
        is_taken: |character| character != '\0',
        ignores_case: false,
    };

    fn stands_already(reply: &HttpReply) -> bool {
        let said = http::message(reply).unwrap_or_default();
        let change = said.strip_prefix(REFUSAL).and_then(|rest| rest.split_once(" from :"));
        reply.status == 400
            && change.is_some_and(|(asked, rest)| {
                let state = rest.split(|c: char| !c.is_ascii_lowercase()).next();
                STANDING.iter().any(|(change, stands)| *change == asked && Some(*stands) == state)
            })
    }
}

#[cfg(test)]
#[path = "commit_status_test.rs"]
mod tests;
