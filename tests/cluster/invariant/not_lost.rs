//! An acknowledged event reaches the webhook, or is a dead letter, or came after a later event of
//! its run and is in the run's timeline as such.

use crate::harness::{Evidence, Moment, Sent};
use std::collections::BTreeSet;

/// Acknowledged events that are nowhere.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let arrived: BTreeSet<&str> =
        evidence.arrivals.iter().map(|arrival| arrival.effect.as_str()).collect();
    // A dead letter names the accepted emission; other emissions of the transition end with it.
    let dead = evidence.history.sent.iter().filter(|sent| evidence.dead.contains(&sent.delivery()));
    let dead: BTreeSet<String> = dead.map(Sent::effect).collect();
    let is_kept = |sent: &&Sent| {
        let effect = sent.effect();
        arrived.contains(effect.as_str())
            || dead.contains(&effect)
            || evidence.superseded.contains(&moment(sent))
    };
    let acknowledged = evidence.history.sent.iter().filter(|sent| sent.is_acknowledged());
    acknowledged
        .filter(|sent| !is_kept(sent))
        .map(|sent| format!("{} is lost", sent.title()))
        .collect()
}

/// The name of the event in its run's timeline.
pub fn moment(sent: &Sent) -> Moment {
    let event = &sent.event;
    let (state, reason) = (event.state.as_str().to_owned(), event.reason.clone());
    (event.uid.clone(), state, reason, u64::from(event.attempt), event.ce_time.to_string())
}
