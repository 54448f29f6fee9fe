//! A transition is accepted as new once, whatever node is asked, however often and under whatever
//! ids it is sent; and it is called a duplicate only when somebody has sent it before.

use crate::harness::{Evidence, Sent};
use std::collections::BTreeMap;

/// Transitions that were new twice, and duplicates of nothing.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let mut transitions: BTreeMap<String, Vec<&Sent>> = BTreeMap::new();
    for sent in &evidence.history.sent {
        transitions.entry(sent.effect()).or_default().push(sent);
    }
    transitions.values().flat_map(|sent| of_one_transition(sent)).collect()
}

fn of_one_transition(sent: &[&Sent]) -> Vec<String> {
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
        if !others.any(|other| other.started <= duplicate.ended) {
            found.push(format!("{} is a duplicate of nothing", sent[0].title()));
        }
    }
    found
}
