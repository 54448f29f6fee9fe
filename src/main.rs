//! The `tekton-events-relay` binary: see `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tekton_events_relay::cli::main()
}
