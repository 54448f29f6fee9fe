//! Reads the events of an earlier life. All of them are read before anything is changed, so that a
//! folder which this version cannot use stays unchanged.

use super::error::SpoolError;
use super::format::decode_mark;
use super::kept::Kept;
use super::segment::{EXTENSION, Found, Segment};
use crate::cluster::data_dir::durable::sync_parent;
use crate::cluster::data_dir::files;
use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

/// File with the removal mark.
pub(super) const MARK_FILE: &str = "removed";
/// Ending of unfinished files.
const UNFINISHED: &str = "tmp";

/// The spool in `folder`, which is created if needed. A torn tail of the newest segment is cut.
pub(super) fn recover(folder: &Path) -> Result<Kept, SpoolError> {
    create(folder).map_err(disk(folder))?;
    let removed_through = read_mark(&folder.join(MARK_FILE))?;
    let (files, unfinished) = list(folder)?;
    let newest = files.last().map(|(first, _)| *first);
    let mut found = Vec::with_capacity(files.len());
    let mut next = 0;
    for (first, path) in files {
        // Two segments contain one event: it is unknown which of the two an id means.
        if first < next {
            return Err(SpoolError::Damaged { path, offset: 0 });
        }
        let read = Segment::read(path, first, newest == Some(first))?;
        next = read.segment.next();
        found.push(read);
    }
    for path in unfinished {
        std::fs::remove_file(&path).map_err(disk(&path))?;
    }
    let mut segments = VecDeque::with_capacity(found.len());
    for Found { mut segment, torn_at } in found {
        segment.remove_through(removed_through);
        if segment.count() == 0 {
            std::fs::remove_file(&segment.path).map_err(disk(&segment.path))?;
            continue;
        }
        if let Some(length) = torn_at {
            cut(&segment.path, length).map_err(disk(&segment.path))?;
        }
        segments.push_back(segment);
    }
    Ok(Kept::new(segments, removed_through))
}

fn create(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    files::create_folder(folder)?;
    sync_parent(folder)
}

/// The last removed event; 0 if none was removed.
fn read_mark(path: &Path) -> Result<u64, SpoolError> {
    match std::fs::read(path) {
        Ok(bytes) => decode_mark(path, &bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(source) => Err(SpoolError::Disk { path: path.to_owned(), source }),
    }
}

/// Segments in order by their first event, and files that a power cut left unfinished. Other files
/// are ignored.
type Listed = (Vec<(u64, PathBuf)>, Vec<PathBuf>);

fn list(folder: &Path) -> Result<Listed, SpoolError> {
    let (mut segments, mut unfinished) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(disk(folder))? {
        let path = entry.map_err(disk(folder))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension == Some(UNFINISHED) {
            unfinished.push(path);
        } else if extension == Some(EXTENSION) {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            match stem.and_then(|stem| stem.parse().ok()).filter(|first| *first > 0) {
                Some(first) => segments.push((first, path)),
                None => return Err(SpoolError::Damaged { path, offset: 0 }),
            }
        }
    }
    segments.sort_unstable();
    Ok((segments, unfinished))
}

/// Cuts a file. The cut is durable before anything is written after it: only the newest segment may
/// be torn.
fn cut(path: &Path, length: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length)?;
    file.sync_all()
}

fn disk(path: &Path) -> impl Fn(io::Error) -> SpoolError {
    move |source| SpoolError::Disk { path: path.to_owned(), source }
}

#[cfg(test)]
#[path = "recover_test.rs"]
mod tests;
