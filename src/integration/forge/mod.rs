//! What all forges share: the actions `commit_status` and `pr_comment`, their settings, and the turns
//! of a comment. A forge is a type that implements [`StatusApi`] and [`CommentApi`]; it brings URLs,
//! field names, bounds and the meaning of its answers, and no exchange of its own.

mod comment;
mod comment_exchange;
mod comment_tidy;
mod identity;
mod pages;
mod settings;
mod status;

#[cfg(test)]
mod answers_test;

pub(super) use comment::{CommentAction, CommentApi, CommentMode};
pub(super) use comment_exchange::{ListedComment, ThreadPlace};
pub(super) use identity::{Account, Author, Identities, Identity, told};
pub(super) use settings::{ActionOptions, COMMIT_STATUS, PR_COMMENT, read_actions};
pub(super) use status::{StateWords, StatusAction, StatusApi, StatusForm};

#[cfg(test)]
pub(super) use comment::default_text;
#[cfg(test)]
pub(super) use status::Creating;

use super::http;
use super::{HttpReply, HttpRequest, Method};
use crate::effect::SkipReason;
use crate::event::{RunEvent, is_forge_name};
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use std::fmt;

/// How much is read of the answer to a write, in bytes: one object with its text, which is at most
/// 65,536 characters.
pub(super) const OBJECT_BYTES_MAX: usize = 512 * 1024;

/// A configured instance of a forge.
pub(super) trait Forge: fmt::Debug + Send + Sync + 'static {
    /// The kind under which instances are configured, and the provider that runs name.
    const KIND: &'static str;

    /// Whether a text may be the owner of a repository here.
    const IS_OWNER: fn(&str) -> bool = is_forge_name;

    /// The name of the instance.
    fn name(&self) -> &str;

    /// The root of the API. Pages of comments on another scheme, host or port are not followed.
    fn root(&self) -> &str;

    /// The URL of the repository that the run names. `None` when it names none, or one whose
    /// parts would lead elsewhere.
    fn repository_url(&self, event: &RunEvent) -> Option<String>;

    /// A request with the instance's credential and headers.
    fn request(&self, method: Method, url: String, body: Option<&serde_json::Value>)
    -> HttpRequest;

    /// What an answer means.
    ///
    /// # Errors
    /// Every status but 2xx.
    fn classify(reply: &HttpReply) -> Result<(), DeliveryFailure> {
        http::classify(reply)
    }

    /// Why nothing is written for a run: it names no repository, or one that the forge cannot have.
    fn refuses_repository(&self, event: &RunEvent) -> Option<SkipReason> {
        let repository = &event.scm.repository;
        if repository.owner.is_empty() || repository.name.is_empty() {
            return Some(SkipReason::MissingFacts);
        }
        let is_possible = Self::IS_OWNER(&repository.owner) && is_forge_name(&repository.name);
        (!is_possible).then_some(SkipReason::ImpossibleFacts)
    }

    /// The leading parts of every target key. Forges ignore case in owner and repository, and take
    /// the name of a clone URL for the repository: `app.git` is `app`, as it is for the policy.
    fn repository_key(&self, event: &RunEvent) -> [String; 4] {
        let repository = &event.scm.repository;
        let (owner, name) = (repository.owner.to_lowercase(), repository.name.to_lowercase());
        let name = name.strip_suffix(".git").map_or(name.clone(), str::to_owned);
        [Self::KIND.to_owned(), self.name().to_owned(), owner, name]
    }
}

/// The id of a comment or status at its forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RemoteId(String);

impl RemoteId {
    /// The id of a forge that numbers its objects.
    pub(super) fn number(id: u64) -> Self {
        Self(id.to_string())
    }

    /// The number in a remembered id; `None` for every other text, which could lead a request to
    /// another endpoint.
    pub(super) fn parse_number(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::number)
    }
}

impl fmt::Display for RemoteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of the object that an answer shows; `None` when it shows none. A 2xx with a body that is
/// no JSON was not said by the forge, but 201 says "created" even where a proxy lost the body, and
/// one that broke off was begun by the forge unless it is a page.
///
/// # Errors
/// A failure status, or a body that is not the forge's.
pub(super) fn written_id<F: Forge>(reply: &HttpReply) -> Result<Option<RemoteId>, DeliveryFailure> {
    F::classify(reply)?;
    let is_page = reply.body.trim_start().starts_with('<');
    match serde_json::from_str::<serde_json::Value>(&reply.body) {
        Ok(body) => {
            let id = body.get("id").and_then(serde_json::Value::as_u64);
            Ok(id.map(RemoteId::number))
        }
        Err(_) if reply.status == 201 || (reply.is_cut && !is_page) => Ok(None),
        Err(_) => Err(http::unexpected_body(reply)),
    }
}

/// The run lost what its plan had found: only possible when the stored event is not the planned.
fn missing_facts<F: Forge>() -> DeliveryFailure {
    let detail = format!("the run names no {} object that could be written", F::KIND);
    DeliveryFailure::new(FailureKind::Invalid, Retryability::Permanent, &detail)
}
