//! What an event says of its own times and of the end of its run is a claim (rule 9): times are
//! believed within bounds, and ends of one attempt that contradict each other are weighed. Both
//! are functions of data alone, and the fast answer before the log asks the same ones as apply.

use super::StateMachine;
use super::outbox::Writer;
use super::run_record::{RunRecord, RunTombstone, TRANSITIONS_MAX};
use crate::clock::Timestamp;
use crate::event::{Rank, RunEvent, RunState};

/// 2015-01-01T00:00:00Z. Nothing of Tekton's is older.
pub(super) const CLAIM_MIN: Timestamp = Timestamp(1_420_070_400_000);
/// Ends remembered of one attempt. What others outlive leaves first, then what is least bad.
pub(super) const ENDS_MAX: usize = 8;
/// How often a state of one attempt may come back and be shown again.
pub(super) const RETURNS_MAX: u32 = 64;

/// How an attempt ended, as one or several events have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub state: RunState,
    /// When the transition happened, within the bounds of a claim.
    pub at: Timestamp,
    /// The highest `resourceVersion` under which it was told; 0 where it is no number.
    pub version: u64,
    /// It took the place of another end that was shown.
    pub is_revision: bool,
}

impl End {
    /// The end that `event` tells. Meaningless unless its state is final.
    #[must_use]
    pub fn of(event: &RunEvent) -> Self {
        Self {
            state: event.state,
            at: super::run_record::changed_at(event),
            version: event.resource_version,
            is_revision: false,
        }
    }

    /// Both clocks, the transition's and the API server's, say that this one came later.
    fn outlives(&self, other: &Self) -> bool {
        self.at > other.at && self.version > other.version
    }
}

/// What an end is worth beside those that are known of the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// It is known, or says what is shown.
    Known,
    /// It contradicts what is shown, which stays.
    Outweighed,
    /// It contradicts what was shown, and is shown from now on.
    Stands,
}

/// Weighs `new` against the known ends, of which the state `shown` is shown. Of those that no other
/// outlives the worst stands: where time and resourceVersion agree the later one, and where they
/// disagree no green hides a red. A state that is better than what is shown takes its place once.
pub(super) fn weigh(ends: &[End], shown: RunState, new: &End) -> Weight {
    let is_told = |end: &&End| (end.state, end.at) == (new.state, new.at);
    let is_known = ends.iter().find(is_told).is_some_and(|end| new.version <= end.version);
    if new.state == shown || is_known {
        return Weight::Known;
    }
    let rivals = || ends.iter().filter(|end| !is_told(end));
    let is_outlived = rivals().any(|end| end.outlives(new));
    let standing =
        rivals().filter(|end| !new.outlives(end) && !rivals().any(|other| other.outlives(end)));
    let is_worst = standing.map(|end| end.state.badness()).all(|bad| bad <= new.state.badness());
    let is_better = new.state.badness() < shown.badness();
    let was_revised = ends.iter().any(|end| end.is_revision && end.state == new.state);
    if is_outlived || !is_worst || (is_better && was_revised) {
        Weight::Outweighed
    } else {
        Weight::Stands
    }
}

/// Adds an end to those that are known.
pub(super) fn remember(ends: &mut Vec<End>, new: End) {
    let told = ends.iter_mut().find(|end| (end.state, end.at) == (new.state, new.at));
    if let Some(told) = told {
        told.version = told.version.max(new.version);
        told.is_revision |= new.is_revision;
        return;
    }
    ends.push(new);
    if ends.len() > ENDS_MAX {
        let is_outlived = |end: &End| ends.iter().any(|other| other.outlives(end));
        let first = ends
            .iter()
            .enumerate()
            .min_by_key(|(place, end)| (!is_outlived(end), end.state.badness(), *place));
        if let Some(first) = first.map(|(place, _)| place) {
            ends.remove(first);
        }
    }
}

/// What the record of a run makes of an event about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// A transition that was not seen, of the present attempt or a later one.
    New,
    /// An end of the present attempt beside the one that is shown.
    OtherEnd(Weight),
    /// The event of another object under the uid of this one, by its kind, namespace or name.
    OtherObject(Weight),
    /// What was shown before, and left since, is so again.
    Return,
    /// A known transition with other facts.
    NewFacts,
    /// Nothing that is not known.
    Same,
    /// What came before the run's present place.
    Late,
    /// One transition more than are kept of an attempt.
    Surplus,
}

impl Sight {
    /// What `run` makes of `event`, whose times are within their bounds.
    pub(super) fn of(run: &RunRecord, event: &RunEvent) -> Self {
        if !is_same_object(&run.facts, event) {
            // Which of the two is real is not known: only a worse end takes the place of what is
            // shown, whichever came first.
            let is_worse = event.state.badness() > run.facts.state.badness();
            let stands = is_worse && event.state.is_final();
            return Self::OtherObject(if stands { Weight::Stands } else { Weight::Outweighed });
        }
        let position = event.position();
        let transition = event.transition_key();
        if position.attempt == run.position.attempt && run.transitions.contains(&transition) {
            return Self::of_known(run, event);
        }
        let is_new_attempt = position.attempt > run.position.attempt;
        let is_full = run.transitions.len() >= TRANSITIONS_MAX && !event.state.is_final();
        if !is_new_attempt && is_full {
            Self::Surplus
        } else if position < run.position {
            Self::Late
        } else {
            Self::New
        }
    }

    fn of_known(run: &RunRecord, event: &RunEvent) -> Self {
        if event.rank == Rank::Terminal {
            return Self::of_known_end(run, event);
        }
        let has_moved_on = run.facts.transition_key() != event.transition_key();
        if has_moved_on && event.position() > run.position && run.returns < RETURNS_MAX {
            Self::Return
        } else if event.facts_digest() != run.facts_digest {
            Self::NewFacts
        } else {
            Self::Same
        }
    }

    fn of_known_end(run: &RunRecord, event: &RunEvent) -> Self {
        let (ends, new) = (run.ends_or_facts(), End::of(event));
        // The facts of a run that was taken up again may be older than its end.
        let shown = if run.facts.state.is_final() {
            run.facts.state
        } else {
            ends.last().map_or(event.state, |end| end.state)
        };
        let is_told = |end: &End| (end.state, end.at) == (new.state, new.at);
        let is_new = !ends.iter().any(|end| is_told(end) && new.version <= end.version);
        if event.state != shown {
            Self::OtherEnd(weigh(&ends, shown, &new))
        } else if is_new || event.facts_digest() != run.facts_digest {
            Self::NewFacts
        } else {
            Self::Same
        }
    }
}

/// The API server gives no two objects one uid. Names are compared where both are known.
fn is_same_object(known: &RunEvent, event: &RunEvent) -> bool {
    let is_named = !known.name.is_empty() && !event.name.is_empty();
    known.kind == event.kind
        && known.namespace == event.namespace
        && (!is_named || known.name == event.name)
}

impl RunRecord {
    /// The known ends of the attempt. A record from the first level has the one that is shown.
    fn ends_or_facts(&self) -> Vec<End> {
        if self.ends.is_empty() && self.facts.state.is_final() {
            return vec![End::of(&self.facts)];
        }
        self.ends.clone()
    }

    /// Notes an end of the present attempt.
    pub(super) fn remember_end(&mut self, end: End) {
        let mut ends = self.ends_or_facts();
        remember(&mut ends, end);
        self.ends = ends;
    }
}

impl RunTombstone {
    /// What was shown of the run when it shrank; `None` if it had not ended, or shrank at the first
    /// level, which did not keep it.
    pub(super) fn end(&self) -> Option<End> {
        let state = self.end_state?;
        let (at, version) = (self.changed_at, self.end_version);
        Some(End { state, at, version, is_revision: false })
    }

    /// Weighs an event that [`RunTombstone::knows`] against how the run ended.
    pub(super) fn weigh(&self, event: &RunEvent) -> Weight {
        match self.end() {
            Some(end) if event.state.is_final() && event.attempt == self.attempt => {
                weigh(&[end], end.state, &End::of(event))
            }
            Some(_) | None => Weight::Known,
        }
    }
}

/// Brings the times by which an event is ordered into their bounds: not after `now`, the stamp of
/// its entry, and not before 2015. What is not known stays so. True when one was outside.
pub(super) fn clamp(event: &mut RunEvent, now: Timestamp) -> bool {
    let mut is_clamped = false;
    for time in [&mut event.created_at, &mut event.last_transition, &mut event.ce_time] {
        let bounded = (*time).max(CLAIM_MIN).min(now.max(CLAIM_MIN));
        if time.is_known() && *time != bounded {
            *time = bounded;
            is_clamped = true;
        }
    }
    if !event.created_at.is_known() {
        // Runs of unknown age cannot be told apart by it: a run is no older than its start.
        event.created_at =
            if event.started_at.is_known() { event.started_at.min(now) } else { now };
    }
    is_clamped
}

impl StateMachine {
    /// Brings the times of writers that are remembered from the first level into their bounds: a run
    /// of another century must not keep its targets for good.
    pub(super) fn bound_known_claims(&mut self) {
        let now = self.now;
        let writers = self.outbox.targets.values_mut().filter_map(|target| target.writer.as_mut());
        for writer in writers {
            let Writer { age, position, .. } = writer;
            let times = [&mut age.created_at, &mut position.last_transition, &mut position.ce_time];
            for time in times {
                *time = (*time).min(now);
            }
        }
        self.history.bound_ages(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATES: [RunState; 4] =
        [RunState::Success, RunState::Canceled, RunState::Failure, RunState::Error];

    fn end(state: RunState, at: u64, version: u64) -> End {
        End { state, at: Timestamp(at), version, is_revision: false }
    }

    #[test]
    fn rule_09_the_later_end_stands_where_both_clocks_agree() {
        let failed = end(RunState::Failure, 10, 100);
        let passed = end(RunState::Success, 20, 200);
        assert_eq!(weigh(&[failed], RunState::Failure, &passed), Weight::Stands);
        assert_eq!(weigh(&[passed], RunState::Success, &failed), Weight::Outweighed);
    }

    #[test]
    fn rule_09_the_worse_end_stands_where_they_disagree() {
        let forged = end(RunState::Success, 10, 1_000);
        for state in [RunState::Failure, RunState::Error, RunState::Canceled] {
            let real = end(state, 20, 100);
            assert_eq!(weigh(&[forged], RunState::Success, &real), Weight::Stands);
            assert_eq!(weigh(&[real], state, &forged), Weight::Outweighed);
        }
    }

    #[test]
    fn rule_09_without_versions_or_in_one_second_no_green_hides_a_red() {
        for (passed, failed) in [
            (end(RunState::Success, 20, 0), end(RunState::Failure, 10, 0)),
            (end(RunState::Success, 10, 2), end(RunState::Failure, 10, 1)),
        ] {
            assert_eq!(weigh(&[failed], RunState::Failure, &passed), Weight::Outweighed);
            assert_eq!(weigh(&[passed], RunState::Success, &failed), Weight::Stands);
        }
    }

    #[test]
    fn rule_09_a_better_state_takes_the_place_once_and_a_worse_one_whenever_it_is_later() {
        let mut passed = end(RunState::Success, 20, 200);
        passed.is_revision = true;
        let ends = [end(RunState::Failure, 10, 100), passed];
        let failed = end(RunState::Failure, 30, 300);
        assert_eq!(weigh(&ends, RunState::Success, &failed), Weight::Stands);
        let ends = [ends[0], ends[1], failed];
        let again = end(RunState::Success, 40, 400);
        assert_eq!(weigh(&ends, RunState::Failure, &again), Weight::Outweighed);
    }

    #[test]
    fn rule_09_an_end_that_is_known_weighs_nothing() {
        let ends = [end(RunState::Failure, 10, 100), end(RunState::Success, 20, 200)];
        assert_eq!(weigh(&ends, RunState::Success, &ends[0]), Weight::Known);
        let older_copy = end(RunState::Failure, 10, 90);
        assert_eq!(weigh(&ends, RunState::Success, &older_copy), Weight::Known);
    }

    fn any_end() -> impl Strategy<Value = End> {
        (0..STATES.len(), 1..6u64, 1..6u64).prop_map(|(s, at, version)| end(STATES[s], at, version))
    }

    /// What is shown after these ends came in this order.
    fn shown_after(order: &[End]) -> RunState {
        let mut ends = Vec::new();
        let mut shown = order[0].state;
        remember(&mut ends, order[0]);
        for new in &order[1..] {
            let stands = weigh(&ends, shown, new) == Weight::Stands;
            if stands {
                shown = new.state;
            }
            remember(&mut ends, End { is_revision: stands, ..*new });
        }
        shown
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn rule_09_success_is_never_shown_beside_a_red_that_it_has_not_outlived(
            order in prop::collection::vec(any_end(), 1..7),
        ) {
            if shown_after(&order) == RunState::Success {
                for red in order.iter().filter(|end| end.state != RunState::Success) {
                    let is_outlived = order.iter().any(|other| other.outlives(red));
                    prop_assert!(is_outlived, "{red:?} is hidden in {order:?}");
                }
            }
        }

        #[test]
        fn rule_09_of_two_ends_the_same_is_shown_in_either_order(a in any_end(), b in any_end()) {
            prop_assert_eq!(shown_after(&[a, b]), shown_after(&[b, a]));
        }

        #[test]
        fn rule_09_the_ends_of_an_attempt_are_bounded(
            order in prop::collection::vec(any_end(), 1..40),
        ) {
            let mut ends = Vec::new();
            for new in order {
                remember(&mut ends, new);
                prop_assert!(ends.len() <= ENDS_MAX);
            }
        }
    }
}
