//! Every path from a thread to its comment: remembered, found, adopted, pasted by others, gone.

use super::*;
use crate::integration::fixture::{answer, answer_with, body, done, failed, sent};
use crate::integration::github::GithubInstance;
use crate::integration::{Credential, HttpRequest, Text};
use FailureKind::{Auth, Conflict, Invalid, NotFound, RateLimited, Server, Timeout};
use Retryability::{Permanent, Temporary, Unsettled};
use serde_json::{Value, json};

const ROOT: &str = "https://api.github.com/repos/acme/app/issues";

fn marker() -> Marker {
    Marker::of_run("u-1", "pr_comment", "notes")
}

fn go_marker() -> Marker {
    Marker::of_go_relay("u-1", "pr_comment")
}

fn thread(on_found: OnFound) -> CommentThread<GithubInstance> {
    CommentThread {
        forge: Arc::new(GithubInstance::new("main", "", Credential::None)),
        place: ThreadPlace {
            first_page_url: format!("{ROOT}/7/comments?per_page=100"),
            thread_url: format!("{ROOT}/7/comments"),
            comments_url: format!("{ROOT}/comments"),
        },
        body: marker().mark("new text"),
        markers: vec![marker(), go_marker()],
        on_found,
    }
}

fn page(comments: &[(u64, &str)]) -> String {
    let comments = comments.iter().map(|(id, body)| json!({ "id": id, "body": body }));
    Value::Array(comments.collect()).to_string()
}

fn ours() -> String {
    marker().mark("old text")
}

fn line(request: &HttpRequest) -> String {
    let Text::Plain(url) = &request.url else { panic!("GitHub's URLs are no secrets") };
    format!("{} {}", request.method.as_str(), url.strip_prefix(ROOT).unwrap_or(url))
}

/// Feeds replies and notes the requests, until the exchange ends.
fn play(first: Turn, replies: Vec<Reply>) -> (Vec<String>, Turn) {
    let mut requests = Vec::new();
    let mut turn = first;
    for reply in replies {
        let (request, exchange) = sent(turn);
        requests.push(line(&request));
        turn = exchange.on_reply(reply);
    }
    (requests, turn)
}

const SEARCH: &str = "GET /7/comments?per_page=100";

#[test]
fn a_remembered_comment_is_edited_without_a_search() {
    let (requests, end) = play(
        thread(OnFound::Edit).edit_remembered(RemoteId::number(31)),
        vec![answer(200, r#"{"id":31}"#)],
    );
    assert_eq!(requests, ["PATCH /comments/31"]);
    assert_eq!(done(end), Receipt { remote_id: "31".to_owned(), status: 200 });
}

#[test]
fn an_edited_comment_is_remembered_also_where_the_answer_shows_no_id() {
    let (_, end) =
        play(thread(OnFound::Edit).edit_remembered(RemoteId::number(31)), vec![answer(200, "{}")]);
    assert_eq!(done(end).remote_id, "31");
}

#[test]
fn a_deleted_remembered_comment_leads_to_a_search_then_a_new_one() {
    let replies = vec![answer(404, ""), answer(200, "[]"), answer(201, r#"{"id":32}"#)];
    let (requests, end) =
        play(thread(OnFound::Edit).edit_remembered(RemoteId::number(31)), replies);
    assert_eq!(requests, ["PATCH /comments/31", SEARCH, "POST /7/comments"]);
    assert_eq!(done(end).remote_id, "32");
}

#[test]
fn a_found_comment_is_edited_to_the_new_text() {
    let (request, exchange) = sent(thread(OnFound::Edit).search());
    assert_eq!(line(&request), SEARCH);
    let listed = page(&[(1, "hello"), (2, &ours()), (3, &ours())]);
    let (request, exchange) = sent(exchange.on_reply(answer(200, &listed)));
    assert_eq!(line(&request), "PATCH /comments/2");
    assert_eq!(body(&request), json!({ "body": marker().mark("new text") }));
    assert_eq!(done(exchange.on_reply(answer(200, r#"{"id":2}"#))).remote_id, "2");
}

#[test]
fn a_comment_of_the_go_relay_is_adopted_but_our_own_comes_first() {
    let adopted = page(&[(1, &go_marker().mark("old"))]);
    let (requests, _) = play(
        thread(OnFound::Edit).search(),
        vec![answer(200, &adopted), answer(200, r#"{"id":1}"#)],
    );
    assert_eq!(requests, [SEARCH, "PATCH /comments/1"]);

    let both = page(&[(1, &go_marker().mark("old")), (2, &ours())]);
    let (requests, _) =
        play(thread(OnFound::Edit).search(), vec![answer(200, &both), answer(200, r#"{"id":2}"#)]);
    assert_eq!(requests, [SEARCH, "PATCH /comments/2"]);

    let mut strict = thread(OnFound::Edit);
    strict.markers.truncate(1);
    let (requests, _) =
        play(strict.search(), vec![answer(200, &adopted), answer(201, r#"{"id":3}"#)]);
    assert_eq!(requests, [SEARCH, "POST /7/comments"]);
}

#[test]
fn a_marker_in_the_middle_of_a_body_is_not_trusted() {
    let quoted = format!("> {}\nlook at this", ours());
    let indented = format!(" {}", ours());
    let listed = page(&[(1, &quoted), (2, &indented), (3, "")]);
    let replies = vec![answer(200, &listed), answer(201, r#"{"id":9}"#)];
    let (requests, end) = play(thread(OnFound::Edit).search(), replies);
    assert_eq!(requests, [SEARCH, "POST /7/comments"]);
    assert_eq!(done(end), Receipt { remote_id: "9".to_owned(), status: 201 });
}

#[test]
fn a_pasted_marker_that_we_may_not_edit_is_passed_over() {
    let listed = page(&[(1, &ours()), (2, &ours())]);
    let replies = vec![
        answer(200, &listed),
        answer(403, r#"{"message":"Must have admin rights"}"#),
        answer(200, &listed),
        answer(200, r#"{"id":2}"#),
    ];
    let (requests, end) = play(thread(OnFound::Edit).search(), replies);
    assert_eq!(requests, [SEARCH, "PATCH /comments/1", SEARCH, "PATCH /comments/2"]);
    assert_eq!(done(end).remote_id, "2");
}

#[test]
fn many_pasted_markers_end_in_a_comment_of_our_own() {
    let listed = page(&[(1, &ours()), (2, &ours()), (3, &ours()), (4, &ours())]);
    let mut replies = Vec::new();
    for _ in 0..REFUSED_MAX {
        replies.extend([answer(200, &listed), answer(403, "")]);
    }
    replies.push(answer(201, r#"{"id":9}"#));
    let (requests, end) = play(thread(OnFound::Edit).search(), replies);
    assert_eq!(requests.last().map(String::as_str), Some("POST /7/comments"));
    assert_eq!(done(end).remote_id, "9");
}

#[test]
fn a_comment_deleted_between_search_and_edit_is_written_anew() {
    let listed = page(&[(1, &ours())]);
    let replies =
        vec![answer(200, &listed), answer(404, ""), answer(200, "[]"), answer(201, r#"{"id":9}"#)];
    let (requests, _) = play(thread(OnFound::Edit).search(), replies);
    assert_eq!(requests, [SEARCH, "PATCH /comments/1", SEARCH, "POST /7/comments"]);
}

#[test]
fn an_in_doubt_creation_that_happened_is_kept_as_it_is() {
    let listed = page(&[(5, &ours())]);
    let (requests, end) = play(thread(OnFound::Keep).search(), vec![answer(200, &listed)]);
    assert_eq!(requests, [SEARCH]);
    assert_eq!(done(end), Receipt { remote_id: "5".to_owned(), status: 200 });
}

fn by(author: &Value, id: u64) -> Value {
    json!({ "id": id, "body": ours(), "user": author })
}

#[test]
fn a_marker_that_somebody_else_pasted_is_passed_over() {
    let (us, them) = (json!({"id": 7, "login": "relay"}), json!({"id": 8, "login": "mallory"}));
    let listed = Value::Array(vec![by(&them, 1), by(&Value::Null, 2), by(&us, 3)]).to_string();
    let replies =
        vec![answer(200, &listed), answer(200, &us.to_string()), answer(200, r#"{"id":3}"#)];
    let (requests, end) = play(thread(OnFound::Edit).search(), replies);
    assert_eq!(requests, [SEARCH, "GET https://api.github.com/user", "PATCH /comments/3"]);
    assert_eq!(done(end).remote_id, "3");

    let pasted = Value::Array(vec![by(&them, 1)]).to_string();
    for on_found in [OnFound::Edit, OnFound::Keep] {
        let replies =
            vec![answer(200, &pasted), answer(200, &us.to_string()), answer(201, r#"{"id":9}"#)];
        let (requests, _) = play(thread(on_found).search(), replies);
        assert_eq!(requests, [SEARCH, "GET https://api.github.com/user", "POST /7/comments"]);
    }
}

#[test]
fn a_token_is_asked_for_its_user_once() {
    let us = json!({"id": 7, "login": "relay"});
    let listed = Value::Array(vec![by(&us, 3)]).to_string();
    let known = |status, body: &str| {
        let Reply::Http(reply) = answer(status, body) else { panic!("an HTTP answer") };
        let credential = Some(crate::integration::CredentialId(1));
        Reply::Http(HttpReply { credential, ..reply })
    };
    let first = thread(OnFound::Edit);
    let second = CommentThread { forge: Arc::clone(&first.forge), ..thread(OnFound::Edit) };
    let replies = vec![known(200, &listed), known(200, &us.to_string()), known(200, "{}")];
    assert_eq!(play(first.search(), replies).0.len(), 3);
    let replies = vec![known(200, &listed), known(200, "{}")];
    assert_eq!(play(second.search(), replies).0, [SEARCH, "PATCH /comments/3"]);
}

#[test]
fn nothing_is_written_while_github_does_not_say_who_we_are() {
    let listed = Value::Array(vec![by(&json!({"login": "relay"}), 3)]).to_string();
    let replies = vec![answer(200, &listed), answer(502, "")];
    let failure = failed(play(thread(OnFound::Edit).search(), replies).1);
    assert_eq!((failure.kind, failure.retryability), (Server, Temporary));
}

fn with_next(url: &str, body: &str) -> Reply {
    let link = format!(r#"<{ROOT}/7/comments?page=1>; rel="prev", <{url}>; rel="next""#);
    answer_with(200, &[("link", &link)], body)
}

#[test]
fn all_pages_are_searched_before_a_comment_is_created() {
    let second = "https://api.github.com/repositories/1/issues/7/comments?per_page=100&page=2";
    let replies = vec![with_next(second, "[]"), answer(200, "[]"), answer(201, r#"{"id":9}"#)];
    let (requests, _) = play(thread(OnFound::Edit).search(), replies);
    assert_eq!(requests, [SEARCH, &format!("GET {second}"), "POST /7/comments"]);
}

#[test]
fn a_comment_on_a_later_page_is_found() {
    let second = format!("{ROOT}/7/comments?per_page=100&page=2");
    let listed = page(&[(101, &ours())]);
    let replies =
        vec![with_next(&second, "[]"), answer(200, &listed), answer(200, r#"{"id":101}"#)];
    let (requests, _) = play(thread(OnFound::Edit).search(), replies);
    assert_eq!(requests, [SEARCH, "GET /7/comments?per_page=100&page=2", "PATCH /comments/101"]);
}

#[test]
fn a_next_page_on_another_host_is_not_followed() {
    let foreign = [
        "https://evil.example/repos/acme/app/issues/7/comments?page=2",
        "http://api.github.com/repos",
        "https://api.github.com@evil.example/",
        "https://api.github.com:444/",
        "/repos/acme",
    ];
    for url in foreign {
        let (_, end) = play(thread(OnFound::Edit).search(), vec![with_next(url, "[]")]);
        let failure = failed(end);
        assert_eq!((failure.kind, failure.retryability), (Invalid, Permanent), "{url}");
    }
}

#[test]
fn the_search_ends_after_fifty_pages() {
    let next = format!("{ROOT}/7/comments?per_page=100&page=2");
    let mut replies = vec![with_next(&next, "[]"); PAGES_MAX as usize];
    replies.push(answer(201, r#"{"id":9}"#));
    let (requests, end) = play(thread(OnFound::Edit).search(), replies);
    assert_eq!(requests.len(), 51);
    assert_eq!(requests.last().map(String::as_str), Some("POST /7/comments"));
    assert_eq!(done(end).remote_id, "9");
}

#[test]
fn nothing_is_created_after_a_failed_search() {
    let rows = [
        (answer(200, "<html>"), Server, Temporary),
        (answer(200, r#"{"message":"odd"}"#), Server, Temporary),
        (answer(404, ""), NotFound, Unsettled),
        (answer(500, ""), Server, Temporary),
        (Reply::Failed { kind: Timeout, detail: String::new() }, Timeout, Temporary),
    ];
    for (reply, kind, retryability) in rows {
        let (_, end) = play(thread(OnFound::Edit).search(), vec![reply]);
        let failure = failed(end);
        assert_eq!((failure.kind, failure.retryability), (kind, retryability));
    }
}

#[test]
fn every_failing_answer_to_a_write_has_its_outcome() {
    let rows = [
        (answer(200, "<html>"), Server, Temporary),
        (answer(400, ""), Invalid, Permanent),
        (answer(401, ""), Auth, Permanent),
        (answer(409, ""), Conflict, Unsettled),
        (answer(410, ""), NotFound, Permanent),
        (answer(422, r#"{"message":"Validation Failed"}"#), Invalid, Permanent),
        (answer_with(403, &[("retry-after", "9")], ""), RateLimited, Temporary),
        (answer_with(429, &[("retry-after", "9")], ""), RateLimited, Temporary),
        (answer(502, ""), Server, Temporary),
        (Reply::Failed { kind: Timeout, detail: String::new() }, Timeout, Temporary),
    ];
    for (reply, kind, retryability) in rows {
        let firsts = [
            thread(OnFound::Edit).create(),
            thread(OnFound::Edit).edit_remembered(RemoteId::number(1)),
        ];
        for first in firsts {
            let (_, end) = play(first, vec![reply.clone()]);
            let failure = failed(end);
            assert_eq!((failure.kind, failure.retryability), (kind, retryability), "{reply:?}");
        }
    }
}

#[test]
fn a_missing_pull_request_may_appear_and_a_forbidden_one_does_not() {
    let (_, end) = play(thread(OnFound::Edit).create(), vec![answer(404, "")]);
    assert_eq!(failed(end).retryability, Unsettled);
    for first in
        [thread(OnFound::Edit).create(), thread(OnFound::Edit).edit_remembered(RemoteId::number(1))]
    {
        let (_, end) = play(first, vec![answer(403, "")]);
        let failure = failed(end);
        assert_eq!((failure.kind, failure.retryability), (Auth, Permanent));
    }
}

#[test]
fn an_edit_of_a_found_comment_fails_like_any_write() {
    let listed = page(&[(1, &ours())]);
    for (reply, kind) in [
        (answer(401, ""), Auth),
        (answer_with(403, &[("retry-after", "9")], ""), RateLimited),
        (answer(500, ""), Server),
        (Reply::Failed { kind: Timeout, detail: String::new() }, Timeout),
    ] {
        let replies = vec![answer(200, &listed), reply];
        let (_, end) = play(thread(OnFound::Edit).search(), replies);
        assert_eq!(failed(end).kind, kind);
    }
}
