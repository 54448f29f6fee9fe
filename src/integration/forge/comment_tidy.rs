//! The turns of a repair: a call whose end nobody heard may have created the comment a second time.
//! All comments under our marker are listed, one of ours is brought up to date, and our others are
//! deleted: anybody can paste a marker.

use super::comment_exchange::{CommentThread, Page};
use super::identity::{Author, Identity};
use super::{CommentApi, RemoteId, written_id};
use crate::effect::Receipt;
use crate::failure::FailureKind;
use crate::integration::http::expect_http;
use crate::integration::{Exchange, Reply, Turn};

/// Comments that one repair deletes: as many calls as may have been lost on one target.
const SURPLUS_MAX: usize = 5;

/// A comment under our marker.
struct Marked {
    id: RemoteId,
    author: Author,
}

/// Reads the pages, then edits one comment and deletes its doubles.
struct Tidy<F> {
    thread: CommentThread<F>,
    remembered: Option<RemoteId>,
    page_url: String,
    pages_read: u32,
    marked: Vec<Marked>,
}

impl<F: CommentApi> CommentThread<F> {
    /// Brings our comment up to date, creates it if there is none, and removes its doubles.
    pub(super) fn tidy(self, remembered: Option<RemoteId>) -> Turn {
        let page_url = self.place.first_page_url.clone();
        Tidy { thread: self, remembered, page_url, pages_read: 0, marked: Vec::new() }.read_page()
    }
}

impl<F: CommentApi> Tidy<F> {
    fn read_page(self) -> Turn {
        Turn::Send(self.thread.page_request(&self.page_url), Box::new(self))
    }

    /// Goes on once all pages are read. The comment that we remember tells who we are, else the
    /// forge does, where it matters.
    fn sort(self, known: Option<Identity>) -> Turn {
        let is_remembered = |comment: &&Marked| Some(&comment.id) == self.remembered.as_ref();
        let remembered = self.marked.iter().find(is_remembered);
        let us = known.or_else(|| Identity::of_author(&remembered?.author));
        let is_told = self.marked.iter().any(|comment| comment.author != Author::Untold);
        if us.is_none() && is_told {
            return Turn::Send(self.thread.identity_request(), Box::new(Asking(self)));
        }
        self.edit(us.as_ref())
    }

    fn edit(mut self, us: Option<&Identity>) -> Turn {
        self.marked.retain(|comment| us.is_none_or(|us| us.wrote(&comment.author)));
        let is_remembered = |comment: &&Marked| Some(&comment.id) == self.remembered.as_ref();
        let kept = self.marked.iter().find(is_remembered).or(self.marked.first());
        let Some(id) = kept.map(|comment| comment.id.clone()) else { return self.thread.create() };
        let doubles = self.marked.iter().filter(|other| {
            // Where nobody tells who wrote it, it stays.
            other.id != id && other.author != Author::Untold
        });
        let surplus = doubles.map(|double| double.id.clone()).take(SURPLUS_MAX).collect();
        let request = self.thread.edit_request(&id);
        Turn::Send(request, Box::new(Editing { thread: self.thread, id, surplus }))
    }
}

impl<F: CommentApi> Exchange for Tidy<F> {
    fn on_reply(mut self: Box<Self>, reply: Reply) -> Turn {
        let page = match Page::read::<F>(reply) {
            Ok(page) => page,
            Err(failure) => return Turn::Fail(failure),
        };
        let us = self.thread.us(&page);
        self.pages_read += 1;
        let next_url = page.next_url(&*self.thread.forge, self.pages_read);
        let marker = self.thread.markers.first();
        let marked = page.comments.into_iter();
        let marked =
            marked.filter(|comment| marker.is_some_and(|marker| comment.is_marked(marker)));
        self.marked.extend(marked.map(|comment| Marked { id: comment.id, author: comment.author }));
        match next_url {
            Ok(Some(page_url)) => {
                self.page_url = page_url;
                self.read_page()
            }
            Ok(None) => self.sort(us),
            Err(failure) => Turn::Fail(failure),
        }
    }
}

/// Waits to be told who we are.
struct Asking<F>(Tidy<F>);

impl<F: CommentApi> Exchange for Asking<F> {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        match self.0.thread.learn_identity(reply) {
            Ok(us) => self.0.edit(Some(&us)),
            Err(failure) => Turn::Fail(failure),
        }
    }
}

/// Waits for the answer to the edit of the comment that stays.
struct Editing<F> {
    thread: CommentThread<F>,
    id: RemoteId,
    surplus: Vec<RemoteId>,
}

impl<F: CommentApi> Exchange for Editing<F> {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        let Self { thread, id, surplus } = *self;
        let written = expect_http(reply).and_then(|reply| {
            written_id::<F>(&reply)?;
            Ok(Receipt { remote_id: id.to_string(), status: reply.status })
        });
        match written {
            Ok(receipt) => Deleting { thread, receipt, surplus }.next(),
            Err(failure) => Turn::Fail(failure),
        }
    }
}

/// Deletes the doubles, one after the other.
struct Deleting<F> {
    thread: CommentThread<F>,
    receipt: Receipt,
    surplus: Vec<RemoteId>,
}

impl<F: CommentApi> Deleting<F> {
    fn next(mut self) -> Turn {
        match self.surplus.pop() {
            Some(id) => Turn::Send(self.thread.removal_request(&id), Box::new(self)),
            None => Turn::Done(self.receipt),
        }
    }
}

impl<F: CommentApi> Exchange for Deleting<F> {
    fn on_reply(self: Box<Self>, reply: Reply) -> Turn {
        match expect_http(reply).and_then(|reply| F::classify(&reply)) {
            Ok(()) => self.next(),
            // Gone already, or not ours to delete: what we keep is up to date all the same.
            Err(failure) if matches!(failure.kind, FailureKind::NotFound | FailureKind::Auth) => {
                self.next()
            }
            Err(failure) => Turn::Fail(failure),
        }
    }
}

#[cfg(test)]
#[path = "comment_tidy_test.rs"]
mod tests;
