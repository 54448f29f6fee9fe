//! Tekton's event types: which of them are about a run, and where their data holds it. A type that
//! is not in the table is ignored, never guessed: a later format may mean something else.

use super::cloudevent::CloudEvent;
use super::keep::Keep;
use super::object::{Object, Payload};
use super::reason::of_type;
use super::run::{RunEvent, RunKind};
use super::run_object::{ResolvedOrigin, run_event};
use super::{Rank, RunState, eventlistener};
use crate::clock::Timestamp;

const TYPE_PREFIX: &str = "dev.tekton.event.";
const TYPE_SUFFIX: &str = ".v1";

/// The result of decoding a CloudEvent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The facts about one run.
    Run(Box<RunEvent>),
    /// Not about a run of a known kind: answered 202 and counted.
    Ignored {
        /// The CloudEvents `type`.
        event_type: String,
    },
}

/// Why an event of a known Tekton type could not be read. Nothing was stored, and the same event
/// would fail again.
///
/// No variant carries the JSON reader's own error: its text quotes values of the data.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The data is not the JSON that the type promises.
    #[error("data of {event_type} is malformed at line {line} column {column}")]
    Json { event_type: String, line: usize, column: usize },
    /// The run, or a field that identifies it, is absent.
    #[error("data of {event_type} lacks {field}")]
    Missing { event_type: String, field: &'static str },
    /// A name is longer than Kubernetes allows.
    #[error("{field} in data of {event_type} has {bytes} bytes, at most {bytes_max} are accepted")]
    TooLong { event_type: String, field: &'static str, bytes: usize, bytes_max: usize },
    /// A name that neither Kubernetes nor Tekton can give.
    #[error("{field} in data of {event_type} is {value:?}, accepted: {accepted}")]
    Name { event_type: String, field: &'static str, value: String, accepted: &'static str },
    /// The source of an EventListener's event does not end in its name.
    #[error(
        "source of {event_type} is {value:?}, accepted: a path that ends in namespaces/NAMESPACE/KIND/NAME"
    )]
    Source { event_type: String, value: String },
}

/// Reads the facts of a CloudEvent. `received_at` replaces an absent `time`.
///
/// # Errors
/// The type is one of Tekton's, but its data is malformed.
pub fn decode(
    event: &CloudEvent,
    received_at: Timestamp,
    keep: &Keep,
) -> Result<Decoded, DecodeError> {
    let run = match EventType::of(&event.event_type) {
        Some(EventType::Listener(outcome)) => eventlistener::decode(event, outcome, received_at)?,
        Some(EventType::Run { root, by_type }) => {
            let object = read_object(event, root)?;
            run_event(
                ResolvedOrigin { event, kind: root.kind(), by_type, received_at },
                &object,
                keep,
            )?
        }
        None => return Ok(Decoded::Ignored { event_type: event.event_type.clone() }),
    };
    Ok(Decoded::Run(Box::new(run)))
}

/// The types that are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EventType {
    /// `by_type` is used for an object without a condition.
    Run {
        root: Root,
        by_type: (RunState, Rank),
    },
    Listener((RunState, Rank)),
}

impl EventType {
    /// `dev.tekton.event.<kind>.<word>.v1`.
    fn of(text: &str) -> Option<Self> {
        let inner = text.strip_prefix(TYPE_PREFIX)?.strip_suffix(TYPE_SUFFIX)?;
        let (kind, word) = inner.split_once('.')?;
        let root = match kind {
            "triggers" => return eventlistener::of_type(word).map(Self::Listener),
            "taskrun" => Root::TaskRun,
            "pipelinerun" => Root::PipelineRun,
            "customrun" => Root::CustomRun,
            "run" => Root::Run,
            _ => return None,
        };
        Some(Self::Run { root, by_type: of_type(word)? })
    }
}

/// The key of the data that holds the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    TaskRun,
    PipelineRun,
    CustomRun,
    /// v1alpha1 Runs, sent by Tekton 0.34 to 0.46; later CustomRuns.
    Run,
}

impl Root {
    fn key(self) -> &'static str {
        match self {
            Self::TaskRun => "taskRun",
            Self::PipelineRun => "pipelineRun",
            Self::CustomRun => "customRun",
            Self::Run => "run",
        }
    }

    fn kind(self) -> RunKind {
        match self {
            Self::TaskRun => RunKind::TaskRun,
            Self::PipelineRun => RunKind::PipelineRun,
            Self::CustomRun | Self::Run => RunKind::CustomRun,
        }
    }

    fn take(self, payload: Payload<'_>) -> Option<Object<'_>> {
        match self {
            Self::TaskRun => payload.task_run,
            Self::PipelineRun => payload.pipeline_run,
            Self::CustomRun => payload.custom_run,
            Self::Run => payload.run,
        }
    }
}

fn read_object(event: &CloudEvent, root: Root) -> Result<Object<'_>, DecodeError> {
    let event_type = || event.event_type.clone();
    let missing = || DecodeError::Missing { event_type: event_type(), field: root.key() };
    if event.data.is_empty() {
        return Err(missing());
    }
    let payload: Option<Payload> = serde_json::from_slice(&event.data).map_err(|error| {
        DecodeError::Json { event_type: event_type(), line: error.line(), column: error.column() }
    })?;
    payload.and_then(|payload| root.take(payload)).ok_or_else(missing)
}

#[cfg(test)]
#[path = "tekton_test.rs"]
mod tests;
