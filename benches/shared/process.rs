//! A measured process: stopped when dropped, and the kernel's figures about it.

use anyhow::{Context as _, ensure};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// Ticks of `utime` and `stime` in a second: fixed in Linux' interface to user space.
const TICKS_PER_SECOND: f64 = 100.0;

/// Ports for outgoing connections start above these on Linux (32768), so none of those can take a
/// process' port while it restarts.
const PORTS: Range<u16> = 20_000..32_000;

/// A child process. Killed when dropped.
pub struct Process(Child);

impl Process {
    /// Starts `command` without input and output; its errors are passed on.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Ok(Self(child.with_context(|| format!("{command:?} did not start"))?))
    }

    /// Starts `command` without input; its output is appended to a file.
    pub fn start_logged(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Self(command.spawn().with_context(|| format!("{command:?} did not start"))?))
    }

    /// Sends the process SIGTERM. The shell's `kill` avoids a dependency.
    pub fn terminate(&self) -> anyhow::Result<()> {
        let line = format!("kill -TERM {}", self.0.id());
        let asked = Command::new("sh").arg("-c").arg(line).status()?;
        ensure!(asked.success(), "the process has ended");
        Ok(())
    }

    /// The exit status, if the process has ended.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Resident bytes.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        resident_bytes(&self.0.id().to_string())
    }

    /// Processor time used so far by all threads.
    pub fn processor_time(&self) -> anyhow::Result<Duration> {
        processor_time(&self.0.id().to_string())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn processor_time(process: &str) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in parentheses, may contain spaces; utime and stime are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')').context("malformed stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    let ticks: u32 = ticks.sum::<Result<u32, _>>()?;
    Ok(Duration::from_secs_f64(f64::from(ticks) / TICKS_PER_SECOND))
}

/// Resident bytes of a process; `self` is this one.
pub fn resident_bytes(process: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
    Ok(kilobytes.parse::<u64>()? * 1024)
}

/// Processor time used so far by all threads of this process.
pub fn own_processor_time() -> anyhow::Result<Duration> {
    processor_time("self")
}

/// A loopback address whose port was free a moment ago, for TCP and UDP. Never the same twice.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % u32::try_from(PORTS.len())?)?;
    loop {
        let tried = first.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + tried % (PORTS.end - PORTS.start);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
}

/// A new folder next to the build: temporary folders of the system are often in memory.
pub fn folder() -> anyhow::Result<TempDir> {
    Ok(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}
