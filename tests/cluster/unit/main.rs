//! Tests of the harness itself: every invariant fails, and the network breaks.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    unused_imports,
    reason = "the scenarios use the rest of the harness"
)]

mod dns;
mod fixture;
mod invariants;
mod load;
mod logs;
mod network;
mod options_test;
mod sender;
mod views;

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../invariant/mod.rs"]
mod invariant;
#[path = "../options.rs"]
mod options;
#[path = "../../shared/mod.rs"]
mod shared;
