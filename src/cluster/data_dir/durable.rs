//! Files and names that are on disk once the call returns, even after a power cut.

use super::files;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// Replaces a file so that after a power cut it holds either the old or the new content.
///
/// # Errors
/// The disk refuses; the file has the old or the new content.
pub fn write_durably(file: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = file.with_extension("tmp");
    remove_link(&temporary)?;
    let mut opened = files::create(&temporary)?;
    opened.write_all(content)?;
    opened.sync_all()?;
    std::fs::rename(&temporary, file)?;
    sync_parent(file)
}

/// Makes a new name durable: it is on disk only after its folder is synced.
///
/// # Errors
/// The folder cannot be opened, or the disk refuses.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// A link at the path of a file to create was made by another program.
fn remove_link(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => std::fs::remove_file(path),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
