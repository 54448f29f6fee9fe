//! Tests of the judge, and replays of recorded events of real Tekton without it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    dead_code,
    unused_imports,
    reason = "the runs on a real control plane use the rest"
)]

mod options_test;
mod recorded_test;
mod verdict_test;

#[path = "../control_plane.rs"]
mod control_plane;
#[path = "../facts.rs"]
mod facts;
#[path = "../forge.rs"]
mod forge;
#[path = "../front.rs"]
mod front;
#[path = "../gather.rs"]
mod gather;
#[path = "../options.rs"]
mod options;
#[path = "../replicas.rs"]
mod replicas;
#[path = "../verdict.rs"]
mod verdict;

#[path = "../../cluster/harness/mod.rs"]
mod harness;
#[path = "../../cluster/invariant/mod.rs"]
mod invariant;
#[path = "../../shared/mod.rs"]
mod shared;
