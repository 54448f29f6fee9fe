//! A receiver that is down: for some calls against a process, for half a day and longer in virtual
//! time. Accepted events arrive in order and once, or become dead letters.

use crate::harness::{Receiver, Relay, Setup, recorded, run_events};
use std::collections::BTreeMap;
use std::time::Duration;
use tekton_events_relay::clock::Timestamp;
use tekton_events_relay::config::{NoFiles, SecretCheck, load};
use tekton_events_relay::effect::{Receipt, RouteName};
use tekton_events_relay::event::RunEvent;
use tekton_events_relay::failure::{DeliveryFailure, FailureKind, Retryability};
use tekton_events_relay::integration::{HttpRequest, Outbound, Turn};
use tekton_events_relay::plan::{DryRun, Target};
use tekton_events_relay::retry::{RetryPolicy, Verdict};
use tekton_events_relay::state_machine::{AttemptResult, Cause, CauseKind, Settings, millis};

/// Calls refused before the receiver recovers: some seconds, as each of the three instances is
/// probed by one call after 1, 2 and 4 s once five calls have failed.
const REFUSED: usize = 24;

/// (state, reason) of each run's transitions, in order, by run uid.
type Timelines = BTreeMap<String, Vec<(String, String)>>;

fn timelines(transitions: impl IntoIterator<Item = (String, String, String)>) -> Timelines {
    let mut timelines = Timelines::new();
    for (uid, state, reason) in transitions {
        timelines.entry(uid).or_default().push((state, reason));
    }
    timelines
}

fn reported(events: &[RunEvent]) -> Timelines {
    let transition = |event: &RunEvent| {
        (event.uid.clone(), event.state.as_str().to_owned(), event.reason.clone())
    };
    timelines(events.iter().map(transition))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_arrives_in_order_and_once() {
    let (requests, expected) = recorded();
    let receiver = Receiver::start().await;
    let mut calls = 0;
    receiver.refuse(move |_| {
        calls += 1;
        (calls <= REFUSED).then_some(500)
    });
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    relay.take(&requests).await;
    relay.settled().await;
    let seen = receiver.seen();
    assert_eq!(seen.refused(), REFUSED);
    assert_eq!(timelines(seen.transitions()), reported(&run_events(&requests)));
    assert_eq!(seen.repeated_webhooks(), 0);
    assert_eq!(relay.dead_letters().await.len(), 0);
    let checks = seen.checks();
    for (check, state) in &expected {
        assert_eq!(checks.get(check), Some(state), "{check:?}");
    }
    relay.kill_nine().await;
}

const ROUTES: &str = "
scm: {github: [{name: hub, actions: [{name: checks, type: commit_status}]}]}
notifiers: {webhook: [{name: archive, url_file: /none/url}]}
";

/// A target that fails until it recovers, and then remembers accepted calls.
struct Outage {
    policy: RetryPolicy,
    began_at: Timestamp,
    ends_at: Timestamp,
    /// Attempts by request: those of one effect are equal.
    attempts: BTreeMap<String, u32>,
    taken: Vec<HttpRequest>,
    /// Requests accepted more than once.
    repeated: usize,
}

impl Outage {
    fn of(length: Duration, began_at: Timestamp) -> Self {
        Self {
            policy: RetryPolicy::default(),
            began_at,
            ends_at: began_at.after(length),
            attempts: BTreeMap::new(),
            taken: Vec::new(),
            repeated: 0,
        }
    }

    fn take(&mut self, request: &HttpRequest) -> AttemptResult {
        let is_webhook = |request: &HttpRequest| header(request, "webhook-id").is_some();
        let is_known =
            |known: &HttpRequest| header(known, "webhook-id") == header(request, "webhook-id");
        if is_webhook(request) && self.taken.iter().any(is_known) {
            self.repeated += 1;
        }
        self.taken.push(request.clone());
        AttemptResult::Delivered(Receipt::default())
    }

    /// (run uid, state, reason) of the accepted webhooks.
    fn transitions(&self) -> Vec<(String, String, String)> {
        let webhooks = self.taken.iter().filter(|r| header(r, "webhook-id").is_some());
        let transition = |request: &HttpRequest| {
            let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
            let text = |field: &str| body[field].as_str().unwrap().to_owned();
            (text("run_id"), text("state"), text("reason"))
        };
        webhooks.map(transition).collect()
    }

    /// The last accepted state of each check, by its name.
    fn checks(&self) -> BTreeMap<String, String> {
        let statuses = self.taken.iter().filter(|r| header(r, "webhook-id").is_none());
        let check = |request: &HttpRequest| {
            let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
            let text = |field: &str| body[field].as_str().unwrap().to_owned();
            (text("context"), text("state"))
        };
        statuses.map(check).collect()
    }
}

fn header<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    let header = request.headers.iter().find(|(known, _)| known == name);
    header.map(|(_, value)| value.as_str())
}

impl Target for Outage {
    fn attempt(&mut self, _: &RouteName, turn: &Turn, at: Timestamp) -> AttemptResult {
        let Turn::Send(Outbound::Http(request), _) = turn else {
            panic!("every effect here is one request: {turn:?}");
        };
        if at >= self.ends_at {
            return self.take(request);
        }
        let attempts = self.attempts.entry(format!("{request:?}")).or_default();
        *attempts += 1;
        let failure = DeliveryFailure::new(FailureKind::Server, Retryability::Temporary, "500");
        let cause = Cause::from(&failure);
        let age = at.since(self.began_at);
        match self.policy.after_failure(*attempts, &failure, age, at.0) {
            Verdict::RetryIn(wait) => AttemptResult::RetryIn { wait_ms: millis(wait), cause },
            Verdict::GiveUp => AttemptResult::Dead(cause),
        }
    }
}

/// The recorded events during an outage of some length, and the time after it.
fn outage(length: Duration) -> (DryRun, Outage, Vec<RunEvent>) {
    let loaded = load(ROUTES, "relay.yaml", &NoFiles, SecretCheck::Skipped).unwrap();
    let events = run_events(&recorded().0);
    let began_at = Timestamp(1_700_000_000_000);
    let mut run = DryRun::new(loaded.config.rules, Settings::default(), began_at);
    let mut target = Outage::of(length, began_at);
    for event in &events {
        run.take(event.clone(), &mut target);
    }
    run.advance(began_at.after(length + Duration::from_hours(1)), &mut target);
    (run, target, events)
}

#[test]
fn an_outage_of_twelve_hours_delays_everything_and_loses_nothing() {
    let (run, target, events) = outage(Duration::from_hours(12));
    assert_eq!(timelines(target.transitions()), reported(&events));
    assert_eq!(target.repeated, 0);
    assert_eq!(target.checks()["tekton/run:ok"], "success");
    assert_eq!(run.state().dead_letters().count(), 0);
    assert_eq!(run.state().backlog(), 0);
}

#[test]
fn an_outage_longer_than_max_age_leaves_dead_letters() {
    let (run, target, events) = outage(Duration::from_hours(30));
    assert_eq!(target.taken.len(), 0);
    let webhooks = run.state().dead_letters().filter(|letter| letter.route.kind == "webhook");
    let letters: Vec<_> = webhooks
        .map(|letter| {
            assert_eq!(letter.cause.kind, CauseKind::Delivery(FailureKind::Server));
            let event = &letter.event;
            (event.uid.clone(), event.state.as_str().to_owned(), event.reason.clone())
        })
        .collect();
    assert_eq!(timelines(letters), reported(&events));
    assert_eq!(run.state().backlog(), 0);
}
