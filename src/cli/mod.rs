//! The command line.
//!
//! Exit codes: 0 done; 1 the command failed (could not start, invalid file, refused call);
//! 2 the command line itself is wrong; 3 the relay had to stop while running.

mod backup;
mod cluster;
mod dlq;
mod flags;
mod plan;
mod remote;
mod schema;
mod serve;
mod table;
mod transform;
mod validate;
mod whom;

pub use flags::{Cli, CliCommand};

use crate::event::escaped;
use clap::Parser as _;
use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

/// The disk failed, or the node can no longer take part; nothing that was acknowledged is lost.
const EXIT_HAD_TO_STOP: u8 = 3;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    // What is written here is for this user alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let cli = Cli::parse();
    let done = match cli.command {
        CliCommand::Serve(flags) => serve::serve(&flags),
        CliCommand::Demo(flags) => serve::demo(&flags),
        CliCommand::Validate(flags) => validate::validate(&flags),
        CliCommand::Schema => schema::schema(),
        CliCommand::Plan(flags) => plan::plan(&flags),
        CliCommand::Cluster(flags) => cluster::cluster(&flags),
        CliCommand::Dlq(flags) => dlq::dlq(&flags),
        CliCommand::Transform => transform::transform(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            complain(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// One line to standard output. A reader that went away is no error.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{}", escaped(&line.to_string()));
}

/// One line to standard error.
fn complain(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "tekton-events-relay: {}", escaped(&line.to_string()));
}
