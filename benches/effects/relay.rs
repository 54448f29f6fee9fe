//! The relay as its own process, with statuses, an upserted comment and a webhook.

use crate::shared::process::{Process, folder, free_address};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A process starts within a second, and delivers everything within minutes.
const WITHIN: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running relay.
pub struct Relay {
    process: Process,
    pub address: SocketAddr,
    /// Removed once the process has ended: fields are dropped in this order.
    _folder: TempDir,
}

impl Relay {
    /// Starts a relay whose targets are all at `forge`, and waits until it accepts events.
    pub async fn start(forge: SocketAddr) -> anyhow::Result<Self> {
        let folder = folder()?;
        let address = free_address()?;
        let (config, token) = (folder.path().join("relay.yaml"), folder.path().join("token"));
        let hook = folder.path().join("hook");
        std::fs::write(&token, "ghp_x")?;
        std::fs::write(&hook, format!("http://{forge}/hook"))?;
        let text = format!(
            "logging: {{level: warn}}\n\
             filter: {{allow_taskrun: true, allow_pipelinerun: true, allow_customrun: true}}\n\
             scm:\n  github:\n    - name: github\n      base_url: http://{forge}\n\
             \x20     auth: {{secret_file: {}}}\n      actions:\n\
             \x20       - {{name: checks, type: commit_status, context_per_task: true}}\n\
             \x20       - {{name: pr-summary, type: pr_comment, mode: upsert, when: 'isPipelineRun()'}}\n\
             notifiers:\n  webhook:\n    - {{name: ledger, url_file: {}}}\n\
             accumulator: {{enabled: true, provider: {{name: pr-summary}}}}\n",
            token.display(),
            hook.display(),
        );
        std::fs::write(&config, text)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_tekton-events-relay"));
        command.arg("serve").arg("--config").arg(config);
        command.arg("--data-dir").arg(folder.path().join("data"));
        command.arg("--server-addr").arg(address.to_string());
        let relay = Self { process: Process::start(&mut command)?, address, _folder: folder };
        relay.until(|relay| relay.page("/readyz"), |page| page.starts_with("HTTP/1.1 200")).await?;
        Ok(relay)
    }

    /// Waits until nothing is to be planned or delivered.
    pub async fn settled(&self) -> anyhow::Result<()> {
        let left = ["effects_unsettled", "events_unplanned"];
        let lines = left.map(|of| format!("tekton_events_relay_state{{of=\"{of}\"}} 0\n"));
        let is_settled = |page: &str| lines.iter().all(|line| page.contains(line.as_str()));
        self.until(|relay| relay.page("/metrics"), is_settled).await
    }

    /// Processor time used so far by all threads.
    pub fn processor_time(&self) -> anyhow::Result<Duration> {
        self.process.processor_time()
    }

    async fn until<'a, F: Future<Output = anyhow::Result<String>>>(
        &'a self,
        look: impl Fn(&'a Self) -> F,
        is_so: impl Fn(&str) -> bool,
    ) -> anyhow::Result<()> {
        let until = Instant::now() + WITHIN;
        while !look(self).await.is_ok_and(|page| is_so(&page)) {
            anyhow::ensure!(Instant::now() < until, "not within {} s", WITHIN.as_secs());
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn page(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}
