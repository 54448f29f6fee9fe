//! Comments on pull requests. <https://docs.github.com/en/rest/issues/comments>: a pull request is an
//! issue to this API.

use super::GithubInstance;
use super::identity::{self, GithubUser};
use crate::event::RunEvent;
use crate::failure::DeliveryFailure;
use crate::integration::forge::{
    Author, CommentApi, Forge, Identities, Identity, ListedComment, RemoteId, ThreadPlace, told,
};
use crate::integration::{HttpReply, HttpRequest, Method};
use crate::template::truncate_utf16;
use serde::Deserialize;

/// Bound of a comment in UTF-16 units, some of which a character above U+FFFF has two: GitHub takes
/// 65,536 characters and 262,144 bytes.
const COMMENT_UNITS_MAX: usize = 65_000;

/// Comments a page: the most that GitHub gives.
const PAGE_LEN: u32 = 100;

/// A comment as GitHub lists it.
#[derive(Deserialize)]
struct IssueComment {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default, deserialize_with = "told")]
    user: Option<Option<GithubUser>>,
}

impl From<IssueComment> for ListedComment {
    fn from(comment: IssueComment) -> Self {
        Self {
            id: RemoteId::number(comment.id),
            body: comment.body.unwrap_or_default(),
            author: Author::of(comment.user),
        }
    }
}

impl CommentApi for GithubInstance {
    const EDIT: Method = Method::Patch;

    fn thread_place(&self, event: &RunEvent) -> Option<ThreadPlace> {
        let repository = self.repository_url(event)?;
        let thread_url = format!("{repository}/issues/{}/comments", event.scm.pr_number?);
        Some(ThreadPlace {
            first_page_url: format!("{thread_url}?per_page={PAGE_LEN}"),
            thread_url,
            comments_url: format!("{repository}/issues/comments"),
        })
    }

    fn cut(comment: &str) -> String {
        truncate_utf16(comment, COMMENT_UNITS_MAX)
    }

    fn comments(page: &str) -> Result<Vec<ListedComment>, serde_json::Error> {
        let comments: Vec<IssueComment> = serde_json::from_str(page)?;
        Ok(comments.into_iter().map(ListedComment::from).collect())
    }

    fn identity_request(&self) -> HttpRequest {
        self.request(Method::Get, format!("{}/user", self.base_url), None)
    }

    fn read_identity(reply: &HttpReply) -> Result<Identity, DeliveryFailure> {
        identity::read(reply)
    }

    fn identities(&self) -> &Identities {
        &self.identities
    }
}

#[cfg(test)]
#[path = "comment_test.rs"]
mod tests;
