//! The directory of one demo: configuration, secrets and the files of the replicas. It is removed
//! with the demo, unless it holds something to inspect.

use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// A directory below the system's directory for temporary files.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    is_kept: bool,
}

impl Folder {
    /// Creates a directory named after this process.
    ///
    /// # Errors
    /// The directory cannot be created.
    pub fn create() -> anyhow::Result<Self> {
        let name = format!("tekton-events-relay-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self { path, is_kept: false })
    }

    /// The path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the directory.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            // The system clears this place, so failures are ignored.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_kept_folder_outlives_its_demo() {
        let mut folder = Folder::create().unwrap();
        let path = folder.path().to_owned();
        std::fs::write(path.join("log"), "x").unwrap();
        folder.keep();
        drop(folder);
        assert!(path.join("log").exists());
        drop(Folder::create().unwrap());
        assert!(!path.exists());
    }
}
