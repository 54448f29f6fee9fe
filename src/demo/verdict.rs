//! Compares what arrived with what had to arrive. It accepts as many duplicates as the relay itself
//! counted calls with unknown outcome.

use super::receiver::{Arrival, Arrived};
use super::scenario::{Scenario, Transition};
use super::sender::SenderAnswer;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The result of a play, as the relay reports it.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// One for each request of the scenario.
    pub answers: Vec<SenderAnswer>,
    /// Calls that ended without a record because their process was killed.
    pub in_doubt: u64,
    /// What went wrong with the relay, in words.
    pub faults: Vec<String>,
}

/// The result of a demo, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DemoVerdict {
    pub sent: usize,
    pub acknowledged: usize,
    /// Different transitions acknowledged; repetitions do not count.
    pub news: usize,
    /// Effects that arrived.
    pub delivered: usize,
    /// Effects that arrived more than once, in words.
    pub duplicates: Vec<String>,
    /// Calls without a record: at most this many duplicates are accepted.
    pub in_doubt: u64,
    /// Of the acknowledged transitions, those without a webhook call.
    pub lost: usize,
    /// Calls that the receiver refused and the relay retried.
    pub repeated: u64,
    /// What is wrong, in words.
    pub faults: Vec<String>,
}

impl DemoVerdict {
    /// Computes the verdict.
    #[must_use]
    pub fn of(scenario: &Scenario, played: &Played, seen: &Arrived) -> Self {
        let news = acknowledged_news(scenario, &played.answers);
        let mut faults = played.faults.clone();
        faults.extend(wrong_checks(scenario, seen));
        faults.extend(wrong_comments(scenario, seen));
        faults.extend(wrong_messages(scenario, seen));
        faults.extend(wrong_order(scenario, seen));
        let acknowledged = played.answers.iter().filter(|answer| answer.is_acknowledged());
        Self {
            sent: played.answers.len(),
            acknowledged: acknowledged.count(),
            news: news.len(),
            delivered: seen.arrivals.len(),
            duplicates: duplicates(seen),
            in_doubt: played.in_doubt,
            lost: lost(scenario, &news, seen),
            repeated: seen.refused,
            faults,
        }
    }

    /// Nothing lost, no duplicates except from calls in doubt, every check in its right final
    /// state.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let duplicates = u64::try_from(self.duplicates.len()).unwrap_or(u64::MAX);
        self.lost == 0
            && duplicates <= self.in_doubt
            && self.sent == self.acknowledged
            && self.faults.is_empty()
    }
}

impl fmt::Display for DemoVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for duplicate in &self.duplicates {
            writeln!(f, "twice: {duplicate}")?;
        }
        for fault in &self.faults {
            writeln!(f, "FAULT: {fault}")?;
        }
        let duplicates = self.duplicates.len();
        write!(
            f,
            "verdict: {} sent, {} acknowledged, {} with news, {} effects delivered \
             ({} calls repeated), {duplicates} duplicates",
            self.sent, self.acknowledged, self.news, self.delivered, self.repeated,
        )?;
        if self.in_doubt > 0 {
            write!(f, " (a process was killed during {} calls)", self.in_doubt)?;
        }
        write!(f, ", {} lost", self.lost)
    }
}

/// Whether an acknowledged transition may be without an effect because a later one of its run
/// overtook it, in a spool or before it arrived.
type MayBeOvertaken = bool;

/// The acknowledged transitions. A relay that answers `duplicate` knows the transition, from this
/// attempt or from one whose answer was lost.
fn acknowledged_news<'s>(
    scenario: &'s Scenario,
    answers: &[SenderAnswer],
) -> BTreeMap<&'s Transition, MayBeOvertaken> {
    let mut news = BTreeMap::new();
    for (transition, answer) in scenario.transitions.iter().zip(answers) {
        if answer.is_acknowledged() && answer.fate != "ignored" {
            let may_be_overtaken = matches!(answer.fate.as_str(), "superseded" | "spooled");
            *news.entry(transition).or_default() |= may_be_overtaken;
        }
    }
    news
}

/// Number of acknowledged transitions without a webhook call.
fn lost(
    scenario: &Scenario,
    news: &BTreeMap<&Transition, MayBeOvertaken>,
    seen: &Arrived,
) -> usize {
    let told: BTreeSet<&str> = webhooks(seen).map(|webhook| webhook.id).collect();
    let is_told = |transition: &Transition| told.contains(transition.webhook_id.as_str());
    let is_overtaken = |overtaken: &Transition| {
        let mut later = scenario.transitions.iter().skip_while(|known| *known != overtaken);
        later.any(|later| later.run_uid == overtaken.run_uid && is_told(later))
    };
    let untold = news.iter().filter(|(transition, _)| !is_told(transition));
    untold.filter(|(transition, may)| !(**may && is_overtaken(transition))).count()
}

fn wrong_checks(scenario: &Scenario, seen: &Arrived) -> Vec<String> {
    let mut last = BTreeMap::new();
    for arrival in &seen.arrivals {
        if let Arrival::Status { sha, context, state, .. } = arrival {
            last.insert((sha.as_str(), context.as_str()), state.as_str());
        }
    }
    let ends = scenario.expected.iter().filter_map(|((sha, context), expected)| {
        let last = last.get(&(sha.as_str(), context.as_str())).copied();
        let is_wrong = last != Some(*expected);
        is_wrong.then(|| format!("{context} on {sha:.7} ends as {last:?}, not {expected}"))
    });
    ends.collect()
}

/// Rows that no comment on their pull request shows.
fn wrong_comments(scenario: &Scenario, seen: &Arrived) -> Vec<String> {
    let mut missing = Vec::new();
    for (pr, rows) in &scenario.rows {
        let comments: Vec<&String> =
            seen.comments.iter().filter(|((on, _), _)| on == pr).map(|(_, text)| text).collect();
        for (task, state) in *rows {
            let shows =
                |line: &str| line.starts_with(&format!("| {task} ")) && line.contains(state);
            if !comments.iter().any(|text| text.lines().any(shows)) {
                missing.push(format!("no comment on #{pr} shows {task} as {state}"));
            }
        }
    }
    missing
}

/// Every run that did not succeed has its own message.
fn wrong_messages(scenario: &Scenario, seen: &Arrived) -> Option<String> {
    let due = scenario.expected.values().filter(|state| **state != "success").count();
    let texts: BTreeSet<&str> = seen.arrivals.iter().filter_map(message).collect();
    (texts.len() != due).then(|| format!("{} different Slack messages, not {due}", texts.len()))
}

/// Runs whose transitions first arrived in another order than sent.
fn wrong_order(scenario: &Scenario, seen: &Arrived) -> Vec<String> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, transition) in scenario.transitions.iter().enumerate() {
        places.entry(&transition.webhook_id).or_insert(at);
    }
    let mut known = BTreeSet::new();
    let mut furthest: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for Webhook { id, run_uid, state } in webhooks(seen) {
        let Some(place) = places.get(id).copied().filter(|_| known.insert(id)) else { continue };
        if furthest.insert(run_uid, place).is_some_and(|before| before > place) {
            wrong.push(format!("webhook {state} of run {run_uid} arrived too late"));
        }
    }
    wrong
}

struct Webhook<'s> {
    id: &'s str,
    run_uid: &'s str,
    state: &'s str,
}

fn webhooks(seen: &Arrived) -> impl Iterator<Item = Webhook<'_>> {
    seen.arrivals.iter().filter_map(|arrival| match arrival {
        Arrival::Webhook { id, run_uid, state } => Some(Webhook { id, run_uid, state }),
        Arrival::Status { .. }
        | Arrival::CommentCreated { .. }
        | Arrival::CommentEdited { .. }
        | Arrival::Slack { .. } => None,
    })
}

fn message(arrival: &Arrival) -> Option<&str> {
    match arrival {
        Arrival::Slack { text } => Some(text),
        Arrival::Status { .. }
        | Arrival::CommentCreated { .. }
        | Arrival::CommentEdited { .. }
        | Arrival::Webhook { .. } => None,
    }
}

/// Repeated arrivals, target by target. Edits of a comment do not count: repeating one changes
/// nothing.
fn duplicates(seen: &Arrived) -> Vec<String> {
    let mut said: BTreeMap<(&str, &str), (&str, &str)> = BTreeMap::new();
    let (mut ids, mut texts, mut commented) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut duplicates = Vec::new();
    for arrival in &seen.arrivals {
        let repetition = match arrival {
            Arrival::Status { sha, context, state, description } => {
                let saying = (state.as_str(), description.as_str());
                let is_same = said.insert((sha, context), saying) == Some(saying);
                is_same.then(|| format!("{state} of {context} on {sha:.7}"))
            }
            Arrival::CommentCreated { pr, .. } => {
                (!commented.insert(*pr)).then(|| format!("the comment on #{pr}"))
            }
            Arrival::CommentEdited { .. } => None,
            Arrival::Slack { text } => (!texts.insert(text)).then(|| format!("Slack: {text}")),
            Arrival::Webhook { id, state, .. } => {
                (!ids.insert(id)).then(|| format!("webhook {id} ({state})"))
            }
        };
        duplicates.extend(repetition);
    }
    duplicates
}

#[cfg(test)]
#[path = "verdict_test.rs"]
mod tests;
