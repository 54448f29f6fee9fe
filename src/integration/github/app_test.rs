//! What an installation of an App asks GitHub for, what the answers mean, and what of a file is an App.

use super::*;
use crate::integration::fixture::NOW;
use crate::settings::diagnostics::{Diagnostics, Files, SecretCheck};
use crate::settings::error::FileError;
use crate::settings::setting::Setting;
use crate::settings::yaml;
use FailureKind::{Auth, RateLimited, Server};
use Retryability::{Permanent, Temporary};
use std::path::Path;

const ROOT: &str = "https://ghe.example/api/v3";

fn exchange() -> Arc<TokenExchange> {
    let private_key = SecretRef::file("/key.pem");
    let app = AppInstallation { app_id: 42, installation_id: 7, private_key };
    let credential = app.credential(ROOT);
    let Credential::Exchanged { place, exchange } = credential else { panic!("{credential:?}") };
    assert_eq!(place, HeaderForm::bearer());
    exchange
}

fn reply(status: u16, body: &str) -> HttpReply {
    HttpReply { status, body: body.to_owned(), now: NOW, ..HttpReply::default() }
}

#[test]
fn the_request_for_a_token_is_signed_for_ten_minutes_from_a_minute_ago() {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = HttpRequest {
        method: Method::Post,
        url: Text::Plain(format!("{ROOT}/app/installations/7/access_tokens")),
        headers: vec![
            header("accept", "application/vnd.github+json"),
            header("user-agent", "tekton-events-relay"),
            header("x-github-api-version", "2022-11-28"),
        ],
        credential: Credential::Rs256Jwt {
            key: SecretRef::file("/key.pem"),
            claims: r#"{"iat":1699999940,"exp":1700000540,"iss":"42"}"#.to_owned(),
        },
        body: String::new(),
        wants: ReplyBody::Whole,
        connection: None,
    };
    assert_eq!(exchange().request(Timestamp(1_700_000_000_999)), expected);
}

#[test]
fn a_created_token_is_read_with_its_end() {
    let body = r#"{"token":"ghs_x","expires_at":"2026-07-11T22:14:10Z","permissions":{}}"#;
    let token = exchange().read(&reply(201, body)).unwrap();
    assert_eq!(token.value.expose(), "ghs_x");
    assert_eq!(token.expires_at.to_string(), "2026-07-11T22:14:10Z");
}

#[test]
fn an_answer_without_a_token_is_the_failure_that_it_means() {
    let limited = r#"{"message":"You have exceeded a secondary rate limit."}"#;
    let rows = [
        (401, r#"{"message":"A JSON web token could not be decoded"}"#, Auth, Permanent),
        (403, r#"{"message":"This installation has been suspended"}"#, Auth, Permanent),
        (403, limited, RateLimited, Temporary),
        (404, r#"{"message":"Not Found"}"#, Auth, Permanent),
        (500, "", Server, Temporary),
        (503, "", Server, Temporary),
        (200, "<html>", Server, Temporary),
        (201, "{}", Server, Temporary),
        (201, r#"{"token":" ","expires_at":"2026-07-11T22:14:10Z"}"#, Server, Temporary),
        (201, r#"{"token":"ghs_s3cret","expires_at":"soon"}"#, Server, Temporary),
    ];
    for (status, body, kind, retryability) in rows {
        let failure = exchange().read(&reply(status, body)).unwrap_err();
        assert_eq!((failure.kind, failure.retryability), (kind, retryability), "{status} {body}");
        assert!(!failure.detail().contains("s3cret"), "{failure}");
    }
}

/// One key at the Go relay's place.
struct KeyFile(&'static str);

impl Files for KeyFile {
    fn read(&self, path: &Path) -> Result<String, FileError> {
        let is_there = path == Path::new(DEFAULT_PRIVATE_KEY);
        is_there.then(|| self.0.to_owned()).ok_or(FileError::NotFound)
    }
}

const KEY: &str = include_str!("../../../tests/keys/rsa-pkcs8.pem");

/// The credential that `auth` means, and the mistakes in it.
fn read_auth(auth: &str, key: &'static str) -> (Option<Credential>, String) {
    let root = yaml::parse(auth).unwrap();
    let files = KeyFile(key);
    let diagnostics = Diagnostics::new(&files, SecretCheck::Required);
    let credential = {
        let setting = Setting { node: &root, path: "auth".to_owned(), diagnostics: &diagnostics };
        read(&mut setting.fields().unwrap(), ROOT)
    };
    let told = diagnostics.finish("f").err().map_or_else(String::new, |errors| errors.to_string());
    (credential, told)
}

#[test]
fn an_app_is_read_with_the_key_at_the_place_of_the_go_relay() {
    let private_key = SecretRef::file(DEFAULT_PRIVATE_KEY);
    let app = AppInstallation { app_id: 42, installation_id: 7, private_key };
    let found = read_auth("{app_id: 42, installation_id: 7, secret_file: ''}", KEY);
    assert_eq!(found, (Some(app.credential(ROOT)), String::new()));
}

#[test]
fn zeros_are_no_app() {
    let go = "{secret_file: /t, app_id: 0, installation_id: 0, private_key_file: ''}";
    assert_eq!(read_auth(go, KEY), (None, String::new()));
}

#[test]
fn half_an_app_an_app_with_a_token_and_a_wrong_key_are_refused_by_name() {
    let rows = [
        ("{app_id: 42}", KEY, "auth.installation_id: is required"),
        ("{installation_id: 7}", KEY, "auth.app_id: is required"),
        ("{private_key_file: /k}", KEY, "auth.private_key_file: belongs to a GitHub App"),
        ("{app_id: 1, installation_id: 1, secret_file: /t}", KEY, "auth.secret_file: has no place"),
        ("{app_id: 1, installation_id: 1, private_key_file: /k}", KEY, "/k: no such file"),
        ("{app_id: 1, installation_id: 1}", "ghp_s3cret", "it holds no private key in PEM"),
        ("{app_id: x, installation_id: 1}", KEY, "auth.app_id: expected an integer"),
    ];
    for (auth, key, words) in rows {
        let (_, told) = read_auth(auth, key);
        assert!(told.contains(words) && !told.contains("s3cret"), "{auth}: {told}");
    }
}
