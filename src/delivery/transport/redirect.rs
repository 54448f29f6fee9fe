//! Where a redirected request may go. Pure: addresses and statuses in, an address or a reason out.

use crate::integration::{Method, Unfollowed};
use reqwest::Url;

/// Redirects followed within one request: a repository that was renamed or moved is one, behind a
/// proxy that renames too two.
pub(super) const REDIRECTS_MAX: usize = 3;

/// The address at which a request is repeated as it was. `None` where `status` is no redirect.
///
/// The method and the body are kept, so that 302 and 303 are followed for reads alone. The request
/// carries a credential, so that it stays at the `configured` host.
pub(super) fn next(
    configured: &Url,
    current: &Url,
    method: Method,
    status: u16,
    location: Option<&str>,
) -> Option<Result<Url, Unfollowed>> {
    match (status, method) {
        (301 | 307 | 308, _) | (302 | 303, Method::Get) => {}
        (302 | 303, _) => return Some(Err(Unfollowed::MethodChanges)),
        _ => return None,
    }
    let next = location.and_then(|location| current.join(location).ok());
    Some(next.ok_or(Unfollowed::NoLocation).and_then(|next| admit(configured, current, next)))
}

fn admit(configured: &Url, current: &Url, mut next: Url) -> Result<Url, Unfollowed> {
    if next.host_str() != configured.host_str() || !matches!(next.scheme(), "http" | "https") {
        return Err(Unfollowed::OtherHost);
    }
    if current.scheme() == "https" && next.scheme() == "http" {
        return Err(Unfollowed::Unencrypted);
    }
    let port = |url: &Url| url.port_or_known_default();
    let is_same = next.scheme() == configured.scheme() && port(&next) == port(configured);
    // Another port may be another's service; only the step to https is one of the same server.
    let is_step_to_https = next.scheme() == "https"
        && configured.scheme() == "http"
        && (port(configured), port(&next)) == (Some(80), Some(443));
    if !is_same && !is_step_to_https {
        return Err(Unfollowed::OtherHost);
    }
    // What stands before the host proves who we are: that is configured, never told by a target.
    let _ = next.set_username(configured.username());
    let _ = next.set_password(configured.password());
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPOSITORY: &str = "https://forge.example/api/repos/acme/app";

    fn next_of(configured: &str, method: Method, status: u16, location: &str) -> String {
        let configured: Url = configured.parse().unwrap();
        match next(&configured, &configured, method, status, Some(location)) {
            None => "an answer".to_owned(),
            Some(Ok(url)) => url.to_string(),
            Some(Err(unfollowed)) => format!("{unfollowed:?}"),
        }
    }

    #[test]
    fn a_write_is_repeated_within_the_configured_host() {
        for status in [301, 307, 308] {
            let moved = next_of(REPOSITORY, Method::Post, status, "/repositories/42");
            assert_eq!(moved, "https://forge.example/repositories/42");
            let moved = next_of(REPOSITORY, Method::Patch, status, "https://FORGE.example:443/x");
            assert_eq!(moved, "https://forge.example/x");
        }
    }

    #[test]
    fn only_a_read_follows_what_changes_the_method() {
        for status in [302, 303] {
            assert_eq!(next_of(REPOSITORY, Method::Post, status, "/x"), "MethodChanges");
            assert_eq!(next_of(REPOSITORY, Method::Get, status, "/x"), "https://forge.example/x");
        }
        for status in [200, 300, 304, 305, 404] {
            assert_eq!(next_of(REPOSITORY, Method::Get, status, "/x"), "an answer");
        }
    }

    #[test]
    fn no_redirect_leads_to_another_server() {
        let elsewhere = [
            "https://evil.example/x",
            "//evil.example/x",
            "https://forge.example@evil.example/x",
            "https://forge.example.evil.example/x",
            "https://forge.example:8443/x",
            "file:///etc/passwd",
            "javascript:alert(1)",
        ];
        for location in elsewhere {
            assert_eq!(next_of(REPOSITORY, Method::Post, 307, location), "OtherHost", "{location}");
        }
        let port = "http://127.0.0.1:9080/a";
        assert_eq!(next_of(port, Method::Post, 308, "http://127.0.0.1:9081/a"), "OtherHost");
        assert_eq!(next_of(port, Method::Post, 308, "https://127.0.0.1:9443/a"), "OtherHost");
        assert_eq!(next_of(port, Method::Post, 308, "http://localhost:9080/a"), "OtherHost");
    }

    #[test]
    fn https_is_never_left_and_may_be_entered() {
        assert_eq!(next_of(REPOSITORY, Method::Post, 301, "http://forge.example/x"), "Unencrypted");
        let upgraded =
            next_of("http://forge.example/a", Method::Post, 308, "https://forge.example/a");
        assert_eq!(upgraded, "https://forge.example/a");

        let (configured, current) = ("http://forge.example/a", "https://forge.example/a");
        let (configured, current) = (configured.parse().unwrap(), current.parse().unwrap());
        let back = next(&configured, &current, Method::Post, 308, Some("http://forge.example/a"));
        assert_eq!(back, Some(Err(Unfollowed::Unencrypted)));
    }

    #[test]
    fn a_redirect_needs_a_location_and_brings_no_credentials() {
        let configured: Url = "https://us:pw@forge.example/a".parse().unwrap();
        let nowhere = next(&configured, &configured, Method::Post, 301, None);
        assert_eq!(nowhere, Some(Err(Unfollowed::NoLocation)));
        let unreadable = next(&configured, &configured, Method::Post, 301, Some("https://"));
        assert_eq!(unreadable, Some(Err(Unfollowed::NoLocation)));
        let moved =
            next_of(configured.as_str(), Method::Post, 301, "https://them:x@forge.example/b");
        assert_eq!(moved, "https://us:pw@forge.example/b");
    }
}
