//! The relay as its own process, with an empty data directory on disk and no routes.

use crate::shared::process::{Process, folder, free_address};
use crate::shared::wait::wait_until;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use tempfile::TempDir;

/// Logs only problems. Without routes, since accepting is measured.
const CONFIG: &str = "logging: {level: warn}\n";

/// A running relay.
pub struct Relay {
    pub process: Process,
    pub address: SocketAddr,
    /// Removed after the process has ended: fields are dropped in this order.
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
