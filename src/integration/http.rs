//! What the exchanges share about replies: the headers of a JSON request, and the table that says
//! what a status code means. It must not know any vendor: a vendor's own meaning of a status is decided
//! in the vendor's file, before or after this table.

use super::{Credential, HttpReply, HttpRequest, Method, Reply, ReplyBody, Text};
use crate::clock::Timestamp;
use crate::failure::{DeliveryFailure, FailureKind, Retryability};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::{Duration, UNIX_EPOCH};

/// How we name ourselves to targets.
pub(super) const USER_AGENT: &str = "tekton-events-relay";

/// Everything but the unreserved characters of RFC 3986, section 2.3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Headers that tell what is left of a budget, and when it is full again: GitHub's, and those of
/// GitLab and draft-ietf-httpapi-ratelimit-headers up to its version 07.
const BUDGETS: [(&str, &str); 2] =
    [(LIMIT_REMAINING, "x-ratelimit-reset"), ("ratelimit-remaining", "ratelimit-reset")];
const LIMIT_REMAINING: &str = "x-ratelimit-remaining";

/// A reset below it is a wait in seconds (the draft), one above it a Unix time in seconds (GitHub,
/// GitLab): that of 2001, or a wait of 31 years.
const RESET_UNIX_SECONDS_MIN: u64 = 1_000_000_000;

/// Words by which targets say that it was one call too many, in lower case.
const LIMIT_WORDS: [&str; 10] = [
    "rate limit",
    "rate-limit",
    "rate_limit",
    "ratelimit",
    "too many requests",
    "submitted too quickly",
    "abuse detection",
    "retry later",
    "try again later",
    "slow down",
];

/// How much of a body is searched for words, in bytes: a complaint says them at once.
const SAID_BYTES_MAX: usize = 4 * 1024;

/// Fields in which targets put their complaint: `message` (GitHub and most others), then RFC 9457.
const MESSAGE_FIELDS: [&str; 4] = ["message", "error", "detail", "title"];

/// A request with a JSON body (or none) and the headers every integration sends.
pub(super) fn json_request(
    method: Method,
    url: Text,
    credential: Credential,
    body: Option<&serde_json::Value>,
    wants: ReplyBody,
) -> HttpRequest {
    let mut headers = vec![
        ("accept".to_owned(), "application/json".to_owned()),
        ("user-agent".to_owned(), USER_AGENT.to_owned()),
    ];
    if body.is_some() {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    let body = body.map(ToString::to_string).unwrap_or_default();
    HttpRequest { method, url, headers, credential, body, wants, connection: None }
}

/// Sets a header, replacing one of the same name in any case.
pub(super) fn set_header(request: &mut HttpRequest, name: &str, value: &str) {
    let name = name.to_ascii_lowercase();
    match request.headers.iter_mut().find(|(key, _)| *key == name) {
        Some((_, old)) => value.clone_into(old),
        None => request.headers.push((name, value.to_owned())),
    }
}

/// One path segment, percent-encoded. `None` for what a URL parser would not leave in its place:
/// the empty segment, `.` and `..`, which could lead a request to another endpoint.
pub(super) fn path_segment(text: &str) -> Option<String> {
    match text {
        "" | "." | ".." => None,
        _ => Some(utf8_percent_encode(text, SEGMENT).to_string()),
    }
}

/// The HTTP answer in a reply.
///
/// # Errors
/// The failure of the transport, or a reply that is no HTTP answer.
pub(super) fn expect_http(reply: Reply) -> Result<HttpReply, DeliveryFailure> {
    if let Reply::Http(reply) = reply {
        return Ok(reply);
    }
    Err(unanswered(&reply))
}

/// The failure of an exchange that waits for another reply than this one.
pub(super) fn unanswered(reply: &Reply) -> DeliveryFailure {
    // An unreadable secret is temporary too: a mended mount is seen at the next attempt.
    if let Reply::Failed { kind, detail } = reply {
        return temporary(*kind, &scrub_urls(detail));
    }
    temporary(FailureKind::Server, "the reply is not one to the request")
}

/// What the status of an answer means, unless the vendor says otherwise.
///
/// # Errors
/// Every status but 2xx, with the wait that the target asked for.
pub fn classify(reply: &HttpReply) -> Result<(), DeliveryFailure> {
    use FailureKind::{Auth, Conflict, Invalid, NotFound, RateLimited, Server};
    use Retryability::{Permanent, Temporary, Unsettled};
    let (kind, retryability) = match reply.status {
        200..=299 => return Ok(()),
        429 => (RateLimited, Temporary),
        403 if has_limit_headers(reply) || says_limit(reply) => (RateLimited, Temporary),
        503 if says_limit(reply) => (RateLimited, Temporary),
        401 | 403 | 407 => (Auth, Permanent),
        410 => (NotFound, Permanent),
        404 => (NotFound, Unsettled),
        409 => (Conflict, Unsettled),
        408 | 425 => (Server, Temporary),
        300..=499 => (Invalid, Permanent),
        _ => (Server, Temporary),
    };
    Err(failure(reply, kind, retryability))
}

/// Whether the words of an answer say that it was one call too many, whatever its status says:
/// those of GitHub, GitLab (`Retry later`), Slack and of proxies, in JSON or on a page.
pub(super) fn says_limit(reply: &HttpReply) -> bool {
    names_limit(&said(reply))
}

/// Whether a text in lower case says that it was one call too many.
pub(super) fn names_limit(said: &str) -> bool {
    LIMIT_WORDS.iter().any(|words| said.contains(words))
}

/// The beginning of an answer's body in lower case, to look for words in. Never to be quoted.
pub(super) fn said(reply: &HttpReply) -> String {
    let body = &reply.body;
    let end = (0..=SAID_BYTES_MAX.min(body.len())).rev().find(|end| body.is_char_boundary(*end));
    body.get(..end.unwrap_or_default()).unwrap_or_default().to_lowercase()
}

/// A failure that carries the status, the target's own words and the wait it asked for.
pub(super) fn failure(
    reply: &HttpReply,
    kind: FailureKind,
    retryability: Retryability,
) -> DeliveryFailure {
    let unfollowed = reply.unfollowed.map(|unfollowed| unfollowed.to_string());
    let detail = match unfollowed.or_else(|| message(reply)) {
        Some(message) => format!("status {}: {message}", reply.status),
        None => format!("status {}", reply.status),
    };
    DeliveryFailure::new(kind, retryability, &detail).with_retry_after(wait(reply))
}

/// An answer with a good status whose body is not what the vendor documents: most likely a proxy.
pub(super) fn unexpected_body(reply: &HttpReply) -> DeliveryFailure {
    let detail = format!("status {} with an unexpected body", reply.status);
    DeliveryFailure::new(FailureKind::Server, Retryability::Temporary, &detail)
}

/// A failure without an answer.
pub(super) fn temporary(kind: FailureKind, detail: &str) -> DeliveryFailure {
    DeliveryFailure::new(kind, Retryability::Temporary, detail)
}

/// The complaint in a JSON answer, with the first of GitHub's `errors`. Raw bodies are never
/// quoted: a target may echo our credentials.
pub(super) fn message(reply: &HttpReply) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(&reply.body).ok()?;
    let message = MESSAGE_FIELDS.iter().find_map(|field| body.get(field)?.as_str())?;
    let first = body.get("errors").and_then(|errors| errors.get(0));
    let text = |error: &serde_json::Value| {
        error.as_str().or_else(|| error.get("message")?.as_str()).map(str::to_owned)
    };
    Some(match first.and_then(text) {
        Some(error) => scrub_urls(&format!("{message}: {error}")),
        None => scrub_urls(message),
    })
}

/// Reduces every URL in `text` to its scheme and host: paths and queries may hold secrets.
/// Control characters become spaces.
pub(super) fn scrub_urls(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).map(scrub_word).collect::<Vec<_>>().join(" ")
}

fn scrub_word(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let authority_end = rest.find(['/', '?', '#', '"', '\'', ')', '>']).unwrap_or(rest.len());
    let authority = &rest[..authority_end];
    let host = authority.rsplit_once('@').map_or(authority, |(_userinfo, host)| host);
    format!("{scheme}://{host}")
}

/// GitHub says 403 both for "not allowed" and for "too fast"; only the latter has these headers.
fn has_limit_headers(reply: &HttpReply) -> bool {
    reply.header("retry-after").is_some() || is_used_up(reply, LIMIT_REMAINING)
}

fn is_used_up(reply: &HttpReply, remaining: &str) -> bool {
    reply.header(remaining).is_some_and(|left| left.trim() == "0")
}

/// How long a success says that the next calls with its credential will be refused: until the
/// reset of a budget that it used up. `None` when something is left, when the reset is missing,
/// is no number or has passed, and for every other status, whose wait is that of its failure.
pub fn budget_wait(reply: &HttpReply) -> Option<Duration> {
    let is_success = (200..=299).contains(&reply.status);
    until_reset(reply).filter(|wait| is_success && !wait.is_zero())
}

/// The time until every used-up budget is full again; zero when that has passed.
fn until_reset(reply: &HttpReply) -> Option<Duration> {
    let used_up = BUDGETS.iter().filter(|(remaining, _)| is_used_up(reply, remaining));
    used_up.filter_map(|(_, reset)| parse_reset(reply.header(reset)?, reply.now)).max()
}

fn parse_reset(value: &str, now: Timestamp) -> Option<Duration> {
    let seconds: u64 = value.trim().parse().ok()?;
    Some(if seconds < RESET_UNIX_SECONDS_MIN {
        Duration::from_secs(seconds)
    } else {
        Timestamp(seconds.saturating_mul(1000)).since(now)
    })
}

/// How long the target asks us to wait: `Retry-After` (RFC 9110, 10.2.3), else the reset time of
/// a used-up limit.
fn wait(reply: &HttpReply) -> Option<Duration> {
    if let Some(value) = reply.header("retry-after") {
        return parse_retry_after(value, reply.now);
    }
    until_reset(reply)
}

/// Seconds, also with a fraction, or an HTTP date counted from `now`; a date in the past is no wait.
fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    // Some write fractions; a wait is never cut short.
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.ceil()).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let until = date.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp(u64::try_from(until.as_millis()).ok()?).since(now))
}

#[cfg(test)]
#[path = "http_test.rs"]
mod tests;
