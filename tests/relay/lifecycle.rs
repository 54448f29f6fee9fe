//! Start, drain and stop: none of them loses an acknowledged event, and a failed start says why.

use crate::harness::{Receiver, Relay, Setup, client, eventually, recorded, run, run_events};
use std::time::{Duration, Instant};

/// A drain without calls in progress: the wait between unready and closed, and some fsyncs. Less
/// than the longest sleep of any task inside, 5 s, so that it waits for none.
const QUICK: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_with_work_pending_exits_zero_and_the_work_survives() {
    let (requests, _) = recorded();
    let receiver = Receiver::start().await;
    receiver.refuse(|_| Some(503));
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    relay.take(&requests).await;
    assert!(relay.gauge("effects_unsettled").await > 0);
    let asked = Instant::now();
    relay.stop().await;
    assert!(asked.elapsed() < QUICK, "took {:?}", asked.elapsed());

    receiver.recover();
    let relay = Relay::start(&setup).await;
    relay.settled().await;
    let seen = receiver.seen();
    assert_eq!((seen.webhooks().len(), seen.repeated_webhooks()), (requests.len(), 0));
    assert_eq!(relay.gauge("effects_in_doubt_total").await, 0);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_under_way_at_a_stop_end_and_are_not_made_again() {
    let (requests, _) = recorded();
    let receiver = Receiver::start().await;
    receiver.hold();
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    relay.take(&requests[..1]).await;
    eventually("a call is under way", QUICK, async || {
        (!receiver.seen().calls.is_empty()).then_some(())
    })
    .await;
    relay.terminate().await;
    eventually("the listener is closed", QUICK, async || {
        client().get(relay.url("/healthz")).send().await.is_err().then_some(())
    })
    .await;
    receiver.release();
    assert_eq!(relay.ended().await.code(), Some(0));

    let relay = Relay::start(&setup).await;
    relay.settled().await;
    assert_eq!(relay.gauge("effects_in_doubt_total").await, 0);
    assert_eq!((receiver.seen().webhooks().len(), receiver.seen().repeated_webhooks()), (1, 0));
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_ends_before_the_listener_does() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let client = client();
    relay.terminate().await;
    let body = eventually("unready", QUICK, async || {
        let answer = client.get(relay.url("/readyz")).send().await.unwrap();
        if answer.status() != 503 {
            return None;
        }
        answer.text().await.ok()
    })
    .await;
    assert!(body.contains("\"reason\":\"draining\""), "{body}");
    assert_eq!(relay.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_before_a_restart_is_known_after_it() {
    let (requests, _) = recorded();
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    relay.take(&requests).await;
    relay.settled().await;
    let before = relay.get("/api/v1/cluster").await;
    let uid = &run_events(&requests)[0].uid;
    let run_before = relay.get(&format!("/api/v1/runs/{uid}")).await;
    relay.stop().await;

    let relay = Relay::start(&setup).await;
    let after = relay.get("/api/v1/cluster").await;
    assert_eq!(after["cluster_id"], before["cluster_id"]);
    assert_eq!(after["self"], before["self"]);
    assert_eq!(relay.get(&format!("/api/v1/runs/{uid}")).await, run_before);
    for answer in relay.take(&requests).await {
        assert_eq!(answer.fate, "duplicate");
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_data_directory_has_one_process() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let data = setup.path("data").display().to_string();
    let other = Setup::empty();
    let arguments = ["serve", "--server-addr", &other.address, "--data-dir", &data];
    let second = run(other.folder(), &arguments).await;
    assert_eq!(second.code, Some(1));
    assert!(
        second.stderr.contains(&data) && second.stderr.contains("another process"),
        "{}",
        second.stderr
    );
    relay.settled().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_address_is_told_and_the_process_ends() {
    let setup = Setup::empty();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = run(setup.folder(), &["serve", "--server-addr", &address]).await;
    assert_eq!(ended.code, Some(1));
    let told = format!("cannot listen on {address}");
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_file_each_effect_is_a_line_of_the_log() {
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let (requests, _) = recorded();
    relay.take(&requests).await;
    relay.settled().await;
    let log = relay.log();
    for event in run_events(&requests) {
        assert!(log.contains(&event.uid), "{} is not in:\n{log}", event.name);
    }
    relay.stop().await;
}
