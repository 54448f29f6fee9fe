//! The turns of a comment: edit the remembered one, or search all pages for ours, then edit or
//! create. Ours is what carries our marker and was written by whom our token writes as: anyone can
//! paste a marker. Nothing is created after a search that failed, and no address is followed that
//! the forge gives on another host.

use super::identity::{Author, Identity};
use super::{CommentApi, RemoteId, pages, written_id};
use crate::effect::Receipt;
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::integration::http::{self, expect_http};
use crate::integration::marker::Marker;
use crate::integration::{Exchange, HttpReply, Method, Outbound, Reply, Turn};
use std::marker::PhantomData;
use std::sync::Arc;

/// Pages searched, 5,000 comments: a thread beyond that gets a new comment rather than a search
/// that cannot end within one attempt.
const PAGES_MAX: u32 = 50;

/// Comments of ours that the forge did not let us edit, after which we write a new one.
const REFUSED_MAX: usize = 3;

/// What to do with a comment that carries our marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnFound {
    /// Bring it up to date.
    Edit,
    /// It is what we wanted to write.
    Keep,
}

/// Where the comments of one pull request are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::integration) struct ThreadPlace {
    /// Lists the oldest comments first, as many as the forge gives at once.
    pub(in crate::integration) first_page_url: String,
    /// Creates comments.
    pub(in crate::integration) thread_url: String,
    /// Edits and removes comments, with `/` and the id behind it.
    pub(in crate::integration) comments_url: String,
}

/// The comments of one pull request, and the one we want among them.
pub(super) struct CommentThread<F> {
    pub(super) forge: Arc<F>,
    pub(super) place: ThreadPlace,
    /// The whole comment, marker included.
    pub(super) body: String,
    /// Markers to recognise, the preferred one first.
    pub(super) markers: Vec<Marker>,
    pub(super) on_found: OnFound,
}

/// A comment as a page lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::integration) struct ListedComment {
    pub(in crate::integration) id: RemoteId,
    pub(in crate::integration) body: String,
    pub(in crate::integration) author: Author,
}

impl ListedComment {
    /// Whether it starts with `marker`; whoever wrote it.
    pub(super) fn is_marked(&self, marker: &Marker) -> bool {
        marker.is_at_start_of(&self.body)
    }

    /// Whether its author is we, which is unknown before the forge was asked who we are. A server that
    /// tells no authors is not asked.
    pub(super) fn is_ours(&self, us: Option<&Identity>) -> Option<bool> {
        match us {
            Some(us) => Some(us.wrote(&self.author)),
            None => (self.author == Author::Untold).then_some(true),
        }
    }
}

/// One page of a thread.
pub(super) struct Page {
    /// The answer that listed it.
    pub(super) reply: HttpReply,
    pub(super) comments: Vec<ListedComment>,
}

impl Page {
    /// # Errors
    /// The answer is no page.
    pub(super) fn read<F: CommentApi>(reply: Reply) -> Result<Self, DeliveryFailure> {
        let reply = expect_http(reply)?;
        F::classify(&reply)?;
        let comments = F::comments(&reply.body).map_err(|_| match reply.is_cut {
            true => too_long(),
            false => http::unexpected_body(&reply),
        })?;
        Ok(Self { reply, comments })
    }

    /// Whether somebody has to be told from us on this page: one of `markers` is on it, and its
    /// author is told.
    pub(super) fn needs_identity(&self, markers: &[Marker]) -> bool {
        let is_marked = |comment: &&ListedComment| markers.iter().any(|m| comment.is_marked(m));
        self.comments.iter().filter(is_marked).any(|comment| comment.is_ours(None).is_none())
    }

    /// Where the next page is; `None` after the last one, and when enough were read.
    ///
    /// # Errors
    /// It is said to be on another host than the instance's.
    pub(super) fn next_url(
        &self,
        forge: &impl CommentApi,
        pages_read: u32,
    ) -> Result<Option<String>, DeliveryFailure> {
        let next = pages::next_url(&self.reply, forge.root())?;
        Ok(next.filter(|_| pages_read < PAGES_MAX))
    }
}

impl<F: CommentApi> CommentThread<F> {
    /// Looks through the pages for our comment.
    pub(super) fn search(self) -> Turn {
        let page_url = self.place.first_page_url.clone();
        Search { thread: self, page_url, pages_read: 0, refused: Vec::new() }.read_page()
    }

    /// Asks for a page.
    pub(super) fn page_request(&self, url: &str) -> Outbound {
        Outbound::Http(self.forge.request(Method::Get, url.to_owned(), None))
    }

    /// Asks whom our token writes as.
    pub(super) fn identity_request(&self) -> Outbound {
        Outbound::Http(self.forge.identity_request())
    }

    /// Whom the token of a page writes as, as far as it is known.
    pub(super) fn us(&self, page: &Page) -> Option<Identity> {
        self.forge.identities().find(page.reply.credential)
    }

    /// Reads the answer to "who am I", and remembers it.
    ///
    /// # Errors
    /// The forge did not say.
    pub(super) fn learn_identity(&self, reply: Reply) -> Result<Identity, DeliveryFailure> {
        let reply = expect_http(reply)?;
        let us = F::read_identity(&reply)?;
        self.forge.identities().learn(reply.credential, &us);
        Ok(us)
    }

    /// Writes a new comment.
    pub(super) fn create(self) -> Turn {
        let body = F::comment_body(&self.body);
        let request = self.forge.request(Method::Post, self.place.thread_url, Some(&body));
        Turn::Send(Outbound::Http(request), Box::new(Creating::<F>(PhantomData)))
    }

    /// Edits the comment that an earlier effect left.
    pub(super) fn edit_remembered(self, id: RemoteId) -> Turn {
        let request = self.edit_request(&id);
        Turn::Send(request, Box::new(EditingRemembered { thread: self, id }))
    }

    pub(super) fn edit_request(&self, id: &RemoteId) -> Outbound {
        let url = format!("{}/{id}", self.place.comments_url);
        let body = F::comment_body(&self.body);
        Outbound::Http(self.forge.request(F::EDIT, url, Some(&body)))
    }

    /// Removes a comment.
    pub(super) fn removal_request(&self, id: &RemoteId) -> Outbound {
        let url = format!("{}/{id}", self.place.comments_url);
        Outbound::Http(self.forge.request(Method::Delete, url, None))
    }

    /// Our comment on a page: under the preferred marker if there is one, else the oldest.
    fn find(&self, page: &Page, us: Option<&Identity>, refused: &[RemoteId]) -> Option<RemoteId> {
        self.markers.iter().find_map(|marker| {
            let is_ours = |comment: &&ListedComment| {
                comment.is_marked(marker)
                    && comment.is_ours(us) == Some(true)
                    && !refused.contains(&comment.id)
            };
            page.comments.iter().find(is_ours).map(|comment| comment.id.clone())
        })
    }
}

/// Waits for the answer to a creation.
struct Creating<F>(PhantomData<F>);

impl<F: CommentApi> Exchange for Creating<F> {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        finish::<F>(expect_http(reply), None)
    }
}

/// Waits for the answer to an edit of the remembered comment.
struct EditingRemembered<F> {
    thread: CommentThread<F>,
    id: RemoteId,
}

impl<F: CommentApi> Exchange for EditingRemembered<F> {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        match expect_http(reply) {
            // Somebody deleted it: another of ours may be there, else there will be.
            Ok(reply) if reply.status == 404 => self.thread.search(),
            reply => finish::<F>(reply, Some(self.id)),
        }
    }
}

/// Goes through the pages, oldest comments first.
struct Search<F> {
    thread: CommentThread<F>,
    page_url: String,
    pages_read: u32,
    /// Found, but not ours to edit, or gone when we tried.
    refused: Vec<RemoteId>,
}

impl<F: CommentApi> Search<F> {
    fn read_page(self) -> Turn {
        Turn::Send(self.thread.page_request(&self.page_url), Box::new(self))
    }

    /// Looks at a page once it is known who we are.
    fn look(self, page: &Page, us: Option<&Identity>) -> Turn {
        match self.thread.find(page, us, &self.refused) {
            Some(id) => self.found(id, page.reply.status),
            None => self.next(page),
        }
    }

    fn next(mut self, page: &Page) -> Turn {
        self.pages_read += 1;
        match page.next_url(&*self.thread.forge, self.pages_read) {
            Ok(Some(next_url)) => {
                self.page_url = next_url;
                self.read_page()
            }
            Ok(None) => self.thread.create(),
            Err(failure) => Turn::Fail(failure),
        }
    }

    fn found(self, id: RemoteId, status: u16) -> Turn {
        match self.thread.on_found {
            OnFound::Keep => Turn::Done(Receipt { remote_id: id.to_string(), status }),
            OnFound::Edit => {
                let request = self.thread.edit_request(&id);
                Turn::Send(request, Box::new(EditingFound { search: self, id }))
            }
        }
    }
}

impl<F: CommentApi> Exchange for Search<F> {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        let page = match Page::read::<F>(reply) {
            Ok(page) => page,
            Err(failure) => return Turn::Fail(failure),
        };
        let us = self.thread.us(&page);
        if us.is_none() && page.needs_identity(&self.thread.markers) {
            let request = self.thread.identity_request();
            return Turn::Send(request, Box::new(Asking { search: *self, page }));
        }
        self.look(&page, us.as_ref())
    }
}

/// Waits to be told who we are, with the page on which that matters.
struct Asking<F> {
    search: Search<F>,
    page: Page,
}

impl<F: CommentApi> Exchange for Asking<F> {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        match self.search.thread.learn_identity(reply) {
            Ok(us) => self.search.look(&self.page, Some(&us)),
            Err(failure) => Turn::Fail(failure),
        }
    }
}

/// Waits for the answer to an edit of a comment that the search found.
struct EditingFound<F> {
    search: Search<F>,
    id: RemoteId,
}

impl<F: CommentApi> Exchange for EditingFound<F> {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        let reply = match expect_http(reply) {
            Ok(reply) => reply,
            Err(failure) => return Turn::Fail(failure),
        };
        let outcome = F::classify(&reply).map_err(|failure| failure.kind);
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
            _ => finish::<F>(Ok(reply), Some(self.id)),
        }
    }
}

/// Ends with the id that the answer shows, else the one that was `edited`.
fn finish<F: CommentApi>(
    reply: Result<HttpReply, DeliveryFailure>,
    edited: Option<RemoteId>,
) -> Turn {
    let receipt = reply.and_then(|reply| {
        let id = written_id::<F>(&reply)?.or(edited);
        let remote_id = id.map(|id| id.to_string()).unwrap_or_default();
        Ok(Receipt { remote_id, status: reply.status })
    });
    receipt.map_or_else(Turn::Fail, Turn::Done)
}

fn too_long() -> DeliveryFailure {
    let detail = "the page of comments is longer than the relay reads";
    DeliveryFailure::new(FailureKind::Server, Retryability::Temporary, detail)
}

#[cfg(test)]
#[path = "comment_exchange_test.rs"]
mod tests;
