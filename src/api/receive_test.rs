//! Bodies in parts, compressed or not, with and without room.

use super::*;
use axum::body::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use std::convert::Infallible;

const MAX: usize = 1 << 20;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn encoded(encoding: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(encoding))])
}

async fn read(
    content: &[u8],
    headers: &HeaderMap,
    budget: &BodyBudget,
) -> Result<Received, Problem> {
    let parts = content.chunks(1000).map(Bytes::copy_from_slice).map(Ok::<_, Infallible>);
    let body = Body::from_stream(stream::iter(parts.collect::<Vec<_>>()));
    receive(body, headers, (budget, MAX), |_| {}).await
}

fn free(budget: &BodyBudget) -> (usize, usize) {
    (budget.bodies.available_permits(), budget.beginnings.available_permits())
}

#[tokio::test]
async fn f25_a_body_is_read_plain_and_inflated() {
    let budget = BodyBudget::default();
    let content = b"{\"pipelineRun\": {}}".repeat(1000);
    let plain = read(&content, &HeaderMap::new(), &budget).await.ok().unwrap();
    assert_eq!(plain.bytes(), content);
    for name in ["gzip", "x-gzip", "GZIP"] {
        let inflated = read(&gzip(&content), &encoded(name), &budget).await.ok().unwrap();
        assert_eq!(inflated.bytes(), content, "{name}");
    }
    let two = [gzip(b"one "), gzip(b"two")].concat();
    assert_eq!(read(&two, &encoded("gzip"), &budget).await.ok().unwrap().bytes(), b"one two");
}

#[tokio::test]
async fn f25_what_is_no_whole_gzip_is_malformed_and_other_encodings_are_refused() {
    let budget = BodyBudget::default();
    let whole = gzip(&b"content".repeat(1000));
    for broken in [&whole[..whole.len() - 1], b"no gzip at all", &whole[..5]] {
        let problem = read(broken, &encoded("gzip"), &budget).await.err().unwrap();
        assert_eq!(problem.id, ProblemId::InvalidCloudEvent, "{}", problem.detail);
    }
    for other in ["br", "zstd", "gzip, gzip", "deflate"] {
        let problem = read(b"x", &encoded(other), &budget).await.err().unwrap();
        assert_eq!(problem.id, ProblemId::UnsupportedEncoding);
        assert!(problem.detail.contains("accepted: gzip, identity"), "{}", problem.detail);
    }
    let mut twice = encoded("gzip");
    twice.append(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    assert!(read(b"x", &twice, &budget).await.is_err());
}

#[tokio::test]
async fn s06_a_body_is_bounded_by_what_it_inflates_to() {
    let budget = BodyBudget::default();
    let bomb = gzip(&vec![0; 64 * MAX]);
    assert!(bomb.len() < MAX);
    let problem = read(&bomb, &encoded("gzip"), &budget).await.err().unwrap();
    assert_eq!(problem.id, ProblemId::BodyTooLarge);
    let plain = read(&vec![0; MAX + 1], &HeaderMap::new(), &budget).await.err().unwrap();
    assert_eq!(plain.id, ProblemId::BodyTooLarge);
    assert_eq!(free(&budget), (BODIES_BYTES_MAX, BEGINNINGS_BYTES_MAX));
}

#[tokio::test]
async fn s06_bodies_share_a_budget_and_give_it_back() {
    let budget = BodyBudget::default();
    let mut held = Vec::new();
    for _ in 0..BODIES_BYTES_MAX / MAX {
        held.push(read(&vec![0; MAX], &HeaderMap::new(), &budget).await.ok().unwrap());
    }
    assert_eq!(free(&budget), (0, BEGINNINGS_BYTES_MAX));
    let large = read(&vec![0; MAX], &HeaderMap::new(), &budget).await.err().unwrap();
    assert_eq!(large.id, ProblemId::Overloaded);
    let event = read(&vec![0; BEGINNING_BYTES / 2], &HeaderMap::new(), &budget).await;
    assert_eq!(event.ok().unwrap().bytes().len(), BEGINNING_BYTES / 2);
    held.pop();
    assert!(read(&vec![0; MAX], &HeaderMap::new(), &budget).await.is_ok());
    drop(held);
    assert_eq!(free(&budget), (BODIES_BYTES_MAX, BEGINNINGS_BYTES_MAX));
}

#[tokio::test]
async fn the_bytes_are_shown_as_they_were_sent() {
    let sent = gzip(b"content");
    let mut seen = Vec::new();
    let body = Body::from(sent.clone());
    let budget = BodyBudget::default();
    let see = |part: &[u8]| seen.extend_from_slice(part);
    receive(body, &encoded("gzip"), (&budget, MAX), see).await.ok().unwrap();
    assert_eq!(seen, sent);
}
