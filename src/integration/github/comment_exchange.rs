//! The turns of a comment: edit the remembered one, or search all pages for ours, then edit or
//! create. Nothing is created after a search that failed, and no address is followed that GitHub
//! gives on another host.

use super::{GithubInstance, classify, written_id};
use crate::effect::Receipt;
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::integration::http::{self, expect_http};
use crate::integration::marker::Marker;
use crate::integration::{Exchange, HttpReply, Method, Outbound, Reply, Turn};
use serde::Deserialize;
use std::sync::Arc;

/// Comments a page: the most that GitHub gives.
const PAGE_LEN: u32 = 100;

/// Pages searched, 5,000 comments: a thread beyond that gets a new comment rather than a search
/// that cannot end within one attempt.
const PAGES_MAX: u32 = 50;

/// Comments under our marker that GitHub did not let us edit, after which we write our own: anyone
/// can paste a marker.
const REFUSED_MAX: usize = 3;

/// What to do with a comment that carries our marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnFound {
    /// Bring it up to date.
    Edit,
    /// It is what we wanted to write.
    Keep,
}

/// The comments of one pull request, and the one we want among them.
pub(super) struct IssueThread {
    pub(super) instance: Arc<GithubInstance>,
    /// Lists and creates comments of the pull request.
    pub(super) thread_url: String,
    /// Edits comments, by id.
    pub(super) comments_url: String,
    /// The whole comment, marker included.
    pub(super) body: String,
    /// Markers to recognise, the preferred one first.
    pub(super) markers: Vec<Marker>,
    pub(super) on_found: OnFound,
}

#[derive(Deserialize)]
struct ListedComment {
    id: u64,
    #[serde(default)]
    body: Option<String>,
}

impl IssueThread {
    /// Looks through the pages for our comment.
    pub(super) fn search(self) -> Turn {
        let page_url = format!("{}?per_page={PAGE_LEN}", self.thread_url);
        Search { thread: self, page_url, pages_read: 0, refused: Vec::new() }.read_page()
    }

    /// Writes a new comment.
    pub(super) fn create(self) -> Turn {
        let body = serde_json::json!({ "body": self.body });
        let request = self.instance.request(Method::Post, self.thread_url, Some(&body));
        Turn::Send(Outbound::Http(request), Box::new(Creating))
    }

    /// Edits the comment that an earlier effect left.
    pub(super) fn edit_remembered(self, id: u64) -> Turn {
        let request = self.edit_request(id);
        Turn::Send(request, Box::new(EditingRemembered { thread: self, id }))
    }

    fn edit_request(&self, id: u64) -> Outbound {
        let url = format!("{}/{id}", self.comments_url);
        let body = serde_json::json!({ "body": self.body });
        Outbound::Http(self.instance.request(Method::Patch, url, Some(&body)))
    }

    /// Our comment on a page: under the preferred marker if there is one, else the oldest.
    fn find(&self, page: &[ListedComment], refused: &[u64]) -> Option<u64> {
        self.markers.iter().find_map(|marker| {
            let is_ours = |comment: &&ListedComment| {
                let body = comment.body.as_deref().unwrap_or_default();
                marker.is_at_start_of(body) && !refused.contains(&comment.id)
            };
            page.iter().find(is_ours).map(|comment| comment.id)
        })
    }
}

/// Waits for the answer to a creation.
struct Creating;

impl Exchange for Creating {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        finish(expect_http(reply), None)
    }
}

/// Waits for the answer to an edit of the remembered comment.
struct EditingRemembered {
    thread: IssueThread,
    id: u64,
}

impl Exchange for EditingRemembered {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        match expect_http(reply) {
            // Somebody deleted it: another of ours may be there, else there will be.
            Ok(reply) if reply.status == 404 => self.thread.search(),
            reply => finish(reply, Some(self.id)),
        }
    }
}

/// Goes through the pages, oldest comments first.
struct Search {
    thread: IssueThread,
    page_url: String,
    pages_read: u32,
    /// Found, but not ours to edit, or gone when we tried.
    refused: Vec<u64>,
}

impl Search {
    fn read_page(self) -> Turn {
        let request = self.thread.instance.request(Method::Get, self.page_url.clone(), None);
        Turn::Send(Outbound::Http(request), Box::new(self))
    }

    fn next(mut self, reply: &HttpReply) -> Turn {
        self.pages_read += 1;
        let Some(next_url) = reply.header("link").and_then(next_link) else {
            return self.thread.create();
        };
        if origin(next_url) != origin(&self.thread.instance.base_url) {
            return Turn::Fail(foreign_page());
        }
        if self.pages_read >= PAGES_MAX {
            return self.thread.create();
        }
        next_url.clone_into(&mut self.page_url);
        self.read_page()
    }

    fn found(self, id: u64, status: u16) -> Turn {
        match self.thread.on_found {
            OnFound::Keep => Turn::Done(Receipt { remote_id: id.to_string(), status }),
            OnFound::Edit => {
                let request = self.thread.edit_request(id);
                Turn::Send(request, Box::new(EditingFound { search: self, id }))
            }
        }
    }
}

impl Exchange for Search {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        let (reply, page) = match expect_http(reply).and_then(read_list) {
            Ok(read) => read,
            Err(failure) => return Turn::Fail(failure),
        };
        match self.thread.find(&page, &self.refused) {
            Some(id) => self.found(id, reply.status),
            None => self.next(&reply),
        }
    }
}

/// Waits for the answer to an edit of a comment that the search found.
struct EditingFound {
    search: Search,
    id: u64,
}

impl Exchange for EditingFound {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        let reply = match expect_http(reply) {
            Ok(reply) => reply,
            Err(failure) => return Turn::Fail(failure),
        };
        let outcome = classify(&reply).map_err(|failure| failure.kind);
        match outcome {
            // A pasted marker, or a comment deleted since: the page is read again without it.
            Err(FailureKind::Auth | FailureKind::NotFound) if reply.status != 401 => {
                let mut search = self.search;
                search.refused.push(self.id);
                if search.refused.len() >= REFUSED_MAX {
                    return search.thread.create();
                }
                search.read_page()
            }
            _ => finish(Ok(reply), Some(self.id)),
        }
    }
}

/// Ends with the id that the answer shows, else the one that was `edited`.
fn finish(reply: Result<HttpReply, DeliveryFailure>, edited: Option<u64>) -> Turn {
    let receipt = reply.and_then(|reply| {
        let shown = written_id(&reply)?;
        let remote_id = match edited {
            Some(id) if shown.is_empty() => id.to_string(),
            Some(_) | None => shown,
        };
        Ok(Receipt { remote_id, status: reply.status })
    });
    receipt.map_or_else(Turn::Fail, Turn::Done)
}

fn read_list(reply: HttpReply) -> Result<(HttpReply, Vec<ListedComment>), DeliveryFailure> {
    classify(&reply)?;
    let page = serde_json::from_str(&reply.body).map_err(|_| http::unexpected_body(&reply))?;
    Ok((reply, page))
}

fn foreign_page() -> DeliveryFailure {
    let detail = "the next page of comments is said to be on another host";
    DeliveryFailure::new(FailureKind::Invalid, Retryability::Permanent, detail)
}

/// The target of `rel="next"` in a `Link` header (RFC 8288).
fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, link)) = rest.split_once('<') {
        let (url, after) = link.split_once('>')?;
        let parameters = after.split('<').next().unwrap_or_default();
        if parameters.contains("rel=\"next\"") {
            return Some(url);
        }
        rest = after;
    }
    None
}

/// Scheme, host and port, in lower case.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    Some(format!("{scheme}://{authority}").to_ascii_lowercase())
}

#[cfg(test)]
#[path = "comment_exchange_test.rs"]
mod tests;
