//! What is known about values before any run: the fields of the data, their kinds, and the methods
//! of times and durations. Load-time checks and documentation use these tables.

use std::ops::RangeInclusive;

/// The kind of data that a template is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// One event of one run.
    Event,
    /// The members of a PipelineRun or group.
    Summary,
    /// The writer of a check.
    Check,
}

impl DataKind {
    /// The shape of `.` at the start of the template.
    pub(super) fn shape(self) -> Shape {
        match self {
            Self::Event => Shape::Event,
            Self::Summary => Shape::Summary,
            Self::Check => Shape::Check,
        }
    }
}

/// What the checks know about a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Known only when rendering.
    Any,
    Text,
    Bool,
    Integer,
    Number,
    Time,
    Duration,
    /// The labels: a map from names to text. An absent key reads as "", and the used keys are
    /// recorded. Annotations and parameters work the same way.
    Labels,
    Annotations,
    Params,
    Event,
    Repository,
    NamedValue,
    NamedValues,
    Summary,
    Task,
    Tasks,
    Check,
}

/// What a name after a dot means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ShapeMember {
    Field(Shape),
    Method { args: RangeInclusive<usize>, result: Shape },
}

/// Fields of an event: those of the Go relay, then our own.
pub(super) const EVENT_FIELDS: &[(&str, Shape)] = &[
    ("Provider", Shape::Text),
    ("Resource", Shape::Text),
    ("APIBaseURL", Shape::Text),
    ("RunName", Shape::Text),
    ("RunID", Shape::Text),
    ("Namespace", Shape::Text),
    ("TaskName", Shape::Text),
    ("PipelineName", Shape::Text),
    ("PipelineTaskName", Shape::Text),
    ("EventListenerName", Shape::Text),
    ("TriggerName", Shape::Text),
    ("TaskDisplayName", Shape::Text),
    ("PipelineDisplayName", Shape::Text),
    ("IsFinallyTask", Shape::Bool),
    ("Ignored", Shape::Bool),
    ("FailedTasks", Shape::Text),
    ("SCMEventType", Shape::Text),
    ("TaskCount", Shape::Integer),
    ("State", Shape::Text),
    ("Context", Shape::Text),
    ("Description", Shape::Text),
    ("TargetURL", Shape::Text),
    ("CommitSHA", Shape::Text),
    ("Repo", Shape::Repository),
    ("IssueNumber", Shape::Integer),
    ("PRNumber", Shape::Integer),
    ("DiscussionNumber", Shape::Integer),
    ("JiraIssueKey", Shape::Text),
    ("AccumulatorGroupID", Shape::Text),
    ("Results", Shape::NamedValues),
    ("StartedAt", Shape::Time),
    ("FinishedAt", Shape::Time),
    ("Reason", Shape::Text),
    ("Attempt", Shape::Integer),
    ("Labels", Shape::Labels),
    ("Annotations", Shape::Annotations),
    ("Params", Shape::Params),
    ("PreviousState", Shape::Text),
    ("Ref", Shape::Text),
];

/// Fields of `.Repo`.
pub(super) const REPOSITORY_FIELDS: &[(&str, Shape)] = &[
    ("Owner", Shape::Text),
    ("Name", Shape::Text),
    ("ID", Shape::Text),
    ("Workspace", Shape::Text),
    ("Project", Shape::Text),
    ("Org", Shape::Text),
];

/// Fields of an element of `.Results`.
pub(super) const NAMED_VALUE_FIELDS: &[(&str, Shape)] =
    &[("Name", Shape::Text), ("Value", Shape::Text)];

/// Fields of a summary.
pub(super) const SUMMARY_FIELDS: &[(&str, Shape)] = &[
    ("PipelineName", Shape::Text),
    ("RunName", Shape::Text),
    ("State", Shape::Text),
    ("Tasks", Shape::Tasks),
    ("IsIncomplete", Shape::Bool),
];

/// Fields of an element of `.Tasks`.
pub(super) const TASK_FIELDS: &[(&str, Shape)] = &[
    ("Name", Shape::Text),
    ("State", Shape::Text),
    ("Emoji", Shape::Text),
    ("Duration", Shape::Text),
    ("Reason", Shape::Text),
    ("RunName", Shape::Text),
    ("Ignored", Shape::Bool),
    ("Skipped", Shape::Bool),
];

/// The settled facts of a check: its name may be made of these.
pub(super) const CHECK_FIELDS: &[(&str, Shape)] = &[
    ("Kind", Shape::Text),
    ("Pipeline", Shape::Text),
    ("Task", Shape::Text),
    ("Combination", Shape::Text),
    ("Context", Shape::Text),
    ("Namespace", Shape::Text),
];

/// Methods of a time: name, number of arguments, result.
pub(super) const TIME_METHODS: &[(&str, usize, Shape)] = &[
    ("IsZero", 0, Shape::Bool),
    ("Sub", 1, Shape::Duration),
    ("Add", 1, Shape::Time),
    ("Before", 1, Shape::Bool),
    ("After", 1, Shape::Bool),
    ("Equal", 1, Shape::Bool),
    ("Format", 1, Shape::Text),
    ("Unix", 0, Shape::Integer),
    ("UnixMilli", 0, Shape::Integer),
    ("UTC", 0, Shape::Time),
    ("Year", 0, Shape::Integer),
    ("Month", 0, Shape::Text),
    ("Day", 0, Shape::Integer),
    ("Hour", 0, Shape::Integer),
    ("Minute", 0, Shape::Integer),
    ("Second", 0, Shape::Integer),
    ("Weekday", 0, Shape::Text),
    ("YearDay", 0, Shape::Integer),
    ("String", 0, Shape::Text),
];

/// Methods of a duration: name, number of arguments, result.
pub(super) const DURATION_METHODS: &[(&str, usize, Shape)] = &[
    ("Hours", 0, Shape::Number),
    ("Minutes", 0, Shape::Number),
    ("Seconds", 0, Shape::Number),
    ("Milliseconds", 0, Shape::Integer),
    ("Microseconds", 0, Shape::Integer),
    ("Nanoseconds", 0, Shape::Integer),
    ("Round", 1, Shape::Duration),
    ("Truncate", 1, Shape::Duration),
    ("Abs", 0, Shape::Duration),
    ("String", 0, Shape::Text),
];

impl Shape {
    /// What `name` means on a value of this shape; `None` if there is no such member.
    pub(super) fn member(self, name: &str) -> Option<ShapeMember> {
        match self {
            Self::Any => Some(ShapeMember::Method { args: 0..=usize::MAX, result: Self::Any }),
            Self::Labels | Self::Annotations | Self::Params => Some(ShapeMember::Field(Self::Text)),
            Self::Event => field(EVENT_FIELDS, name),
            Self::Repository => field(REPOSITORY_FIELDS, name),
            Self::NamedValue => field(NAMED_VALUE_FIELDS, name),
            Self::Summary => field(SUMMARY_FIELDS, name),
            Self::Task => field(TASK_FIELDS, name),
            Self::Check => field(CHECK_FIELDS, name),
            Self::Time => method(TIME_METHODS, name),
            Self::Duration => method(DURATION_METHODS, name),
            Self::Text
            | Self::Bool
            | Self::Integer
            | Self::Number
            | Self::NamedValues
            | Self::Tasks => None,
        }
    }

    /// The members of a value of this shape; empty if it takes any name.
    pub(super) fn member_names(self) -> Vec<&'static str> {
        let fields = |of: &[(&'static str, Self)]| of.iter().map(|(name, _)| *name).collect();
        let methods =
            |of: &[(&'static str, usize, Self)]| of.iter().map(|(name, _, _)| *name).collect();
        match self {
            Self::Event => fields(EVENT_FIELDS),
            Self::Repository => fields(REPOSITORY_FIELDS),
            Self::NamedValue => fields(NAMED_VALUE_FIELDS),
            Self::Summary => fields(SUMMARY_FIELDS),
            Self::Task => fields(TASK_FIELDS),
            Self::Check => fields(CHECK_FIELDS),
            Self::Time => methods(TIME_METHODS),
            Self::Duration => methods(DURATION_METHODS),
            Self::Any
            | Self::Text
            | Self::Bool
            | Self::Integer
            | Self::Number
            | Self::Labels
            | Self::Annotations
            | Self::Params
            | Self::NamedValues
            | Self::Tasks => Vec::new(),
        }
    }

    /// Shape of the key and of an element that `range` yields; `None` when it cannot range.
    pub(super) fn elements(self) -> Option<(Self, Self)> {
        match self {
            Self::Any => Some((Self::Any, Self::Any)),
            Self::NamedValues => Some((Self::Integer, Self::NamedValue)),
            Self::Tasks => Some((Self::Integer, Self::Task)),
            Self::Labels | Self::Annotations | Self::Params => Some((Self::Text, Self::Text)),
            Self::Integer => Some((Self::Integer, Self::Integer)),
            Self::Text
            | Self::Bool
            | Self::Number
            | Self::Time
            | Self::Duration
            | Self::Event
            | Self::Repository
            | Self::NamedValue
            | Self::Summary
            | Self::Check
            | Self::Task => None,
        }
    }

    /// Whether the value is a record, which has fields and no text of its own.
    pub(super) fn is_record(self) -> bool {
        match self {
            Self::Event
            | Self::Repository
            | Self::NamedValue
            | Self::Summary
            | Self::Check
            | Self::Task => true,
            Self::Any
            | Self::Text
            | Self::Bool
            | Self::Integer
            | Self::Number
            | Self::Time
            | Self::Duration
            | Self::Labels
            | Self::Annotations
            | Self::Params
            | Self::NamedValues
            | Self::Tasks => false,
        }
    }

    /// The word in error messages.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Text => "text",
            Self::Bool => "true or false",
            Self::Integer | Self::Number => "a number",
            Self::Time => "a time",
            Self::Duration => "a duration",
            Self::Labels | Self::Annotations | Self::Params => "a map",
            Self::Event => "the event",
            Self::Repository => "the repository",
            Self::NamedValue => "a result",
            Self::NamedValues => "the list of results",
            Self::Summary => "the summary",
            Self::Task => "a task",
            Self::Tasks => "the list of tasks",
            Self::Check => "the check",
        }
    }
}

fn field(fields: &[(&str, Shape)], name: &str) -> Option<ShapeMember> {
    fields.iter().find(|(known, _)| *known == name).map(|(_, shape)| ShapeMember::Field(*shape))
}

fn method(methods: &[(&str, usize, Shape)], name: &str) -> Option<ShapeMember> {
    methods
        .iter()
        .find(|(known, _, _)| *known == name)
        .map(|(_, args, result)| ShapeMember::Method { args: *args..=*args, result: *result })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_their_fields_and_no_others() {
        assert_eq!(Shape::Event.member("Repo"), Some(ShapeMember::Field(Shape::Repository)));
        assert_eq!(Shape::Repository.member("Org"), Some(ShapeMember::Field(Shape::Text)));
        assert_eq!(Shape::Event.member("Owner"), None);
        assert_eq!(Shape::Summary.member("Tasks"), Some(ShapeMember::Field(Shape::Tasks)));
    }

    #[test]
    fn any_key_of_a_text_map_is_text() {
        assert_eq!(Shape::Labels.member("absent"), Some(ShapeMember::Field(Shape::Text)));
    }

    #[test]
    fn methods_know_how_many_arguments_they_take() {
        let sub = ShapeMember::Method { args: 1..=1, result: Shape::Duration };
        assert_eq!(Shape::Time.member("Sub"), Some(sub));
        assert_eq!(Shape::Duration.member("Sub"), None);
        assert_eq!(Shape::Text.member("Format"), None);
    }

    #[test]
    fn only_lists_maps_and_numbers_can_be_walked() {
        assert_eq!(Shape::Tasks.elements(), Some((Shape::Integer, Shape::Task)));
        assert_eq!(Shape::Params.elements(), Some((Shape::Text, Shape::Text)));
        assert_eq!(Shape::Event.elements(), None);
        assert_eq!(Shape::Text.elements(), None);
    }
}
