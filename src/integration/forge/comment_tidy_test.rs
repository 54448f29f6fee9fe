//! What a repair finds: one comment, two of one author, a pasted marker, none.

use crate::integration::fixture::{answer, done, sent};
use crate::integration::forge::RemoteId;
use crate::integration::forge::comment_exchange::{CommentThread, OnFound, ThreadPlace};
use crate::integration::github::GithubInstance;
use crate::integration::marker::Marker;
use crate::integration::{Credential, Reply, Text, Turn};
use serde_json::{Value, json};
use std::sync::Arc;

const ROOT: &str = "https://api.github.com/repos/acme/app/issues";
const LIST: &str = "GET /7/comments?per_page=100";

fn marker() -> Marker {
    Marker::of_run("u-1", "pr_comment", "notes")
}

fn tidy(remembered: Option<u64>) -> Turn {
    let thread = CommentThread {
        forge: Arc::new(GithubInstance::new("main", "", Credential::None)),
        place: ThreadPlace {
            first_page_url: format!("{ROOT}/7/comments?per_page=100"),
            thread_url: format!("{ROOT}/7/comments"),
            comments_url: format!("{ROOT}/comments"),
        },
        body: marker().mark("new text"),
        markers: vec![marker()],
        on_found: OnFound::Edit,
    };
    thread.tidy(remembered.map(RemoteId::number))
}

/// A page of comments under our marker: (id, author).
fn page(comments: &[(u64, u64)]) -> Reply {
    let body = marker().mark("old text");
    let comment =
        |(id, author): &(u64, u64)| json!({"id": id, "body": body, "user": {"id": author}});
    answer(200, &Value::Array(comments.iter().map(comment).collect()).to_string())
}

fn edited(id: u64) -> Reply {
    answer(200, &json!({ "id": id }).to_string())
}

/// The requests that a tidying makes, and the id that it ends with.
fn play(remembered: Option<u64>, replies: Vec<Reply>) -> (Vec<String>, String) {
    let mut requests = Vec::new();
    let mut turn = tidy(remembered);
    for reply in replies {
        let (request, exchange) = sent(turn);
        let Text::Plain(url) = &request.url else { panic!("GitHub's URLs are no secrets") };
        let path = url.strip_prefix(ROOT).unwrap_or(url);
        requests.push(format!("{} {path}", request.method.as_str()));
        turn = exchange.on_reply(reply);
    }
    (requests, done(turn).remote_id)
}

#[test]
fn rule_02_a_second_comment_of_the_same_marker_is_deleted() {
    let replies = vec![page(&[(1, 9), (2, 9)]), edited(2), answer(204, "")];
    let (requests, kept) = play(Some(2), replies);
    assert_eq!(requests, [LIST, "PATCH /comments/2", "DELETE /comments/1"]);
    assert_eq!(kept, "2");
}

#[test]
fn rule_02_without_a_remembered_comment_the_oldest_stays() {
    let us = || answer(200, r#"{"id":9}"#);
    let replies = vec![page(&[(1, 9), (2, 9)]), us(), edited(1), answer(404, "")];
    let (requests, kept) = play(None, replies);
    let asked = "GET https://api.github.com/user";
    assert_eq!(requests, [LIST, asked, "PATCH /comments/1", "DELETE /comments/2"]);
    assert_eq!(kept, "1");

    // Also where somebody pasted our marker before.
    let replies = vec![page(&[(1, 4), (2, 9), (3, 9)]), us(), edited(2), answer(204, "")];
    let (requests, kept) = play(None, replies);
    assert_eq!(requests, [LIST, asked, "PATCH /comments/2", "DELETE /comments/3"]);
    assert_eq!(kept, "2");
    let (requests, _) = play(None, vec![page(&[(1, 4)]), us(), answer(201, r#"{"id":5}"#)]);
    assert_eq!(requests, [LIST, asked, "POST /7/comments"]);
}

#[test]
fn s17_a_marker_that_somebody_else_pasted_is_left_alone() {
    let (requests, _) = play(Some(2), vec![page(&[(1, 4), (2, 9)]), edited(2)]);
    assert_eq!(requests, [LIST, "PATCH /comments/2"]);
}

#[test]
fn a_single_comment_is_brought_up_to_date_and_a_missing_one_is_created() {
    let (requests, _) = play(Some(2), vec![page(&[(2, 9)]), edited(2)]);
    assert_eq!(requests, [LIST, "PATCH /comments/2"]);
    let (requests, kept) = play(None, vec![page(&[]), answer(201, r#"{"id":5}"#)]);
    assert_eq!(
        (requests, kept),
        (vec![LIST.to_owned(), "POST /7/comments".to_owned()], "5".to_owned())
    );
}
