//! Who may ask and who may change: whoever shows the token. That a call comes from the loopback
//! interface proves nothing: sidecars, port forwards and browsers arrive there too.

use crate::api::tokens::{self, ChangeToken};
use crate::api::{Api, Problem, ProblemId};
use crate::delivery::credentials;
use crate::secret::{Secret, SecretRef};
use crate::telemetry::chain;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, header};
use tracing::error;

/// Where the tokens are, and by which names this replica is called.
#[derive(Clone, Debug)]
pub struct Access {
    pub change: ChangeToken,
    /// A read token of its own. Without it the one that is derived from the change token holds.
    pub read: Option<SecretRef>,
    /// Names in `Host` that are admitted beside addresses and names of Kubernetes.
    pub hosts: Vec<String>,
}

/// What a token admits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Right {
    None,
    Read,
    Change,
}

/// Refuses calls without the read or the change token.
pub(super) async fn require_read(
    State(api): State<Api>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    require(&api, request.headers(), Right::Read).await?;
    Ok(next.run(request).await)
}

/// Refuses calls without the change token.
pub(super) async fn require_change(
    State(api): State<Api>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    require(&api, request.headers(), Right::Change).await?;
    Ok(next.run(request).await)
}

async fn require(api: &Api, headers: &HeaderMap, needed: Right) -> Result<(), Problem> {
    let given = bearer(headers);
    // An unreadable token is our trouble, not the caller's: 503, so that it is tried again.
    let right = match given {
        Some(given) => api.access.right_of(given).await.map_err(|error| {
            error!(error = %chain(&error), "no call of an operator can be admitted");
            Problem::new(
                ProblemId::Internal,
                "a token cannot be read; the log of the relay says why",
            )
        })?,
        None => Right::None,
    };
    if right >= needed {
        return Ok(());
    }
    if right == Right::Read {
        let detail = "the bearer token is the read token; the call needs the change token";
        return Err(Problem::new(ProblemId::Forbidden, detail));
    }
    Err(api.access.unauthorized(needed))
}

/// The token of an `Authorization: Bearer` header. The scheme is written in any case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

impl Access {
    async fn right_of(&self, given: &str) -> Result<Right, tokens::TokenError> {
        let change = self.change.read().await?;
        if Secret::is_any(&change, given) {
            return Ok(Right::Change);
        }
        let read: Vec<Secret> = match &self.read {
            Some(file) => credentials::read_lines(file).await?,
            None => change.iter().map(tokens::read_token_of).collect(),
        };
        Ok(if Secret::is_any(&read, given) { Right::Read } else { Right::None })
    }

    fn unauthorized(&self, needed: Right) -> Problem {
        let which = if needed == Right::Change { "change" } else { "read or change" };
        let detail = if self.change == ChangeToken::Absent {
            "this replica keeps nothing on its disk and draws no token: set \
             server.admin.change_token_file"
                .to_owned()
        } else {
            format!(
                "the bearer token is missing or wrong; the call needs `Authorization: Bearer` with \
                 the {which} token, which the command line finds by --token-file, --config or \
                 --data-dir"
            )
        };
        Problem::new(ProblemId::Unauthorized, detail).with_challenge("Bearer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn only_a_bearer_token_is_one() {
        let of = |value: &'static str| {
            let value = HeaderValue::from_static(value);
            bearer(&HeaderMap::from_iter([(header::AUTHORIZATION, value)])).map(str::to_owned)
        };
        assert_eq!(of("Bearer t"), Some("t".to_owned()));
        assert_eq!(of("bearer t "), Some("t".to_owned()));
        for none in ["Bearer", "Bearer ", "Basic t", "t", ""] {
            assert_eq!(of(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_change_token_reads_and_a_read_token_does_not_change() {
        assert!(Right::Change > Right::Read && Right::Read > Right::None);
    }

    #[tokio::test]
    async fn each_token_has_its_right_and_a_part_of_one_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str, content: &str| {
            std::fs::write(folder.path().join(name), content).unwrap();
            SecretRef::file(folder.path().join(name))
        };
        let change = ChangeToken::Configured(place("change", "new-change\nold-change\n"));
        let derived = Access { change: change.clone(), read: None, hosts: Vec::new() };
        let read = tokens::read_token_of(&Secret::new("old-change"));
        for (given, right) in [
            ("new-change", Right::Change),
            ("old-change", Right::Change),
            (read.expose(), Right::Read),
            ("new-chang", Right::None),
            ("new-change\nold-change", Right::None),
            ("", Right::None),
        ] {
            assert_eq!(derived.right_of(given).await.unwrap(), right, "{given}");
        }
        let own = Access { read: Some(place("read", "look\n")), ..derived };
        assert_eq!(own.right_of("look").await.unwrap(), Right::Read);
        assert_eq!(own.right_of(read.expose()).await.unwrap(), Right::None);
    }
}
