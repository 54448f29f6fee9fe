//! Evidence of a scenario without faults, for tests that break it in one place.

use crate::harness::evidence::{Arrival, Evidence, Status};
use crate::harness::history::{Answer, Sent, Try};
use crate::harness::observer::{Digest, Look, Ownership, Slots};
use crate::harness::view::View;
use crate::shared::{named, recorded};
use std::time::Duration;

/// The nodes of the fixture: (pod, node id).
pub const NODES: [(&str, &str); 2] = [("relay-0", "a0"), ("relay-1", "b1")];
/// The check of the fixture's run: (commit, name).
pub const CHECK: (&str, &str) = ("6dcb09b5b57875f334f61aebed695e2e4193db5e", "tekton/run:ok");
/// The slot of every run of the fixture.
pub const SLOT: usize = 2;

/// An attempt of `node` that lasted from second `at` to the next one.
pub fn attempt(node: usize, at: u64, fate: &str) -> Try {
    let answer = Answer { status: 202, fate: fate.to_owned(), slot: None, owner: None };
    let (started, ended) = (Duration::from_secs(at), Duration::from_secs(at + 1));
    Try { node, started, ended, answer: Some(answer) }
}

/// An attempt that got another status, or no answer for 0.
pub fn refusal(node: usize, at: u64, status: u16) -> Try {
    let mut refused = attempt(node, at, "");
    refused.answer = refused.answer.map(|answer| Answer { status, ..answer });
    refused.answer = refused.answer.filter(|answer| answer.status > 0);
    refused
}

/// When the calls of the fixture arrive.
pub const ARRIVED: Duration = Duration::from_secs(60);

/// A poll that lasted from second `at` to the next one.
pub fn look(at: u64) -> Look {
    Look { asked: Duration::from_secs(at), answered: Duration::from_secs(at + 1) }
}

/// The webhook call for an event.
pub fn arrival(sent: &Sent, pod: &str) -> Arrival {
    let run_uid = sent.event.uid.clone();
    Arrival { effect: sent.effect(), pod: pod.to_owned(), run_uid, at: ARRIVED }
}

/// The run `ok` with its tasks, accepted by the first node and delivered by the second.
pub fn all_went_well() -> Evidence {
    let mut evidence = Evidence::default();
    for (at, request) in named(&recorded().0, "ok").iter().enumerate() {
        let mut sent = Sent::new(request);
        sent.tries.push(attempt(0, at as u64, "accepted"));
        evidence.arrivals.push(arrival(&sent, NODES[1].0));
        evidence.calls.insert(sent.effect(), 1);
        evidence.begins.insert(sent.effect(), 1);
        evidence.slots.insert(sent.event.uid.clone(), SLOT);
        evidence.history.sent.push(sent);
    }
    let (commit, check) = CHECK;
    evidence.shown.checks.insert((commit.to_owned(), check.to_owned()), "success".to_owned());
    evidence.shown.statuses = ["pending", "pending", "success"].map(status).to_vec();
    evidence.shown.comments.insert(7, 1);
    for (pod, id) in NODES {
        evidence.sightings.saw_view(pod, &view(id, "c1", 3, "a0"), look(0));
        evidence.sightings.saw_slots(pod, &slots("a0", 0), look(1));
        evidence.sightings.saw_digest(pod, &digest(10, "d10"));
        evidence.sightings.saw_slots(pod, &slots("b1", 1), look(55));
        evidence.sightings.saw_digest(pod, &digest(20, "d20"));
        evidence.settled.0.insert(pod.to_owned());
    }
    evidence.settled.1 = 20;
    evidence
}

/// A commit status of the fixture's run.
pub fn status(state: &str) -> Status {
    let (commit, check) = (CHECK.0.to_owned(), CHECK.1.to_owned());
    Status { commit, check, state: state.to_owned() }
}

/// The view of the cluster by `node`.
pub fn view(node: &str, cluster: &str, term: u64, leader: &str) -> View {
    View {
        cluster_id: Some(cluster.to_owned()),
        node: node.to_owned(),
        leader: Some(leader.to_owned()),
        term: Some(term),
        ..View::default()
    }
}

/// Slots; `owner` has the fixture's.
pub fn slots(owner: &str, epoch: u64) -> Slots {
    let mut slots = vec![Ownership::default(); SLOT];
    slots.push(Ownership { owner: Some(owner.to_owned()), epoch });
    Slots { slots }
}

/// The digest of the state after an entry.
pub fn digest(index: u64, digest: &str) -> Digest {
    Digest { applied_index: index, digest: digest.to_owned() }
}
