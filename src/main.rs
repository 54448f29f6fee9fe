//! The `tekton-events-relay` binary: see `cli`.

use std::process::ExitCode;

/// Events are decoded on one thread and dropped on another, in many small pieces. The system's
/// allocator spends a fifth of the processor time of an accept on that, this one half as much.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tekton_events_relay::cli::main()
}
