//! A directory with a configuration, its secrets and the relay's data, and its own address.

use crate::shared::{Receiver, free_address, write_config};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

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
        write_config(setup.folder(), receiver, "relay-0");
        setup
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the directory.
    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Replaces a text of the configuration.
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
