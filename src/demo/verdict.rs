//! Compares what arrived with what had to arrive.

use super::receiver::{Arrival, Arrived};
use super::scenario::Scenario;
use super::sender::Answer;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The end of a demo, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub sent: usize,
    pub acknowledged: usize,
    /// Events that had something to say: neither repeated nor late.
    pub accepted: usize,
    /// Effects that arrived.
    pub delivered: usize,
    pub duplicates: usize,
    pub lost: usize,
    /// Calls the receiver refused, that were repeated.
    pub repeated: u64,
    /// What is wrong, in words.
    pub faults: Vec<String>,
}

impl Verdict {
    /// Draws the conclusion.
    #[must_use]
    pub fn of(scenario: &Scenario, answers: &[Answer], seen: &Arrived, is_settled: bool) -> Self {
        let accepted = answers.iter().filter(|answer| answer.fate == "accepted").count();
        let webhooks: Vec<&str> = seen.arrivals.iter().filter_map(webhook_id).collect();
        let unique: BTreeSet<&str> = webhooks.iter().copied().collect();
        let mut faults = Vec::new();
        if !is_settled {
            faults.push("the relay still had work to do at the end".to_owned());
        }
        let statuses = last_statuses(seen);
        for ((sha, context), expected) in &scenario.expected {
            let last = statuses.get(&(sha.as_str(), context.as_str())).copied();
            if last != Some(*expected) {
                faults.push(format!("{context} on {sha:.7} ends as {last:?}, not {expected}"));
            }
        }
        let created = seen.arrivals.iter().filter(|arrival| is_created(arrival)).count();
        let surplus_comments = created.saturating_sub(scenario.expected.len());
        Self {
            sent: answers.len(),
            acknowledged: answers.iter().filter(|answer| answer.is_acknowledged()).count(),
            accepted,
            delivered: seen.arrivals.len(),
            duplicates: webhooks.len() - unique.len() + repeated_statuses(seen) + surplus_comments,
            lost: accepted.saturating_sub(unique.len()),
            repeated: seen.refused,
            faults,
        }
    }

    /// Nothing lost, nothing twice, every check in its right final state.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.lost == 0
            && self.duplicates == 0
            && self.sent == self.acknowledged
            && self.faults.is_empty()
    }

    /// What reached each target, in order.
    #[must_use]
    pub fn lines(&self, seen: &Arrived) -> Vec<String> {
        let mut lines = vec!["\ncommit statuses, by commit and check:".to_owned()];
        let mut timelines: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for arrival in &seen.arrivals {
            if let Arrival::Status { sha, context, state, description } = arrival {
                let line = format!("{state} ({description:.60})");
                timelines.entry((sha, context)).or_default().push(line);
            }
        }
        for ((sha, context), states) in timelines {
            lines.push(format!("  {sha:.7}  {context}"));
            lines.extend(states.into_iter().map(|state| format!("             {state}")));
        }
        lines.push("\npull request comments, as they ended:".to_owned());
        for ((pr, id), body) in &seen.comments {
            lines.push(format!("  #{pr}, comment {id}:"));
            let visible = body.lines().filter(|line| !line.starts_with("<!--"));
            lines.extend(visible.map(|line| format!("    {line}")));
        }
        lines.push("\nSlack:".to_owned());
        lines.extend(seen.arrivals.iter().filter_map(slack_line));
        let webhooks = seen.arrivals.iter().filter_map(webhook_id).count();
        lines.push(format!("\nwebhook: {webhooks} transitions, each once and in order"));
        lines
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(f, "FAULT: {fault}")?;
        }
        write!(
            f,
            "verdict: {} sent, {} acknowledged, {} with news, {} effects delivered \
             ({} calls repeated), {} duplicates, {} lost",
            self.sent,
            self.acknowledged,
            self.accepted,
            self.delivered,
            self.repeated,
            self.duplicates,
            self.lost,
        )
    }
}

fn webhook_id(arrival: &Arrival) -> Option<&str> {
    match arrival {
        Arrival::Webhook { id, .. } => Some(id),
        Arrival::Status { .. }
        | Arrival::CommentCreated { .. }
        | Arrival::CommentEdited { .. }
        | Arrival::Slack { .. } => None,
    }
}

fn slack_line(arrival: &Arrival) -> Option<String> {
    match arrival {
        Arrival::Slack { text } => Some(format!("  {}", text.replace('\n', " "))),
        Arrival::Status { .. }
        | Arrival::CommentCreated { .. }
        | Arrival::CommentEdited { .. }
        | Arrival::Webhook { .. } => None,
    }
}

fn is_created(arrival: &Arrival) -> bool {
    matches!(arrival, Arrival::CommentCreated { .. })
}

/// The last state of each (commit, check).
fn last_statuses(seen: &Arrived) -> BTreeMap<(&str, &str), &str> {
    let mut last = BTreeMap::new();
    for arrival in &seen.arrivals {
        if let Arrival::Status { sha, context, state, .. } = arrival {
            last.insert((sha.as_str(), context.as_str()), state.as_str());
        }
    }
    last
}

/// Statuses that say the same as the one before them on their check.
fn repeated_statuses(seen: &Arrived) -> usize {
    let mut last: BTreeMap<(&str, &str), (&str, &str)> = BTreeMap::new();
    let mut repeated = 0;
    for arrival in &seen.arrivals {
        if let Arrival::Status { sha, context, state, description } = arrival {
            let said = (state.as_str(), description.as_str());
            if last.insert((sha, context), said) == Some(said) {
                repeated += 1;
            }
        }
    }
    repeated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(id: &str) -> Arrival {
        Arrival::Webhook { id: id.to_owned(), run_uid: String::new(), state: String::new() }
    }

    fn answers(fates: &[&str]) -> Vec<Answer> {
        let answer =
            |fate: &&str| Answer { status: Some(202), fate: (*fate).to_owned(), attempts: 1 };
        fates.iter().map(answer).collect()
    }

    fn verdict(fates: &[&str], arrivals: Vec<Arrival>) -> Verdict {
        let scenario = Scenario { requests: Vec::new(), runs: 0, expected: BTreeMap::new() };
        let seen = Arrived { arrivals, ..Arrived::default() };
        Verdict::of(&scenario, &answers(fates), &seen, true)
    }

    #[test]
    fn an_accepted_event_without_its_webhook_is_lost() {
        let verdict = verdict(&["accepted", "accepted", "duplicate"], vec![webhook("a")]);
        assert_eq!((verdict.lost, verdict.duplicates, verdict.is_good()), (1, 0, false));
    }

    #[test]
    fn a_webhook_id_that_arrives_twice_is_a_duplicate() {
        let verdict = verdict(&["accepted"], vec![webhook("a"), webhook("a")]);
        assert_eq!((verdict.lost, verdict.duplicates, verdict.is_good()), (0, 1, false));
    }

    #[test]
    fn all_there_once_is_good() {
        assert!(verdict(&["accepted", "superseded"], vec![webhook("a")]).is_good());
    }

    #[test]
    fn a_check_in_the_wrong_final_state_is_a_fault() {
        let key = ("abc".to_owned(), "tekton/ok".to_owned());
        let expected = BTreeMap::from([(key, "success")]);
        let scenario = Scenario { requests: Vec::new(), runs: 1, expected };
        let verdict = Verdict::of(&scenario, &[], &Arrived::default(), true);
        assert_eq!(verdict.faults.len(), 1);
        assert!(!verdict.is_good());
    }
}
