//! [`RunContext`]: what is known about a run beyond one event.

use super::RunState;

/// What planning and rendering know about a run besides the event itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunContext {
    /// The check name of the run, fixed when the run was first seen.
    pub check_name: String,
    /// State of the last finished run of the same pipeline, repository and branch or PR.
    pub previous_state: Option<RunState>,
    /// Link to the run in the dashboard; empty when none is configured.
    pub target_url: String,
}
