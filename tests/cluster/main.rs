//! Clusters seen from outside: processes on loopback, killed, frozen, cut off, wiped, rolled and
//! scaled under load. One file a scenario, one file an invariant.
//!
//! `cargo test --test cluster -- [NAME]... [--repeat N] [--jobs N] [--seed N] [--list]
//! [--other-binary PATH]`
//!
//! The scenario about mixed versions needs another build of the program: `--other-binary`, or
//! `RELAY_PREVIOUS_BINARY` in the environment. Without one it is skipped by name.
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
    let previous_binary = std::env::var_os(options::PREVIOUS_BINARY);
    match Options::parse(std::env::args().skip(1), previous_binary) {
        Ok(options) if runner::run(&scenario::ALL, &options) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
