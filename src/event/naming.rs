//! Facts that tell which pipeline or task a run is of, beside the labels that Tekton sets in time.

/// How a run names its pipeline or task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reference {
    /// The event does not say.
    #[default]
    Unknown,
    /// By name, in its own namespace.
    Name(String),
    /// Through a resolver: the name is known when it was found.
    Resolver,
    /// It is written out in the run.
    Inline,
}

/// What names a run's pipeline or task as far as one event tells. Every part may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    pub reference: Reference,
    /// A resolver has found what it was asked for.
    pub is_resolved: bool,
    /// `metadata.generateName`.
    pub generate_name: String,
    /// Name of the file's PipelineRun that Pipelines-as-Code started, from its label.
    pub original_name: String,
    /// Kind and API group of a custom task, as `Approval.example.dev`; of a TaskRun the kind that it
    /// refers to, empty for a Task.
    pub custom_kind: String,
    /// Which round of a loop it is, from the label of the loop's controller.
    pub iteration: String,
    /// Name of the CustomRun that owns it.
    pub owner: String,
}
