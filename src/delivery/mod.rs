//! Carries out effects: plans what is due, asks the log for the right to send, makes the
//! attempts, and records how they ended. Decisions are made in `plan`, `retry` and
//! `state_machine`; here is only their execution.

mod attempt;
mod batch;
mod calls;
mod collect;
pub mod credentials;
mod dropped_letters;
mod limit;
mod outcomes;
mod pace;
mod send;
pub mod transport;
mod waits;
mod window;
mod worker;

pub use worker::{Worker, WorkerOptions};
