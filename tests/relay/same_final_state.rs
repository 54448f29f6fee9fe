//! The same events in any order, twice, or again under new ids: the same end, and no duplicates.

use crate::harness::{Receiver, Relay, Seeded, Seen, Setup, recorded};
use std::collections::BTreeMap;
use tekton_events_relay::demo::Recorded;

/// Shuffles tried. Each uses a new relay.
const SEEDS: std::ops::Range<u64> = 1..5;

/// The final data of the receiver.
#[derive(Debug, PartialEq, Eq)]
struct FinalState {
    /// (state, description) of each (commit, check name).
    checks: BTreeMap<(String, String), (String, String)>,
    /// Comments of each pull request, without their markers.
    comments: BTreeMap<u64, Vec<String>>,
}

impl FinalState {
    fn of(seen: &Seen) -> Self {
        let statuses = seen.statuses().into_iter();
        Self {
            checks: statuses.map(|(check, state, text)| (check, (state, text))).collect(),
            comments: seen.threads(),
        }
    }
}

/// Plays the requests against a new relay.
async fn play(requests: &[Recorded]) -> Seen {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    relay.take(requests).await;
    relay.settled().await;
    let seen = receiver.seen();
    relay.kill_nine().await;
    seen
}

fn assert_once_and_forwards(seen: &Seen, what: &str) {
    assert_eq!(seen.repeated_webhooks(), 0, "{what}: a webhook id arrived twice");
    for (pr, comments) in seen.threads() {
        assert_eq!(comments.len(), 1, "{what}: comments on pull request {pr}");
    }
    let mut last: BTreeMap<_, String> = BTreeMap::new();
    for (check, state, text) in seen.statuses() {
        let before = last.insert(check.clone(), state.clone());
        let was_final = before.is_some_and(|before| before != "pending");
        assert!(!was_final, "{what}: {check:?} went on to {state} ({text}) after its end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_in_any_order_end_in_the_same_state() {
    let (requests, expected) = recorded();
    let in_order = play(&requests).await;
    assert_once_and_forwards(&in_order, "in order");
    assert_eq!(in_order.webhooks().len(), requests.len());
    for (check, state) in &expected {
        assert_eq!(in_order.checks().get(check), Some(state), "{check:?}");
    }
    for seed in SEEDS {
        let mut shuffled = requests.clone();
        Seeded::new(seed).shuffle(&mut shuffled);
        let seen = play(&shuffled).await;
        assert_once_and_forwards(&seen, &format!("seed {seed}"));
        assert_eq!(FinalState::of(&seen), FinalState::of(&in_order), "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_sent_again_lead_to_nothing() {
    let (requests, _) = recorded();
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let relay = Relay::start(&setup).await;
    relay.take(&requests).await;
    relay.settled().await;
    let once = receiver.seen();

    let mut again = requests.clone();
    again.extend(requests.iter().enumerate().map(|(at, r)| r.with_id(&format!("fresh-{at}"))));
    Seeded::new(7).shuffle(&mut again);
    // Events of an earlier attempt of a retried TaskRun are superseded, all others known.
    for answer in relay.take(&again).await {
        assert!(["duplicate", "superseded"].contains(&answer.fate.as_str()), "{answer:?}");
    }
    relay.settled().await;
    let twice = receiver.seen();
    let news = &twice.calls[once.calls.len()..];
    assert!(news.is_empty(), "{news:#?}");
    assert_once_and_forwards(&twice, "sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_sent_twice_in_a_row_counts_once() {
    let (requests, _) = recorded();
    let doubled: Vec<Recorded> = requests
        .iter()
        .enumerate()
        .flat_map(|(at, request)| [request.clone(), request.with_id(&format!("fresh-{at}"))])
        .collect();
    let (once, doubled) = (play(&requests).await, play(&doubled).await);
    assert_once_and_forwards(&doubled, "doubled");
    assert_eq!(doubled.transitions().len(), once.transitions().len());
    assert_eq!(FinalState::of(&doubled), FinalState::of(&once));
}
