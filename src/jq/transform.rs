//! A program and its input as sent to the process that runs it, and the answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Bytes of a request: an event is at most some 200 kB, a program [`super::PROGRAM_BYTES_MAX`].
pub const REQUEST_BYTES_MAX: usize = 4 << 20;

/// Bytes of an answer: a result of [`super::OUTPUT_BYTES_MAX`], encoded once more as text.
pub const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Processor time for one program, in seconds, plus or minus one. Those in use take microseconds.
/// The limit counts processor time, not elapsed time: on a busy machine a good program waits, too.
pub const CPU_SECONDS_MAX: u64 = 1;

/// A program to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transform {
    /// The text of a program that has been compiled once.
    pub program: Arc<str>,
    pub input: Value,
}

/// A program and its input in transit.
#[derive(Debug, Serialize, Deserialize)]
pub struct TransformRequest {
    pub program: String,
    pub input: Value,
}

/// The result of a program, or why there is none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransformAnswer {
    Made(Value),
    Failed(String),
}
