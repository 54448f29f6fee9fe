//! Comments on merge requests, which GitLab calls notes.
//! <https://docs.gitlab.com/api/notes/#merge-requests>

use super::GitlabInstance;
use crate::event::RunEvent;
use crate::failure::DeliveryFailure;
use crate::integration::forge::{
    Account, Author, CommentApi, Forge, Identities, Identity, ListedComment, RemoteId, ThreadPlace,
    told,
};
use crate::integration::http;
use crate::integration::{HttpReply, HttpRequest, Method};
use crate::template::truncate_chars;
use serde::Deserialize;

/// Bound of a note in characters. GitLab takes 1,000,000; a page of 100 notes has to fit into what is
/// read of an answer.
const NOTE_CHARS_MAX: usize = 65_000;

/// Which notes are listed: 100 a page, the most that GitLab gives, the oldest first, without those
/// that GitLab writes itself.
const LISTED: &str = "per_page=100&order_by=created_at&sort=asc&activity_filter=only_comments";

/// Stands before the `/` of what would be a quick action. It takes no place on the page.
const ZERO_WIDTH_SPACE: char = '\u{200b}';

/// A user as GitLab shows it.
#[derive(Deserialize)]
struct GitlabUser {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    username: String,
    #[serde(default)]
    bot: bool,
}

impl From<GitlabUser> for Account {
    fn from(user: GitlabUser) -> Self {
        Self { id: user.id, login: user.username, is_bot: user.bot }
    }
}

/// A note as GitLab lists it.
#[derive(Deserialize)]
struct Note {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default, deserialize_with = "told")]
    author: Option<Option<GitlabUser>>,
}

impl From<Note> for ListedComment {
    fn from(note: Note) -> Self {
        Self {
            id: RemoteId::number(note.id),
            body: note.body.unwrap_or_default(),
            author: Author::of(note.author),
        }
    }
}

impl CommentApi for GitlabInstance {
    const EDIT: Method = Method::Put;

    fn thread_place(&self, event: &RunEvent) -> Option<ThreadPlace> {
        let (project, number) = (self.repository_url(event)?, event.scm.pr_number?);
        let notes = format!("{project}/merge_requests/{number}/notes");
        Some(ThreadPlace {
            first_page_url: format!("{notes}?{LISTED}"),
            thread_url: notes.clone(),
            comments_url: notes,
        })
    }

    fn cut(comment: &str) -> String {
        truncate_chars(comment, NOTE_CHARS_MAX)
    }

    /// A line that starts with `/merge` or the like is carried out with the rights of the token
    /// (<https://docs.gitlab.com/user/project/quick_actions/>), and who starts a run chooses texts.
    fn inert(text: String) -> String {
        let line = |line: &str| match line.trim_start().starts_with('/') {
            true => line.replacen('/', &format!("{ZERO_WIDTH_SPACE}/"), 1),
            false => line.to_owned(),
        };
        text.split_inclusive('\n').map(line).collect()
    }

    fn comments(page: &str) -> Result<Vec<ListedComment>, serde_json::Error> {
        let notes: Vec<Note> = serde_json::from_str(page)?;
        Ok(notes.into_iter().map(ListedComment::from).collect())
    }

    fn identity_request(&self) -> HttpRequest {
        self.request(Method::Get, format!("{}/user", self.root), None)
    }

    fn read_identity(reply: &HttpReply) -> Result<Identity, DeliveryFailure> {
        Self::classify(reply)?;
        let user: Result<GitlabUser, _> = serde_json::from_str(&reply.body);
        user.map(|user| Identity::User(user.into())).map_err(|_| http::unexpected_body(reply))
    }

    fn identities(&self) -> &Identities {
        &self.identities
    }
}

#[cfg(test)]
#[path = "comment_test.rs"]
mod tests;
