//! Commands of the binary that end by themselves.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// No command runs longer than this, unless it hangs.
const COMMAND_MAX: Duration = Duration::from_secs(30);

/// The result of a command.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the binary in `folder`.
pub async fn run<A: AsRef<OsStr>>(folder: &Path, arguments: &[A]) -> Finished {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tekton-events-relay"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(COMMAND_MAX, command.output()).await;
    let output = output.expect("the command ends").unwrap();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
