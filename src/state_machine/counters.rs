//! What apply counts. Part of the state, so that every replica and every restart tells the same.

use super::command::Fate;
use super::dead_letter::CauseKind;
use crate::effect::SkipReason;
use std::collections::BTreeMap;

/// Totals since the cluster was formed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub fates: BTreeMap<Fate, u64>,
    pub skipped: BTreeMap<SkipReason, u64>,
    pub dead: BTreeMap<CauseKind, u64>,
    pub delivered: u64,
    /// Begins that ended without a record: the call may have happened.
    pub in_doubt: u64,
    /// Records of Begins that had been replaced.
    pub late: u64,
    /// Dead letters dropped at `dlq.max_entries`.
    pub letters_dropped: u64,
    /// Summaries of runs that fell silent, and of groups whose TTL ended.
    pub incomplete_summaries: u64,
    /// Transitions beyond the bound of one attempt.
    pub transitions_uncounted: u64,
    /// Ends that contradict what was known of their attempt.
    pub contradictions: u64,
    /// Events of which a time was brought into its bounds.
    pub times_clamped: u64,
    /// Effects on a check that another writer writes as well.
    pub check_collisions: u64,
}

impl Counters {
    pub(crate) fn fate(&mut self, fate: Fate) {
        *self.fates.entry(fate).or_default() += 1;
    }

    pub(crate) fn skip(&mut self, reason: SkipReason) {
        *self.skipped.entry(reason).or_default() += 1;
    }

    pub(crate) fn dead(&mut self, kind: CauseKind) {
        *self.dead.entry(kind).or_default() += 1;
    }
}
