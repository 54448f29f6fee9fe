//! The relay as its own process, with an empty data directory on disk and no routes.

use crate::process::{Process, free_address};
use anyhow::bail;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A node of one leads within a second; a busy machine takes longer.
const READY_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Says only what went wrong. Without routes, since accepting is what is measured.
const CONFIG: &str = "logging: {level: warn}\n";

/// A running relay.
pub struct Relay {
    pub process: Process,
    pub address: SocketAddr,
    /// Removed once the process has ended: fields are dropped in this order.
    _folder: TempDir,
}

impl Relay {
    /// Starts a relay and waits until it accepts events.
    pub fn start() -> anyhow::Result<Self> {
        let folder = folder()?;
        let address = free_address()?;
        let config = folder.path().join("relay.yaml");
        std::fs::write(&config, CONFIG)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_tekton-events-relay"));
        command.arg("serve").arg("--config").arg(config);
        command.arg("--data-dir").arg(folder.path().join("data"));
        command.arg("--server-addr").arg(address.to_string());
        let relay = Self { process: Process::start(&mut command)?, address, _folder: folder };
        wait_until(|| relay.is_ready().unwrap_or(false))?;
        Ok(relay)
    }

    fn is_ready(&self) -> anyhow::Result<bool> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    }
}

/// A new folder beside the build: temporary folders of the system are often in memory.
pub fn folder() -> anyhow::Result<TempDir> {
    Ok(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

/// Looks until `is_done`, for a bounded time.
pub fn wait_until(is_done: impl Fn() -> bool) -> anyhow::Result<()> {
    let until = Instant::now() + READY_WITHIN;
    while !is_done() {
        if Instant::now() >= until {
            bail!("a process was not ready within {} s", READY_WITHIN.as_secs());
        }
        pause(LOOK_EVERY);
    }
    Ok(())
}

/// Waits for another process, which nothing in this one can signal.
#[expect(clippy::disallowed_methods, reason = "no event of this process to wait for")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
