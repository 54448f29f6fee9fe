//! Authentication as an installation of a GitHub App: a token of its own making, signed with the key
//! of the App, is exchanged for one of the installation, which lives an hour.
//!
//! - The signed token: <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>
//! - The exchange: <https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app>

use super::{add_headers, classify};
use crate::clock::Timestamp;
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use crate::integration::http::{self, json_request};
use crate::integration::jwt;
use crate::integration::token::{HeaderForm, Token, TokenExchange};
use crate::integration::{Credential, HttpReply, HttpRequest, Method, ReplyBody, Text};
use crate::secret::{Secret, SecretRef};
use crate::settings::KeyRow;
use crate::settings::error::Problem;
use crate::settings::fields::Fields;
use crate::settings::secret_file;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

pub(super) const APP_ID: KeyRow = KeyRow::integer(
    "auth.app_id",
    (0, ID_MAX),
    "none",
    "ID of a GitHub App. With it the instance writes as an installation of the App, and has no token file",
);

pub(super) const INSTALLATION_ID: KeyRow = KeyRow::integer(
    "auth.installation_id",
    (0, ID_MAX),
    "required with `app_id`",
    "ID of the App's installation",
);

pub(super) const PRIVATE_KEY_FILE: KeyRow = KeyRow::text(
    "auth.private_key_file",
    "`/etc/github-app/private-key.pem`",
    "File with the private key of the App: RSA in PEM (PKCS #1 or PKCS #8)",
);

/// The Go relay's place of the key.
const DEFAULT_PRIVATE_KEY: &str = "/etc/github-app/private-key.pem";

/// The largest integer that every JSON parser reads exactly.
const ID_MAX: i64 = (1 << 53) - 1;

/// GitHub recommends to date the signed token back, for clocks that go wrong.
const ISSUED_BEFORE: Duration = Duration::from_mins(1);

/// GitHub allows 10 minutes by its own clock; ours may be a minute ahead.
const LIFETIME: Duration = Duration::from_mins(9);

/// An installation of an App.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppInstallation {
    pub app_id: u64,
    pub installation_id: u64,
    /// The App's RSA key in PEM.
    pub private_key: SecretRef,
}

impl AppInstallation {
    /// The credential that writes as this installation, at the REST API below `rest_root`.
    #[must_use]
    pub fn credential(self, rest_root: &str) -> Credential {
        let url = format!("{rest_root}/app/installations/{}/access_tokens", self.installation_id);
        let request = move |now| self.token_request(url.clone(), now);
        let exchange = Arc::new(TokenExchange::new(request, read_token));
        Credential::Exchanged { place: HeaderForm::bearer(), exchange }
    }

    fn token_request(&self, url: String, now: Timestamp) -> HttpRequest {
        let seconds = |at: Timestamp| at.0 / 1000;
        let (from, to) = (seconds(now.before(ISSUED_BEFORE)), seconds(now.after(LIFETIME)));
        let claims = format!(r#"{{"iat":{from},"exp":{to},"iss":"{}"}}"#, self.app_id);
        let credential = Credential::Rs256Jwt { key: self.private_key.clone(), claims };
        let url = Text::Plain(url);
        let mut request = json_request(Method::Post, url, credential, None, ReplyBody::Whole);
        add_headers(&mut request);
        request
    }
}

/// What GitHub answers. There is more in it.
#[derive(Deserialize)]
struct CreatedToken {
    token: String,
    expires_at: String,
}

/// # Errors
/// GitHub refused, or its answer holds no token.
fn read_token(reply: &HttpReply) -> Result<Token, DeliveryFailure> {
    if reply.status == 404 {
        // It is not created later: who installs the App again gets another installation.
        let unknown = http::failure(reply, FailureKind::Auth, Retryability::Permanent);
        return Err(unknown.with_detail("status 404: the App has no such installation"));
    }
    classify(reply)?;
    let created: CreatedToken =
        serde_json::from_str(&reply.body).map_err(|_| http::unexpected_body(reply))?;
    let expires_at = Timestamp::parse_rfc3339(&created.expires_at);
    let expires_at = expires_at.ok_or_else(|| http::unexpected_body(reply))?;
    match Secret::new(&created.token) {
        value if value.expose().is_empty() => Err(http::unexpected_body(reply)),
        value => Ok(Token { value, expires_at }),
    }
}

/// Reads the keys of an App. `None` where there is none; after a mistake there is no credential.
pub(super) fn read(fields: &mut Fields<'_>, rest_root: &str) -> Option<Credential> {
    // As in Go, 0 is an absent key.
    let mut id = |key| fields.amount(key, 0..=ID_MAX).filter(|id| *id > 0);
    let (app_id, installation_id) = (id("app_id"), id("installation_id"));
    let named = fields.text_setting("private_key_file");
    let (app_id, installation_id) = match (app_id, installation_id) {
        (None, None) => {
            if let Some((_, setting)) = named {
                let rule = "belongs to a GitHub App: it needs `app_id` and `installation_id`";
                setting.fail(Problem::Conflict { rule });
            }
            return None;
        }
        (Some(app_id), Some(installation_id)) => (app_id, installation_id),
        (app_id, _) => {
            let missing = if app_id.is_none() { "app_id" } else { "installation_id" };
            let hint = "a GitHub App needs `app_id` and `installation_id`".into();
            fields.fail(missing, Problem::Missing { hint });
            return Some(Credential::None);
        }
    };
    let rule = "has no place beside `app_id`: an App gets its tokens from GitHub";
    fields.misplaced(&["secret_file", "secret_key"], rule);
    let private_key = match named {
        Some(named) => secret_file::named_with(&named, check_key),
        None => {
            let place = SecretRef::file(DEFAULT_PRIVATE_KEY);
            if let Err(problem) = fields.diagnostics().check_secret(place.path(), check_key) {
                fields.fail("private_key_file", problem);
            }
            Some(place)
        }
    };
    let app =
        private_key.map(|private_key| AppInstallation { app_id, installation_id, private_key });
    Some(app.map_or(Credential::None, |app| app.credential(rest_root)))
}

fn check_key(content: &str) -> Result<(), String> {
    jwt::rsa_key(content.as_bytes()).map(|_| ()).map_err(|error| error.to_string())
}

#[cfg(test)]
#[path = "app_test.rs"]
mod tests;
