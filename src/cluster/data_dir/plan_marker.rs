//! The event that is being planned, in a file that outlives the process: an event that ends two
//! processes becomes a dead letter (rule 7). The file is never synced: it must survive the process,
//! not the machine.

use super::files;
use crate::event::Key;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const FILE: &str = "planning";
const KEY_BYTES: usize = 16;
const MARK_BYTES: usize = KEY_BYTES + 8;

/// The marker of one data directory.
#[derive(Debug)]
pub struct PlanMarker(File);

impl PlanMarker {
    /// Opens the marker and reads what the previous process left. The mark stays until it is
    /// cleared or set, so that a start which fails blames the event again.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(folder: &Path) -> io::Result<(Self, Option<(Key, u64)>)> {
        let path = folder.join(FILE);
        let file =
            files::options().create(true).truncate(false).read(true).write(true).open(path)?;
        let mut bytes = [0; MARK_BYTES];
        // A file that is too short has no mark.
        let left = file.read_exact_at(&mut bytes, 0).ok().and_then(|()| parse(&bytes));
        Ok((Self(file), left))
    }

    /// Marks an event. Write errors are ignored: without a mark the event is only not detected as
    /// poison.
    pub fn set(&self, run: Key, sequence: u64) {
        let mut bytes = [0; MARK_BYTES];
        bytes[..KEY_BYTES].copy_from_slice(&run.0.to_be_bytes());
        bytes[KEY_BYTES..].copy_from_slice(&sequence.to_be_bytes());
        let _ = self.0.write_all_at(&bytes, 0);
    }

    /// No event is being planned.
    pub fn clear(&self) {
        let _ = self.0.write_all_at(&[0; MARK_BYTES], 0);
    }
}

/// Sequence zero means no event: sequences start at 1.
fn parse(bytes: &[u8; MARK_BYTES]) -> Option<(Key, u64)> {
    let (key, sequence) = bytes.split_at(KEY_BYTES);
    let key = Key(u128::from_be_bytes(key.try_into().ok()?));
    let sequence = u64::from_be_bytes(sequence.try_into().ok()?);
    (sequence != 0).then_some((key, sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(folder: &Path) -> Option<(Key, u64)> {
        PlanMarker::open(folder).unwrap().1
    }

    #[test]
    fn rule_07_a_mark_is_found_by_later_processes_until_it_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let (mark, nothing) = PlanMarker::open(folder.path()).unwrap();
        assert_eq!(nothing, None);
        mark.set(Key(5), 9);
        drop(mark);
        assert_eq!(left(folder.path()), Some((Key(5), 9)));
        let (mark, again) = PlanMarker::open(folder.path()).unwrap();
        assert_eq!(again, Some((Key(5), 9)));
        mark.clear();
        assert_eq!(left(folder.path()), None);
    }

    #[test]
    fn a_later_mark_replaces_the_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let (mark, _) = PlanMarker::open(folder.path()).unwrap();
        mark.set(Key(u128::MAX), u64::MAX);
        mark.set(Key(5), 9);
        assert_eq!(left(folder.path()), Some((Key(5), 9)));
    }

    #[test]
    fn a_torn_mark_accuses_nobody() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), [7; MARK_BYTES - 1]).unwrap();
        assert_eq!(left(folder.path()), None);
    }
}
