//! The names of a run at its forge: the check name and the description. Template functions write
//! the references to issues and people.

use super::run::{RunEvent, RunKind};
use super::run_state::RunState;

/// The check name of a run at feature level 1, as computed at first sight and fixed from then on.
/// From level 2 on [`super::check`] decides.
///
/// A TaskRun never writes under the `scm.context` of its PipelineRun, whose annotations Tekton
/// copies to it: the relay appends the TaskRun's own name.
#[must_use]
pub fn check_name(event: &RunEvent) -> String {
    let context = event.scm.context.as_str();
    let has_parent = !event.parent.uid.is_empty() || !event.parent.name.is_empty();
    if !context.is_empty() {
        return if has_parent {
            format!("{context}/{}", own_name(event))
        } else {
            context.to_owned()
        };
    }
    match event.kind {
        RunKind::TaskRun => {
            let names = [&event.task_display_name, &event.pipeline_task, &event.task_name];
            let named = names.into_iter().find(|name| !name.is_empty());
            named.map_or_else(|| format!("tekton/task/{}", event.name), |n| format!("tekton/{n}"))
        }
        RunKind::PipelineRun => {
            let names = [&event.pipeline_display_name, &event.pipeline_name, &event.name];
            let named = names.into_iter().find(|name| !name.is_empty());
            format!("tekton/{}", named.unwrap_or(&event.name))
        }
        RunKind::CustomRun => format!("tekton/customrun/{}", event.name),
        RunKind::EventListener => format!("tekton/eventlistener/{}", event.event_listener_name),
    }
}

/// Pipeline task, else task, else the run's own name.
#[must_use]
pub fn own_name(event: &RunEvent) -> &str {
    let names = [&event.pipeline_task, &event.task_name, &event.name];
    names.into_iter().find(|name| !name.is_empty()).map_or("", String::as_str)
}

/// The condition's message, or a word for the state. Not cut here: targets have their own bounds.
#[must_use]
pub fn description(event: &RunEvent) -> String {
    let said = said(event);
    if event.is_ignored() { format!("failed, ignored: {said}") } else { said }
}

fn said(event: &RunEvent) -> String {
    let message = event.message.trim();
    if !message.is_empty() {
        let is_silent_about_it =
            event.state == RunState::Canceled && !message.to_ascii_lowercase().contains("cancel");
        return if is_silent_about_it {
            format!("cancelled: {message}")
        } else {
            message.to_owned()
        };
    }
    let word = match event.state {
        RunState::Pending => "Queued",
        RunState::Running => "Running",
        RunState::Success => "Succeeded",
        RunState::Failure => "Failed",
        RunState::Error => "Could not run",
        RunState::Canceled => "Run cancelled",
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::{Parent, RunEvent, recorded_run};
    use super::*;

    /// The TaskRun `ok-build` and the PipelineRun `ok`.
    fn task_and_pipeline() -> (RunEvent, RunEvent) {
        (recorded_run(25), recorded_run(38))
    }

    #[test]
    fn a_task_run_never_takes_its_pipeline_runs_context() {
        let (mut task, _) = task_and_pipeline();
        task.scm.context = "ci".to_owned();
        assert_eq!(check_name(&task), "ci/build");
        task.pipeline_task.clear();
        task.task_name = "kaniko".to_owned();
        assert_eq!(check_name(&task), "ci/kaniko");
        task.task_name.clear();
        assert_eq!(check_name(&task), "ci/ok-build");
    }

    #[test]
    fn one_half_of_a_parent_is_a_parent() {
        let (mut task, _) = task_and_pipeline();
        task.scm.context = "ci".to_owned();
        task.parent = Parent { uid: "u".to_owned(), name: String::new() };
        assert_eq!(check_name(&task), "ci/build");
        task.parent = Parent { uid: String::new(), name: "ok".to_owned() };
        assert_eq!(check_name(&task), "ci/build");
    }

    #[test]
    fn a_lone_task_run_takes_the_context_as_it_is() {
        let mut solo = recorded_run(28);
        assert_eq!(solo.parent, Parent::default());
        solo.scm.context = "lint".to_owned();
        assert_eq!(check_name(&solo), "lint");
    }

    #[test]
    fn a_pipeline_run_takes_the_context_as_it_is() {
        let (_, mut pipeline) = task_and_pipeline();
        pipeline.scm.context = "ci".to_owned();
        pipeline.pipeline_display_name = "Release".to_owned();
        assert_eq!(check_name(&pipeline), "ci");
    }

    #[test]
    fn pipeline_runs_without_a_context_go_by_display_name_pipeline_and_run() {
        let (_, mut pipeline) = task_and_pipeline();
        pipeline.name = "release-x7".to_owned();
        pipeline.pipeline_name.clear();
        assert_eq!(check_name(&pipeline), "tekton/release-x7");
        pipeline.pipeline_name = "release".to_owned();
        assert_eq!(check_name(&pipeline), "tekton/release");
        pipeline.pipeline_display_name = "Release".to_owned();
        assert_eq!(check_name(&pipeline), "tekton/Release");
    }

    #[test]
    fn task_runs_without_a_context_go_by_display_name_pipeline_task_task_and_run() {
        let (mut task, _) = task_and_pipeline();
        task.task_name = "kaniko".to_owned();
        assert_eq!(check_name(&task), "tekton/build");
        task.task_display_name = "Build".to_owned();
        assert_eq!(check_name(&task), "tekton/Build");
        task.task_display_name.clear();
        task.pipeline_task.clear();
        assert_eq!(check_name(&task), "tekton/kaniko");
        task.task_name.clear();
        assert_eq!(check_name(&task), "tekton/task/ok-build");
    }

    #[test]
    fn custom_runs_and_event_listeners_go_by_their_own_name() {
        let mut run = recorded_run(7);
        assert_eq!(check_name(&run), "tekton/customrun/cr1");
        run.kind = RunKind::EventListener;
        run.event_listener_name = "github".to_owned();
        assert_eq!(check_name(&run), "tekton/eventlistener/github");
    }

    #[test]
    fn an_ignored_failure_says_so() {
        let mut run = recorded_run(25);
        run.state = RunState::Failure;
        run.reason = "FailureIgnored".to_owned();
        run.message = "exit 1".to_owned();
        assert_eq!(description(&run), "failed, ignored: exit 1");
    }

    #[test]
    fn a_cancelled_run_says_so() {
        let mut run = recorded_run(31);
        assert_eq!(description(&run), "PipelineRun \"cancelme\" was cancelled");
        run.message = "stopped".to_owned();
        assert_eq!(description(&run), "cancelled: stopped");
    }

    #[test]
    fn a_run_without_a_message_is_described_by_its_state() {
        let mut run = recorded_run(31);
        for (state, word) in [
            (RunState::Pending, "Queued"),
            (RunState::Running, "Running"),
            (RunState::Success, "Succeeded"),
            (RunState::Failure, "Failed"),
            (RunState::Error, "Could not run"),
            (RunState::Canceled, "Run cancelled"),
        ] {
            run.state = state;
            run.message = "  ".to_owned();
            assert_eq!(description(&run), word);
        }
    }

    #[test]
    fn a_long_message_is_not_cut_here() {
        let mut run = recorded_run(38);
        run.message = "x".repeat(1000);
        assert_eq!(description(&run).len(), 1000);
    }
}
