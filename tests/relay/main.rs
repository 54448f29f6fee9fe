//! The relay seen from outside: a process, a sender that behaves like Tekton, a receiver in place
//! of GitHub, Slack and a webhook. One file a promise.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed expectation ends the test, also in the code that tests share"
)]

mod attacks;
mod backup;
mod bad_input;
mod credentials;
mod demo;
mod field;
mod harness;
mod kill_nine;
mod lifecycle;
mod orders;
mod receiver_outage;
mod repairs;
mod same_final_state;
#[path = "../shared/mod.rs"]
mod shared;
mod summaries;
mod tls;
mod validate;
