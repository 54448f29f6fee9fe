//! Closed sets and their numbers on the wire. Number 0 and unknown numbers are errors: a value that
//! a later release added must not be taken for another one (rule 22).

use super::{WireError, proto};
use crate::effect::{Delivery, SkipReason};
use crate::event::check::RootKind;
use crate::event::{NotSettled, Rank, RunKind, RunState};
use crate::failure::FailureKind;
use crate::state_machine::{CauseKind, Fate, Refusal};

/// Generates both directions from one list, so that they cannot differ.
macro_rules! paired {
    ($to:ident, $from:ident, $domain:ident, [$(($($value:tt)+) = $wire:ident),+ $(,)?]) => {
        pub(super) fn $to(value: $domain) -> i32 {
            let number = match value {
                $($($value)+ => proto::$domain::$wire,)+
            };
            number.into()
        }

        pub(super) fn $from(number: i32, field: &'static str) -> Result<$domain, WireError> {
            match proto::$domain::try_from(number) {
                $(Ok(proto::$domain::$wire) => Ok($($value)+),)+
                Ok(proto::$domain::Unspecified) | Err(_) => {
                    let accepted = concat!("one of", $(" ", stringify!($wire)),+);
                    Err(WireError::Value { field, found: number.into(), accepted })
                }
            }
        }
    };
}

paired!(
    to_run_kind,
    from_run_kind,
    RunKind,
    [
        (RunKind::TaskRun) = TaskRun,
        (RunKind::PipelineRun) = PipelineRun,
        (RunKind::CustomRun) = CustomRun,
        (RunKind::EventListener) = EventListener,
    ]
);

paired!(
    to_root_kind,
    from_root_kind,
    RootKind,
    [
        (RootKind::Pipeline) = Pipeline,
        (RootKind::PipelineRuns) = PipelineRuns,
        (RootKind::PipelineRun) = PipelineRun,
        (RootKind::PipelinesAsCode) = PipelinesAsCode,
        (RootKind::Task) = Task,
        (RootKind::TaskRuns) = TaskRuns,
        (RootKind::TaskRun) = TaskRun,
        (RootKind::CustomTask) = CustomTask,
        (RootKind::CustomRuns) = CustomRuns,
        (RootKind::CustomRun) = CustomRun,
        (RootKind::EventListener) = EventListener,
        (RootKind::Group) = Group,
    ]
);

paired!(
    to_not_settled,
    from_not_settled,
    NotSettled,
    [(NotSettled::AwaitsName) = AwaitsName, (NotSettled::AwaitsParent) = AwaitsParent,]
);

paired!(
    to_rank,
    from_rank,
    Rank,
    [
        (Rank::Queued) = Queued,
        (Rank::Started) = Started,
        (Rank::Running) = Running,
        (Rank::Terminal) = Terminal,
    ]
);

paired!(
    to_run_state,
    from_run_state,
    RunState,
    [
        (RunState::Pending) = Pending,
        (RunState::Running) = Running,
        (RunState::Success) = Success,
        (RunState::Failure) = Failure,
        (RunState::Error) = Error,
        (RunState::Canceled) = Canceled,
    ]
);

paired!(
    to_delivery,
    from_delivery,
    Delivery,
    [(Delivery::Latest) = Latest, (Delivery::Stream) = Stream,]
);

paired!(
    to_skip_reason,
    from_skip_reason,
    SkipReason,
    [
        (SkipReason::WhenFalse) = WhenFalse,
        (SkipReason::FilteredByName) = FilteredByName,
        (SkipReason::FilteredByKind) = FilteredByKind,
        (SkipReason::OtherProvider) = OtherProvider,
        (SkipReason::MissingFacts) = MissingFacts,
        (SkipReason::Superseded) = Superseded,
        (SkipReason::OlderThanTarget) = OlderThanTarget,
        (SkipReason::RouteGone) = RouteGone,
        (SkipReason::SameId) = SameId,
        (SkipReason::CheckNotSettled) = CheckNotSettled,
        (SkipReason::WorseStateStands) = WorseStateStands,
        (SkipReason::ImpossibleFacts) = ImpossibleFacts,
        (SkipReason::NotAllowed) = NotAllowed,
    ]
);

paired!(
    to_cause_kind,
    from_cause_kind,
    CauseKind,
    [
        (CauseKind::Delivery(FailureKind::Auth)) = Auth,
        (CauseKind::Delivery(FailureKind::NotFound)) = NotFound,
        (CauseKind::Delivery(FailureKind::Invalid)) = Invalid,
        (CauseKind::Delivery(FailureKind::Conflict)) = Conflict,
        (CauseKind::Delivery(FailureKind::RateLimited)) = RateLimited,
        (CauseKind::Delivery(FailureKind::Server)) = Server,
        (CauseKind::Delivery(FailureKind::Timeout)) = Timeout,
        (CauseKind::Delivery(FailureKind::Network)) = Network,
        (CauseKind::Delivery(FailureKind::Render)) = Render,
        (CauseKind::Delivery(FailureKind::Credentials)) = Credentials,
        (CauseKind::Poison) = Poison,
        (CauseKind::BacklogFull) = BacklogFull,
    ]
);

paired!(
    to_fate,
    from_fate,
    Fate,
    [
        (Fate::Accepted) = Accepted,
        (Fate::Duplicate) = Duplicate,
        (Fate::Superseded) = Superseded,
        (Fate::Ignored) = Ignored,
        (Fate::Spooled) = Spooled,
    ]
);

paired!(
    to_refusal,
    from_refusal,
    Refusal,
    [
        (Refusal::NotOwner) = NotOwner,
        (Refusal::StaleBoot) = StaleBoot,
        (Refusal::Full) = Full,
        (Refusal::Retired) = Retired,
        (Refusal::InUse) = InUse,
    ]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_from_its_number() {
        for value in RunKind::ALL {
            assert_eq!(from_run_kind(to_run_kind(value), "x"), Ok(value));
        }
        for value in RunState::ALL {
            assert_eq!(from_run_state(to_run_state(value), "x"), Ok(value));
        }
        for value in SkipReason::ALL {
            assert_eq!(from_skip_reason(to_skip_reason(value), "x"), Ok(value));
        }
        for value in Fate::ALL {
            assert_eq!(from_fate(to_fate(value), "x"), Ok(value));
        }
        for value in Refusal::ALL {
            assert_eq!(from_refusal(to_refusal(value), "x"), Ok(value));
        }
        let causes = FailureKind::ALL.into_iter().map(CauseKind::Delivery);
        for value in causes.chain([CauseKind::Poison, CauseKind::BacklogFull]) {
            assert_eq!(from_cause_kind(to_cause_kind(value), "x"), Ok(value));
        }
        for value in [Rank::Queued, Rank::Started, Rank::Running, Rank::Terminal] {
            assert_eq!(from_rank(to_rank(value), "x"), Ok(value));
        }
        for value in [Delivery::Latest, Delivery::Stream] {
            assert_eq!(from_delivery(to_delivery(value), "x"), Ok(value));
        }
    }

    #[test]
    fn zero_and_numbers_without_a_name_are_refused() {
        let accepted = "one of Latest Stream";
        for found in [0, 3, -1] {
            let error =
                WireError::Value { field: "Effect.delivery", found: found.into(), accepted };
            assert_eq!(from_delivery(found, "Effect.delivery"), Err(error));
        }
    }

    #[test]
    fn numbers_are_those_of_the_schema() {
        assert_eq!(to_run_kind(RunKind::TaskRun), 1);
        assert_eq!(to_rank(Rank::Terminal), 4);
        assert_eq!(to_run_state(RunState::Canceled), 6);
        assert_eq!(to_skip_reason(SkipReason::RouteGone), 8);
        assert_eq!(to_cause_kind(CauseKind::BacklogFull), 12);
        assert_eq!(to_fate(Fate::Spooled), 5);
        assert_eq!(to_refusal(Refusal::InUse), 5);
    }
}
