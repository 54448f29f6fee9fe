//! The protobuf form of everything that crosses a node or a disk, and its conversions. Pure.
//!
//! The schemas are in `proto/relay/v1`. Conversions come in pairs, `to_x` and `from_x`. Reading
//! refuses bytes that this build does not fully know: states would differ if one replica skipped
//! what another applies (rule 22).

mod answer;
#[cfg(test)]
#[path = "changes_test.rs"]
mod changes;
mod command;
mod effect;
mod encoded;
mod enums;
mod envelope;
mod error;
mod event;
mod event_table;
#[cfg(test)]
mod full_state;
#[cfg(test)]
#[path = "golden_test.rs"]
pub(crate) mod golden;
#[cfg(test)]
mod history;
mod ledger;
#[cfg(test)]
#[path = "level_test.rs"]
mod level;
mod outbox;
mod proto;
mod run;
#[cfg(test)]
mod sample;
mod scalar;
mod state;
mod summary;

pub use answer::{decode_answers, encode_answers};
pub use command::{decode_entry, encode_entry};
pub use encoded::{EncodedCommands, command_bytes};
pub use envelope::FORMAT_VERSION;
pub use error::WireError;
pub use state::{decode_state, digest, encode_state, encode_state_in_parts};
