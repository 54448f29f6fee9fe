//! Which names of an event are final, so that filters and rules may decide by them. Labels may be
//! copies from another run or from the parent; Tekton sets its own when it resolves the run.

use super::naming::Reference;
use super::run::{Parent, RunEvent, RunKind};
use super::run_state::Rank;

/// Prefix of the reasons under which Tekton still looks for a pipeline or task.
const RESOLVING: &str = "Resolving";

impl RunEvent {
    /// Whether no later event of the run can have another Pipeline name. Also true for a run
    /// without a pipeline.
    #[must_use]
    pub fn has_final_pipeline_name(&self) -> bool {
        let name = self.pipeline_name.as_str();
        let naming = &self.naming;
        match self.kind {
            RunKind::EventListener => true,
            _ if self.state.is_final() => true,
            RunKind::TaskRun | RunKind::CustomRun => {
                let has_none = self.parent == Parent::default() || self.is_round();
                has_none || !name.is_empty() || self.are_labels_set()
            }
            RunKind::PipelineRun => match &naming.reference {
                Reference::Name(of) => naming.is_resolved || of == name,
                Reference::Inline => naming.is_resolved,
                Reference::Resolver => {
                    naming.is_resolved && !name.is_empty() && name != self.name.as_str()
                }
                Reference::Unknown => {
                    let is_child = self.parent != Parent::default();
                    self.are_labels_set() || !name.is_empty() && !is_child
                }
            },
        }
    }

    /// Whether no later event of the run can have another Task name. Also true for a run without a
    /// Task.
    #[must_use]
    pub fn has_final_task_name(&self) -> bool {
        let name = self.task_name.as_str();
        let naming = &self.naming;
        match self.kind {
            RunKind::PipelineRun | RunKind::CustomRun | RunKind::EventListener => true,
            RunKind::TaskRun if self.state.is_final() => true,
            RunKind::TaskRun => match &naming.reference {
                Reference::Name(of) => naming.is_resolved || of == name,
                Reference::Inline => true,
                Reference::Resolver => naming.is_resolved && !name.is_empty(),
                Reference::Unknown => self.are_labels_set() || !name.is_empty(),
            },
        }
    }

    /// Whether Tekton has labelled the run, judged by its state: Tekton does so before the run
    /// starts.
    fn are_labels_set(&self) -> bool {
        self.rank >= Rank::Running && !self.reason.starts_with(RESOLVING)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RunState, recorded_run, shaped_runs};
    use super::*;

    /// A PipelineRun `ci-1`, and a TaskRun of that name, while a resolver looks for their pipeline
    /// or task.
    fn resolving(kind: RunKind) -> RunEvent {
        let mut run = recorded_run(8);
        (run.kind, run.rank, run.state) = (kind, Rank::Running, RunState::Pending);
        run.name = "ci-1".to_owned();
        run.reason = "ResolvingPipelineRef".to_owned();
        run.naming.reference = Reference::Resolver;
        run.naming.is_resolved = false;
        run.pipeline_name.clear();
        run.task_name.clear();
        run
    }

    #[test]
    fn a_run_whose_resolver_has_not_found_it_has_no_final_name() {
        let mut run = resolving(RunKind::PipelineRun);
        assert!(!run.has_final_pipeline_name());
        run.pipeline_name = "copied".to_owned();
        assert!(!run.has_final_pipeline_name());
        (run.naming.is_resolved, run.pipeline_name) = (true, "ci-1".to_owned());
        assert!(!run.has_final_pipeline_name(), "the run's own name is none");
        run.pipeline_name = "ci".to_owned();
        assert!(run.has_final_pipeline_name());
        let mut task = resolving(RunKind::TaskRun);
        assert!(!task.has_final_task_name());
        task.state = RunState::Error;
        assert!(task.has_final_task_name(), "nothing else comes");
        let unsaid = |kind| {
            let mut run = resolving(kind);
            run.naming.reference = Reference::Unknown;
            run
        };
        assert!(!unsaid(RunKind::PipelineRun).has_final_pipeline_name());
        assert!(!unsaid(RunKind::TaskRun).has_final_task_name());
    }

    #[test]
    fn the_label_of_a_queued_child_is_that_of_its_parent() {
        let inner: Vec<_> =
            shaped_runs().into_iter().filter(|run| run.name == "nest-1-inner").collect();
        let queued: Vec<_> = inner.iter().filter(|run| run.rank == Rank::Queued).collect();
        assert_eq!(queued.len(), 1);
        assert_eq!(queued[0].pipeline_name, "nest-1");
        assert!(
            inner.iter().all(|run| run.has_final_pipeline_name() != (run.rank == Rank::Queued))
        );
    }

    #[test]
    fn a_final_name_of_a_recorded_run_never_changes() {
        type Name = fn(&RunEvent) -> (bool, String);
        let names: [Name; 2] = [
            |run| (run.has_final_pipeline_name(), run.pipeline_name.clone()),
            |run| (run.has_final_task_name(), run.task_name.clone()),
        ];
        for of in names {
            let mut known = std::collections::BTreeMap::new();
            for run in shaped_runs() {
                let (is_final, name) = of(&run);
                let before = known.get(&run.uid);
                assert!(before.is_none_or(|before| *before == name), "{} {name}", run.name);
                if is_final {
                    known.insert(run.uid, name);
                }
            }
            assert!(known.len() > 20);
        }
    }
}
