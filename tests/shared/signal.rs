//! Signals to processes that a test started.

use tokio::process::Command;

/// Sends the signal `name`, for example `STOP`. The shell's `kill` avoids a dependency.
///
/// # Panics
/// There is no such process.
pub async fn signal(pid: u32, name: &str) {
    let line = format!("kill -{name} {pid}");
    let sent = Command::new("sh").arg("-c").arg(line).status().await.unwrap();
    assert!(sent.success(), "no process {pid} to send {name} to");
}
