//! What was sent and what was answered: the senders' side.

use crate::shared::run_events;
use std::fmt;
use std::time::Duration;
use tekton_events_relay::demo::Recorded;
use tekton_events_relay::effect::{EffectId, RouteName};
use tekton_events_relay::event::RunEvent;
use tekton_events_relay::event::check::last_resort;

/// One answer to one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Empty if the event was not accepted.
    pub fate: String,
    pub slot: Option<u64>,
    /// A hint: the owner's node id.
    pub owner: Option<String>,
}

impl Answer {
    /// Whether the sender may forget the event.
    pub fn is_acknowledgement(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// One attempt. Times count from the start of the history.
#[derive(Clone, Debug)]
pub struct Try {
    /// Number of the node that was asked.
    pub node: usize,
    pub started: Duration,
    pub ended: Duration,
    /// `None`: no connection, or it ended without an answer.
    pub answer: Option<Answer>,
}

impl fmt::Display for Try {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (node, from, to) = (self.node, self.started.as_secs_f64(), self.ended.as_secs_f64());
        write!(f, "{from:.3}..{to:.3} node {node} ")?;
        match &self.answer {
            Some(answer) => write!(f, "{} {}", answer.status, answer.fate),
            None => f.write_str("no answer"),
        }
    }
}

/// (source, id, type): names one emission.
pub type Delivery = (String, String, String);

/// One event, with every attempt to send it.
#[derive(Clone, Debug)]
pub struct Sent {
    pub event: RunEvent,
    /// The commit status that shows its run.
    pub check: String,
    pub tries: Vec<Try>,
}

impl Sent {
    /// An event that has not been sent yet.
    pub fn new(request: &Recorded) -> Self {
        let event = run_events(std::slice::from_ref(request)).remove(0);
        let check = last_resort(&event).check_name(&event.scm.context);
        Self { check, event, tries: Vec::new() }
    }

    /// Answers of all attempts that have one.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.tries.iter().filter_map(|attempt| attempt.answer.as_ref())
    }

    /// Whether any attempt was acknowledged.
    pub fn is_acknowledged(&self) -> bool {
        self.answers().any(Answer::is_acknowledgement)
    }

    /// Whether any attempt ended with this fate.
    pub fn has_fate(&self, fate: &str) -> bool {
        self.answers().any(|answer| answer.fate == fate)
    }

    pub fn delivery(&self) -> Delivery {
        let event = &self.event;
        (event.ce_source.clone(), event.ce_id.clone(), event.ce_type.clone())
    }

    /// The id that the webhook must get for this transition.
    pub fn effect(&self) -> String {
        webhook_effect(&self.event)
    }

    /// The same at the first feature level.
    pub fn effect_of_first_level(&self) -> String {
        EffectId::of_first_level(self.event.transition_key(), &webhook(), 0).to_string()
    }

    /// Which event it is, and how often it was sent, for people.
    pub fn title(&self) -> String {
        let (event, tries) = (&self.event, self.tries.len());
        let (uid, state, reason) = (&event.uid, event.state.as_str(), &event.reason);
        let last = self.tries.last().map(Try::to_string).unwrap_or_default();
        format!("{uid} {state} {reason} ({}): {tries} tries, last {last}", event.ce_id)
    }
}

/// The webhook effect of an event.
pub fn webhook_effect(event: &RunEvent) -> String {
    EffectId::of(event.transition_key(), &webhook(), 0).to_string()
}

fn webhook() -> RouteName {
    RouteName {
        kind: "webhook".to_owned(),
        instance: "archive".to_owned(),
        action: "notify".to_owned(),
    }
}

/// All events of all senders, in the order in which their sending ended.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub sent: Vec<Sent>,
}

impl History {
    /// Events whose sender got no acknowledgement.
    pub fn unacknowledged(&self) -> Vec<&Sent> {
        self.sent.iter().filter(|sent| !sent.is_acknowledged()).collect()
    }

    /// How many events were answered with this fate, at any attempt.
    pub fn with_fate(&self, fate: &str) -> usize {
        self.sent.iter().filter(|sent| sent.has_fate(fate)).count()
    }

    /// Everything, a line for each attempt.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for sent in &self.sent {
            text.push_str(&format!("{} effect {}\n", sent.title(), sent.effect()));
            text.extend(sent.tries.iter().map(|attempt| format!("    {attempt}\n")));
        }
        text
    }

    pub fn tries(&self) -> usize {
        self.sent.iter().map(|sent| sent.tries.len()).sum()
    }
}
