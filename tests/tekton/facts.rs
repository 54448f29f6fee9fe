//! The facts to judge after all runs have ended: plain values, so that tests can make a wrong one
//! by hand.

use std::collections::BTreeSet;

/// The end of a run, by the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Not ended.
    Open,
    Green,
    /// Failed, timed out, could not be set up.
    Red,
    Canceled,
    /// Failed, and the pipeline goes on as if it had not.
    Ignored,
}

impl End {
    /// Of two runs of one writer created in one second the worse one counts (ADR 13).
    pub fn badness(self) -> u8 {
        match self {
            Self::Green | Self::Ignored => 0,
            Self::Open => 1,
            Self::Canceled => 2,
            Self::Red => 3,
        }
    }
}

/// The owner of a check, read from the API's objects alone: the root's pipeline, the path of
/// pipeline tasks below it, and the combination of a matrix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Writer {
    pub root: String,
    pub path: Vec<String>,
    pub combination: Option<String>,
}

/// One run of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub uid: String,
    /// `PipelineRun/name`, as in the link of a status.
    pub link: String,
    /// RFC 3339 in whole seconds, as in Kubernetes: decides which of two runs is newer.
    pub created: String,
    pub commit: String,
    pub writer: Writer,
    pub end: End,
}

/// One status at the forge, in the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub commit: String,
    pub check: String,
    /// As GitHub names it: `pending`, `success`, `failure`, `error`.
    pub state: String,
    /// The run of its link.
    pub link: String,
    /// Whether its sender got an answer that it was accepted.
    pub is_answered: bool,
}

impl Status {
    pub fn is_final(&self) -> bool {
        self.state != "pending"
    }

    pub fn is_red(&self) -> bool {
        self.state == "failure" || self.state == "error"
    }
}

/// One event that Tekton sent, with all its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub uid: String,
    pub is_final: bool,
    pub is_taken: bool,
}

/// One accepted webhook call, in the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// `webhook-id`.
    pub id: String,
    pub uid: String,
    /// The relay's word for the state of the run.
    pub state: String,
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub runs: Vec<Run>,
    pub statuses: Vec<Status>,
    pub events: Vec<Event>,
    pub notifications: Vec<Notification>,
    /// Comments at the end: (pull request, text).
    pub comments: Vec<(String, String)>,
    /// Calls that the cluster counted as possibly made twice.
    pub in_doubt: u64,
    /// Events that were kept on one disk alone.
    pub spooled: usize,
    /// Whether something was broken on purpose.
    pub is_disturbed: bool,
}

impl Facts {
    /// Runs with an end that Tekton sent and a replica accepted. Tekton's own cache drops events of
    /// a run that has the name of an earlier one: an end that is never sent is visible only in the
    /// API.
    pub fn heard(&self) -> impl Iterator<Item = &Run> {
        let finals = self.events.iter().filter(|event| event.is_final && event.is_taken);
        let uids: BTreeSet<&str> = finals.map(|event| event.uid.as_str()).collect();
        self.runs.iter().filter(move |run| uids.contains(run.uid.as_str()))
    }
}
