//! GitLab: commit statuses and notes on merge requests over REST, version 4.
//!
//! - Commit statuses: <https://docs.gitlab.com/api/commits/#set-commit-pipeline-status>
//! - Notes: <https://docs.gitlab.com/api/notes/#merge-requests>
//! - Authentication: <https://docs.gitlab.com/api/rest/authentication/>
//! - Rate limits: <https://docs.gitlab.com/security/rate_limits/>
//!
//! This file holds what the actions share: the instance, its requests, and GitLab's own meaning of
//! some answers. A project is named by its path alone. An id would give one project two target keys,
//! and a run could claim the path that a policy allows beside the id of another project.

mod comment;
mod commit_status;
mod settings;

pub use settings::ROW;

use super::forge::{Forge, Identities, OBJECT_BYTES_MAX};
use super::http::{self, json_request, path_segment};
use super::{Credential, HttpReply, HttpRequest, Method, ReplyBody, Text};
use crate::event::{RunEvent, is_forge_owner};
use crate::failure::{DeliveryFailure, FailureKind};
use std::time::Duration;

/// The kind under which instances are configured, and the provider that runs name.
pub const KIND: &str = "gitlab";

/// Where an instance without `base_url` sends to.
const DEFAULT_BASE_URL: &str = "https://gitlab.com";

/// The path of the API below the address of a GitLab.
const API_PATH: &str = "/api/v4";

/// Wait after a limit that names no time, or one that is over: GitLab counts calls by the minute.
const LIMIT_WAIT: Duration = Duration::from_mins(1);

/// A configured GitLab.
#[derive(Clone, Debug)]
pub struct GitlabInstance {
    name: String,
    /// The root of the API.
    root: String,
    credential: Credential,
    identities: Identities,
}

impl GitlabInstance {
    /// An instance at `base_url`, with or without `/api/v4`; empty means gitlab.com.
    #[must_use]
    pub fn new(name: &str, base_url: &str, credential: Credential) -> Self {
        let (name, root) = (name.to_owned(), api_root(base_url));
        Self { name, root, credential, identities: Identities::default() }
    }
}

impl Forge for GitlabInstance {
    const KIND: &'static str = KIND;
    const IS_OWNER: fn(&str) -> bool = is_forge_owner;

    fn name(&self) -> &str {
        &self.name
    }

    fn root(&self) -> &str {
        &self.root
    }

    fn repository_url(&self, event: &RunEvent) -> Option<String> {
        if self.refuses_repository(event).is_some() {
            return None;
        }
        let repository = &event.scm.repository;
        let project = path_segment(&format!("{}/{}", repository.owner, repository.name))?;
        Some(format!("{}/projects/{project}", self.root))
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
        json_request(method, Text::Plain(url), self.credential.clone(), body, wants)
    }

    fn classify(reply: &HttpReply) -> Result<(), DeliveryFailure> {
        let Err(failure) = http::classify(reply) else { return Ok(()) };
        if failure.kind == FailureKind::RateLimited {
            let asked = failure.retry_after.filter(|asked| !asked.is_zero());
            return Err(failure.with_retry_after(asked.or(Some(LIMIT_WAIT))));
        }
        if reply.status == 404 {
            let detail = format!("{} (or the token may not see it)", failure.detail());
            return Err(failure.with_detail(&detail));
        }
        Err(failure)
    }
}

/// The root of the API behind a configured address, which may have a path of its own.
fn api_root(base_url: &str) -> String {
    let base_url = match base_url.trim_end_matches('/') {
        "" => DEFAULT_BASE_URL,
        base_url => base_url,
    };
    let server = base_url.strip_suffix(API_PATH).unwrap_or(base_url);
    format!("{}{API_PATH}", server.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::SkipReason;
    use crate::failure::Retryability::{Permanent, Temporary, Unsettled};
    use crate::integration::fixture;

    fn classified(status: u16, headers: &[(&str, &str)], body: &str) -> DeliveryFailure {
        let reply = fixture::answer_with(status, headers, body);
        let reply = http::expect_http(reply).unwrap();
        GitlabInstance::classify(&reply).unwrap_err()
    }

    #[test]
    fn a_base_url_leads_to_the_api() {
        let rows = [
            ("", "https://gitlab.com/api/v4"),
            ("https://gitlab.com/", "https://gitlab.com/api/v4"),
            ("https://git.example", "https://git.example/api/v4"),
            ("https://git.example/api/v4/", "https://git.example/api/v4"),
            ("https://git.example:8443/gitlab", "https://git.example:8443/gitlab/api/v4"),
            ("https://git.example/gitlab/api/v4", "https://git.example/gitlab/api/v4"),
            ("http://127.0.0.1:1", "http://127.0.0.1:1/api/v4"),
        ];
        for (base_url, root) in rows {
            assert_eq!(api_root(base_url), root, "{base_url}");
        }
    }

    #[test]
    fn a_project_is_one_segment_of_its_groups_and_its_name() {
        let instance = GitlabInstance::new("main", "", Credential::None);
        let mut event = fixture::event();
        event.scm.repository.owner = "Acme/Team".to_owned();
        let url = "https://gitlab.com/api/v4/projects/Acme%2FTeam%2Fapp";
        assert_eq!(instance.repository_url(&event).as_deref(), Some(url));
        assert_eq!(instance.repository_key(&event), ["gitlab", "main", "acme/team", "app"]);
    }

    #[test]
    fn an_id_neither_names_a_project_nor_changes_the_one_that_is_named() {
        let instance = GitlabInstance::new("main", "", Credential::None);
        let plain = fixture::event();
        let mut event = fixture::event();
        event.scm.repository.id = "42".to_owned();
        assert_eq!(instance.repository_url(&event), instance.repository_url(&plain));
        assert_eq!(instance.repository_key(&event), instance.repository_key(&plain));
        event.scm.repository.owner.clear();
        event.scm.repository.name.clear();
        assert_eq!(instance.refuses_repository(&event), Some(SkipReason::MissingFacts));
        assert_eq!(instance.repository_url(&event), None);
    }

    #[test]
    fn a_path_cannot_lead_to_another_project() {
        let instance = GitlabInstance::new("main", "", Credential::None);
        for (owner, name) in [("acme/..", "app"), ("acme", "team/app"), ("acme//x", "app")] {
            let mut event = fixture::event();
            event.scm.repository.owner = owner.to_owned();
            event.scm.repository.name = name.to_owned();
            assert_eq!(instance.refuses_repository(&event), Some(SkipReason::ImpossibleFacts));
            assert_eq!(instance.repository_url(&event), None, "{owner}/{name}");
        }
    }

    #[test]
    fn a_limit_waits_a_minute_where_it_names_no_time() {
        let seconds = Duration::from_secs;
        let reset = [("ratelimit-remaining", "0"), ("ratelimit-reset", "1795168810")];
        let rows = [
            (429, &[][..], "Retry later\n", LIMIT_WAIT),
            (429, &[("retry-after", "0")][..], "", LIMIT_WAIT),
            (429, &[("retry-after", "7")][..], "", seconds(7)),
            (429, &reset[..], "", seconds(10)),
            (503, &[][..], "Retry later", LIMIT_WAIT),
        ];
        for (status, headers, body, wait) in rows {
            let failure = classified(status, headers, body);
            let outcome = (failure.kind, failure.retryability, failure.retry_after);
            assert_eq!(outcome, (FailureKind::RateLimited, Temporary, Some(wait)), "{headers:?}");
        }
    }

    #[test]
    fn what_gitlab_says_of_commits_and_projects_is_kept() {
        let hidden = classified(404, &[], r#"{"message":"404 Project Not Found"}"#);
        assert_eq!((hidden.kind, hidden.retryability), (FailureKind::NotFound, Unsettled));
        assert_eq!(
            hidden.detail(),
            "status 404: 404 Project Not Found (or the token may not see it)"
        );
        let moved = classified(
            405,
            &[],
            r#"{"message":"Non GET methods are not allowed for moved projects"}"#,
        );
        assert_eq!((moved.kind, moved.retryability), (FailureKind::Invalid, Permanent));
        assert!(moved.detail().contains("moved projects"), "{}", moved.detail());
        let updated = r#"{"message":"Another update to this commit status is in progress"}"#;
        assert_eq!(classified(409, &[], updated).retryability, Unsettled);
    }
}
