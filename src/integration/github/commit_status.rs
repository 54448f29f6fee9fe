//! Statuses of commits.
//! <https://docs.github.com/en/rest/commits/statuses#create-a-commit-status>: they are appended for each
//! context, and the newest counts.

use super::GithubInstance;
use crate::integration::forge::{StateWords, StatusApi, StatusForm};

impl StatusApi for GithubInstance {
    const STATUS: StatusForm = StatusForm {
        name_field: "context",
        states: StateWords {
            pending: "pending",
            running: "pending",
            success: "success",
            failure: "failure",
            error: "error",
            canceled: "error",
        },
        // Longer ones are refused with 422.
        name_chars_max: 255,
        description_chars_max: 140,
        target_url_chars_max: None,
        // "doesn't accept 4-byte Unicode"
        is_taken: |character| u32::from(character) <= 0xFFFF,
        ignores_case: true,
    };
}

#[cfg(test)]
#[path = "commit_status_test.rs"]
mod tests;
