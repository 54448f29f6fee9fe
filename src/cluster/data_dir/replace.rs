//! How a data directory changes from one node to the next. The old node's files are set aside,
//! never deleted, and what belongs to the directory itself stays. After a crash the next start
//! continues the change. The identity moves last, so that no log is ever without one.

use super::durable::{sync_parent, write_durably};
use super::files;
use super::identity::{IDENTITY_FILE, read_identity};
use super::place::PLACE_FILE;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Marks a directory whose node is retired.
const SET_ASIDE_FILE: &str = "set-aside";
/// A complete node that will replace the one in the directory.
const REPLACEMENT_FOLDER: &str = "recovered";
/// The same while it is being written; not valid yet.
const UNFINISHED_FOLDER: &str = "recovered.new";
/// Files that belong to a node and not to its directory, in addition to its identity. The spool
/// does not: it holds events that no other node has (rule 13).
const OF_A_NODE: [&str; 4] = ["log.redb", "snapshots", "planning", PLACE_FILE];

/// Makes the next start set aside the files of the node in `folder`.
///
/// # Errors
/// The disk refuses; the next start is one of the same node.
pub(in crate::cluster) fn retire_directory(folder: &Path) -> io::Result<()> {
    write_durably(&folder.join(SET_ASIDE_FILE), b"")
}

/// An empty folder for preparing a replacement. Removes what an earlier attempt left there.
///
/// # Errors
/// The disk refuses.
pub(in crate::cluster) fn stage_replacement(folder: &Path) -> io::Result<PathBuf> {
    let unfinished = folder.join(UNFINISHED_FOLDER);
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished)?;
    }
    files::create_folder(&unfinished)?;
    Ok(unfinished)
}

/// Decides that the prepared node, whose identity is written last, takes over. From here on every
/// start completes the change.
///
/// # Errors
/// The disk refuses; the decision was made completely or not at all.
pub(in crate::cluster) fn commit_replacement(folder: &Path) -> io::Result<()> {
    let unfinished = folder.join(UNFINISHED_FOLDER);
    File::open(&unfinished)?.sync_all()?;
    let replacement = folder.join(REPLACEMENT_FOLDER);
    std::fs::rename(unfinished, &replacement)?;
    sync_parent(&replacement)
}

/// Completes what was decided about the node in `folder`. Returns where the files of the old node
/// are, if this call moved them.
///
/// # Errors
/// The disk refuses; the next call continues.
pub(in crate::cluster) fn settle(folder: &Path) -> io::Result<Option<PathBuf>> {
    let mut aside = None;
    let mark = folder.join(SET_ASIDE_FILE);
    if mark.exists() {
        aside = put_aside(folder)?;
        std::fs::remove_file(mark)?;
        File::open(folder)?.sync_all()?;
    }
    let replacement = folder.join(REPLACEMENT_FOLDER);
    if replacement.join(IDENTITY_FILE).exists() {
        // The identity of the replacement moves last, so an identity here is still the old node's.
        aside = put_aside(folder)?.or(aside);
        move_node(&replacement, folder)?;
    }
    if replacement.exists() {
        std::fs::remove_dir_all(replacement)?;
    }
    Ok(aside)
}

/// Moves the node in `folder`, if there is one, into a folder named after its ended life.
fn put_aside(folder: &Path) -> io::Result<Option<PathBuf>> {
    if !folder.join(IDENTITY_FILE).exists() {
        return Ok(None);
    }
    let life = match read_identity(folder) {
        Ok(Some(identity)) => format!("{}-{}", identity.node_id, identity.boot),
        // This node is retired, whichever it was.
        Ok(None) | Err(_) => "unreadable".to_owned(),
    };
    let aside = free_folder(folder, &format!("set-aside-{life}"));
    files::create_folder(&aside)?;
    move_node(folder, &aside)?;
    Ok(Some(aside))
}

/// The first folder of this name, or of this name and a number, without a complete node. One life
/// can end twice, if its files were copied back. An interrupted change has left no identity there
/// yet, and continues in the same folder.
fn free_folder(folder: &Path, name: &str) -> PathBuf {
    let numbered = (2_u64..).map(|number| folder.join(format!("{name}-{number}")));
    let mut folders = std::iter::once(folder.join(name)).chain(numbered);
    let free = folders.find(|aside| !aside.join(IDENTITY_FILE).exists());
    free.unwrap_or_else(|| folder.join(name))
}

fn move_node(from: &Path, to: &Path) -> io::Result<()> {
    let sync = || File::open(to)?.sync_all().and_then(|()| File::open(from)?.sync_all());
    for name in OF_A_NODE {
        match std::fs::rename(from.join(name), to.join(name)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    sync()?;
    std::fs::rename(from.join(IDENTITY_FILE), to.join(IDENTITY_FILE))?;
    sync()
}

#[cfg(test)]
#[path = "replace_test.rs"]
mod tests;
