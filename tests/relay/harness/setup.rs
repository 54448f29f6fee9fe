//! A directory with a configuration, its secrets and the relay's data, and an address of its own.

use super::Receiver;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use tempfile::TempDir;

/// Ports that the system gives to outgoing connections start above these on Linux (32768), so
/// none of those can sit on a relay's port while it restarts.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// What one relay needs, across its restarts.
pub struct Setup {
    folder: TempDir,
    pub address: String,
}

impl Setup {
    /// An empty directory.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), address: free_address() }
    }

    /// Sends commit statuses, comments, messages and webhooks to `receiver`.
    pub fn of(receiver: &Receiver) -> Self {
        let setup = Self::empty();
        setup.write("github-token", "right");
        setup.write("slack-url", &format!("{}/slack", receiver.url()));
        setup.write("webhook-url", &format!("{}/webhook", receiver.url()));
        setup.write("relay.yaml", &config(&setup, &receiver.url()));
        setup
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the directory.
    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Replaces a text that the configuration has.
    pub fn change_config(&self, old: &str, new: &str) {
        let text = std::fs::read_to_string(self.path("relay.yaml")).unwrap();
        assert!(text.contains(old), "the configuration has no {old:?}");
        self.write("relay.yaml", &text.replace(old, new));
    }

    /// The configuration file, if there is one.
    pub fn config(&self) -> Option<PathBuf> {
        Some(self.path("relay.yaml")).filter(|path| path.exists())
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn config(setup: &Setup, receiver: &str) -> String {
    let path = |name: &str| setup.path(name).display().to_string();
    let (token, slack) = (path("github-token"), path("slack-url"));
    let webhook = path("webhook-url");
    format!(
        r#"retry: {{ initial_backoff: 20ms, max_backoff: 200ms }}
store: {{ free_bytes_min: 0 }}
accumulator:
  enabled: true
  straggler_window: 300ms
  provider: {{ name: summary }}
scm:
  github:
    - name: hub
      base_url: "{receiver}"
      auth: {{ secret_file: "{token}" }}
      actions:
        - name: checks
          type: commit_status
        - name: summary
          type: pr_comment
          mode: upsert
          when: isPipelineRun() && stateIn("success", "failure", "error", "canceled")
          template: "{{{{ .RunName }}}}: {{{{ .State }}}}"
notifiers:
  slack:
    - name: team
      when: isPipelineRun() && stateIn("failure", "error", "canceled")
      auth: {{ webhook_url_file: "{slack}" }}
  webhook:
    - name: archive
      url_file: "{webhook}"
"#
    )
}

/// An address nobody listens on. Tests of one process never get the same.
fn free_address() -> String {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let span = PORTS.end - PORTS.start;
    let first = u16::try_from(std::process::id() % u32::from(span)).unwrap();
    loop {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + (first + tried) % span;
        let address = format!("127.0.0.1:{port}");
        if std::net::TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}
