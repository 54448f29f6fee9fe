//! A disk whose writes and syncs fail or stall on demand.

use super::disk::{Disk, SystemDisk};
use std::fs::File;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// A writer that has not synced by then counts as stuck.
const SYNC_WITHIN: Duration = Duration::from_secs(10);
/// A test that has not released the disk by then has failed, and must end.
const STALL_MAX: Duration = Duration::from_secs(30);

/// The behaviour of the next operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    #[default]
    Works,
    /// Syncs wait.
    Stalls,
    /// The next sync fails, later ones work again: the kernel reports a lost page once.
    LosesAPage,
    /// The next write ends after this many bytes.
    IsFullAfter(usize),
    /// The next write panics.
    Panics,
}

#[derive(Debug, Default)]
struct State {
    mood: Mood,
    is_stalled: bool,
    syncs: usize,
}

#[derive(Debug, Default)]
pub struct FaultyDisk {
    state: Mutex<State>,
    changed: Condvar,
}

impl FaultyDisk {
    pub fn set(&self, mood: Mood) {
        self.state().mood = mood;
        self.changed.notify_all();
    }

    /// Waits until a sync is stalled.
    pub fn until_stalled(&self) {
        let wait = self.changed.wait_timeout_while(self.state(), SYNC_WITHIN, |s| !s.is_stalled);
        assert!(wait.unwrap().0.is_stalled, "no sync within {SYNC_WITHIN:?}");
    }

    /// Number of requested syncs.
    pub fn syncs(&self) -> usize {
        self.state().syncs
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Disk for FaultyDisk {
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mood = self.state().mood;
        match mood {
            Mood::Works | Mood::Stalls | Mood::LosesAPage => SystemDisk.write(file, bytes, offset),
            Mood::IsFullAfter(length) => {
                self.set(Mood::Works);
                SystemDisk.write(file, &bytes[..length.min(bytes.len())], offset)?;
                Err(io::ErrorKind::StorageFull.into())
            }
            Mood::Panics => panic!("the disk is on fire"),
        }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let mut state = self.state();
        state.syncs += 1;
        state.is_stalled = state.mood == Mood::Stalls;
        self.changed.notify_all();
        let stalls = |state: &mut State| state.mood == Mood::Stalls;
        let (mut state, waited) =
            self.changed.wait_timeout_while(state, STALL_MAX, stalls).unwrap();
        state.is_stalled = false;
        if waited.timed_out() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if state.mood == Mood::LosesAPage {
            state.mood = Mood::Works;
            return Err(io::Error::other("the disk lost a page"));
        }
        SystemDisk.sync(file)
    }
}
