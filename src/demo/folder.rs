//! The directory of one demo: configuration, secrets, and what the replicas write. It goes away
//! with the demo, unless something is to be looked at there.

use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// A directory below the system's one for temporary files.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    is_kept: bool,
}

impl Folder {
    /// Makes a directory named after this process.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create() -> anyhow::Result<Self> {
        let name = format!("tekton-events-relay-demo-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self { path, is_kept: false })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it behind.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            // What cannot be removed is left to the system, which clears this place.
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
