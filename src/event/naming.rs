//! Facts that name the pipeline or task of a run, in addition to the labels that Tekton sets later.

/// How a run names its pipeline or task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reference {
    /// The event does not say.
    #[default]
    Unknown,
    /// By name, in its own namespace.
    Name(String),
    /// Through a resolver: the name is known once the resolver has found it.
    Resolver,
    /// The definition is inline in the run.
    Inline,
}

/// What one event says about the name of a run's pipeline or task. Every part may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    pub reference: Reference,
    /// The resolver has found the definition.
    pub is_resolved: bool,
    /// `metadata.generateName`.
    pub generate_name: String,
    /// Name of the file's PipelineRun that Pipelines-as-Code started, from its label.
    pub original_name: String,
    /// Kind and API group of a custom task, as `Approval.example.dev`. For a TaskRun the kind it
    /// refers to; empty for a Task.
    pub custom_kind: String,
    /// The round of a loop, from the label of the loop's controller.
    pub iteration: String,
    /// Name of the CustomRun that owns it.
    pub owner: String,
}
