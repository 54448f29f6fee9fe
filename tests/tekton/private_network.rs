//! A separate network and process namespace for the test: no other process uses the ports of the
//! control plane in it, nothing outside can reach its API, and all processes end with the test.

use std::process::{Command, ExitCode, Stdio};

/// Set in the process that runs inside.
const INSIDE: &str = "RELAY_TEKTON_INSIDE";

const UNSHARE: [&str; 5] = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// Process 1 of a namespace must reap orphaned children; a waiting shell does.
const FIRST_PROCESS: &str = r#"ip link set lo up && "$0" "$@"; exit $?"#;

/// The name of this run, inside: the process id outside. The id in here is always the same.
pub fn inside() -> Option<String> {
    std::env::var_os(INSIDE)?.into_string().ok()
}

/// What this machine lacks to make one.
pub fn lacks() -> Option<String> {
    let mut probe = Command::new("unshare");
    probe.args(UNSHARE).args(["ip", "link", "set", "lo", "up"]);
    let probed = probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_possible = probed.is_ok_and(|status| status.success());
    (!is_possible).then(|| "no right to make network namespaces, or no iproute2".to_owned())
}

/// Runs this binary again inside, with the same arguments.
pub fn enter() -> ExitCode {
    let binary = std::env::current_exe().unwrap();
    let mut inside = Command::new("unshare");
    inside.args(UNSHARE).args(["sh", "-c", FIRST_PROCESS]).arg(binary);
    inside.args(std::env::args_os().skip(1)).env(INSIDE, std::process::id().to_string());
    let status = inside.status().unwrap();
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
