//! What happened: CloudEvents from Tekton, decoded into facts about one run. Pure.

mod annotations;
mod bounds;
mod cloudevent;
mod context;
mod eventlistener;
mod ingest_error;
mod json;
mod key;
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

pub use cloudevent::{BATCH_EVENTS_MAX, CloudEvent, parse};
pub use context::RunContext;
pub use ingest_error::IngestError;
pub use json::{OverrideError, to_json, with_override};
pub use key::Key;
pub use run::{ChildRef, NamedValue, Parent, Position, Repository, RunAge, RunEvent, RunKind, Scm};
pub use run_state::{Rank, RunState};
pub use scm::{check_name, description, own_name};
pub use tekton::{DecodeError, Decoded, Keep, decode};
#[cfg(test)]
pub(crate) use testdata::{recorded, recorded_run, recorded_runs};
