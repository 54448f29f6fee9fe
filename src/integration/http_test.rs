//! The status table, row by row, and what may be quoted from an answer.

use super::*;
use FailureKind::{Auth, Conflict, Credentials, Invalid, Network, NotFound, RateLimited, Server};
use Retryability::{Permanent, Temporary, Unsettled};

/// 2026-11-20T10:00:00Z
const NOW: Timestamp = Timestamp(1_795_168_800_000);

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> HttpReply {
    let headers =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    HttpReply { status, headers, body: body.to_owned(), now: NOW, ..HttpReply::default() }
}

fn verdict(reply: &HttpReply) -> (FailureKind, Retryability, Option<Duration>) {
    let failure = classify(reply).unwrap_err();
    (failure.kind, failure.retryability, failure.retry_after)
}

#[test]
fn every_2xx_is_a_success() {
    for status in [200, 201, 202, 204, 299] {
        assert_eq!(classify(&answer(status, &[], "")), Ok(()));
    }
}

#[test]
fn every_other_status_has_its_row() {
    let rows = [
        (100, Server, Temporary),
        (301, Invalid, Permanent),
        (308, Invalid, Permanent),
        (400, Invalid, Permanent),
        (401, Auth, Permanent),
        (403, Auth, Permanent),
        (404, NotFound, Unsettled),
        (405, Invalid, Permanent),
        (407, Auth, Permanent),
        (408, Server, Temporary),
        (409, Conflict, Unsettled),
        (410, NotFound, Permanent),
        (413, Invalid, Permanent),
        (422, Invalid, Permanent),
        (425, Server, Temporary),
        (429, RateLimited, Temporary),
        (500, Server, Temporary),
        (502, Server, Temporary),
        (503, Server, Temporary),
        (599, Server, Temporary),
    ];
    for (status, kind, retryability) in rows {
        let expected = (kind, retryability, None);
        assert_eq!(verdict(&answer(status, &[], "<html>")), expected, "status {status}");
    }
}

#[test]
fn a_limit_header_turns_403_into_a_rate_limit() {
    let slow_down = answer(403, &[("retry-after", "30")], "");
    assert_eq!(verdict(&slow_down), (RateLimited, Temporary, Some(Duration::from_secs(30))));

    let used_up =
        answer(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795168890")], "");
    assert_eq!(verdict(&used_up), (RateLimited, Temporary, Some(Duration::from_secs(90))));

    let not_allowed =
        answer(403, &[("x-ratelimit-remaining", "4999"), ("x-ratelimit-reset", "1795168890")], "");
    assert_eq!(verdict(&not_allowed), (Auth, Permanent, None));
}

#[test]
fn words_turn_a_refusal_into_a_limit_and_others_do_not() {
    let long = format!("{}rate limit", "x".repeat(SAID_BYTES_MAX));
    let rows = [
        (403, "Retry later\n", RateLimited),
        (403, r#"{"message":"API rate limit exceeded"}"#, RateLimited),
        (403, "<html>Too Many Requests</html>", RateLimited),
        (503, "Please slow down", RateLimited),
        (403, r#"{"message":"not allowed"}"#, Auth),
        (403, &long, Auth),
        (401, "rate limit", Auth),
        (404, "rate limit", NotFound),
        (500, "rate limit", Server),
    ];
    for (status, body, kind) in rows {
        assert_eq!(verdict(&answer(status, &[], body)).0, kind, "{status} {body}");
    }
    // A bound within a character cuts before it.
    let wide = format!("{}ü", "x".repeat(SAID_BYTES_MAX - 1));
    assert_eq!(said(&answer(403, &[], &wide)).len(), SAID_BYTES_MAX - 1);
}

#[test]
fn a_redirect_that_was_not_followed_says_why() {
    let unfollowed = Some(super::super::Unfollowed::OtherHost);
    let moved = HttpReply { unfollowed, ..answer(301, &[], r#"{"message":"Moved"}"#) };
    let failure = classify(&moved).unwrap_err();
    assert_eq!((failure.kind, failure.retryability), (Invalid, Permanent));
    let detail =
        "status 301: redirected to another host than the configured one, which is not followed";
    assert_eq!(failure.detail(), detail);
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let rows = [
        ("120", Some(Duration::from_secs(120))),
        (" 7 ", Some(Duration::from_secs(7))),
        ("1.2", Some(Duration::from_secs(2))),
        ("-1.5", None),
        ("NaN", None),
        ("1e300", None),
        ("Fri, 20 Nov 2026 10:01:00 GMT", Some(Duration::from_secs(60))),
        ("Fri, 20 Nov 2026 09:00:00 GMT", Some(Duration::ZERO)),
        // The two older forms of RFC 9110, 5.6.7.
        ("Friday, 20-Nov-26 10:01:00 GMT", Some(Duration::from_secs(60))),
        ("Fri Nov 20 10:01:00 2026", Some(Duration::from_secs(60))),
        ("soon", None),
        ("-5", None),
        ("99999999999999999999999", None),
    ];
    for (value, expected) in rows {
        let (_, _, wait) = verdict(&answer(429, &[("retry-after", value)], ""));
        assert_eq!(wait, expected, "{value}");
    }
}

#[test]
fn retry_after_of_a_failing_server_is_kept() {
    let busy = answer(503, &[("retry-after", "15")], "");
    assert_eq!(verdict(&busy), (Server, Temporary, Some(Duration::from_secs(15))));
}

#[test]
fn an_absurd_reset_time_does_not_overflow() {
    let far = u64::MAX.to_string();
    let reply = answer(429, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &far)], "");
    let (_, _, wait) = verdict(&reply);
    assert_eq!(wait, Some(Duration::from_millis(u64::MAX - NOW.0)));
}

#[test]
fn a_success_that_used_up_its_budget_waits_for_the_reset() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let rows = [
        ("0", "1795168890", seconds(90)),
        (" 0 ", " 1795168890 ", seconds(90)),
        ("0", "1795168801", seconds(1)),
        // Now, and an hour ago.
        ("0", "1795168800", None),
        ("0", "1795165200", None),
        // Waits, as the draft has them, up to the first Unix time.
        ("0", "60", seconds(60)),
        ("0", "0", None),
        ("0", "999999999", seconds(999_999_999)),
        ("0", "1000000000", None),
        // What cannot be read asks for nothing.
        ("0", "", None),
        ("0", "soon", None),
        ("0", "-5", None),
        ("0", "1795168890.5", None),
        ("0", "99999999999999999999999", None),
        // Something is left, or nobody knows.
        ("1", "1795168890", None),
        ("4999", "1795168890", None),
        ("", "1795168890", None),
        ("00", "1795168890", None),
        ("none", "1795168890", None),
    ];
    for (remaining, reset, expected) in rows {
        for prefix in ["x-ratelimit", "ratelimit"] {
            let (left, full) = (format!("{prefix}-remaining"), format!("{prefix}-reset"));
            let reply = answer(201, &[(&left, remaining), (&full, reset)], "{}");
            assert_eq!(budget_wait(&reply), expected, "{prefix}: {remaining:?}, {reset:?}");
        }
    }
}

#[test]
fn a_budget_without_its_own_reset_asks_for_nothing() {
    let asks = |headers: &[(&str, &str)]| budget_wait(&answer(200, headers, ""));
    assert_eq!(asks(&[]), None);
    assert_eq!(asks(&[("x-ratelimit-remaining", "0")]), None);
    assert_eq!(asks(&[("x-ratelimit-reset", "1795168890")]), None);
    // The reset of a budget of another name.
    assert_eq!(asks(&[("x-ratelimit-remaining", "0"), ("ratelimit-reset", "60")]), None);
    let both = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795168890")];
    let both = [both, [("ratelimit-remaining", "0"), ("ratelimit-reset", "30")]].concat();
    assert_eq!(asks(&both), Some(Duration::from_secs(90)));
}

#[test]
fn only_a_success_tells_of_a_budget_beside_its_outcome() {
    let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795168890")];
    for status in [200, 204, 299] {
        let wait = budget_wait(&answer(status, &headers, ""));
        assert_eq!(wait, Some(Duration::from_secs(90)), "status {status}");
    }
    // A 401 tells of the budget of those without a credential.
    for status in [199, 300, 401, 404, 429, 500] {
        assert_eq!(budget_wait(&answer(status, &headers, "")), None, "status {status}");
    }
}

#[test]
fn a_429_without_retry_after_waits_for_the_reset_of_either_name() {
    let wait = |headers: &[(&str, &str)]| verdict(&answer(429, headers, "")).2;
    let named = [("ratelimit-remaining", "0"), ("ratelimit-reset", "1795168830")];
    assert_eq!(wait(&named), Some(Duration::from_secs(30)));
    let draft = [("ratelimit-remaining", "0"), ("ratelimit-reset", "45")];
    assert_eq!(wait(&draft), Some(Duration::from_secs(45)));
    // Only GitHub says 403 for "too fast".
    let forbidden = answer(403, &named, "");
    assert_eq!((verdict(&forbidden).0, verdict(&forbidden).1), (Auth, Permanent));
}

#[test]
fn the_detail_quotes_the_message_field_only() {
    let json = answer(400, &[], r#"{"message":"Problems parsing JSON","token":"s3cret"}"#);
    assert_eq!(classify(&json).unwrap_err().detail(), "status 400: Problems parsing JSON");

    let echo = answer(400, &[], "authorization: Bearer s3cret");
    assert_eq!(classify(&echo).unwrap_err().detail(), "status 400");
}

#[test]
fn urls_in_a_detail_lose_userinfo_path_and_query() {
    let scrubbed =
        scrub_urls("GET https://u:p@h.example:8443/services/T0/xyz?token=1 failed\n(tls)");
    assert_eq!(scrubbed, "GET https://h.example:8443 failed (tls)");
    assert_eq!(scrub_urls("(https://u:p@h/x)"), "(https://h");
}

#[test]
fn transport_failures_are_temporary() {
    for kind in [FailureKind::Timeout, Network, Credentials] {
        let detail = "connecting to https://hooks.example/secret/path".to_owned();
        let failure = expect_http(Reply::Failed { kind, detail }).unwrap_err();
        assert_eq!((failure.kind, failure.retryability), (kind, Temporary));
        assert_eq!(failure.detail(), "connecting to https://hooks.example");
    }
    let mismatch = expect_http(Reply::Accepted { remote_id: None, code: 0 }).unwrap_err();
    assert_eq!((mismatch.kind, mismatch.retryability), (Server, Temporary));
}

#[test]
fn a_segment_cannot_leave_its_place() {
    assert_eq!(path_segment("a/b c%?#"), Some("a%2Fb%20c%25%3F%23".to_owned()));
    assert_eq!(path_segment("my-repo.rs_~1"), Some("my-repo.rs_~1".to_owned()));
    for unsafe_segment in ["", ".", ".."] {
        assert_eq!(path_segment(unsafe_segment), None);
    }
}

#[test]
fn a_set_header_replaces_the_default_whatever_its_case() {
    let url = Text::Plain("https://h".to_owned());
    let mut request = json_request(Method::Post, url, Credential::None, None, ReplyBody::Unread);
    set_header(&mut request, "User-Agent", "mine");
    set_header(&mut request, "X-Team", "ci");
    let expected = [("accept", "application/json"), ("user-agent", "mine"), ("x-team", "ci")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(request.headers, expected);
}
