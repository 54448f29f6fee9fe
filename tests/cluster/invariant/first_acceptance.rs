//! A transition is accepted as new once, whichever node is asked, however often and under whatever
//! ids it is sent. It is called a duplicate only if it was sent before. The earlier sender may be
//! the relay itself: if the leadership changes while it writes, or the link to the leader breaks,
//! it writes again what it could not confirm, and it is then unknown which of the two came first.

use crate::harness::history::Try;
use crate::harness::{Evidence, Sent};
use std::collections::BTreeMap;

/// Transitions that were new twice, and duplicates of nothing.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let mut transitions: BTreeMap<String, Vec<&Sent>> = BTreeMap::new();
    for sent in &evidence.history.sent {
        transitions.entry(sent.effect()).or_default().push(sent);
    }
    let is_cut = |attempt: &Try| {
        let disturbed = evidence.disturbed;
        disturbed.is_some_and(|(from, to)| from <= attempt.ended && attempt.started <= to)
    };
    let may_repeat = |attempt: &Try| {
        is_cut(attempt) || evidence.sightings.may_have_changed(attempt.started, attempt.ended)
    };
    transitions.values().flat_map(|sent| of_one_transition(sent, may_repeat)).collect()
}

/// `may_repeat`: whether the leadership changed or a link was cut during an attempt, so that the
/// relay may have written twice.
fn of_one_transition(sent: &[&Sent], may_repeat: impl Fn(&Try) -> bool) -> Vec<String> {
    let tries: Vec<_> = sent.iter().flat_map(|sent| &sent.tries).collect();
    let fate = |name: &str| {
        let answered = tries.iter().filter(move |attempt| {
            attempt.answer.as_ref().is_some_and(|answer| answer.fate == name)
        });
        answered.collect::<Vec<_>>()
    };
    let accepted = fate("accepted");
    let mut found = Vec::new();
    if accepted.len() > 1 {
        let nodes: Vec<usize> = accepted.iter().map(|attempt| attempt.node).collect();
        let title = sent[0].title();
        found.push(format!("{title} was accepted {} times, by nodes {nodes:?}", nodes.len()));
    }
    for duplicate in fate("duplicate") {
        let is_other = |attempt: &&&_| !std::ptr::eq(**attempt, *duplicate);
        let mut others = tries.iter().filter(is_other);
        if !may_repeat(duplicate) && !others.any(|other| other.started <= duplicate.ended) {
            found.push(format!("{} is a duplicate of nothing", sent[0].title()));
        }
    }
    found
}
