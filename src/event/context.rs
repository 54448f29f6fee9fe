//! [`RunContext`]: what is known about a run beyond one event.

use super::{CheckWriter, NotSettled, RunState};
use std::sync::Arc;

/// What planning and rendering know about a run besides the event itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunContext {
    /// The check name of the run, fixed once its writer is settled; until then a name for people.
    pub check_name: String,
    /// The writer of the check, once it is settled. Also absent for runs first seen at feature
    /// level 1: they keep the check they had.
    pub writer: Option<Arc<CheckWriter>>,
    /// Why no check is written yet.
    pub not_settled: Option<NotSettled>,
    /// The failed tasks of a failed PipelineRun, as `lint (StepFailed)`; empty where none is known.
    pub failed_tasks: String,
    /// A summary of the run in this state follows at once.
    pub is_summed_up: bool,
    /// State of the last finished run of the same pipeline, repository and branch or PR.
    pub previous_state: Option<RunState>,
    /// Link to the run in the dashboard; empty when none is configured.
    pub target_url: String,
}
