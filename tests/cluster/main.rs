//! Clusters as they are met from outside: processes on loopback, killed, frozen, cut off, wiped,
//! rolled and scaled under load. One file a scenario, one file an invariant.
//!
//! `cargo test --test cluster -- [NAME]... [--repeat N] [--jobs N] [--seed N] [--list]`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failed expectation ends the scenario, and this binary is its own test runner"
)]

mod harness;
mod invariant;
mod options;
mod runner;
mod scenario;
#[path = "../shared/mod.rs"]
mod shared;

use options::Options;
use std::process::ExitCode;

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)) {
        Ok(options) if runner::run(&scenario::ALL, &options) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
