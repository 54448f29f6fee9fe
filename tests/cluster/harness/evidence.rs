//! The inputs of the invariants: the senders' history, the arrived calls, the observations of the
//! nodes, and the cluster's final data. A plain value, so that tests can make a broken one by hand.

use super::history::{Delivery, History};
use super::observer::Sightings;
use super::{Node, Received};
use crate::shared::{Call, POD_HEADER, Seen};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One webhook call that the receiver accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Names the effect; equal for all attempts.
    pub effect: String,
    /// The pod that made the call.
    pub pod: String,
    pub run_uid: String,
    /// Since the start of the history.
    pub at: Duration,
}

/// One commit status that the receiver accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub commit: String,
    pub check: String,
    /// As GitHub names it.
    pub state: String,
}

/// What receivers show at the end.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Every status shown, in the order of arrival.
    pub statuses: Vec<Status>,
    /// Last state of each check, by (commit, check name).
    pub checks: BTreeMap<(String, String), String>,
    /// How many comments each pull request has.
    pub comments: BTreeMap<u64, usize>,
}

/// (run uid, state, reason, attempt, ce-time): one line of a run's timeline.
pub type Moment = (String, String, String, u64, String);

/// Everything known about one scenario after its end.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub history: History,
    /// In the order of arrival.
    pub arrivals: Vec<Arrival>,
    /// Webhook calls of each effect, including refused ones.
    pub calls: BTreeMap<String, u64>,
    pub shown: Shown,
    pub sightings: Sightings,
    /// Emissions whose webhook call became a dead letter.
    pub dead: BTreeSet<Delivery>,
    /// Events that arrived after a later one of their run.
    pub superseded: BTreeSet<Moment>,
    /// Slots of runs, by uid.
    pub slots: BTreeMap<String, usize>,
    /// Begins of each effect, as the cluster counted them.
    pub begins: BTreeMap<String, u64>,
    /// Effects that the cluster counted as possibly sent twice, of all integrations.
    pub in_doubt: u64,
    /// Pods that ran at the end, and the index that all of them had applied.
    pub settled: (BTreeSet<String>, u64),
    /// The time span in which links between nodes were cut or slow, if any.
    pub disturbed: Option<(Duration, Duration)>,
}

/// Asks `node`, which must have settled.
pub async fn collect(
    node: &Node,
    received: &Received,
    history: History,
    sightings: Sightings,
) -> Evidence {
    let seen = &received.seen;
    let mut evidence = Evidence {
        arrivals: arrivals(received),
        shown: Shown {
            statuses: statuses(seen),
            checks: seen.checks(),
            comments: seen.threads().into_iter().map(|(pr, texts)| (pr, texts.len())).collect(),
        },
        sightings,
        dead: dead(node).await,
        in_doubt: node.gauge("effects_in_doubt_total").await.expect("a settled node answers"),
        ..Evidence::default()
    };
    let named = Named::of(&history);
    for arrival in &mut evidence.arrivals {
        arrival.effect = named.as_now(&arrival.effect);
    }
    for (effect, count) in calls(seen) {
        *evidence.calls.entry(named.as_now(&effect)).or_default() += count;
    }
    let uids: BTreeSet<&str> = history.sent.iter().map(|sent| sent.event.uid.as_str()).collect();
    for uid in uids {
        // A run that was never accepted is unknown.
        let Some(run) = node.get(&format!("/api/v1/runs/{uid}")).await else { continue };
        let slot = run["slot"].as_u64().and_then(|slot| usize::try_from(slot).ok());
        evidence.slots.extend(slot.map(|slot| (uid.to_owned(), slot)));
        evidence.superseded.extend(superseded(uid, &run));
        for (effect, begins) in begins(&run) {
            let known = evidence.begins.entry(named.as_now(&effect)).or_default();
            *known = begins.max(*known);
        }
    }
    evidence.history = history;
    evidence
}

/// The current names of effects of the first feature level: a cluster that rises in between uses
/// both names for one transition.
struct Named(BTreeMap<String, String>);

impl Named {
    fn of(history: &History) -> Self {
        let names = history.sent.iter().map(|sent| (sent.effect_of_first_level(), sent.effect()));
        Self(names.collect())
    }

    fn as_now(&self, effect: &str) -> String {
        self.0.get(effect).map_or(effect, String::as_str).to_owned()
    }
}

/// What `node` still has to do for the runs of a history, one line each.
pub async fn left(node: &Node, history: &History) -> Vec<String> {
    let uids: BTreeSet<&str> = history.sent.iter().map(|sent| sent.event.uid.as_str()).collect();
    let mut left = Vec::new();
    for uid in uids {
        let Some(run) = node.get(&format!("/api/v1/runs/{uid}")).await else { continue };
        let slot = &run["slot"];
        let effects = run["effects"].as_array().into_iter().flatten();
        let open =
            effects.filter(|effect| effect["status"] == "waiting" || effect["status"] == "sending");
        left.extend(open.map(|effect| format!("run {uid} slot {slot}: {effect}")));
        let unplanned = run["events_unplanned"].as_u64().filter(|events| *events > 0);
        left.extend(unplanned.map(|events| format!("run {uid} slot {slot}: {events} unplanned")));
    }
    left
}

fn header(call: &Call, name: &str) -> String {
    call.headers[name].to_str().unwrap().to_owned()
}

fn is_webhook(call: &Call) -> bool {
    call.path == "/webhook"
}

fn arrivals(received: &Received) -> Vec<Arrival> {
    let calls = received.seen.calls.iter().zip(&received.moments);
    calls
        .filter(|(call, _)| is_webhook(call) && call.status < 300)
        .map(|(call, at)| Arrival {
            effect: header(call, "webhook-id"),
            pod: header(call, POD_HEADER),
            run_uid: call.body["run_id"].as_str().unwrap().to_owned(),
            at: *at,
        })
        .collect()
}

fn calls(seen: &Seen) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    for call in seen.calls.iter().filter(|call| is_webhook(call)) {
        *calls.entry(header(call, "webhook-id")).or_default() += 1;
    }
    calls
}

fn statuses(seen: &Seen) -> Vec<Status> {
    let statuses = seen.statuses().into_iter();
    statuses.map(|((commit, check), state, _)| Status { commit, check, state }).collect()
}

/// How often each effect of a run was begun. One with a late answer is listed twice.
fn begins(run: &Value) -> Vec<(String, u64)> {
    let effects = run["effects"].as_array().into_iter().flatten();
    let begins = effects.filter(|effect| effect["status"] != "skipped").map(|effect| {
        let id = effect["id"].as_str().unwrap().to_owned();
        (id, effect["attempts"].as_u64().unwrap())
    });
    begins.collect()
}

async fn dead(node: &Node) -> BTreeSet<Delivery> {
    let mut found = BTreeSet::new();
    let mut offset = 0;
    loop {
        let page = node.get(&format!("/api/v1/dlq?limit=100&offset={offset}")).await;
        let page = page.expect("a settled node answers");
        let letters = page["events"].as_array().unwrap();
        if letters.is_empty() {
            return found;
        }
        offset += letters.len();
        let webhooks = letters.iter().filter(|letter| letter["effect"]["integration"] == "webhook");
        found.extend(webhooks.map(|letter| {
            let text = |field: &str| letter["envelope"][field].as_str().unwrap().to_owned();
            (text("Source"), text("CloudEventID"), text("CloudEventType"))
        }));
    }
}

fn superseded(uid: &str, run: &Value) -> Vec<Moment> {
    let timeline = run["timeline"].as_array().unwrap().iter();
    let text = |moment: &Value, field: &str| moment[field].as_str().unwrap().to_owned();
    timeline
        .filter(|moment| moment["fate"] == "superseded")
        .map(|moment| {
            let attempt = moment["attempt"].as_u64().unwrap();
            let (state, reason) = (text(moment, "state"), text(moment, "reason"));
            (uid.to_owned(), state, reason, attempt, text(moment, "ce_time"))
        })
        .collect()
}
