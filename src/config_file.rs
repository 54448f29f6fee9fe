//! Configuration files on the disk. No other module reads the files of a configuration.

use crate::config::{self, Config, ConfigErrors, FileError, Files, Loaded, Overrides, SecretCheck};
use anyhow::Context as _;
use std::io;
use std::path::Path;
use tracing::warn;

/// The disk of this machine.
struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> Result<String, FileError> {
        let bytes = std::fs::read(path).map_err(|error| {
            let kind = error.kind();
            let is_absent = kind == io::ErrorKind::NotFound;
            if is_absent { FileError::NotFound } else { FileError::Unreadable { kind } }
        })?;
        let text = String::from_utf8(bytes).map_err(|_| FileError::NotText)?;
        if text.trim().is_empty() { Err(FileError::Empty) } else { Ok(text) }
    }
}

/// Reads and checks a file; the inner error lists every mistake in it.
///
/// # Errors
/// The file itself cannot be read.
pub fn check(file: &Path, secrets: SecretCheck) -> anyhow::Result<Result<Loaded, ConfigErrors>> {
    check_under(file, secrets, &Overrides::default())
}

/// Like [`check`], with flags in place of values of the file.
///
/// # Errors
/// The file itself cannot be read.
pub fn check_under(
    file: &Path,
    secrets: SecretCheck,
    overrides: &Overrides,
) -> anyhow::Result<Result<Loaded, ConfigErrors>> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| name.clone())?;
    Ok(config::load_under(&text, &name, &Disk, secrets, overrides))
}

/// Reads a file that has to be valid, and logs its notices.
///
/// # Errors
/// The file cannot be read, or has mistakes; the error lists all of them.
pub fn load(file: &Path, secrets: SecretCheck) -> anyhow::Result<Config> {
    load_under(file, secrets, &Overrides::default())
}

/// Like [`load`], with flags in place of values of the file.
///
/// # Errors
/// The file cannot be read, or it has mistakes, alone or together with the flags.
pub fn load_under(
    file: &Path,
    secrets: SecretCheck,
    overrides: &Overrides,
) -> anyhow::Result<Config> {
    let loaded = check_under(file, secrets, overrides)??;
    for notice in &loaded.notices {
        warn!(file = %file.display(), "{notice}");
    }
    Ok(loaded.config)
}
