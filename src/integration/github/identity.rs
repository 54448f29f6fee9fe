//! Whom a token writes as, and whether a comment is by that author. GitHub is asked once for each
//! token: <https://docs.github.com/en/rest/users/users#get-the-authenticated-user>.

use super::classify;
use crate::failure::{DeliveryFailure, FailureKind};
use crate::integration::http;
use crate::integration::{CredentialId, HttpReply};
use serde::{Deserialize, Deserializer};
use std::sync::{Arc, Mutex, PoisonError};

/// Tokens remembered: the present one, and the one that a rotation is about to end.
const IDENTITIES_MAX: usize = 4;

/// The `type` of the users that GitHub Apps write as. A person cannot be one.
const BOT: &str = "Bot";

/// An author as GitHub shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct User {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    login: String,
    #[serde(default, rename = "type")]
    kind: String,
}

/// The author of a listed comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Author {
    /// The server tells no authors: a look-alike of GitHub.
    #[default]
    Untold,
    /// GitHub names nobody: the account is gone.
    Nobody,
    Known(User),
}

impl<'de> Deserialize<'de> for Author {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<User>::deserialize(deserializer)?.map_or(Self::Nobody, Self::Known))
    }
}

/// Whom a token writes as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    User(User),
    /// The token of an App's installation, which may not ask who it is.
    App,
}

impl Identity {
    /// Reads the answer to "who am I".
    ///
    /// # Errors
    /// GitHub did not say: the credential is refused, a limit is reached, or the server failed.
    pub(super) fn read(reply: &HttpReply) -> Result<Self, DeliveryFailure> {
        match classify(reply) {
            Ok(()) => serde_json::from_str(&reply.body)
                .map(Self::User)
                .map_err(|_| http::unexpected_body(reply)),
            Err(failure) => {
                let is_forbidden = failure.kind == FailureKind::Auth && reply.status == 403;
                let is_app = is_forbidden || failure.kind == FailureKind::NotFound;
                if is_app { Ok(Self::App) } else { Err(failure) }
            }
        }
    }

    /// Whoever wrote what we know to be ours.
    pub(super) fn of_author(author: &Author) -> Option<Self> {
        match author {
            Author::Known(user) => Some(Self::User(user.clone())),
            Author::Untold | Author::Nobody => None,
        }
    }

    /// Whether a comment by `author` is one of ours. Any App's bot may be ours where we do not know
    /// our own name; a person never is.
    pub(super) fn wrote(&self, author: &Author) -> bool {
        let user = match author {
            Author::Untold => return true,
            Author::Nobody => return false,
            Author::Known(user) => user,
        };
        match self {
            Self::App => user.kind == BOT,
            Self::User(us) if us.id.is_some() && user.id.is_some() => us.id == user.id,
            Self::User(us) => !us.login.is_empty() && us.login.eq_ignore_ascii_case(&user.login),
        }
    }
}

/// What is known of the tokens seen, the latest last. It saves calls and decides nothing that
/// GitHub would not say again.
#[derive(Clone, Debug, Default)]
pub(super) struct Identities(Arc<Mutex<Vec<(CredentialId, Identity)>>>);

impl Identities {
    pub(super) fn find(&self, credential: Option<CredentialId>) -> Option<Identity> {
        let credential = credential?;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|(known, _)| *known == credential);
        found.map(|(_, identity)| identity.clone())
    }

    pub(super) fn learn(&self, credential: Option<CredentialId>, identity: &Identity) {
        let Some(credential) = credential else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(known, _)| *known != credential);
        if known.len() >= IDENTITIES_MAX {
            known.remove(0);
        }
        known.push((credential, identity.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Retryability;
    use crate::integration::fixture::NOW;
    use serde_json::json;

    fn reply(status: u16, body: &str) -> HttpReply {
        HttpReply { status, body: body.to_owned(), now: NOW, ..HttpReply::default() }
    }

    fn author(value: serde_json::Value) -> Author {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_user_is_recognised_by_id_else_by_name() {
        let us = Identity::read(&reply(200, r#"{"id":7,"login":"relay","type":"User"}"#)).unwrap();
        assert!(us.wrote(&author(json!({"id": 7, "login": "renamed"}))));
        assert!(!us.wrote(&author(json!({"id": 8, "login": "relay"}))));
        assert!(us.wrote(&author(json!({"login": "Relay"}))));
        assert!(!us.wrote(&author(json!({"login": "mallory"}))));
        assert!(!us.wrote(&author(json!({}))));
        assert!(!us.wrote(&author(json!(null))));
        assert!(us.wrote(&Author::Untold));
        let nameless = Identity::read(&reply(200, "{}")).unwrap();
        assert!(!nameless.wrote(&author(json!({}))));
    }

    #[test]
    fn an_installation_may_not_ask_and_takes_no_persons_comment_for_its_own() {
        for status in [403, 404] {
            let app = Identity::read(&reply(status, "{}")).unwrap();
            assert_eq!(app, Identity::App);
            assert!(app.wrote(&author(json!({"login": "relay[bot]", "type": "Bot"}))));
            assert!(!app.wrote(&author(json!({"login": "mallory", "type": "User"}))));
            assert!(!app.wrote(&author(json!({"login": "mallory[bot]"}))));
        }
    }

    #[test]
    fn an_answer_that_does_not_say_is_a_failure() {
        let rows = [
            (reply(401, ""), FailureKind::Auth, Retryability::Permanent),
            (reply(403, "secondary rate limit"), FailureKind::RateLimited, Retryability::Temporary),
            (reply(502, ""), FailureKind::Server, Retryability::Temporary),
            (reply(200, "<html>"), FailureKind::Server, Retryability::Temporary),
        ];
        for (reply, kind, retryability) in rows {
            let failure = Identity::read(&reply).unwrap_err();
            assert_eq!((failure.kind, failure.retryability), (kind, retryability));
        }
    }

    #[test]
    fn each_token_has_an_identity_of_its_own_and_few_are_remembered() {
        let identities = Identities::default();
        let id = |number| Some(CredentialId(number));
        identities.learn(None, &Identity::App);
        assert_eq!(identities.find(None), None);
        for number in 0..=IDENTITIES_MAX as u128 {
            identities.learn(id(number), &Identity::App);
        }
        assert_eq!(identities.find(id(0)), None);
        assert_eq!(identities.find(id(1)), Some(Identity::App));
        assert_eq!(format!("{:?}", CredentialId(77)), "CredentialId(...)");
    }
}
