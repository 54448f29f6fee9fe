//! Floods: events, bodies and connections that fill a replica.

use crate::harness::{Relay, Setup, client, eventually, recorded};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Waiting connections are closed after 10 s; the rest is for a busy machine.
const CLOSED_WITHIN: Duration = Duration::from_secs(40);

async fn connected(setup: &Setup, first: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(&setup.address).await.unwrap();
    stream.write_all(first).await.unwrap();
    stream
}

/// Whether the other end has closed; there was no request, so no other data can come.
fn is_closed(stream: &TcpStream) -> bool {
    let mut byte = [0; 1024];
    loop {
        match stream.try_read(&mut byte) {
            Ok(0) => return true,
            // Settings of HTTP/2.
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

/// Answers on a separate connection, like that of a probe.
async fn assert_alive(relay: &Relay<'_>, when: &str) {
    let answer = client().get(relay.url("/healthz")).send().await;
    assert_eq!(answer.unwrap_or_else(|error| panic!("{when}: {error}")).status(), 200, "{when}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s07_connections_that_wait_take_neither_the_descriptors_nor_the_health_of_a_replica() {
    const DESCRIPTORS: usize = 256;
    const STRANGERS: usize = 400;
    let setup = Setup::empty();
    let relay = Relay::start_with_descriptors(&setup, DESCRIPTORS).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = [preface.as_slice(), &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
    let half_body = b"POST / HTTP/1.1\r\nhost: relay\r\ncontent-length: 100\r\n\r\n{";
    let firsts: [&[u8]; 6] =
        [b"", &preface[..9], &settings, b"GET", b"GET / HTTP/1.1\r\n", half_body];
    let mut strangers = Vec::new();
    for number in 0..STRANGERS {
        strangers.push(connected(&setup, firsts[number % firsts.len()]).await);
        if number % 50 == 0 {
            assert_alive(&relay, &format!("with {number} strangers")).await;
        }
    }
    assert_alive(&relay, "with all strangers").await;
    let event = recorded().0.swap_remove(0);
    relay.take(&[event]).await;
    let open = strangers.iter().filter(|stream| !is_closed(stream)).count();
    assert!(open <= DESCRIPTORS / 2, "{open} are open");
    let begun = Instant::now();
    eventually("every stranger is gone", CLOSED_WITHIN, async || {
        assert_alive(&relay, &format!("after {:?}", begun.elapsed())).await;
        strangers.iter().all(is_closed).then_some(())
    })
    .await;
    let complaints = relay.log().matches("connection not accepted").count();
    assert!(complaints < 10, "{complaints} lines in the log");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s06_bodies_that_do_not_end_hold_a_bounded_part_of_the_memory() {
    const BODY: usize = 4 << 20;
    const SENDERS: usize = 40;
    /// 64 MiB of bodies, and the process itself with room to spare.
    const PEAK_KIB_MAX: u64 = 260 * 1024;
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let head = format!("POST / HTTP/1.1\r\nhost: relay\r\ncontent-length: {BODY}\r\n\r\n");
    let body = vec![b' '; BODY - 1];
    let mut senders = Vec::new();
    for _ in 0..SENDERS {
        let mut stream = connected(&setup, head.as_bytes()).await;
        // A request that is refused half way is closed.
        let _ = stream.write_all(&body).await;
        senders.push(stream);
    }
    assert_alive(&relay, "with bodies in flight").await;
    let event = recorded().0.swap_remove(0);
    relay.take(&[event]).await;
    let mut refused = 0;
    for stream in &mut senders {
        let mut answer = vec![0; 1024];
        let read = tokio::time::timeout(CLOSED_WITHIN, stream.read(&mut answer)).await;
        let length = read.expect("an answer or the end").unwrap_or(0);
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        if !answer.is_empty() {
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            assert!(answer.contains("retry-after: 1"), "{answer}");
            refused += 1;
        }
    }
    let overloaded = "tekton_events_relay_events_refused_total{reason=\"overloaded\"}";
    let counted = relay.metric(overloaded).await;
    assert!(counted >= (SENDERS - 16) as u64 && refused <= counted, "{counted}, {refused}");
    let peak = relay.peak_memory_kib();
    assert!(peak < PEAK_KIB_MAX, "{peak} KiB");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s19_a_batch_that_no_entry_of_the_log_holds_is_taken_in_parts() {
    const EVENTS: usize = 1000;
    let setup = Setup::empty();
    let relay = Relay::start(&setup).await;
    let first: Value = serde_json::from_slice(&recorded().0[0].body).unwrap();
    let event = |number: usize| {
        let mut data = first.clone();
        let run = &mut data["pipelineRun"];
        run["metadata"]["uid"] = json!(format!("11111111-0000-4000-8000-{number:012}"));
        run["metadata"]["name"] = json!(format!("{}-{number}", "a".repeat(200)));
        run["status"] = json!({"conditions": [{"type": "Succeeded", "status": "Unknown",
            "reason": "Running", "message": "m".repeat(1500),
            "lastTransitionTime": "2026-01-01T00:00:09Z"}]});
        json!({"specversion": "1.0", "id": number.to_string(), "source": "/s",
            "type": "dev.tekton.event.pipelinerun.running.v1", "data": data})
    };
    let batch = Value::from((0..EVENTS).map(event).collect::<Vec<_>>()).to_string();
    assert!(batch.len() < 4 << 20, "{} bytes", batch.len());
    let post = client().post(relay.url("/")).body(batch);
    let post = post.header("content-type", "application/cloudevents-batch+json");
    let answer = post.send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    assert_eq!(status, 202, "{text}");
    let answers: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(answers.len(), EVENTS);
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer["fate"], "accepted", "{number}: {answer}");
        assert_eq!(answer["run_uid"], format!("11111111-0000-4000-8000-{number:012}"));
    }
    relay.kill_nine().await;
}
