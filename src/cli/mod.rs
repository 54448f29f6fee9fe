//! The command line.
//!
//! Exit codes: 0 done; 1 the command failed (could not start, invalid file, refused call);
//! 2 the command line itself is wrong; 3 the relay had to stop while running.

mod backup;
mod cluster;
mod flags;
mod plan;
mod remote;
mod serve;
mod table;
mod validate;

pub use flags::{Cli, Command};

use clap::Parser as _;
use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

/// The disk failed, or the node can no longer take part; nothing that was acknowledged is lost.
const EXIT_HAD_TO_STOP: u8 = 3;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Serve(flags) => serve::serve(&flags),
        Command::Demo(flags) => serve::demo(&flags),
        Command::Validate(flags) => validate::validate(&flags),
        Command::Plan(flags) => plan::plan(&flags),
        Command::Cluster(flags) => cluster::cluster(&flags),
        Command::Dlq(flags) => remote::dlq(&flags),
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
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// One line to standard error.
fn complain(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "tekton-events-relay: {line}");
}
