//! The words of rules and their types: fields of `event`, functions and methods. The checker reads
//! these tables, and [`super::EventVars`] fills the fields. No other place may define a word.

/// What the checker knows about a value before evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Null,
    Timestamp,
    Duration,
    List,
    Map,
    /// The variable `event`.
    Event,
    /// `event.Repo`.
    Repository,
    /// `event.Labels`. Like the two below: an absent name reads as "", and the names that rules use
    /// are recorded.
    Labels,
    /// `event.Annotations`.
    Annotations,
    /// Parameters and results.
    Values,
    /// A type as a value, as `type(x)` gives it.
    Kind,
    /// Known only at evaluation.
    Dyn,
}

impl Type {
    /// The word used in messages.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::Text => "string",
            Self::Bytes => "bytes",
            Self::Null => "null",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::List => "list",
            Self::Map
            | Self::Event
            | Self::Repository
            | Self::Labels
            | Self::Annotations
            | Self::Values => "map",
            Self::Kind => "type",
            Self::Dyn => "dyn",
        }
    }

    /// Whether a value of this type can be where `wanted` is expected. False only if both are known
    /// and differ.
    pub(super) fn fits(self, wanted: Self) -> bool {
        self == wanted || self == Self::Dyn || wanted == Self::Dyn
    }

    /// Whether a value of this type can be where one of `wanted` is expected.
    pub(super) fn fits_any(self, wanted: &[Self]) -> bool {
        wanted.iter().any(|one| self.fits(*one))
    }

    /// Whether it is one of the maps of an event, whose keys are names.
    pub(super) fn has_text_keys(self) -> bool {
        matches!(
            self,
            Self::Event | Self::Repository | Self::Labels | Self::Annotations | Self::Values
        )
    }
}

use Type::{
    Annotations, Bool, Bytes, Double, Duration, Dyn, Event, Int, Kind, Labels, List, Map,
    Repository, Text, Timestamp, Uint, Values,
};

/// The one variable.
pub(super) const EVENT: &str = "event";

/// The fields of `event`: the Go relay's names and a few of our own.
pub(super) const EVENT_FIELDS: [(&str, Type); 38] = [
    ("APIBaseURL", Text),
    ("AccumulatorGroupID", Text),
    ("Annotations", Annotations),
    ("Attempt", Int),
    ("CommitSHA", Text),
    ("Context", Text),
    ("Description", Text),
    ("DiscussionNumber", Int),
    ("EventListenerName", Text),
    ("FinishedAt", Timestamp),
    ("Ignored", Bool),
    ("IsFinallyTask", Bool),
    ("IssueNumber", Int),
    ("JiraIssueKey", Text),
    ("Labels", Labels),
    ("Namespace", Text),
    ("PRNumber", Int),
    ("Params", Values),
    ("PipelineDisplayName", Text),
    ("PipelineName", Text),
    ("PipelineTaskName", Text),
    ("PreviousState", Text),
    ("Provider", Text),
    ("Reason", Text),
    ("Ref", Text),
    ("Repo", Repository),
    ("Resource", Text),
    ("Results", Values),
    ("RunID", Text),
    ("RunName", Text),
    ("SCMEventType", Text),
    ("StartedAt", Timestamp),
    ("State", Text),
    ("TargetURL", Text),
    ("TaskCount", Int),
    ("TaskDisplayName", Text),
    ("TaskName", Text),
    ("TriggerName", Text),
];

/// The fields of `event.Repo`.
pub(super) const REPOSITORY_FIELDS: [&str; 6] =
    ["ID", "Name", "Org", "Owner", "Project", "Workspace"];

/// Names of types, as in `type(x) == string`.
pub(super) const KINDS: [&str; 10] =
    ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"];

/// One way to call a function, or a method if it has a `target`.
#[derive(Debug)]
pub(super) struct FunctionSignature {
    pub(super) name: &'static str,
    pub(super) target: Option<&'static [Type]>,
    /// For each argument the types that it may have.
    pub(super) arguments: &'static [&'static [Type]],
    /// The last argument may repeat.
    pub(super) is_variadic: bool,
    pub(super) result: Type,
}

impl FunctionSignature {
    /// Whether the call can have this many arguments.
    pub(super) fn takes(&self, count: usize) -> bool {
        count == self.arguments.len() || (self.is_variadic && count > self.arguments.len())
    }

    /// The types of argument `place`; past the end, those of the last argument.
    pub(super) fn argument(&self, place: usize) -> &'static [Type] {
        self.arguments.get(place).or(self.arguments.last()).copied().unwrap_or(&[])
    }
}

const fn function(
    name: &'static str,
    arguments: &'static [&'static [Type]],
    result: Type,
) -> FunctionSignature {
    FunctionSignature { name, target: None, arguments, is_variadic: false, result }
}

const fn predicate(name: &'static str) -> FunctionSignature {
    function(name, &[], Bool)
}

const fn method(
    name: &'static str,
    target: &'static [Type],
    arguments: &'static [&'static [Type]],
    result: Type,
) -> FunctionSignature {
    FunctionSignature { name, target: Some(target), arguments, is_variadic: false, result }
}

const SIZED: &[Type] = &[Text, Bytes, List, Map, Event, Repository, Labels, Annotations, Values];
const NUMERIC: &[Type] = &[Int, Uint, Double, Text];
const CLOCK: &[Type] = &[Timestamp, Duration];

/// Every function and method of rules. `stateIn` also has its literals checked.
pub(super) const SIGNATURES: &[FunctionSignature] = &[
    predicate("isPR"),
    predicate("isDiscussion"),
    predicate("isIssue"),
    predicate("isTaskRun"),
    predicate("isPipelineRun"),
    predicate("isCustomRun"),
    predicate("isEventListener"),
    predicate("isFinallyTask"),
    predicate("isIssueEvent"),
    predicate("isPREvent"),
    predicate("isCommentEvent"),
    predicate("isPushEvent"),
    predicate("changed"),
    predicate("fixed"),
    FunctionSignature {
        name: "stateIn",
        target: None,
        arguments: &[&[Text]],
        is_variadic: true,
        result: Bool,
    },
    function("buildTimeExceeds", &[&[Int]], Bool),
    function("hasResult", &[&[Text]], Bool),
    function("resultValue", &[&[Text]], Text),
    function("size", &[SIZED], Int),
    function("matches", &[&[Text], &[Text]], Bool),
    function("type", &[&[Dyn]], Kind),
    function("dyn", &[&[Dyn]], Dyn),
    function("bool", &[&[Bool, Text]], Bool),
    function("bytes", &[&[Bytes, Text]], Bytes),
    function("double", &[NUMERIC], Double),
    function("duration", &[&[Duration, Text]], Duration),
    function("int", &[&[Int, Uint, Double, Text, Timestamp]], Int),
    function("string", &[&[Text, Bool, Bytes, Double, Int, Uint, Timestamp, Duration]], Text),
    function("timestamp", &[&[Timestamp, Int, Text]], Timestamp),
    function("uint", &[NUMERIC], Uint),
    method("size", SIZED, &[], Int),
    method("contains", &[Text], &[&[Text]], Bool),
    method("startsWith", &[Text], &[&[Text]], Bool),
    method("endsWith", &[Text], &[&[Text]], Bool),
    method("matches", &[Text], &[&[Text]], Bool),
    method("charAt", &[Text], &[&[Int]], Text),
    method("indexOf", &[Text], &[&[Text]], Int),
    method("lastIndexOf", &[Text], &[&[Text]], Int),
    method("lowerAscii", &[Text], &[], Text),
    method("upperAscii", &[Text], &[], Text),
    method("trim", &[Text], &[], Text),
    method("substring", &[Text], &[&[Int]], Text),
    method("substring", &[Text], &[&[Int], &[Int]], Text),
    method("replace", &[Text], &[&[Text], &[Text]], Text),
    method("split", &[Text], &[&[Text]], List),
    method("join", &[List], &[], Text),
    method("join", &[List], &[&[Text]], Text),
    method("getDate", &[Timestamp], &[], Int),
    method("getDate", &[Timestamp], &[&[Text]], Int),
    method("getDayOfMonth", &[Timestamp], &[], Int),
    method("getDayOfMonth", &[Timestamp], &[&[Text]], Int),
    method("getDayOfWeek", &[Timestamp], &[], Int),
    method("getDayOfWeek", &[Timestamp], &[&[Text]], Int),
    method("getDayOfYear", &[Timestamp], &[], Int),
    method("getDayOfYear", &[Timestamp], &[&[Text]], Int),
    method("getFullYear", &[Timestamp], &[], Int),
    method("getFullYear", &[Timestamp], &[&[Text]], Int),
    method("getMonth", &[Timestamp], &[], Int),
    method("getMonth", &[Timestamp], &[&[Text]], Int),
    method("getHours", CLOCK, &[], Int),
    method("getHours", &[Timestamp], &[&[Text]], Int),
    method("getMilliseconds", CLOCK, &[], Int),
    method("getMilliseconds", &[Timestamp], &[&[Text]], Int),
    method("getMinutes", CLOCK, &[], Int),
    method("getMinutes", &[Timestamp], &[&[Text]], Int),
    method("getSeconds", CLOCK, &[], Int),
    method("getSeconds", &[Timestamp], &[&[Text]], Int),
];

/// The type of a field of `event`, if there is such a field.
pub(super) fn event_field(name: &str) -> Option<Type> {
    EVENT_FIELDS.iter().find(|(field, _)| *field == name).map(|(_, of)| *of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_and_different_types_do_not_fit() {
        assert!(Text.fits(Text) && Text.fits(Dyn) && Dyn.fits(Text));
        assert!(!Text.fits(Bool));
        assert!(!Text.fits_any(&[Bool, Int]) && Text.fits_any(&[Bool, Text]));
    }

    #[test]
    fn a_variadic_signature_takes_one_or_more() {
        let state_in = SIGNATURES.iter().find(|row| row.name == "stateIn").unwrap();
        assert!(!state_in.takes(0) && state_in.takes(1) && state_in.takes(5));
        assert_eq!(state_in.argument(4), &[Text]);
        let predicate = &SIGNATURES[0];
        assert!(predicate.takes(0) && !predicate.takes(1));
    }

    #[test]
    fn field_names_are_sorted_and_so_occur_once() {
        assert!(EVENT_FIELDS.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(event_field("State"), Some(Text));
        assert_eq!(event_field("state"), None);
    }
}
