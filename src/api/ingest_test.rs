//! The answer to events by what the replica is doing.

use super::super::fixture::{Bench, ruleset};
use super::*;
use crate::event::{Keep, Key, recorded};
use serde_json::{Value, json};
use tokio::sync::watch;

fn event(number: usize) -> http::Request<Body> {
    let (headers, body) = recorded().swap_remove(number);
    let request = http::Request::post("/");
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    request.body(Body::from(body)).unwrap()
}

fn member(body: &str, name: &str) -> Value {
    serde_json::from_str::<Value>(body).unwrap()[name].clone()
}

#[tokio::test]
async fn a_replica_that_drains_is_unready_and_takes_events_until_its_listener_closes() {
    let bench = Bench::alone().await;
    assert_eq!(bench.get("/readyz").await.0, StatusCode::OK);
    bench.api.drain.cancel();
    let (status, body) = bench.get("/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(member(&body, "reason"), "draining");
    let (status, body) = bench.send(event(0)).await;
    assert_eq!((status, member(&body, "fate")), (StatusCode::ACCEPTED, json!("accepted")));
    // What comes after the log is closed is the sender's to repeat.
    bench.api.cluster.shutdown().await;
    assert_eq!(bench.send(event(1)).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn what_is_kept_of_an_event_is_what_the_newest_ruleset_reads() {
    let mut bench = Bench::alone().await;
    let rulesets = watch::Sender::new(Arc::new(ruleset(Keep::default())));
    bench.api.rulesets = rulesets.subscribe();
    let mut kept = Vec::new();
    for number in [0, 2] {
        let (status, body) = bench.send(event(number)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        let uid = member(&body, "run_uid");
        let uid = uid.as_str().unwrap();
        kept.push(bench.api.cluster.read(|state| state.run(uid).unwrap().run.facts.labels.len()));
        let rules = crate::plan::Rules::default();
        rulesets.send_modify(|held| {
            *held = Arc::new(held.replaced_by(rules, Keep::all(), Key::of(&["newer"])));
        });
    }
    assert_eq!((kept[0], kept[1] > 0), (0, true));
}
