//! Which calls to the API come from a program that was meant to make them, and not from a page in
//! somebody's browser. A page cannot choose `Host`, `Origin` or `Sec-Fetch-Site`, and cannot send
//! JSON to another origin without being asked for leave, which is never given.

use crate::api::{Api, Problem, ProblemId};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::net::IpAddr;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Ends of names that only a cluster's own DNS gives out.
const CLUSTER_DOMAINS: [&str; 3] = [".svc", ".cluster.local", ".localhost"];

/// Refuses calls that a foreign page may have made.
pub(super) async fn require_own(
    State(api): State<Api>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let host = authority(&request).ok_or_else(|| forbidden("the call has no Host".to_owned()))?;
    check_host(&host, &api.access.hosts)?;
    check_page(&host, request.headers())?;
    check_body(request.method(), request.headers())?;
    Ok(next.run(request).await)
}

/// Whom the caller believes to talk to: `:authority` in HTTP/2, `Host` before.
fn authority(request: &Request) -> Option<Authority> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.clone());
    }
    request.headers().get(header::HOST)?.to_str().ok()?.parse().ok()
}

/// A page of another site whose name was made to point here (DNS rebinding) still sends the name.
fn check_host(authority: &Authority, configured: &[String]) -> Result<(), Problem> {
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let is_known = address.parse::<IpAddr>().is_ok()
        // No foreign page has a name of one label: browsers ask the public DNS for none.
        || (!name.is_empty() && !name.contains('.'))
        || CLUSTER_DOMAINS.iter().any(|domain| name.ends_with(domain))
        || configured.iter().any(|known| known.eq_ignore_ascii_case(&name));
    is_known.then_some(()).ok_or_else(|| {
        forbidden(format!(
            "Host {name:?} is none of this relay; accepted: addresses, names of one label, \
             *.svc, *.cluster.local, and those in server.admin.hosts"
        ))
    })
}

/// Browsers say which page a call comes from; programs do not.
fn check_page(authority: &Authority, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    if let Some(site) = headers.get(SEC_FETCH_SITE).map(text)
        && !matches!(site.as_str(), "same-origin" | "none")
    {
        return Err(forbidden(format!(
            "Sec-Fetch-Site is {site:?}; accepted: same-origin, none, or no such header"
        )));
    }
    for origin in headers.get_all(header::ORIGIN).iter().map(text) {
        let own = origin.split_once("://").map(|(_, host)| host);
        if !own.is_some_and(|own| own.eq_ignore_ascii_case(authority.as_str())) {
            return Err(forbidden(format!(
                "Origin {origin:?} is not this relay; accepted: http://{authority}, or no such header"
            )));
        }
    }
    Ok(())
}

/// A form of a foreign page can send text, but no JSON.
fn check_body(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let essence = kind.map(|kind| {
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
        kind.trim_ascii().to_ascii_lowercase()
    });
    match essence.as_deref() {
        Some(b"application/json") => Ok(()),
        None if !has_body => Ok(()),
        kind => {
            let kind = kind.map(|kind| String::from_utf8_lossy(kind).into_owned());
            let kind = kind.unwrap_or_else(|| "missing".to_owned());
            let detail = format!("Content-Type is {kind}; accepted: application/json");
            Err(Problem::new(ProblemId::UnsupportedMediaType, detail))
        }
    }
}

fn forbidden(detail: String) -> Problem {
    Problem::new(ProblemId::Forbidden, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Authority {
        text.parse().unwrap()
    }

    #[test]
    fn s08b_addresses_and_names_that_only_the_cluster_gives_out_are_known_hosts() {
        let configured = ["relay.example.com".to_owned()];
        for known in [
            "127.0.0.1:8080",
            "10.1.2.3",
            "[::1]:8080",
            "localhost:8080",
            "relay",
            "relay-0.relay-headless.ci.svc:8080",
            "relay.ci.svc.cluster.local.",
            "RELAY.example.com:443",
        ] {
            assert!(check_host(&host(known), &configured).is_ok(), "{known}");
        }
        for foreign in [
            "evil.example:8080",
            "relay.svc.evil.example",
            "svc.evil.example",
            "cluster.local.evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "a.relay.example.com",
        ] {
            let refused = check_host(&host(foreign), &configured).unwrap_err();
            assert_eq!(refused.id, ProblemId::Forbidden, "{foreign}");
        }
    }

    #[test]
    fn s08a_a_page_of_another_origin_is_refused_whatever_its_scheme() {
        let page = |name: HeaderName, value: &'static str| {
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
            check_page(&host("127.0.0.1:8080"), &headers).is_ok()
        };
        assert!(page(header::ORIGIN, "http://127.0.0.1:8080"));
        assert!(page(header::ORIGIN, "https://127.0.0.1:8080"));
        for foreign in
            ["https://evil.example", "null", "", "http://127.0.0.1:9090", "127.0.0.1:8080"]
        {
            assert!(!page(header::ORIGIN, foreign), "{foreign}");
        }
        assert!(page(SEC_FETCH_SITE, "none") && page(SEC_FETCH_SITE, "same-origin"));
        for foreign in ["cross-site", "same-site", "", "Same-Origin"] {
            assert!(!page(SEC_FETCH_SITE, foreign), "{foreign}");
        }
        assert!(check_page(&host("127.0.0.1:8080"), &HeaderMap::new()).is_ok());
    }

    #[test]
    fn s08a_a_change_carries_json_or_nothing() {
        let is_taken = |method: Method, headers: &[(HeaderName, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| (name.clone(), *value));
            let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
            check_body(&method, &headers.collect()).is_ok()
        };
        let (kind, length) = (header::CONTENT_TYPE, header::CONTENT_LENGTH);
        assert!(is_taken(Method::POST, &[]));
        assert!(is_taken(Method::POST, &[(length.clone(), "0")]));
        assert!(is_taken(Method::POST, &[(kind.clone(), "Application/JSON; charset=utf-8")]));
        assert!(is_taken(Method::GET, &[(kind.clone(), "text/plain")]));
        assert!(!is_taken(Method::POST, &[(length, "2")]));
        assert!(!is_taken(Method::POST, &[(header::TRANSFER_ENCODING, "chunked")]));
        for form in ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"] {
            assert!(!is_taken(Method::POST, &[(kind.clone(), form)]), "{form}");
            assert!(!is_taken(Method::DELETE, &[(kind.clone(), form)]), "{form}");
        }
    }
}
