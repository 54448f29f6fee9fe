//! GitHub: commit statuses and pull request comments over REST, version 2022-11-28.
//!
//! - Commit statuses: <https://docs.github.com/en/rest/commits/statuses>
//! - Comments: <https://docs.github.com/en/rest/issues/comments>
//! - Rate limits: <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>
//!
//! This file holds what the actions share: the instance, its requests, and GitHub's own meaning
//! of some answers.

mod app;
mod comment;
mod commit_status;
mod identity;
mod settings;

pub use app::AppInstallation;
pub use settings::ROW;

use super::forge::{Forge, Identities, OBJECT_BYTES_MAX};
use super::http::{self, json_request, path_segment, set_header};
use super::{Credential, HttpReply, HttpRequest, Method, ReplyBody, Text};
use crate::event::RunEvent;
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use std::time::Duration;

/// The kind under which instances are configured, and the provider that runs name.
pub const KIND: &str = "github";

/// Where an instance without `base_url` sends to.
pub const DEFAULT_BASE_URL: &str = "https://api.github.com";

/// Wait after a limit that names no time, or one that is over: GitHub asks for at least one minute.
const SECONDARY_LIMIT_WAIT: Duration = Duration::from_mins(1);

/// A configured GitHub or GitHub Enterprise Server.
#[derive(Clone, Debug)]
pub struct GithubInstance {
    name: String,
    base_url: String,
    credential: Credential,
    identities: Identities,
}

impl GithubInstance {
    /// An instance at `base_url`; empty means [`DEFAULT_BASE_URL`]. A host with `https` and
    /// without a path is a GitHub Enterprise Server, unless its name starts with `api.`.
    #[must_use]
    pub fn new(name: &str, base_url: &str, credential: Credential) -> Self {
        let base_url = rest_root(base_url);
        Self { name: name.to_owned(), base_url, credential, identities: Identities::default() }
    }
}

impl Forge for GithubInstance {
    const KIND: &'static str = KIND;

    fn name(&self) -> &str {
        &self.name
    }

    fn root(&self) -> &str {
        &self.base_url
    }

    fn repository_url(&self, event: &RunEvent) -> Option<String> {
        let repository = &event.scm.repository;
        let owner = path_segment(&repository.owner)?;
        let name = path_segment(&repository.name)?;
        Some(format!("{}/repos/{owner}/{name}", self.base_url))
    }

    fn request(
        &self,
        method: Method,
        url: String,
        body: Option<&serde_json::Value>,
    ) -> HttpRequest {
        let wants = match method {
            Method::Get => ReplyBody::Whole,
            Method::Delete => ReplyBody::Unread,
            Method::Post | Method::Put | Method::Patch => ReplyBody::Glance(OBJECT_BYTES_MAX),
        };
        let (url, credential) = (Text::Plain(url), self.credential.clone());
        let mut request = json_request(method, url, credential, body, wants);
        add_headers(&mut request);
        request
    }

    fn classify(reply: &HttpReply) -> Result<(), DeliveryFailure> {
        classify(reply)
    }
}

/// What every request says of the API it speaks.
fn add_headers(request: &mut HttpRequest) {
    set_header(request, "accept", "application/vnd.github+json");
    set_header(request, "x-github-api-version", "2022-11-28");
}

/// What an answer of GitHub means.
///
/// # Errors
/// Every status but 2xx.
fn classify(reply: &HttpReply) -> Result<(), DeliveryFailure> {
    let Err(failure) = http::classify(reply) else { return Ok(()) };
    let said = http::said(reply);
    let is_limited = match reply.status {
        // Secondary limits come as 403 and as 422 ("was submitted too quickly"), with and without
        // headers, and also as a page.
        403 | 422 => failure.kind == FailureKind::RateLimited || http::says_limit(reply),
        _ => failure.kind == FailureKind::RateLimited,
    };
    if is_limited {
        let wait = http::failure(reply, FailureKind::RateLimited, Retryability::Temporary);
        let asked = wait.retry_after.filter(|asked| !asked.is_zero());
        return Err(wait.with_retry_after(asked.or(Some(SECONDARY_LIMIT_WAIT))));
    }
    Err(match reply.status {
        // The commit may be on its way: forges and mirrors lag behind the event.
        422 if said.contains("no commit found") => {
            http::failure(reply, FailureKind::NotFound, Retryability::Unsettled)
        }
        422 if said.contains("maximum number of statuses") => failure.with_detail(
            "status 422: GitHub takes 1,000 statuses for a commit and context, and has them",
        ),
        404 => {
            let detail = format!("{} (or the token may not see it)", failure.detail());
            failure.with_detail(&detail)
        }
        _ => failure,
    })
}

/// The REST root behind a configured address. GitHub Enterprise Server has it below `/api/v3`,
/// which the Go relay's users leave out; hosts named `api.` are REST roots themselves.
fn rest_root(base_url: &str) -> String {
    let base_url = base_url.trim_end_matches('/');
    let is_server = base_url
        .strip_prefix("https://")
        .is_some_and(|host| !host.contains('/') && !host.starts_with("api."));
    match base_url {
        "" => DEFAULT_BASE_URL.to_owned(),
        server if is_server => format!("{server}/api/v3"),
        root => root.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integration::{fixture, forge};
    use FailureKind::{Auth, Invalid, NotFound, RateLimited};
    use Retryability::{Permanent, Temporary, Unsettled};

    fn reply(status: u16, body: &str) -> HttpReply {
        HttpReply { status, body: body.to_owned(), now: fixture::NOW, ..HttpReply::default() }
    }

    fn written_id(reply: &HttpReply) -> Result<String, DeliveryFailure> {
        let id = forge::written_id::<GithubInstance>(reply)?;
        Ok(id.map(|id| id.to_string()).unwrap_or_default())
    }

    #[test]
    fn an_unknown_commit_may_settle_but_used_up_statuses_do_not() {
        let unknown = r#"{"message":"No commit found for SHA: 0123","documentation_url":"x"}"#;
        let failure = classify(&reply(422, unknown)).unwrap_err();
        assert_eq!((failure.kind, failure.retryability), (NotFound, Unsettled));

        let full = r#"{"message":"Validation Failed","errors":["This SHA and context has reached the maximum number of statuses."]}"#;
        let failure = classify(&reply(422, full)).unwrap_err();
        assert_eq!((failure.kind, failure.retryability), (Invalid, Permanent));
        assert_eq!(
            failure.detail(),
            "status 422: GitHub takes 1,000 statuses for a commit and context, and has them"
        );
    }

    #[test]
    fn a_limit_is_known_by_its_words_and_waits_a_minute_where_it_names_no_time() {
        let submitted = r#"{"message":"Validation Failed","errors":[{"resource":"IssueComment","code":"unprocessable","field":"data","message":"was submitted too quickly"}]}"#;
        let rows = [
            (403, r#"{"message":"You have exceeded a secondary rate limit. Please wait."}"#),
            (403, r#"{"message":"You have triggered an abuse detection mechanism."}"#),
            (403, r#"{"message":"API rate limit exceeded for installation ID 7."}"#),
            (
                403,
                r#"{"message":"Maximum number of login attempts exceeded. Please try again later."}"#,
            ),
            (403, "<html><h1>Whoa there!</h1>You have exceeded a secondary rate limit.</html>"),
            (422, submitted),
            (429, "<html>Too many requests</html>"),
            (429, ""),
        ];
        for (status, body) in rows {
            let failure = classify(&reply(status, body)).unwrap_err();
            let outcome = (failure.kind, failure.retryability, failure.retry_after);
            assert_eq!(outcome, (RateLimited, Temporary, Some(SECONDARY_LIMIT_WAIT)), "{body}");
        }
        for said in ["0", "Fri, 20 Nov 2026 09:59:00 GMT", "soon"] {
            let headers = vec![("retry-after".to_owned(), said.to_owned())];
            let limited = HttpReply { headers, ..reply(429, "") };
            let failure = classify(&limited).unwrap_err();
            assert_eq!(failure.retry_after, Some(SECONDARY_LIMIT_WAIT), "{said}");
        }
    }

    #[test]
    fn what_is_no_limit_is_not_taken_for_one() {
        let refused = [
            r#"{"message":"Resource not accessible by personal access token"}"#,
            r#"{"message":"Resource protected by organization SAML enforcement."}"#,
            r#"{"message":"Unable to create comment because issue is locked."}"#,
        ];
        for body in refused {
            let failure = classify(&reply(403, body)).unwrap_err();
            assert_eq!((failure.kind, failure.retryability), (Auth, Permanent));
        }
        let invalid = classify(&reply(422, r#"{"message":"Validation Failed"}"#)).unwrap_err();
        assert_eq!((invalid.kind, invalid.retryability), (Invalid, Permanent));
        let disabled = classify(&reply(410, r#"{"message":"Issues are disabled"}"#)).unwrap_err();
        assert_eq!((disabled.kind, disabled.retryability), (NotFound, Permanent));
        let hidden = classify(&reply(404, r#"{"message":"Not Found"}"#)).unwrap_err();
        assert_eq!(hidden.detail(), "status 404: Not Found (or the token may not see it)");
    }

    #[test]
    fn a_write_whose_answer_broke_off_is_written() {
        let broken = |body| HttpReply { is_cut: true, ..reply(200, body) };
        assert_eq!(written_id(&broken(r#"{"id":7,"bo"#)), Ok(String::new()));
        assert_eq!(written_id(&broken("")), Ok(String::new()));
        assert!(written_id(&broken("<html>sign in")).is_err());
    }

    #[test]
    fn a_created_object_without_id_counts_and_a_strange_200_does_not() {
        assert_eq!(written_id(&reply(201, r#"{"id":7}"#)), Ok("7".to_owned()));
        assert_eq!(written_id(&reply(201, "")), Ok(String::new()));
        assert_eq!(written_id(&reply(200, "{}")), Ok(String::new()));
        let strange = written_id(&reply(200, "<html>login</html>")).unwrap_err();
        assert_eq!((strange.kind, strange.retryability), (FailureKind::Server, Temporary));
    }

    #[test]
    fn a_base_url_leads_to_the_rest_root() {
        let rows = [
            ("", "https://api.github.com"),
            ("https://api.github.com/", "https://api.github.com"),
            ("https://api.acme.ghe.com", "https://api.acme.ghe.com"),
            ("https://ghe.example", "https://ghe.example/api/v3"),
            ("https://ghe.example.com", "https://ghe.example.com/api/v3"),
            ("https://ghe.example.com/api/v3", "https://ghe.example.com/api/v3"),
            ("https://ghe.example/api/v3/", "https://ghe.example/api/v3"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ];
        for (base_url, root) in rows {
            let instance = GithubInstance::new("main", base_url, Credential::None);
            let url = instance.repository_url(&fixture::event());
            assert_eq!(url, Some(format!("{root}/repos/Acme/app")));
        }
    }

    #[test]
    fn a_repository_cannot_lead_to_another_endpoint() {
        let instance = GithubInstance::new("main", "", Credential::None);
        let mut event = fixture::event();
        event.scm.repository.owner = "..".to_owned();
        assert_eq!(instance.repository_url(&event), None);
        event.scm.repository.owner = "a/../b".to_owned();
        assert_eq!(
            instance.repository_url(&event),
            Some("https://api.github.com/repos/a%2F..%2Fb/app".to_owned())
        );
    }
}
