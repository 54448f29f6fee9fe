//! Real Tekton on a real control plane (`.ci/lab`), three replicas behind one address, a stand-in
//! for the forge: runs of every shape. At the end each run of the API is compared with its own
//! check.
//!
//! `cargo test --test tekton -- [--runs N] [--faults] [--seed N] [--binary PATH] [--record FILE]`
//!
//! Skipped by name if `.ci/lab build` was never run, or if it may not make namespaces.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    dead_code,
    unused_imports,
    reason = "a failed expectation ends the test, and the harness of the scenarios is used in part"
)]

mod control_plane;
mod facts;
mod faults;
mod forge;
mod front;
mod gather;
mod manifests;
mod objects;
mod options;
mod play;
mod private_network;
mod replicas;
mod shapes;
mod verdict;

#[path = "../cluster/harness/mod.rs"]
mod harness;
#[path = "../cluster/invariant/mod.rs"]
mod invariant;
#[path = "../shared/mod.rs"]
mod shared;

use options::{NAME, Options};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    if options.is_list {
        println!("{NAME}: test");
        return ExitCode::SUCCESS;
    }
    if !options.is_selected {
        return ExitCode::SUCCESS;
    }
    let Some(name) = private_network::inside() else {
        return match private_network::lacks().or_else(control_plane::lacks) {
            Some(lacking) => {
                println!("{NAME} skipped: {lacking}");
                ExitCode::SUCCESS
            }
            None => private_network::enter(),
        };
    };
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tekton").join(name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let is_right = runtime.block_on(play::run(&options, &root));
    // Observers of nodes read their files while they live.
    drop(runtime);
    if !is_right {
        return ExitCode::FAILURE;
    }
    std::fs::remove_dir_all(&root).unwrap();
    ExitCode::SUCCESS
}
