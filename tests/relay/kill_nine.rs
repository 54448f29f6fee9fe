//! Fifty kills at random moments: an acknowledged event is delivered or is a dead letter, and every
//! repeated arrival was counted in doubt.

use crate::harness::{
    Expected, Receiver, Relay, Seeded, Setup, copy_of_the_recording, named, run_events,
};
use futures_util::future::join_all;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use tekton_events_relay::demo::Recorded;

const KILLS: usize = 50;
/// Decides the moments of the kills and, with the next number, what the receiver refuses.
const SEED: u64 = 20_261_120;
/// Latest moment of a kill after the relay was ready, in milliseconds: by then the events of a
/// round have been sent, and some of their effects wait for another attempt.
const KILL_WITHIN_MS: u64 = 250;
/// Runs sent in parallel, different ones in each round.
const RUNS: [[&str; 2]; 3] = [["ok", "solo"], ["bad", "cancelme"], ["timeme", "cr1"]];

/// (run uid, state, reason): identifies an event in webhooks and dead letters.
type Transition = (String, String, String);

/// The events of one round, and what its commits must show at the end.
struct Round {
    streams: Vec<Vec<Recorded>>,
    expected: Expected,
}

impl Round {
    fn new(number: usize) -> Self {
        let names = RUNS[number % RUNS.len()];
        let (requests, mut expected) = copy_of_the_recording(number);
        expected.retain(|(_, check), _| names.iter().any(|name| check.ends_with(name)));
        Self { streams: names.iter().map(|name| named(&requests, name)).collect(), expected }
    }

    fn transitions(&self) -> impl Iterator<Item = Transition> {
        let events = self.streams.iter().flat_map(|stream| run_events(stream));
        events.map(|event| (event.uid, event.state.as_str().to_owned(), event.reason))
    }

    /// Sends while the relay is killed and started again. Every event must be acknowledged.
    async fn play<'s>(&self, relay: Relay<'s>, setup: &'s Setup, moment: Duration) -> Relay<'s> {
        let sender = relay.sender();
        let restarted = async {
            // The moment of the kill, not a wait for a condition.
            tokio::time::sleep(moment).await;
            relay.kill_nine().await;
            Relay::start(setup).await
        };
        let sent = join_all(self.streams.iter().map(|stream| sender.play(stream)));
        let (relay, answers) = tokio::join!(restarted, sent);
        for answer in answers.iter().flatten() {
            // If the answer to an event was lost, its repetition is known.
            let is_kept =
                answer.fate == "accepted" || (answer.fate == "duplicate" && answer.attempts > 1);
            assert!(answer.is_acknowledged() && is_kept, "{answer:?}");
        }
        relay
    }
}

fn text(letter: &Value, field: &str) -> String {
    letter["envelope"]["Report"][field].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_lose_nothing_and_repeat_only_what_was_in_doubt() {
    let receiver = Receiver::start().await;
    let setup = Setup::of(&receiver);
    let (mut moments, mut refusals) = (Seeded::new(SEED), Seeded::new(SEED + 1));
    receiver.refuse(move |_| refusals.coin().then_some(503));
    let mut relay = Relay::start(&setup).await;
    let rounds: Vec<Round> = (1..=KILLS).map(Round::new).collect();
    for round in &rounds {
        let moment = Duration::from_millis(moments.below(KILL_WITHIN_MS));
        relay = round.play(relay, &setup, moment).await;
    }
    receiver.recover();
    relay.settled().await;

    let (seen, letters) = (receiver.seen(), relay.dead_letters().await);
    let is_dead = |action: &str, field: &str, value: &str| {
        let found = |letter: &&Value| letter["effect"]["action"] == action;
        letters.iter().filter(found).any(|letter| text(letter, field) == value)
    };
    let delivered: BTreeSet<Transition> = seen.transitions().into_iter().collect();
    let mut kept = delivered.clone();
    kept.extend(
        letters
            .iter()
            .filter(|letter| letter["effect"]["integration"] == "webhook")
            .map(|letter| (text(letter, "run_id"), text(letter, "state"), text(letter, "reason"))),
    );
    let sent: BTreeSet<Transition> = rounds.iter().flat_map(Round::transitions).collect();
    let lost: Vec<&Transition> = sent.difference(&kept).collect();
    assert!(lost.is_empty(), "seed {SEED}: {} lost: {lost:?}", lost.len());

    let (twice, in_doubt) = (seen.repeated_webhooks(), relay.gauge("effects_in_doubt_total").await);
    assert!(in_doubt > 0, "seed {SEED}: no kill met a call under way");
    assert!(twice as u64 <= in_doubt, "seed {SEED}: {twice} twice, {in_doubt} in doubt");

    let checks = seen.checks();
    for (check, state) in rounds.iter().flat_map(|round| &round.expected) {
        let is_shown = checks.get(check) == Some(state);
        assert!(
            is_shown || is_dead("checks", "commit_sha", &check.0),
            "seed {SEED}: {check:?} ends as {:?}, not {state}",
            checks.get(check)
        );
    }
    for (pr, comments) in seen.threads() {
        assert_eq!(comments.len(), 1, "seed {SEED}: comments on pull request {pr}: {comments:?}");
    }
    relay.stop().await;
}
