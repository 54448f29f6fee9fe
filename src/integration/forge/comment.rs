//! Action `pr_comment`: what a comment says, where it goes, and under which marker. How it gets
//! there is in [`super::comment_exchange`].

use super::comment_exchange::{CommentThread, ListedComment, OnFound, ThreadPlace};
use super::identity::{Identities, Identity};
use super::settings::PR_COMMENT_TYPE;
use super::{ActionOptions, Forge, RemoteId, missing_facts};
use crate::effect::{Delivery, SkipReason};
use crate::event::{RunContext, RunEvent};
use crate::failure::DeliveryFailure;
use crate::integration::marker::Marker;
use crate::integration::summary::{emoji, render, summary_markdown};
use crate::integration::text::target_key;
use crate::integration::{Effect, HttpReply, HttpRequest, Integration, Method, Target, Turn};
use crate::template::{Data, Markup, escape_address, escape_markdown};
use std::sync::Arc;

/// Comments on the pull requests of a forge: read in pages that name the next one, and written as
/// objects with a numeric `id`.
pub(in crate::integration) trait CommentApi: Forge {
    /// The method that edits a comment.
    const EDIT: Method;

    /// Where the comments of the pull request are that the run names. `None` when it names none,
    /// or a repository whose parts would lead elsewhere.
    fn thread_place(&self, event: &RunEvent) -> Option<ThreadPlace>;

    /// A comment cut to the length that the forge takes.
    fn cut(comment: &str) -> String;

    /// A text without what would make the forge act on it instead of showing it.
    fn inert(text: String) -> String {
        text
    }

    /// The body of a request that creates or edits a comment.
    fn comment_body(text: &str) -> serde_json::Value {
        serde_json::json!({ "body": text })
    }

    /// The comments on a page.
    ///
    /// # Errors
    /// The text is no page of this forge.
    fn comments(page: &str) -> Result<Vec<ListedComment>, serde_json::Error>;

    /// Asks whom the credential writes as.
    fn identity_request(&self) -> HttpRequest;

    /// Reads the answer to "who am I".
    ///
    /// # Errors
    /// The forge did not say: the credential is refused, a limit is reached, or the server failed.
    fn read_identity(reply: &HttpReply) -> Result<Identity, DeliveryFailure>;

    /// What the instance knows of its credentials.
    fn identities(&self) -> &Identities;
}

/// Whether a comment is written anew or kept up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::integration) enum CommentMode {
    /// Every accepted transition is a comment of its own.
    #[default]
    Create,
    /// One comment per run, edited in place.
    Upsert,
}

/// Writes comments on pull requests.
#[derive(Debug)]
pub(in crate::integration) struct CommentAction<F> {
    forge: Arc<F>,
    options: ActionOptions,
}

impl<F: CommentApi> CommentAction<F> {
    /// The action on an instance; all options but `context_per_task` apply.
    pub(in crate::integration) fn new(forge: Arc<F>, options: ActionOptions) -> Self {
        Self { forge, options }
    }

    fn text(&self, effect: &Effect<'_>) -> Result<String, DeliveryFailure> {
        let text = match &self.options.template {
            Some(template) => {
                let data = Data::event(effect.event, effect.context);
                render(template, &data, Markup::Markdown)?
            }
            None => default_text(effect.event, effect.context),
        };
        let Some(summary) = effect.summary else { return Ok(text) };
        let section = summary_markdown(summary, self.options.summary_template.as_ref())?;
        Ok(format!("{text}\n\n{section}"))
    }

    /// The marker to write, then those to recognise besides.
    fn markers(&self, effect: &Effect<'_>) -> Vec<Marker> {
        let (uid, action) = (&effect.event.uid, &self.options.action);
        match self.options.mode {
            CommentMode::Create => vec![Marker::of_effect(uid, PR_COMMENT_TYPE, action, effect.id)],
            CommentMode::Upsert if self.options.is_only_comment => vec![
                Marker::of_run(uid, PR_COMMENT_TYPE, action),
                Marker::of_go_relay(uid, PR_COMMENT_TYPE),
            ],
            CommentMode::Upsert => vec![Marker::of_run(uid, PR_COMMENT_TYPE, action)],
        }
    }

    fn thread(&self, effect: &Effect<'_>) -> Result<CommentThread<F>, DeliveryFailure> {
        let place = self.forge.thread_place(effect.event).ok_or_else(missing_facts::<F>)?;
        let text = F::inert(self.text(effect)?);
        let markers = self.markers(effect);
        let body = markers.first().map_or_else(|| text.clone(), |marker| marker.mark(&text));
        let on_found = match self.options.mode {
            CommentMode::Create => OnFound::Keep,
            CommentMode::Upsert => OnFound::Edit,
        };
        let (forge, body) = (Arc::clone(&self.forge), F::cut(&body));
        Ok(CommentThread { forge, place, body, markers, on_found })
    }
}

impl<F: CommentApi> Integration for CommentAction<F> {
    fn target(&self, event: &RunEvent, _context: &RunContext) -> Result<Target, SkipReason> {
        if let Some(reason) = self.forge.refuses_repository(event) {
            return Err(reason);
        }
        let number = event.scm.pr_number.ok_or(SkipReason::MissingFacts)?;
        let [kind, instance, owner, repository] = self.forge.repository_key(event);
        let (number, action) = (number.to_string(), &self.options.action);
        let object = [&kind, &instance, &owner, &repository, &number, &event.uid, action];
        let mut parts = object.map(String::as_str).to_vec();
        let delivery = match self.options.mode {
            CommentMode::Upsert => Delivery::Latest,
            CommentMode::Create => {
                parts.push("create");
                Delivery::Stream
            }
        };
        Ok(Target { key: target_key(&parts), delivery })
    }

    fn begin(&self, effect: &Effect<'_>) -> Turn {
        let thread = match self.thread(effect) {
            Ok(thread) => thread,
            Err(failure) => return Turn::Fail(failure),
        };
        let remembered = || effect.remote_id.and_then(RemoteId::parse_number);
        match self.options.mode {
            CommentMode::Create if effect.is_in_doubt => thread.search(),
            CommentMode::Create => thread.create(),
            CommentMode::Upsert if effect.is_repair => thread.tidy(remembered()),
            // Without a remembered id the relay searches even where nothing is in doubt: the
            // comment may stem from the Go relay, or from a log that is gone.
            CommentMode::Upsert => match remembered() {
                Some(id) => thread.edit_remembered(id),
                None => thread.search(),
            },
        }
    }
}

/// What a comment says where no template is set.
pub(in crate::integration) fn default_text(event: &RunEvent, context: &RunContext) -> String {
    let name = escape_markdown(&event.name);
    let name = match context.target_url.as_str() {
        "" => name,
        url => format!("[{name}]({})", escape_address(url)),
    };
    format!("{} Build {} for {name}", emoji(Some(event.state)), event.state)
}
