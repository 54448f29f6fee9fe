//! A sender retries what Tekton retries, and its history has every attempt.

use crate::harness::history::Sent;
use crate::harness::{To, load::Load};
use crate::shared::{client, recorded};
use axum::Router;
use axum::http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// A node that answers with these statuses, then repeats the last one.
async fn node(statuses: &'static [u16]) -> String {
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = move || {
        let at = asked.fetch_add(1, Ordering::Relaxed).min(statuses.len() - 1);
        let body = r#"{"fate": "accepted", "run_uid": "u", "slot": 7, "owner": "a0"}"#;
        async move { (StatusCode::from_u16(statuses[at]).unwrap(), body) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    url
}

async fn sent_to(urls: Vec<String>, to: &To) -> (Load, Sent) {
    let load = Load::new(urls, client(), (1, Instant::now()));
    let sent = load.send(&recorded().0[0], to).await;
    (load, sent)
}

#[tokio::test]
async fn what_tekton_repeats_is_repeated_until_it_is_taken() {
    let (load, sent) = sent_to(vec![node(&[503, 429, 202]).await], &To::Node(0)).await;
    let statuses: Vec<u16> = sent.answers().map(|answer| answer.status).collect();
    assert_eq!(statuses, [503, 429, 202]);
    assert!(sent.is_acknowledged() && sent.has_fate("accepted"));
    let answer = sent.answers().last().unwrap();
    assert_eq!((answer.slot, answer.owner.as_deref()), (Some(7), Some("a0")));
    assert_eq!((load.history().sent.len(), load.history().tries()), (1, 3));
}

#[tokio::test]
async fn a_final_refusal_is_not_repeated() {
    let (load, sent) = sent_to(vec![node(&[400]).await], &To::Node(0)).await;
    assert_eq!(sent.tries.len(), 1);
    assert_eq!(load.history().unacknowledged().len(), 1);
}

#[tokio::test]
async fn an_attempt_that_meets_nobody_is_repeated_elsewhere() {
    let nobody = "http://127.0.0.1:1/".to_owned();
    let urls = vec![nobody, node(&[503, 503, 503, 503, 202]).await];
    let (_, sent) = sent_to(urls, &To::any(2)).await;
    let nodes: Vec<usize> = sent.tries.iter().map(|attempt| attempt.node).collect();
    assert!(nodes.contains(&0) && nodes.contains(&1) && sent.is_acknowledged(), "{nodes:?}");
    for attempt in &sent.tries {
        assert_eq!(attempt.answer.is_none(), attempt.node == 0, "{attempt:?}");
        assert!(attempt.started <= attempt.ended);
    }
}

#[tokio::test]
async fn a_copy_of_the_recording_is_sent_whole() {
    let load = Load::new(vec![node(&[202]).await], client(), (1, Instant::now()));
    load.play_copy(3, &To::Node(0)).await;
    let history = load.history();
    assert_eq!(history.sent.len(), recorded().0.len());
    assert_eq!(history.with_fate("accepted"), recorded().0.len());
}
