//! Dead letters: effects that were given up, each with its cause and what a replay needs.

use crate::clock::Timestamp;
use crate::effect::RouteName;
use crate::event::{Key, RunContext, RunEvent};
use crate::failure::{DeliveryFailure, FailureKind};
use std::sync::Arc;

/// Why an effect was given up or is being repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub kind: CauseKind,
    /// What the target or the rule said; bounded and free of secrets.
    pub detail: String,
}

/// The closed set of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// The attempt failed.
    Delivery(FailureKind),
    /// It outlived several processes that worked on it (rule 7).
    Poison,
    /// The outbox was full and this instance had the largest backlog (rule 14).
    BacklogFull,
}

impl CauseKind {
    /// All causes.
    pub fn all() -> impl Iterator<Item = Self> {
        let delivery = FailureKind::ALL.into_iter().map(Self::Delivery);
        delivery.chain([Self::Poison, Self::BacklogFull])
    }

    /// The word used in answers and metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivery(kind) => kind.as_str(),
            Self::Poison => "poison",
            Self::BacklogFull => "backlog_full",
        }
    }

    /// The cause stored as `text`, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::all().find(|kind| kind.as_str() == text)
    }
}

impl From<&DeliveryFailure> for Cause {
    fn from(failure: &DeliveryFailure) -> Self {
        Self { kind: CauseKind::Delivery(failure.kind), detail: failure.detail().to_owned() }
    }
}

/// An effect that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Rises with every letter of the cluster; the order of giving up.
    pub id: u64,
    pub failed_at: Timestamp,
    pub cause: Cause,
    /// How often it was replayed before.
    pub replays: u32,
    pub attempts: u32,
    pub run: Key,
    pub route: RouteName,
    pub event: Arc<RunEvent>,
    pub context: RunContext,
    /// It was about the summary of its run.
    pub is_summary: bool,
    /// Order of the event among all accepted ones.
    pub sequence: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_parses_back() {
        for kind in FailureKind::ALL {
            let cause = CauseKind::Delivery(kind);
            assert_eq!(CauseKind::parse(cause.as_str()), Some(cause));
        }
        assert_eq!(CauseKind::parse("poison"), Some(CauseKind::Poison));
        assert_eq!(CauseKind::parse("nothing"), None);
    }
}
