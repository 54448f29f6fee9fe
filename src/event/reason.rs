//! The state of a run from its `Succeeded` condition. The reason decides: Tekton reports
//! cancellation, timeout and set-up errors under the same event type as a failed build.

use super::run_state::{Rank, RunState};

/// Reasons of an undecided run that waits and does not work.
const WAITING: [&str; 8] = [
    "PipelineRunPending",
    "TaskRunPending",
    "Pending",
    "ResolvingTaskRef",
    "ResolvingStepActionRef",
    "ResolvingPipelineRef",
    "ExceededNodeResources",
    "ExceededResourceQuota",
];

/// The last two are those of v1alpha1 Runs, and of PipelineRuns up to Tekton 0.2x.
const CANCELED: [&str; 5] =
    ["Cancelled", "TaskRunCancelled", "CustomRunCancelled", "RunCancelled", "PipelineRunCancelled"];

/// Prefixes of reasons that say the run could not be set up. They say nothing about the build.
/// `Param` covers ParameterMissing, ParameterTypeMismatch and ParamArrayIndexingInvalid.
const SET_UP_PREFIXES: [&str; 5] = ["Couldnt", "Invalid", "Param", "Object", "InitContainer"];
const SET_UP_SUFFIXES: [&str; 2] = ["ValidationFailed", "ResolutionFailed"];
const SET_UP: [&str; 18] = [
    "ResourceVerificationFailed",
    "CreateRunFailed",
    "PipelineInvalidGraph",
    "CELEvaluationFailed",
    "RequiredWorkspaceMarkedOptional",
    "TaskRunImagePullFailed",
    "CreateContainerConfigError",
    "PodCreationFailed",
    "PodAdmissionFailed",
    "PodEvicted",
    "StepOOM",
    "SidecarOOM",
    "SidecarFailed",
    "TaskRunResultLargerThanAllowedLimit",
    "TaskRunStopSidecarFailed",
    "CustomRunWorkspaceNotSupported",
    "RunWorkspaceNotSupported",
    "RunPodTemplateNotSupported",
];

/// Status of a condition, as Kubernetes writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConditionStatus {
    True,
    False,
    Unknown,
}

/// State and rank of a run whose condition has this status and reason.
pub(super) fn of_condition(status: ConditionStatus, reason: &str) -> (RunState, Rank) {
    match status {
        ConditionStatus::True => (RunState::Success, Rank::Terminal),
        ConditionStatus::False => (ended_badly(reason), Rank::Terminal),
        ConditionStatus::Unknown if reason == "Started" => (RunState::Running, Rank::Started),
        ConditionStatus::Unknown if WAITING.contains(&reason) => (RunState::Pending, Rank::Running),
        ConditionStatus::Unknown => (RunState::Running, Rank::Running),
    }
}

/// State and rank by the last word of the event type, for events without a condition. `None` for a
/// word that no controller sends.
pub(super) fn of_type(word: &str) -> Option<(RunState, Rank)> {
    Some(match word {
        "queued" => (RunState::Pending, Rank::Queued),
        "started" => (RunState::Pending, Rank::Started),
        "running" | "unknown" => (RunState::Running, Rank::Running),
        "successful" => (RunState::Success, Rank::Terminal),
        "failed" => (RunState::Failure, Rank::Terminal),
        _ => return None,
    })
}

fn ended_badly(reason: &str) -> RunState {
    let is_set_up = SET_UP.contains(&reason)
        || SET_UP_PREFIXES.iter().any(|prefix| reason.starts_with(prefix))
        || SET_UP_SUFFIXES.iter().any(|suffix| reason.ends_with(suffix));
    if CANCELED.contains(&reason) {
        RunState::Canceled
    } else if is_set_up {
        RunState::Error
    } else {
        RunState::Failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(reason: &str) -> RunState {
        of_condition(ConditionStatus::False, reason).0
    }

    #[test]
    fn a_cancelled_run_is_canceled_and_not_a_failure() {
        for reason in CANCELED {
            assert_eq!(ended(reason), RunState::Canceled, "{reason}");
        }
    }

    #[test]
    fn a_timeout_is_a_failure() {
        for reason in ["PipelineRunTimeout", "TaskRunTimeout", "CustomRunTimedOut", "RunTimedOut"] {
            assert_eq!(ended(reason), RunState::Failure, "{reason}");
        }
    }

    #[test]
    fn a_run_that_could_not_be_set_up_is_an_error() {
        let others = [
            "CouldntGetTask",
            "InvalidWorkspaceBindings",
            "ParameterMissing",
            "ParameterTypeMismatch",
            "ParamArrayIndexingInvalid",
            "ObjectParameterMissKeys",
            "CouldntGetPipeline",
            "CouldntGetPipelineResult",
            "InvalidPipelineResourceBindings",
            "InvalidTaskRunSpecs",
            "InvalidMatrixParameterTypes",
            "InvalidTaskResultReference",
            "InvalidParamValue",
            "PipelineValidationFailed",
            "TaskValidationFailed",
            "TaskRunValidationFailed",
            "TaskRunResolutionFailed",
            "InitContainerOOM",
            "InitContainerFailed",
        ];
        for reason in SET_UP.iter().chain(&others) {
            assert_eq!(ended(reason), RunState::Error, "{reason}");
        }
    }

    #[test]
    fn any_other_bad_end_is_a_failure() {
        for reason in ["Failed", "StepFailed", "FailureIgnored", "SomethingNew", ""] {
            assert_eq!(ended(reason), RunState::Failure, "{reason}");
        }
    }

    #[test]
    fn undecided_runs_wait_or_work_by_their_reason() {
        for reason in WAITING {
            let expected = (RunState::Pending, Rank::Running);
            assert_eq!(of_condition(ConditionStatus::Unknown, reason), expected, "{reason}");
        }
        for reason in [
            "Running",
            "ToBeRetried",
            "PipelineRunStopping",
            "CancelledRunningFinally",
            "StoppedRunningFinally",
            "PipelineRunTimeoutRunningFinally",
            "PipelineRunCouldntCancel",
            "SomethingNew",
            "",
        ] {
            let expected = (RunState::Running, Rank::Running);
            assert_eq!(of_condition(ConditionStatus::Unknown, reason), expected, "{reason}");
        }
    }

    #[test]
    fn a_run_that_has_just_started_ranks_below_a_running_one() {
        let started = of_condition(ConditionStatus::Unknown, "Started");
        assert_eq!(started, (RunState::Running, Rank::Started));
    }

    #[test]
    fn whatever_is_decided_is_terminal() {
        for reason in ["Pending", "Running", "Started", "Cancelled", "Failed"] {
            assert_eq!(of_condition(ConditionStatus::False, reason).1, Rank::Terminal, "{reason}");
            assert_eq!(of_condition(ConditionStatus::True, reason).1, Rank::Terminal, "{reason}");
        }
    }

    #[test]
    fn without_a_condition_the_type_decides() {
        for (word, expected) in [
            ("queued", (RunState::Pending, Rank::Queued)),
            ("started", (RunState::Pending, Rank::Started)),
            ("running", (RunState::Running, Rank::Running)),
            ("unknown", (RunState::Running, Rank::Running)),
            ("successful", (RunState::Success, Rank::Terminal)),
            ("failed", (RunState::Failure, Rank::Terminal)),
        ] {
            assert_eq!(of_type(word), Some(expected), "{word}");
        }
    }

    #[test]
    fn success_with_skipped_tasks_is_success() {
        for reason in ["Succeeded", "Completed"] {
            let expected = (RunState::Success, Rank::Terminal);
            assert_eq!(of_condition(ConditionStatus::True, reason), expected);
        }
    }

    #[test]
    fn an_unknown_word_is_no_state() {
        assert_eq!(of_type("paused"), None);
    }
}
