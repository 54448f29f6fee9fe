//! [`RunContext`]: what is known about a run beyond one event.

use super::{CheckWriter, NotSettled, RunState};
use std::sync::Arc;

/// What planning and rendering know about a run besides the event itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunContext {
    /// The check name of the run, fixed once its writer is settled; before that a name for people.
    pub check_name: String,
    /// Who writes the check, once it is settled. Absent also for runs that were first seen at
    /// feature level 1: their check is the one they had.
    pub writer: Option<Arc<CheckWriter>>,
    /// Why no check is written yet.
    pub not_settled: Option<NotSettled>,
    /// Which tasks of a failed PipelineRun failed, as `lint (StepFailed)`; empty where none is known.
    pub failed_tasks: String,
    /// The summary of the run, with this very state, is owed right behind.
    pub is_summed_up: bool,
    /// State of the last finished run of the same pipeline, repository and branch or PR.
    pub previous_state: Option<RunState>,
    /// Link to the run in the dashboard; empty when none is configured.
    pub target_url: String,
}
