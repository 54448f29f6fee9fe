//! Evidence of a scenario in which all went well, for tests that break it in one place.

use crate::harness::evidence::{Arrival, Evidence};
use crate::harness::history::{Answer, Sent, Try};
use crate::harness::observer::{Applied, Ownership};
use crate::harness::view::View;
use crate::shared::{named, recorded};
use std::time::Duration;

/// The nodes of the fixture: (pod, node id).
pub const NODES: [(&str, &str); 2] = [("relay-0", "a0"), ("relay-1", "b1")];
/// The slot of every run of the fixture.
pub const SLOT: usize = 2;

/// An attempt of `node` that took from second `at` to the next one.
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

/// The webhook call for an event.
pub fn arrival(sent: &Sent, pod: &str) -> Arrival {
    Arrival { effect: sent.effect(), pod: pod.to_owned(), run_uid: sent.event.uid.clone() }
}

/// The run `ok` with its tasks, accepted by the first node and delivered by the second.
pub fn all_went_well() -> Evidence {
    let mut evidence = Evidence::default();
    for (at, request) in named(&recorded().0, "ok").iter().enumerate() {
        let mut sent = Sent::new(request);
        sent.tries.push(attempt(0, at as u64, "accepted"));
        evidence.arrivals.push(arrival(&sent, NODES[1].0));
        evidence.slots.insert(sent.event.uid.clone(), SLOT);
        evidence.history.sent.push(sent);
    }
    let check = ("6dcb09b5b57875f334f61aebed695e2e4193db5e".to_owned(), "tekton/ok".to_owned());
    evidence.shown.checks.insert(check, "success".to_owned());
    evidence.shown.comments.insert(7, 1);
    for (pod, id) in NODES {
        evidence.sightings.saw_view(pod, &view(id, "c1", 3, "a0"));
        evidence.sightings.saw_applied(pod, &applied(10, "d10", "a0", 0));
        evidence.sightings.saw_applied(pod, &applied(20, "d20", "b1", 1));
    }
    evidence
}

/// What `node` says of its cluster.
pub fn view(node: &str, cluster: &str, term: u64, leader: &str) -> View {
    View {
        cluster_id: Some(cluster.to_owned()),
        node: node.to_owned(),
        leader: Some(leader.to_owned()),
        term: Some(term),
        ..View::default()
    }
}

/// An applied state in which `owner` has the fixture's slot.
pub fn applied(index: u64, digest: &str, owner: &str, epoch: u64) -> Applied {
    let mut slots = vec![Ownership::default(); SLOT];
    slots.push(Ownership { owner: Some(owner.to_owned()), epoch });
    Applied { applied_index: index, digest: digest.to_owned(), slots }
}
