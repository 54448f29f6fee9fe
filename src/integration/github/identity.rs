//! Whom a token writes as: <https://docs.github.com/en/rest/users/users#get-the-authenticated-user>.

use super::GithubInstance;
use crate::failure::{DeliveryFailure, FailureKind};
use crate::integration::HttpReply;
use crate::integration::forge::{Account, Forge, Identity};
use crate::integration::http;
use serde::Deserialize;

/// The `type` of the users that GitHub Apps write as. A person cannot be one.
const BOT: &str = "Bot";

/// A user as GitHub shows it.
#[derive(Deserialize)]
pub(super) struct GithubUser {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    login: String,
    #[serde(default, rename = "type")]
    kind: String,
}

impl From<GithubUser> for Account {
    fn from(user: GithubUser) -> Self {
        Self { id: user.id, login: user.login, is_bot: user.kind == BOT }
    }
}

/// Reads the answer to "who am I". The token of an App's installation may not ask.
///
/// # Errors
/// GitHub did not say: the credential is refused, a limit is reached, or the server failed.
pub(super) fn read(reply: &HttpReply) -> Result<Identity, DeliveryFailure> {
    match GithubInstance::classify(reply) {
        Ok(()) => serde_json::from_str::<GithubUser>(&reply.body)
            .map(|user| Identity::User(user.into()))
            .map_err(|_| http::unexpected_body(reply)),
        Err(failure) => {
            let is_forbidden = failure.kind == FailureKind::Auth && reply.status == 403;
            let is_app = is_forbidden || failure.kind == FailureKind::NotFound;
            if is_app { Ok(Identity::App) } else { Err(failure) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Retryability;
    use crate::integration::fixture::NOW;
    use crate::integration::forge::Author;
    use serde_json::json;

    fn reply(status: u16, body: &str) -> HttpReply {
        HttpReply { status, body: body.to_owned(), now: NOW, ..HttpReply::default() }
    }

    fn author(value: serde_json::Value) -> Author {
        Author::of(Some(serde_json::from_value::<Option<GithubUser>>(value).unwrap()))
    }

    #[test]
    fn a_user_is_recognised_by_id_else_by_name() {
        let us = read(&reply(200, r#"{"id":7,"login":"relay","type":"User"}"#)).unwrap();
        assert!(us.wrote(&author(json!({"id": 7, "login": "renamed"}))));
        assert!(!us.wrote(&author(json!({"id": 8, "login": "relay"}))));
        assert!(us.wrote(&author(json!({"login": "Relay"}))));
        assert!(!us.wrote(&author(json!({"login": "mallory"}))));
        assert!(!us.wrote(&author(json!({}))));
        assert!(!us.wrote(&author(json!(null))));
        assert!(us.wrote(&Author::Untold));
        let nameless = read(&reply(200, "{}")).unwrap();
        assert!(!nameless.wrote(&author(json!({}))));
    }

    #[test]
    fn an_installation_may_not_ask_and_takes_no_persons_comment_for_its_own() {
        for status in [403, 404] {
            let app = read(&reply(status, "{}")).unwrap();
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
            let failure = read(&reply).unwrap_err();
            assert_eq!((failure.kind, failure.retryability), (kind, retryability));
        }
    }
}
