//! CloudEvents from Tekton, decoded into facts about one run. Pure.

mod annotations;
mod bounds;
pub mod check;
mod child_name;
mod closed_words;
mod cloudevent;
mod context;
mod eventlistener;
mod ingest_error;
mod json;
mod keep;
mod key;
mod known_names;
mod names;
mod naming;
mod object;
mod reason;
mod redaction;
mod run;
mod run_object;
mod run_state;
mod scm;
mod structured;
mod tekton;
#[cfg(test)]
mod testdata;

pub use check::{CheckWriter, NotSettled};
#[cfg(test)]
pub(crate) use child_name::child_name;
pub use closed_words::{closed_field, closed_words};
pub use cloudevent::{BATCH_EVENTS_MAX, CloudEvent, parse};
pub use context::RunContext;
pub use ingest_error::IngestError;
pub use json::{JSON_KEYS, JSON_REPOSITORY_KEYS, OverrideError, to_json, with_override};
pub use keep::{Keep, KeptNames};
pub use key::Key;
pub use names::{escaped, escaped_line, is_commit_sha, is_forge_name, is_forge_owner};
pub use naming::{Naming, Reference};
pub use run::{
    ChildRef, NamedValue, Parent, Position, Repository, RunAge, RunEvent, RunKind, Scm,
    SkippedTask, is_ignored,
};
pub use run_state::{Rank, RunState};
pub use scm::{check_name, description, own_name};
pub use tekton::{DecodeError, Decoded, decode};
#[cfg(test)]
pub(crate) use testdata::{recorded, recorded_run, recorded_runs, shaped_runs};
