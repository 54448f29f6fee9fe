//! Who may change something: whoever has the admin token, or, without one, the loopback
//! interface.

use crate::api::server::Peer;
use crate::api::{Api, Problem, ProblemId};
use crate::delivery::credentials;
use http::{Extensions, HeaderMap, header};

/// Refuses calls that may not change anything.
pub(super) async fn require(
    api: &Api,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<(), Problem> {
    let Some(place) = &api.admin_token else {
        let is_local = extensions.get::<Peer>().is_some_and(|peer| peer.address.ip().is_loopback());
        let detail = "set server.admin.token_file, or call from the loopback interface";
        return is_local.then_some(()).ok_or_else(|| Problem::new(ProblemId::Forbidden, detail));
    };
    // An unreadable token is our trouble, not the caller's: 503, so that it is tried again.
    let expected = credentials::read(place)
        .await
        .map_err(|error| Problem::new(ProblemId::Internal, error.to_string()))?;
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    if is_equal(given.as_bytes(), expected.expose().as_bytes()) {
        return Ok(());
    }
    Err(Problem::new(ProblemId::Forbidden, "the bearer token is missing or wrong"))
}

/// Compares without telling by its time where the two differ.
fn is_equal(given: &[u8], expected: &[u8]) -> bool {
    let difference = given.iter().zip(expected).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == expected.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_equal() {
        assert!(is_equal(b"abc", b"abc"));
        assert!(!is_equal(b"ab", b"abc") && !is_equal(b"abd", b"abc") && !is_equal(b"", b"abc"));
    }
}
